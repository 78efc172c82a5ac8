"""A user's WSGI app, behind the server that Flask's own command uses."""

from __future__ import annotations

from socket import socket
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from faultinject.server.certificates import Certificate

LOOKS = 0.2
"""Seconds after which it looks whether it is to end."""


class Handler(WSGIRequestHandler):
    """One connection of a client."""

    def log_request(self, *_: object) -> None:
        """Say nothing."""


class WerkzeugServer:
    """werkzeug's server with a thread for each connection, used as uvicorn's.

    Args:
        app: the app.
        certificate: encrypts its connections; None: they are in the clear.

    Attributes:
        started: always true.
        should_exit: whether it is to end.
    """

    started = True

    def __init__(self, app: Any, certificate: Certificate | None = None) -> None:
        self._app = app
        self._certificate = certificate
        self.should_exit = False

    def run(self, sockets: list[socket]) -> None:
        """Serve on a listening socket until it is to end."""
        [sock] = sockets
        host, port = sock.getsockname()[:2]
        server = make_server(host, port, self._app, threaded=True, request_handler=Handler, fd=sock.fileno())
        if self._certificate is not None:
            context = server.ssl_context = self._certificate.context
            # A client that does not end its handshake waits on a thread of its own.
            server.socket = context.wrap_socket(
                server.socket, server_side=True, do_handshake_on_connect=False
            )
        server.timeout = LOOKS
        while not self.should_exit:
            server.handle_request()
        server.server_close()
