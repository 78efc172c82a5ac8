"""A client that ends its side of the connection, and still reads: the delayed error, and never a 500 of our own."""

from __future__ import annotations

import socket
from itertools import count

import pytest

from tests.pairs import pairs

from .faults import code, empty
from .launch import SERVERS
from .probe import request
from .test_matrix import QUICK, started

HEARS_NO_MORE = ("uvicorn", "hypercorn", "daphne", "granian", "gunicorn asgi")
"""Servers that take the end of one side for the end of both, and let go of the connection by themselves."""
MARKED = [name if name in QUICK else pytest.param(name, marks=pytest.mark.slow) for name in SERVERS]
_numbers = count()


def marked(cases):
    return [pytest.param(*case, marks=() if case[0] in QUICK else pytest.mark.slow) for case in cases]


def kind(name):
    """Servers of a kind hear of the end in the same way, and quick ones are asked for everything."""
    return SERVERS[name].interface, name.startswith(HEARS_NO_MORE), name in QUICK


def sent(server, rule, body):
    path = f"/{rule}/half-{next(_numbers)}/{'put' if body else 'photos/10'}"
    client = server.connect()
    client.send(request("PUT" if body else "GET", path, body))
    return client, path


@pytest.mark.parametrize(
    ("name", "rule", "body"),
    marked(
        pairs(
            name=SERVERS,
            rule=["then-error-late", "then-error-after-late"],
            body=["", "x" * 10],
            alike={"name": kind},
        )
    ),
)
def test_the_delayed_error_is_seen(pool, name, rule, body):
    """By one that reads on; and the journal says what the client saw."""
    server = started(pool, name)
    client, path = sent(server, rule, body.encode() * 100 or None)
    with client:
        client.socket.shutdown(socket.SHUT_WR)
        answer = client.answer()
    if name.startswith("granian") and not answer.line:
        return  # it may not even call the app
    outcome = server.outcome(path, until=lambda outcome: outcome.get("final"))
    if name.startswith(HEARS_NO_MORE) and not answer.line:
        assert outcome["did"] in ("failed", "app_failed")
    else:
        assert (answer.status, code(answer.body), answer.whole) == (503, "SlowDown", True)
        assert outcome["did"] == "answered"


@pytest.mark.parametrize("name", MARKED)
def test_a_slow_answer_is_read_to_its_end(pool, name):
    """By one that reads on, where its server lets it."""
    server = started(pool, name)
    client, path = sent(server, "drip-error", None)
    with client:
        client.socket.shutdown(socket.SHUT_WR)
        answer = client.answer()
    if name.startswith((*HEARS_NO_MORE, "granian")) and not answer.whole:
        return
    assert (answer.status, code(answer.body), answer.whole) == (503, "SlowDown", True)
    assert server.outcome(path, until=lambda outcome: outcome.get("final"))["did"] == "dripped"


@pytest.mark.parametrize(
    ("name", "rule"),
    marked(
        pairs(
            name=SERVERS,
            rule=["reset-late", "close-late"],
            alike={"name": kind, "rule": lambda rule: None},
        )
    ),
)
def test_a_broken_connection_is_seen(pool, name, rule):
    """Or nothing else, where that was to come."""
    client, _ = sent(started(pool, name), rule, None)
    with client:
        client.socket.shutdown(socket.SHUT_WR)
        answer = client.answer()
    assert empty(answer)
    assert answer.end != "open"


@pytest.mark.parametrize(
    "name", [each for each in MARKED if getattr(each, "values", (each,)) != ("granian WSGI",)]
)  # it tells an app nothing
def test_one_that_has_left_has_seen_nothing(pool, name):
    """The same, but for the reading: the fault was not given."""
    server = started(pool, name)
    client, path = sent(server, "late-plain", None)
    # The line that the wait begins with.
    server.outcome(path)
    client.close()
    assert server.outcome(path, until=lambda outcome: outcome.get("final"))["did"] == "failed"
