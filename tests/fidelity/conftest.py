"""Services to ask: our own store, and ones that are wrong on purpose."""

from __future__ import annotations

import socket
import threading
from contextlib import closing, suppress

import pytest

from faultinject.server.connections import Server
from faultinject.store import ObjectStore


@pytest.fixture
def serve():
    """Serve a WSGI app on loopback: its URL."""
    servers = []

    def call(app):
        sock = socket.create_server(("127.0.0.1", 0))
        server = Server(app, sock=sock)
        servers.append((server, sock))
        server.start()
        return f"http://127.0.0.1:{sock.getsockname()[1]}"

    yield call
    for server, sock in servers:
        server.shutdown()
        server.server_close()
        sock.close()


@pytest.fixture
def own(serve):
    """Serve our own store of a vendor: its URL."""

    def call(vendor):
        url = serve(ObjectStore(vendor))
        return f"{url}/devstoreaccount1" if vendor == "azure-blob" else url

    return call


@pytest.fixture
def raw():
    """Serve bytes: what a function does with each connection; gives the URL."""
    listening = []

    def call(talk):
        sock = socket.create_server(("127.0.0.1", 0))
        listening.append(sock)

        def accept():
            while True:
                try:
                    connection, _ = sock.accept()
                except OSError:
                    return
                threading.Thread(target=hold, args=(connection,), daemon=True).start()

        def hold(connection):
            with closing(connection), suppress(OSError):
                talk(connection)
                # What is closed with something unread in it is reset.
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1 << 16):
                    pass

        threading.Thread(target=accept, daemon=True).start()
        return f"http://127.0.0.1:{sock.getsockname()[1]}"

    yield call
    for sock in listening:
        sock.shutdown(socket.SHUT_RDWR)
        sock.close()
