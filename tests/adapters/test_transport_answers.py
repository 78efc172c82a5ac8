"""Errors that come late, behind the head of a success."""

import re
import time
from itertools import islice

import pytest

from faultinject import WSGIFaultMiddleware
from tests.pairs import pairs

from .transport import LEFT, WIRES, Exchange, by_asgi, ended, last, loopback, saying

LATE = "cos:InternalError,status=200"


@pytest.mark.parametrize(
    ("wire", "inside", "when"),
    pairs(wire=WIRES, inside=[False, True], when=["before", "after"]),
    indirect=["wire"],
)
def test_a_late_error(wire, make_injector, inside, when):
    """The head of a success comes with the XML declaration, then blanks, then the error."""
    injector = make_injector(f"{LATE},delay=450ms,when={when}", record_all=True)
    began = time.monotonic()
    seen = wire(injector, inside=inside)
    took = time.monotonic() - began
    assert (seen.status, seen.end, seen.error, "content-length" in seen.headers) == (200, "FIN", None, False)
    assert re.fullmatch(rb"<\?xml [^>]*\?>\n {1,3}<Error>.*</Error>\n*", seen.body, re.DOTALL)
    assert ended(injector) == ("answered", when == "after", 200)
    assert last(injector).elapsed < took - 0.4  # until its head, and not until its end
    assert last(injector).response_bytes == len(seen.body)  # the blanks among them


@pytest.mark.parametrize(
    ("rule", "body", "sized"),
    [
        # Blanks may stand before it in JSON, too; without a delay nothing is late.
        ("qingstor:internal_error,status=200,delay=1ms", rb" +\{.*\}", False),
        (LATE, rb"<\?xml [^>]*\?>\n<Error>.*</Error>\n*", True),
    ],
)
def test_other_errors_in_a_success(wire, make_injector, rule, body, sized):
    """In the vendor's own form; what is not late has its length."""
    seen = wire(make_injector(rule))
    assert re.fullmatch(body, seen.body, re.DOTALL)
    length = str(len(seen.body)) if sized else None
    assert (seen.status, seen.headers.get("content-length")) == (200, length)


def test_a_late_error_for_head(wire, make_injector):
    """There is no body that could be late: the head comes at once."""
    seen = wire(make_injector(f"{LATE},delay=1h"), method="HEAD")
    assert (seen.status, seen.body) == (200, b"")
    assert int(seen.headers["content-length"]) > 0


def test_a_late_error_for_a_client_that_leaves(servers, make_injector, clock):
    """Nothing is sent any more to nobody."""
    injector = make_injector(f"{LATE},delay=1h", waits=clock)
    with loopback() as (client, server):
        clock.at(30, client.close)
        by_asgi(servers, injector, server, run=clock.run)
    assert (clock.now < 60, injector.finish()) == (True, 0)


@pytest.mark.parametrize("pieces", [0, 1, 2])
def test_a_late_error_that_is_not_read_to_its_end(servers, make_injector, pieces):
    """A server that lost its client closes it: its place is free, once."""
    injector = make_injector(f"{LATE},delay=1h", FAULTINJECT_MAX_ACTIVE="1")
    result = WSGIFaultMiddleware(None, injector=injector)(servers.environ(), lambda *_: None)
    sent = sum(map(len, islice(result, pieces)))
    result.close()
    assert not pieces or last(injector).response_bytes == sent
    del result
    assert injector.finish() == 0


@pytest.mark.parametrize("rule", ["hang,duration=100ms", f"{LATE},delay=100ms", "latency,delay=100ms"])
def test_a_client_that_waits_for_100_is_not_listened_for(servers, make_injector, clock, rule):
    """Reading would ask it for its body: the wait is one to its end."""
    injector, asked = make_injector(rule, waits=clock), []

    async def receive():
        asked.append(clock.now)
        return LEFT

    with loopback() as (_, server):
        exchange = Exchange(server, "PUT")
        exchange.receive = receive
        headers = [("expect", "100-continue"), ("content-length", "5")]
        by_asgi(servers, injector, exchange, saying(), "PUT", run=clock.run, headers=headers)
    assert min([clock.now, *asked]) >= 0.1
    assert injector.errors == []
    assert ended(injector)[0] in ("closed", "answered", "delayed")
