"""After every fault, with every kind of body, the next request is answered right."""

from contextlib import closing

import pytest

from tests.pairs import fewest, pairs

from . import results
from .afterwards import BROKEN, CASES, CLOSED, ENDED, KEPT, Exchange, tried
from .faults import code
from .launch import KINDS, SENT_AWAY, SERVERS, UNREACHABLE, Server
from .rules import APP, CUT, NONE, RULES, THEN
from .table import AFTERWARDS
from .test_matrix import FEW, started, way

MARKED = [name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in KINDS]
HUGE = bytes(12_000_000)
"""More than the buffers of both ends hold."""
CLOSES = ("werkzeug", "gunicorn sync", "wsgiref")
"""Servers that close every connection behind its answer, and say so."""
WITHOUT_A_WORD = ("uWSGI",)
"""And those that do not say it."""


def expected(server, rule, situation):
    """The allowed outcomes: kept, unless a part is unread or something asks for the end."""
    text, gives = THEN[rule]
    if (gives is CUT and situation != "bodiless") or (gives is NONE and server not in UNREACHABLE):
        return {BROKEN}
    if server in UNREACHABLE and (gives is NONE):
        return {CLOSED, KEPT}
    if server.startswith(WITHOUT_A_WORD):
        return {CLOSED, ENDED}
    if server.startswith(CLOSES) or rule == "error-closes":
        return {CLOSED}
    wsgi = KINDS[server].interface == "wsgi"
    without_length = server == "waitress" and "status=200" in text
    unread = "drain=no" in text or situation.startswith("ignored")
    unread = unread or ("after_bytes" in text and gives is not APP)
    waits = situation in ("expect", "impatient") and not wsgi and "when=after" not in text
    if situation in ("no_body", "bodiless") and not without_length:
        return {KEPT}
    if without_length or unread or waits:
        return {KEPT, CLOSED}
    return {KEPT}


def shows(case):
    """The observations of one case on one server."""
    name, rule, situation = case
    yield name, rule
    yield name, situation
    if not KINDS[name].missing:
        yield KINDS[name].interface, KINDS[name].tls, rule, situation


TRIED = fewest([(name, *case) for name in KINDS for case in CASES], shows)


@pytest.mark.slow
@pytest.mark.parametrize("name", MARKED)
def test_the_next_request(pool, name):
    """Once, with its own answer, on the same connection or on a new one."""
    cases = {*AFTERWARDS.values(), *(tuple(case) for each, *case in TRIED if each == name)}
    seen = tried(started(pool, name), sorted(cases))
    assert {case: what for case, what in seen.items() if what not in expected(name, *case)} == {}
    for column, (rule, situation) in AFTERWARDS.items():
        results.check(name, column, seen[rule, situation], results.KEPT)


@pytest.mark.slow
@pytest.mark.parametrize("name", SERVERS)
def test_beneath_other_middleware(tmp_path, name):
    """Middleware that wraps the server's own callables changes nothing."""
    if why := SERVERS[name].missing:
        pytest.skip(why)
    server = Server(name, tmp_path, RULES, WRAPPED="1")
    try:
        rules = ("error", "error-undrained", "error-after", "error-closes")
        seen = tried(server, [case for case in CASES if case[0] in rules])
    finally:
        server.stop()
    assert {case: what for case, what in seen.items() if what not in expected(name, *case)} == {}
    found = {column: seen[rule, situation] for column, (rule, situation) in AFTERWARDS.items()}
    # The test above writes them, perhaps later or in another process.
    assert results.WRITING or results.read(results.KEPT)[name] == found


def marked(cases):
    """Mark the cases as slow, except those of the servers in `FEW`."""
    return [pytest.param(*case, marks=() if case[0] in FEW else pytest.mark.slow) for case in cases]


@pytest.mark.parametrize(
    ("name", "situation"),
    marked(
        pairs(
            name=KINDS,
            situation=["no_body", "body", "expect"],
            alike={"name": way, "situation": lambda situation: None},
        )
    ),
)
def test_a_connection_that_is_to_close_does(pool, name, situation):
    """`set.connection=close` is announced once, and done, by every server."""
    with closing(Exchange(started(pool, name), "error-closes")) as exchange:
        answer = getattr(exchange, situation)()
        assert exchange.check(answer)
        assert (answer.one("connection").lower(), exchange.client.end()) == ("close", ("FIN", b""))


UNREAD = {
    "then": ("then-error-undrained", "HTTP/1.1"),
    "then, late": ("then-error-undrained-late", "HTTP/1.1"),
}
LAST = {
    "close": ("error-undrained", "HTTP/1.1\r\nConnection: close"),
    "HTTP/1.0": ("error-undrained", "HTTP/1.0"),
    "the answer's": ("error-undrained-last", "HTTP/1.1"),
}
"""The reasons for the end of a connection: the rule, and the begin of the request."""


@pytest.mark.parametrize(
    ("name", "wish"),
    marked(
        pairs(
            # The router's clients are another process's.
            name=[name for name in KINDS if name not in (*SENT_AWAY, "uWSGI, router")],
            wish=UNREAD | LAST,
            allowed=lambda name, wish: name in SERVERS or wish in UNREAD,
            alike={"name": way, "wish": lambda wish: wish == "the answer's"},
        )
    ),
)
def test_an_upload_that_nobody_reads(pool, name, wish):
    """A client that sends its whole body before it reads gets the whole answer, and no reset."""
    server = started(pool, name)
    rule, line = (UNREAD | LAST)[wish]
    path = f"/{rule}/unread-{next(server.numbers)}"
    head = f"PUT {path} {line}\r\nHost: a.example\r\nContent-Length: {len(HUGE)}\r\n\r\n"
    with server.connect() as client:
        client.send_whole(head.encode() + HUGE)
        answer = client.answer("PUT")
        assert (answer.status, answer.whole, code(answer.body)) == (503, True, "SlowDown")
        if wish in LAST or answer.one("connection") == "close":
            assert client.end() == ("FIN", b"")
    server.outcome(path)
