"""After every fault, however its request brought its body, the next request is answered right."""

from __future__ import annotations

import pytest

from . import results
from .afterwards import BROKEN, CLOSED, ENDED, KEPT, Exchange, tried
from .launch import KINDS
from .probe import request
from .rules import CUT, NONE, THEN
from .table import AFTERWARDS
from .test_matrix import QUICK, started

MARKED = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in KINDS]
HUGE = bytes(12_000_000)
"""More than the buffers of both ends hold."""
CLOSES = ("werkzeug", "gunicorn sync", "wsgiref")
"""Servers that close every connection behind its answer, and say so."""
WITHOUT_A_WORD = ("uWSGI",)
"""And those that do not say it."""


def expected(server, rule, situation):
    """What may become of the connection: kept wherever nothing is left unread and nothing else asks for its end."""
    text, gives = THEN[rule]
    if gives in (NONE, CUT):
        # granian tells a WSGI app no port: among several connections none is broken.
        return {BROKEN, KEPT, CLOSED} if server == "granian WSGI" else {BROKEN}
    if server.startswith(WITHOUT_A_WORD):
        return {CLOSED, ENDED}
    if server.startswith(CLOSES) or rule == "error-closes":
        return {CLOSED}
    if "exact=yes" in text:
        return {CLOSED, KEPT} if "TLS" in server else {CLOSED}
    wsgi = KINDS[server].interface == "wsgi"
    past_the_server = wsgi and "drip" in text
    without_length = server == "waitress" and "status=200" in text
    unread = "drain=no" in text or situation.startswith("ignored")
    waits = situation in ("expect", "impatient") and not wsgi and "when=after" not in text
    if situation == "no_body" and not (past_the_server or without_length):
        return {KEPT}
    if past_the_server or without_length or unread or waits:
        return {KEPT, CLOSED}
    return {KEPT}


@pytest.mark.parametrize("name", MARKED)
def test_the_next_request(pool, name):
    """Once, with its own answer, on the same connection or on a new one; sent behind the answer or together with it."""
    seen = tried(started(pool, name))
    wrong = {case: what for case, what in seen.items() if what not in expected(name, *case[:2])}
    assert wrong == {}
    for column, (rule, situation) in AFTERWARDS.items():
        results.check(name, column, seen[rule, situation, False], results.KEPT)


@pytest.mark.parametrize("situation", ["no_body", "body", "expect"])
@pytest.mark.parametrize("name", MARKED)
def test_a_connection_that_is_to_close_does(pool, name, situation):
    """`set.connection=close` is said once, and done, by every server; also where the client asks for the same."""
    exchange = Exchange(started(pool, name), "error-closes")
    try:
        answer = getattr(exchange, situation)()
        assert exchange.check(answer)
        assert answer.one("connection").lower() == "close"
        assert exchange.client.end() == ("FIN", b"")
    finally:
        exchange.close()


@pytest.mark.parametrize(
    "rule",
    ["error-undrained", "exact-undrained", pytest.param("error-undrained-late", marks=pytest.mark.slow)],
)
@pytest.mark.parametrize("name", MARKED)
def test_an_upload_is_not_cut_off(pool, name, rule):
    """A client that sends all it has before it looks for an answer can do so, and reads the whole of it then."""
    if name == "uWSGI, router":
        pytest.skip("the client's own connection is in another process")
    exchange = Exchange(started(pool, name), rule)
    try:
        exchange.client.send_whole(request("PUT", exchange.path, HUGE))
        answer = exchange.client.answer("PUT")
        assert exchange.check(answer)
        if answer.one("connection") == "close":
            assert exchange.client.end() == ("FIN", b"")
    finally:
        exchange.close()
