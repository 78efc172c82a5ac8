"""The live journal: server-sent events over each door, as a browser's `fetch` reads them."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from contextlib import suppress
from itertools import chain, repeat

import pytest

from faultinject.control import LIMITS

from .conftest import PATIENCE, TOKEN, control, until


class Stream:
    """A stream that is read line by line."""

    def __init__(self, client, after="", **headers):
        self.connection = http.client.HTTPConnection("127.0.0.1", client.port, timeout=PATIENCE)
        path = f"{client.mount}/journal/stream" + (f"?after={after}" if after else "")
        self.connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"} | headers)
        self.answer = self.connection.getresponse()

    def event(self):
        """The next event or comment: its fields."""
        found = {}
        while line := self.answer.readline().decode():
            if line == "\n":
                return found
            name, _, value = line.rstrip("\n").partition(":")
            found[name] = value.removeprefix(" ")
        raise EOFError

    def close(self):
        self.answer.close()
        self.connection.close()


def test_what_happens_is_told_as_it_happens(client):
    """With the cursor to come again with; nothing is told twice to whoever comes with it."""
    client.ask_app("/b/0")
    stream = Stream(client)
    assert (stream.answer.status, stream.answer.headers["content-type"]) == (
        200,
        "text/event-stream; charset=utf-8",
    )
    assert stream.answer.headers["cache-control"] == "no-store"
    assert stream.event()["retry"] == "1000"
    first = stream.event()
    assert json.loads(first["data"])["path"] == "/b/0"
    client.ask_app("/b/1")
    second = stream.event()
    told = json.loads(second["data"])
    assert (told["path"], told["injected"], told["rule"]) == ("/b/1", True, "rule-2")
    stream.close()
    again = Stream(client, after=first["id"])
    again.event()
    assert json.loads(again.event()["data"])["path"] == "/b/1"
    again.close()
    last = Stream(client, **{"Last-Event-ID": second["id"]})
    last.event()
    client.ask_app("/b/2")
    assert json.loads(last.event()["data"])["path"] == "/b/2"
    last.close()


def test_a_hostile_path_is_told_as_text(client):
    """No line end of a request begins a line of the stream."""
    stream = Stream(client)
    stream.event()
    client.ask_app("/b/%0Adata:%20x%0D%1b%E2%80%AE")
    found = stream.event()
    assert set(found) == {"id", "data"}
    assert json.loads(found["data"])["path"] == "/b/\ndata: x\r\x1b\u202e"
    stream.close()


def test_a_silent_stream_beats(client, monkeypatch):
    """So that nothing between takes the connection for dead."""
    monkeypatch.setattr(LIMITS, "heartbeat", 0.1)
    stream = Stream(client)
    stream.event()
    assert stream.event() == {"": "alive"}
    stream.close()


def test_a_cursor_that_is_none(client):
    """Is refused before the stream begins."""
    stream = Stream(client, after="x" * 300)
    assert stream.answer.status == 400
    stream.close()


def test_there_are_so_many_streams_and_no_more(monkeypatch):
    """Each holds a connection; one that ends makes room."""
    monkeypatch.setattr(LIMITS, "streams", 2)
    for kind in ("wsgi", "asgi", "own"):
        with control(kind) as client:
            both = [Stream(client), Stream(client)]
            for each in both:
                each.event()
            third = Stream(client)
            assert (third.answer.status, third.answer.headers["retry-after"]) == (503, "5")
            third.close()
            both[0].close()

            def again():
                client.ask_app("/b/1")  # a server notices when it writes
                stream = Stream(client)
                stream.close()
                return stream.answer.status == 200

            until(again, "there is room again")
            both[1].close()


def test_a_stream_ends_with_its_server():
    """At once, though its client stays; and a mounted one does not keep its server from ending."""
    for kind in ("asgi", "own"):
        with control(kind) as client:
            stream = Stream(client)
            stream.event()
        stream.close()


class Unread:
    """A stream that its client does not read, until nothing more can be sent to it."""

    def __init__(self, client, monkeypatch, size=1_000_000, lines=20, then=True):
        client.ask_app()
        [line], _, _ = client.injector.events("", 1)
        line.user_agent = "x" * size
        told = chain([[line] * lines], repeat([line] if then else []))
        monkeypatch.setattr(client.injector, "events", lambda *_: (next(told), "c", 0))
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.connect(("127.0.0.1", client.port))
        head = f"GET {client.mount}/journal/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        self.socket.sendall(head.encode())
        assert self.socket.recv(9) == b"HTTP/1.1 "


def test_a_client_that_never_reads_does_not_keep_its_server(monkeypatch):
    """uvicorn waits without limit until all is sent."""
    with control("asgi") as client:
        unread = Unread(client, monkeypatch)
    unread.socket.close()


def test_nor_what_its_server_has_taken_and_not_sent(monkeypatch):
    """No send waits for it: the server's own buffer has room for the little that the system's had none for."""
    real = socket.create_server

    def little(address):
        listening = real(address)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return listening

    monkeypatch.setattr(socket, "create_server", little)
    with control("asgi") as client:
        unread = Unread(client, monkeypatch, 60_000, lines=1, then=False)
    unread.socket.close()


@pytest.mark.slow
def test_a_client_that_never_reads_makes_room(monkeypatch):
    """Its connection is reset after a while: there are so many streams and no more."""
    monkeypatch.setattr(LIMITS, "streams", 1)
    monkeypatch.setattr(LIMITS, "unread", 0.5)
    with control("asgi") as client:
        unread = Unread(client, monkeypatch)

        def again():
            client.ask_app()  # uvicorn takes a message when it has not sent the one before, and no further one
            stream = Stream(client)
            stream.close()
            return stream.answer.status == 200

        until(again, "there is room again")
        unread.socket.settimeout(PATIENCE)
        with pytest.raises(ConnectionResetError):
            while unread.socket.recv(1 << 20):
                pass
        unread.socket.close()


def test_a_stream_that_begins_as_its_server_ends(monkeypatch):
    """Ends with it too, though the journal was still being asked when the server let go of its connections."""
    with control("asgi") as client:
        real, asked = client.injector.events, threading.Event()

        def refused():
            try:
                socket.create_connection(("127.0.0.1", client.port), timeout=PATIENCE).close()
            except OSError:
                return True
            return False

        def slow(after, limit):
            asked.set()
            until(refused, "the server ends")
            return real(after, limit)

        monkeypatch.setattr(client.injector, "events", slow)
        connection = socket.create_connection(("127.0.0.1", client.port))
        head = f"GET {client.mount}/journal/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        connection.sendall(head.encode())
        assert asked.wait(PATIENCE)
    connection.close()


def test_a_stream_lasts_so_long_and_no_longer(monkeypatch):
    """Its client comes again with its cursor: threads of WSGI servers are few, and are waited for."""
    monkeypatch.setattr(LIMITS, "lasts_in_a_thread", 0.3)
    with control("wsgi") as client:
        stream = Stream(client)
        stream.event()
        assert stream.answer.read() == b""
        stream.close()


@pytest.mark.parametrize("kind", ["wsgi", "waitress"])
def test_a_client_goes_on_from_the_last_id(kind, monkeypatch):
    """Over several streams, each of which the server ends: every line once, in order, also those between two streams."""
    monkeypatch.setattr(LIMITS, "lasts_in_a_thread", 0.3)
    with control(kind) as client:
        after, found, streams = "", [], 0
        while streams < 4:
            client.ask_app(f"/b/{streams}")
            stream = Stream(client, after=after)
            streams += 1
            if streams % 2:
                client.ask_app(f"/b/{streams}x")
            with suppress(EOFError):
                while True:
                    event = stream.event()
                    # Of lines that are told together the last has the id.
                    found += [json.loads(event["data"])["path"]] if "data" in event else []
                    after = event.get("id", after)
            stream.close()
        assert found == ["/b/0", "/b/1x", "/b/1", "/b/2", "/b/3x", "/b/3"]


def test_lines_that_are_gone_are_counted(client, monkeypatch):
    """The stream says how many were dropped."""
    monkeypatch.setattr(client.injector, "events", lambda after, limit: ([], "c", 0 if after else 3))
    stream = Stream(client)
    stream.event()
    monkeypatch.undo()
    stream.close()
    monkeypatch.setattr(client.injector, "events", lambda after, limit: ([], "c", 3))
    stream = Stream(client)
    found = stream.event()
    assert found["retry"] == "1000"
    assert stream.event() == {"event": "dropped", "data": "3"}
    stream.close()


def test_a_store_that_is_away(client, monkeypatch):
    """A stream that runs says so and goes on; one that begins is refused, and so is the journal."""
    from faultinject.exceptions import StoreUnavailable

    stream = Stream(client)
    stream.event()

    def away(after, limit):
        raise StoreUnavailable("no space left")

    monkeypatch.setattr(client.injector, "events", away)
    assert stream.event() == {"event": "problem", "data": '"no space left"'}
    refused = Stream(client)
    assert refused.answer.status == 503
    refused.close()
    answer = client.get("/journal")
    assert (answer.status, answer.headers["retry-after"]) == (503, "1")
    assert answer.message == "the store is unavailable now: no space left"
    monkeypatch.undo()
    client.ask_app("/b/1")
    found = {}
    while "id" not in found:
        found = stream.event()
    assert json.loads(found["data"])["path"] == "/b/1"
    stream.close()


def test_a_client_that_leaves_is_noticed(client, monkeypatch):
    """Also where nothing happens: its stream makes room, at the next beat at the latest."""
    monkeypatch.setattr(LIMITS, "heartbeat", 0.1)
    monkeypatch.setattr(LIMITS, "streams", 1)
    with socket.create_connection(("127.0.0.1", client.port)) as connection:
        head = f"GET {client.mount}/journal/stream HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(10)

    def again():
        stream = Stream(client)
        stream.close()
        return stream.answer.status == 200

    until(again, "there is room again")


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_many_lines_at_once(kind, monkeypatch):
    """In pieces, in order, none twice."""
    monkeypatch.setattr(LIMITS, "piece", 3)
    with control(kind) as client:
        for number in range(10):
            client.ask_app(f"/b/{number}")
        stream = Stream(client)
        stream.event()
        found = [json.loads(stream.event()["data"])["path"] for _ in range(10)]
        assert found == [f"/b/{number}" for number in range(10)]
        stream.close()
