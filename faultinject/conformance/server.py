"""A WSGI server that keeps connections and sends an answer at once: what is measured is the client, not the server.

werkzeug's closes after every answer, so that each retry would pay for a new connection; two small writes for head and
body would cost what Nagle's algorithm and a delayed ACK make of them.
"""

from __future__ import annotations

import io
import socketserver
from http.server import BaseHTTPRequestHandler
from socket import socket
from threading import Thread
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.handlers import SimpleHandler

from werkzeug.serving import DechunkedInput
from werkzeug.wsgi import LimitedStream

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from _typeshed.wsgi import WSGIApplication

LONGEST_LINE = 65_536


class Answering(SimpleHandler):
    """Calls the app for one request.

    Attributes:
        marked: whether the client knows where the answer ended, so that another may follow.
    """

    http_version = "1.1"
    os_environ: dict[str, str] = {}  # noqa: RUF012 - the base class's own way
    wsgi_run_once = False
    marked = False
    headers: Any
    status: Any

    def finish_content(self) -> None:
        """The app has given all: what is held goes out, and an answer without a body has a length."""
        super().finish_content()
        self._flush()
        self.marked = "Content-Length" in self.headers


class Sent:
    """What an answer is written to: all of it that is there goes out at once.

    Args:
        connection: the client's.
    """

    def __init__(self, connection: socket) -> None:
        self._connection = connection
        self._held = bytearray()

    def write(self, data: bytes) -> None:
        """Hold it."""
        self._held += data

    def flush(self) -> None:
        """Send what is held."""
        held, self._held = self._held, bytearray()
        try:
            if held:
                self._connection.sendall(held)
        except OSError as error:  # wsgiref knows only some of them for what they are
            raise BrokenPipeError(str(error)) from error


class Exchanges(BaseHTTPRequestHandler):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        """Answer the next request, if one comes."""
        try:
            self.raw_requestline = self.rfile.readline(LONGEST_LINE)
            if not self.raw_requestline or not self.parse_request():
                self.close_connection = True
                return
            self._answer()
        except OSError:  # the client, or a fault, has ended it
            self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def _answer(self) -> None:
        environ = self._environ()
        body: Any = environ["wsgi.input"]
        out: Any = Sent(self.connection)
        answering = Answering(body, out, self.server.errors, environ, multithread=True, multiprocess=False)
        answering.run(self.server.app)
        if not answering.marked:
            self.close_connection = True
        while not self.close_connection and body.read(LONGEST_LINE):
            """What the app left of the body would be read as the next request."""

    def _environ(self) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        host, port = self.client_address[:2]
        source: Any = self.rfile
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "REQUEST_URI": self.path,
            "SERVER_PROTOCOL": self.request_version,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": str(self.server.server_address[1]),
            "REMOTE_ADDR": host,
            "REMOTE_PORT": str(port),
            "werkzeug.socket": self.connection,  # by which a fault finds the connection
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                key = f"HTTP_{key}"
            environ[key] = f"{environ[key]},{value}" if key in environ else value
        if environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked":
            environ["wsgi.input"] = io.BufferedReader(DechunkedInput(source))
            environ["wsgi.input_terminated"] = True
        else:
            length = environ.get("CONTENT_LENGTH", "0")
            environ["wsgi.input"] = LimitedStream(source, int(length) if length.isdecimal() else 0)
        return environ


class Server(socketserver.ThreadingTCPServer):
    """A server on a free port of loopback, in a thread; a context manager.

    Args:
        app: what answers.
        errors: where the app's tracebacks go.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, app: WSGIApplication, errors: Any) -> None:
        self.app = app
        self.errors = errors
        super().__init__(("127.0.0.1", 0), Exchanges)
        self._thread = Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
