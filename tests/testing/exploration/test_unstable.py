"""Code that is not the same in every run: what can be addressed is, and what cannot is named."""

from __future__ import annotations

import asyncio
import itertools
import random
import tempfile
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx

import faultinject
from faultinject import ASGIFaultMiddleware

from .service import call, exploring, send

FAULTS = ("reset", "http:503")


def reached(exploration, error, runs, left_out=()):
    """So many runs, all reached, and this left out."""
    assert error is None, error
    assert len(exploration.runs) == runs
    assert all(each.reached for each in exploration.runs)
    assert [each.what for each in exploration.sweep.left_out] == list(left_out)


def test_threads():
    """Four threads in any order: every request by its own name."""
    chance = random.Random(1)

    def code():
        numbers = list(range(15))
        chance.shuffle(numbers)
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda number: call("PUT", f"/b/k?partNumber={number}&uploadId=x"), numbers))

    reached(*exploring(code, *FAULTS), 30)


def test_gathered_tasks():
    """The same on an event loop."""

    async def app(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def tried(web, number):
        for _ in range(3):
            try:
                if (await web.put(f"/b/{number}")).status_code == 200:
                    return
            except httpx.TransportError:
                continue
        raise AssertionError

    async def code():
        transport = httpx.ASGITransport(ASGIFaultMiddleware(app, []))
        async with httpx.AsyncClient(transport=transport, base_url="http://s3") as web:
            await asyncio.gather(*(tried(web, number) for number in range(10)))

    reached(*exploring(lambda: asyncio.run(code()), *FAULTS), 20)


def test_any_order():
    """Keys in another order each time."""
    chance = random.Random(1)
    keys = list("abcde")

    def code():
        chance.shuffle(keys)
        for each in keys:
            assert call("PUT", f"/b/{each}")

    reached(*exploring(code, *FAULTS), 10)


def test_keys_made_up_each_time():
    """UUIDs, and times in nanoseconds."""

    def code():
        assert call("PUT", f"/b/{uuid.uuid4()}/a")
        assert call("PUT", f"/b/{uuid.uuid4()}/b")
        assert call("PUT", "/b/index")

    reached(*exploring(code, *FAULTS), 6)


def test_names_of_temporary_files():
    """What only its operation is known by."""

    def code():
        for _ in range(2):
            with tempfile.NamedTemporaryFile() as file:
                assert call("PUT", f"/b/{Path(file.name).name}")
        assert call("GET", "/b/index")

    reached(*exploring(code, *FAULTS), 6)


def test_a_heartbeat():
    """A thread that asks now and then is left out by name; the rest is explored."""
    beats = itertools.cycle([2, 3])

    def code():
        thread = threading.Thread(target=lambda: [send("GET", "/b/beat") for _ in range(next(beats))])
        thread.start()
        for each in "abcd":
            assert call("PUT", f"/b/{each}")
        thread.join()

    reached(*exploring(code, *FAULTS), 8, ["GET /b/beat x 2"])


def test_polling():
    """So is a job that is asked after as long as it takes."""
    answers = itertools.cycle([2, 3, 5, 4])

    def code():
        assert call("POST", "/b/job?start")
        assert all(call("GET", "/b/job") for _ in range(next(answers)))

    reached(*exploring(code, *FAULTS), 2, ["GET /b/job x 2"])


def test_a_hedged_request():
    """And a second request that is sent only when the first is slow."""
    slow = itertools.cycle([False, True])

    def code():
        assert call("GET", "/b/k")
        if next(slow):
            assert call("GET", "/b/k")
        assert call("PUT", "/b/k")

    reached(*exploring(code, *FAULTS), 2, ["GET /b/k"])


def test_state_that_leaks():
    """A run that does less because of the one before is no failure of the code, and no silence either."""
    there = set()

    def code():
        for each in "ab":
            if each not in there:
                assert call("PUT", f"/b/{each}")
                there.add(each)
        assert call("GET", "/b/a")

    _, error = exploring(code, "reset,method=PUT", "http:503")
    assert [line for line in str(error).splitlines() if line.startswith("left out")] == [
        "left out: PUT /b/a (differs between two runs without faults: only one makes it; make them alike)",
        "left out: PUT /b/b (differs between two runs without faults: only one makes it; make them alike)",
    ]
    assert str(error).splitlines()[-1] == (
        "incomplete: reset,method=PUT was injected in no run (nearest: PUT /b/a)"
    )


def test_same_requests_of_threads():
    """Requests that nothing tells apart are told apart by their order of arrival, and each gets every fault once."""

    def code():
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(lambda _: call("GET", "/b/k"), range(8)))
        assert call("PUT", "/b/k")

    reached(*exploring(code, *FAULTS), 18)


def test_depth_2_in_threads():
    """Also at depth 2 nothing is missed, whatever the order in which the answers come."""

    def code():
        with ThreadPoolExecutor(3) as pool:
            assert all(pool.map(lambda number: call("PUT", f"/b/{number}"), range(5)))

    exploration, error = exploring(code, "http:503", depth=2)
    assert error is None
    assert {each.text for each in exploration.runs} >= {
        f"http:503,method=PUT,path=/b/{number},times={times}" for number in range(5) for times in (1, 2)
    }
    assert faultinject.explore("http:503").runs == []
