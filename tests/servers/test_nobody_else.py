"""A fault never hits another client's connection, whatever client the request names."""

from __future__ import annotations

import pytest

from tests.pairs import pairs

from .apps import photo
from .launch import SERVERS, VARIANTS, Server
from .probe import PATIENCE, request
from .test_matrix import FEW

FAULTS = {
    "reset": "reset",
    "close": "close",
    "hang": "hang,duration=10ms",
    "cut": "truncate",
    "error": "cos:SlowDown",
}
LATE = ("reset", "close")
RULES = " ".join(f"{name},delay=600ms,path=/late-{name}/" for name in LATE) + " "
RULES += " ".join(f"{text},path=/{name}/" for name, text in FAULTS.items())
HERE, ELSEWHERE = "127.0.0.1", "127.0.0.2"
SIZE = 60
ONE_BY_ONE = ("gunicorn sync", "wsgiref", "uWSGI")
"""Servers of one connection at a time, without any other connection to hit."""
SEVERAL = [name for name in SERVERS if name not in ONE_BY_ONE]
ENCRYPTED = [
    pytest.param(name, marks=pytest.mark.slow) for name, kind in VARIANTS.items() if kind.tls
]  # fmt: skip


@pytest.mark.parametrize("name", ENCRYPTED)
def test_no_plain_bytes_in_tls(tmp_path, name):
    """Though the client says that it came over HTTP, and the app believes it."""
    if why := VARIANTS[name].missing:
        pytest.skip(why)
    server = Server(name, tmp_path, RULES, PROXIED="1")
    try:
        for fault in "error", "cut":
            with server.connect() as client:
                answer = client.ask("GET", f"/{fault}/photos/1000", more="X-Forwarded-Proto: http\r\n")
            assert answer.status == (503 if fault == "error" else 200)
    finally:
        server.stop()


@pytest.fixture
def server(name, tmp_path):
    """A server whose app believes X-Forwarded-For."""
    if why := SERVERS[name].missing:
        pytest.skip(why)
    running = Server(name, tmp_path, RULES, PROXIED="1")
    yield running
    running.stop()


def waiting(server):
    """A client with a connection, and an answer on it if the server keeps connections open."""
    client = server.connect(source=HERE)
    answer = client.ask("GET", f"/photos/{SIZE}")
    assert answer.body == photo(SIZE)
    if (
        (answer.one("connection") or "").lower() != "close"
        and answer.line.startswith("HTTP/1.1")
        and client.silent()
    ):
        return client
    client.close()
    return server.connect(source=HERE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "source", "port"), pairs(name=SEVERAL, source=[HERE, ELSEWHERE], port=["", ":{}"])
)
def test_a_client_that_names_another(server, source, port):
    """The request gets its fault, or the gateway's answer; the other client is answered right."""
    hurt = []
    for name in FAULTS:
        with waiting(server) as other, server.connect(source=source) as client:
            said = HERE + port.format(other.name[1])
            path = f"/{name}/photos/1000"
            # A server whose connection cannot be told may leave its client to wait for the rest of a cut answer.
            patience = 1.0 if name == "cut" else PATIENCE
            more = f"X-Forwarded-For: {said}\r\nConnection: close\r\n"
            answer = client.ask("GET", path, more=more, patience=patience)
            own = {"cut": not answer.whole, "error": answer.status == 503}.get(
                name, answer.end in ("FIN", "RST")
            )
            own = own or answer.status == 502
            found = other.ask("GET", f"/photos/{SIZE}")
            if not own or found.body != photo(SIZE):
                hurt.append((name, answer, found))
    assert hurt == []


@pytest.mark.parametrize(
    "name",
    [
        name if name in (*FEW, "granian WSGI") else pytest.param(name, marks=pytest.mark.slow)
        for name in SEVERAL
    ],
)
def test_a_client_that_has_left(server):
    """A client that leaves before its fault comes leaves another client's connection alone."""
    hurt = []
    for name in LATE:
        path = f"/late-{name}/photos/10"
        with server.connect() as client:
            client.send(request("GET", path))
            server.outcome(path)  # the line that the wait begins with
        with waiting(server) as other:
            outcome = server.outcome(path, until=lambda outcome: outcome.get("final"))
            found = other.ask("GET", f"/photos/{SIZE}")
            if found.body != photo(SIZE) or outcome["did"] not in ("failed", "answered"):
                hurt.append((name, outcome["did"], found))
    assert hurt == []
