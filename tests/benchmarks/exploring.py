"""The cost of one run of an exploration, besides its requests."""

from measure import Goal, Row, retried, side_by_side
from werkzeug.test import Client

import faultinject
from faultinject import WSGIFaultMiddleware

REQUESTS, FAULTS = 5, [f"http:{status}" for status in (500, 502, 503, 504, 507, 508, 520, 521)]
RUNS = REQUESTS * len(FAULTS)


def run() -> list[Row]:
    return retried(_in_process)


def _in_process() -> list[Row]:
    client = Client(WSGIFaultMiddleware(_app, []))

    def ask(number: int) -> None:
        while client.put(f"/photos/{number}", data=b"meow").status_code != 200:
            pass

    def code() -> None:
        for number in range(REQUESTS):
            ask(number)

    def plain(count: int) -> None:
        # A run with a fault makes one request more.
        for _ in range(count * (2 + RUNS)):
            code()
        for _ in range(count * RUNS):
            ask(0)

    def explored(count: int) -> None:
        for _ in range(count):
            for each in faultinject.explore(*FAULTS):
                with each:
                    code()

    explored(3)
    sample = side_by_side({"plain": plain, "explored": explored}, rounds=41, once=True)
    added = [nanoseconds / 1e6 / (2 + RUNS) for nanoseconds in sample.added("explored")]
    title = f"exploration, a run of {REQUESTS} requests"
    return [sample.row(title, "the same requests without it", Goal("≤", 2, "ms"), added)]


def _app(environ, start_response):  # type: ignore[no-untyped-def]
    environ["wsgi.input"].read()
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
