"""Places for faults under way: a bound that is exact under threads, and costs nothing before it is reached."""

from __future__ import annotations

import sys

import pytest


@pytest.mark.parametrize("most", [0, 1, 3])
def test_as_many_as_there_are_places(site, most):
    """And again when they are given back."""
    deep = []

    def app(environ, start_response):
        if len(deep) < most + 1:
            deep.append(None)
            made.meet()
        start_response("200 OK", [("Content-Length", "0")])
        return []

    made = site("http:503,when=after", app=app, FAULTINJECT_MAX_ACTIVE=str(most))
    for _ in range(3):
        deep.clear()
        made.meet()
    did = [each.did for each in made.outcomes]
    assert (did.count("answered"), did.count("refused")) == (3 * most, 6)


def test_threads_take_no_more_than_there_are(site, in_threads):
    """And each place that is free is given."""
    under_way, most = [], []

    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "1")])
        return [b"x"]

    def entered(environ, start_response):
        under_way.append(None)
        most.append(len(under_way))
        under_way.pop()
        return app(environ, start_response)

    made = site("latency,delay=0s,skip=0", app=entered, FAULTINJECT_MAX_ACTIVE="5")
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        in_threads(8, lambda _: [made.meet() for _ in range(100)])
    finally:
        sys.setswitchinterval(before)
    did = [each.did for each in made.outcomes]
    assert did.count("refused") + did.count("delayed") == 800
    made.meet()
    assert made.outcomes[-1].did == "delayed"
