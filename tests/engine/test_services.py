"""The bound of running faults is exact under threads, and costs nothing below it."""

from collections import Counter

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
    did = Counter(each.did for each in made.outcomes)
    counted = {"rule-1": (3 * most + 6, 3 * most)}
    assert (did["answered"], did["refused"], made.counts) == (3 * most, 6, counted)


def test_threads_take_no_more_than_there_are(site, in_many_threads):
    """And each place that is free is given."""
    made = site("latency,delay=0s,skip=0", FAULTINJECT_MAX_ACTIVE="5")
    in_many_threads(8, lambda _: [made.meet() for _ in range(100)])
    did = Counter(each.did for each in made.outcomes)
    assert did["refused"] + did["delayed"] == 800
    made.meet()
    assert made.outcomes[-1].did == "delayed"
