"""Ids: unique in a run, the same in a sequential replay but for the time in them."""

from __future__ import annotations

import base64
import copy
import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from faultinject import vendors

WITH_IDS = [name for name in vendors.names() if vendors.get(name).id_headers]
each_vendor = pytest.mark.parametrize("vendor", WITH_IDS)


def ids_of(answer, vendor):
    return [answer.header(name) for name, _ in vendors.get(vendor).id_headers]


@each_vendor
def test_unique_over_two_thousand_answers(vendor, send, inject_with):
    """2,000 answers, many of them to the same request and from two injectors of one seed, and no id comes twice."""
    injectors = [inject_with(f"{vendor}:@all", seed="same") for _ in range(2)]
    seen = []
    for number in range(1000):
        for injector in injectors:
            answer = send(injector, "HEAD" if number % 10 == 0 else "GET", f"/photos/{number % 50}")
            seen += ids_of(answer, vendor)
    assert len(seen) == len(set(seen)) == 2000 * len(vendors.get(vendor).id_headers)


@each_vendor
def test_unique_across_threads(vendor, send, inject_with):
    """Sixteen threads that ask for one object get 800 different ids."""
    injector = inject_with(f"{vendor}:@all")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: send(injector, "GET", "/photos/same"), range(800)))
    assert len({ids_of(answer, vendor)[0] for answer in answers}) == 800


REPLAY = """
import json, sys
from faultinject import Injector, WSGIFaultMiddleware, vendors

start = float(sys.argv[1])
ticks = iter(range(10**9))
injector = Injector(
    [f"{name}:@all,path=/{name}/,probability=0.5" for name in vendors.names()],
    seed=sys.argv[2], clock=lambda: start + next(ticks) * 0.001, environ={},
)
def app(environ, start_response):
    start_response("200 OK", [])
    return [b"app"]
wrapped = WSGIFaultMiddleware(app, injector=injector)
answers = []
for number in range(400):
    for name in vendors.names():
        path = f"/{name}/key-{number % 7}"
        environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""}
        body = wrapped(environ, lambda status, headers: answers.append([name, path, status, headers]))
        answers[-1].append(b"".join(body).decode())
json.dump(answers, sys.stdout)
"""


@pytest.fixture(scope="module")
def run():
    """The answers of a program that is started anew and asks the same questions in the same order."""

    def start(clock, seed="42"):
        done = subprocess.run(
            [sys.executable, "-c", REPLAY, str(clock), seed], capture_output=True, check=True, text=True
        )
        return json.loads(done.stdout)

    return start


@pytest.fixture(scope="module")
def first(run):
    return run(1_700_000_000)


def test_replay_is_the_same_to_the_byte(run, first):
    """The same requests in the same order, at the same time: the same faults, ids, bodies."""
    assert run(1_700_000_000) == first
    assert 800 < sum(answer[2] != "200 OK" for answer in first) < 1200


def test_replay_at_another_time_differs_in_the_time_alone(run, first, id_shape):
    """A year later all is the same but for the seconds in the ids of COS and MIX."""
    later = run(1_731_536_000)
    times = set()
    for now, then in zip(copy.deepcopy(first), later, strict=True):
        for name, which in vendors.get(now[0]).id_headers:
            old, new = (dict(each[3]).get(name) for each in (now, then))
            if old is None:
                assert new is None
                continue
            old_time, new_time = (id_shape(now[0], which, each) for each in (old, new))
            if old_time != new_time:
                times.add((now[0], which, old_time, new_time))
                assert without_time(now[0], new) == without_time(now[0], old)
            else:
                assert new == old
            now[3] = [[each, "id" if each == name else value] for each, value in now[3]]
            then[3] = [[each, "id" if each == name else value] for each, value in then[3]]
            now[4], then[4] = now[4].replace(old, "id"), then[4].replace(new, "id")
        assert then == now
    assert {(vendor, which) for vendor, which, _, _ in times} == {
        ("cos", "request_id"),
        ("qiniu-mix", "request_id"),
    }
    for _, _, old, new in times:
        assert 0 <= int(old, 16) - 1_700_000_000 < 60
        assert 0 <= int(new, 16) - 1_731_536_000 < 60


def without_time(vendor, value):
    text = base64.b64decode(value).decode() if vendor == "cos" else value
    return text[8:]


def test_another_seed_gives_other_ids(run, first):
    """What the ids are made of is drawn from the seed."""
    other = run(1_700_000_000, "43")
    names = {name for vendor in WITH_IDS for name, _ in vendors.get(vendor).id_headers}
    ids = [
        {value for answer in each for name, value in answer[3] if name in names} for each in (first, other)
    ]
    assert ids[0]
    assert not ids[0] & ids[1]
