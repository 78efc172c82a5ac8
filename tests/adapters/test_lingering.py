"""Connections that end behind an answer while their client is still sending: nothing is reset, and nothing is left."""

import os
import socket
import threading
from contextlib import contextmanager, suppress

import pytest

from faultinject.adapters import lingering, servers
from faultinject.adapters.servers import Connection, hold
from tests.until import until

from .transport import PATIENCE, loopback, read

pytestmark = pytest.mark.live

MORE = bytes(8_000_000)


def ours(server):
    """A descriptor of our own beside the server's."""
    return Connection(hold(server.fileno()), server.fileno(), encrypted=False)


@pytest.fixture(autouse=True)
def no_thread_is_left():
    """Nothing lingers behind a test."""
    yield
    until(lambda: "faultinject lingering" not in [each.name for each in threading.enumerate()])


@contextmanager
def answered():
    """A client's and a server's end, with an answer between them."""
    with loopback() as (client, server):
        server.sendall(b"answer")
        held = ours(server)
        yield client, server, held
        until(lambda: held.fileno() == -1)


def test_the_client_sends_all_it_has():
    """The server has closed with unread bytes, and the client sees the answer, a FIN, and no reset."""
    with answered() as (client, server, held):
        client.sendall(b"unread")
        lingering.linger(held)
        server.close()
        client.sendall(MORE)
        assert read(client) == (b"answer", "FIN")
        client.sendall(MORE)
        client.close()


def test_a_server_s_number_that_is_another_s_by_now():
    """The number is used again, the connection is not the server's any more."""
    with answered() as (client, server, held):
        number = server.fileno()
        with socket.socket() as other:
            os.dup2(
                other.fileno(), number
            )  # closes the server's; nobody else of this process gets its number
        assert not held.served()
        lingering.linger(held, within=PATIENCE)
        assert read(client) == (b"answer", "FIN")
        client.close()


def test_one_too_many(monkeypatch):
    """It is left to its server."""
    monkeypatch.setattr(lingering, "AT_ONCE", 0)
    with answered() as (client, server, held):
        lingering.linger(held)
        assert held.fileno() == -1
        server.close()
        assert read(client) == (b"answer", "FIN")


@pytest.mark.parametrize("bound", ["LONGEST", "MOST"])
def test_bounds(monkeypatch, bound):
    """A client that goes on and on is let go of."""
    monkeypatch.setattr(lingering, bound, 0.05 if bound == "LONGEST" else 1_000_000)
    with answered() as (client, server, held):
        lingering.linger(held)
        server.close()
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            while True:
                client.sendall(MORE)


def test_what_a_server_still_holds_is_its_to_send(monkeypatch):
    """Also where the time is over: only our own descriptor goes."""
    monkeypatch.setattr(lingering, "LONGEST", 0.05)
    with answered() as (client, server, held):
        server.setblocking(False)
        sent = len(b"answer")
        with suppress(BlockingIOError):
            while True:
                sent += server.send(MORE)
        lingering.linger(held)
        until(lambda: held.fileno() == -1)
        server.close()
        body, end = read(client)
        assert (len(body), end) == (sent, "FIN")


@pytest.mark.skipif(not hasattr(socket, "TCP_INFO"), reason="the platform does not tell")
def test_a_server_that_shuts_both_directions():
    """A client that waits for room to send is not left waiting."""
    with answered() as (client, server, held):
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.sendall(MORE)  # until nothing more fits
        lingering.linger(held)
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        client.settimeout(PATIENCE)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            client.sendall(MORE)


def test_half_ended_is_not_claimed(monkeypatch):
    """Not where a platform does not tell, of a connection that is gone, nor of one that is not TCP."""
    with loopback() as (client, server):
        held = ours(server)
        assert not held.half_ended()
        server.shutdown(socket.SHUT_RDWR)
        server.close()
        until(held.half_ended)
        monkeypatch.delattr(servers._socket, "TCP_INFO")
        assert not held.half_ended()
        monkeypatch.undo()
        held.release()
        assert not held.half_ended()
        client.close()
    one, two = socket.socketpair()
    with one, two:
        held = ours(one)
        assert not held.half_ended()
        held.release()


@pytest.mark.parametrize("missing", ["threads", "uWSGI"])
def test_where_nobody_can_go_on(monkeypatch, missing):
    """The FIN goes out, and what is still sent is the server's."""
    with answered() as (client, _, held):

        def none(*_):
            raise RuntimeError("no more")

        if missing == "threads":
            monkeypatch.setattr(threading.Thread, "start", none)
        else:
            monkeypatch.setattr(lingering, "threads_run", lambda: False)
        lingering.linger(held)
        assert held.fileno() == -1
        assert read(client) == (b"answer", "FIN")


def test_an_answer_past_the_server():
    """With nothing left of the body both directions are shut at once; else the client may go on."""
    for unread in False, True:
        with loopback() as (client, server):
            server.sendall(b"answer")
            with ours(server) as held:
                lingering.end(held, unread=unread)
                if unread:
                    server.close()
                    client.sendall(MORE)
                assert read(client) == (b"answer", "FIN")
                assert unread or server.recv(1) == b""


def test_an_answer_past_the_server_without_another_descriptor():
    """It ends as if nothing were left."""
    with loopback() as (client, server):
        server.sendall(b"answer")
        held = ours(server)
        held.release()
        lingering.end(held, unread=True)
        server.close()
        assert read(client) == (b"answer", "FIN")
