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
from tests.first_vendors import FIRST_VENDORS

WITH_IDS = [name for name in vendors.names() if vendors.get(name).id_headers]


def headers(vendor):
    """The headers with an id in some answer of the vendor, with the id's name, usual ones last."""
    found = vendors.get(vendor)
    forms = [pair for form in found.forms.values() for pair in form.id_headers or ()]
    return [*forms, *found.id_headers]


def drawn(vendor):
    """A header for each id that differs between answers.

    Some vendors send a constant besides, or one id twice.
    """
    one, other = (vendors.get(vendor).make_ids(bytes([each] * 64), 1) for each in (0x35, 0xCA))
    return {which: name for name, which in vendors.get(vendor).id_headers if one[which] != other[which]}


def ids_of(answer, vendor):
    given = {which: answer.header(name) for name, which in headers(vendor) if name.lower() in answer.names}
    return [given[which] for which in drawn(vendor)]


def test_unique_over_many_answers(send, inject_with):
    """Of 400 answers, to the same requests and from two injectors, no two share an id.

    The injectors have one seed. That 2,000 draws give 2,000 ids is proved beside the vendors for each of them; the
    numbering is the same for all.
    """
    injectors = [inject_with("cos:@all", seed="same") for _ in range(2)]
    seen = []
    for number in range(200):
        for injector in injectors:
            answer = send(injector, "HEAD" if number % 10 == 0 else "GET", f"/photos/{number % 50}")
            seen += ids_of(answer, "cos")
    assert len(seen) == len(set(seen)) == 2 * 2 * 200


def test_unique_across_threads(send, inject_with):
    """Sixteen threads that ask for one object get 200 different ids."""
    injector = inject_with("cos:@all")
    with ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda _: send(injector, "GET", "/photos/same"), range(200)))
    assert len({ids_of(answer, "cos")[0] for answer in answers}) == 200


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
first = sys.argv[3].split()
for number in range(100):
    for name in vendors.names() if number < 20 else first:
        path = f"/{name}/key-{number % 7}"
        environ = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": ""}
        body = wrapped(environ, lambda status, headers: answers.append([name, path, status, headers]))
        answers[-1].append(b"".join(body).decode())
json.dump(answers, sys.stdout)
"""


@pytest.fixture(scope="module")
def run():
    """The answers of a new process that gets the same requests in the same order."""

    def start(clock, seed="42"):
        done = subprocess.run(
            [sys.executable, "-c", REPLAY, str(clock), seed, " ".join(FIRST_VENDORS)],
            capture_output=True,
            check=True,
            text=True,
        )
        return json.loads(done.stdout)

    return start


@pytest.fixture(scope="module")
def first(run):
    return run(1_700_000_000)


@pytest.mark.slow
def test_replay_is_the_same_to_the_byte(run, first):
    """The same requests in the same order, at the same time: the same faults, ids, bodies."""
    assert run(1_700_000_000) == first
    assert len(first) == 100 * 5 + 20 * (len(vendors.names()) - 5)
    assert 0.4 < sum(answer[2] != "200 OK" for answer in first) / len(first) < 0.6
    assert 200 < sum(answer[2] != "200 OK" for answer in first if answer[0] in FIRST_VENDORS) < 300
    assert {answer[0] for answer in first if answer[2] != "200 OK"} == {*vendors.names()}


TIMED = {("cos", "request_id"), ("qiniu-mix", "request_id")}
"""The ids of the first vendors that hold the time."""


def test_replay_at_another_time_differs_in_the_time_alone(run, first, id_shape):
    """A year later all is the same but for the seconds in the ids of COS and MIX.

    Others tell the time in more places; that their ids have nothing else from the clock is proved beside the vendors.
    """
    later = run(1_731_536_000)
    times = set()
    for now, then in zip(copy.deepcopy(first), later, strict=True):
        assert outlines(now) == outlines(then)
        if now[0] not in FIRST_VENDORS:
            continue
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
    assert {(vendor, which) for vendor, which, _, _ in times} == TIMED
    for _, _, old, new in times:
        assert 0 <= int(old, 16) - 1_700_000_000 < 60
        assert 0 <= int(new, 16) - 1_731_536_000 < 60


def outlines(answer):
    """Vendor, path, status, names of headers and length of an answer."""
    name, path, status, headers, body = answer
    return name, path, status, [each for each, _ in headers], len(body)


def without_time(vendor, value):
    text = base64.b64decode(value).decode() if vendor == "cos" else value
    return text[8:]


def test_another_seed_gives_other_ids(run, first):
    """Ids are drawn from the seed."""
    other = run(1_700_000_000, "43")
    names = {
        vendor: {name for name, which in headers(vendor) if which in drawn(vendor)} for vendor in WITH_IDS
    }
    ids = [
        {value for answer in each for name, value in answer[3] if name in names.get(answer[0], ())}
        for each in (first, other)
    ]
    assert ids[0]
    assert not ids[0] & ids[1]
