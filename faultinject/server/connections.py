"""Connections, each on a thread of its own: requests are read and answered one after the other."""

from __future__ import annotations

import io
import re
import socket
import socketserver
import ssl
import sys
import time
import traceback
from contextlib import suppress
from http.server import BaseHTTPRequestHandler
from threading import Thread, current_thread
from typing import Any
from urllib.parse import unquote_to_bytes
from wsgiref.util import FileWrapper

from faultinject.server.answer import Answer
from faultinject.server.bodies import Body, Chunked, ClientGone, Sized

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from _typeshed.wsgi import WSGIApplication

NAME = "faultinject"
IDLE = 75.0
"""Seconds for which a connection is kept without a request: longer than clients wait before they try again, so that
its end is never taken for a fault."""
LONGEST_LINE = 65_536
"""Bytes of a request line."""
PIECE = 65_536
MOST_DIGITS = 19
"""Digits of a Content-Length: more than any body has bytes."""
MOST_UNREAD = 1 << 20
"""Bytes of a body that are read behind an answer that had no need of them; for more, the connection ends."""
STALLED = 5.0
"""Seconds that a client may take for the next of them."""
LINGERS, LINGERS_IN_ALL = 0.5, 60.0
"""Seconds for the next bytes of a client that still sends while its connection ends, and for all: it reads the answer then."""
HANDSHAKE = 10.0
"""Seconds that a client may take to agree on how to encrypt."""
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://([^/?]*)(.*)", re.DOTALL)


class Refused(Exception):
    """A request whose end cannot be found for sure.

    Args:
        status: what it is answered with.
        why: in a few words.
    """

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.why = why


class Exchanges(BaseHTTPRequestHandler):
    """The requests of one connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Server

    def handle_one_request(self) -> None:
        """Answer the next request, if one comes."""
        self.close_connection = True
        try:
            self.connection.settimeout(IDLE)
            self.raw_requestline = self.rfile.readline(LONGEST_LINE + 1)
            if self.raw_requestline in (b"\r\n", b"\n"):  # behind a body, as some clients end theirs
                self.raw_requestline = self.rfile.readline(LONGEST_LINE + 1)
            if len(self.raw_requestline) > LONGEST_LINE:
                self.requestline, self.request_version, self.command = "", "", ""
                self.send_error(414)
            elif self.raw_requestline and self.parse_request():
                if not self.request_version.startswith("HTTP/1."):
                    self.send_error(505)
                    return
                self.connection.settimeout(None)
                self._answer()
        except OSError:  # the client, or a fault, has ended it, or nothing came for long
            self.close_connection = True

    def handle_expect_100(self) -> bool:
        """The client is asked for its body when the app reads it."""
        return True

    def log_message(self, *_: object) -> None:
        """Say nothing: what is of interest is what was injected."""

    def _answer(self) -> None:
        wanted = not self.close_connection and not self._says("connection", "close")
        self.close_connection = True
        try:
            body = self._body()
        except Refused as error:
            self.send_error(error.status, explain=error.why)
            self._linger()
            return
        # Who announces the end of a body in two ways may be up to something (RFC 9112 6.3).
        wanted = wanted and not ("transfer-encoding" in self.headers and "content-length" in self.headers)

        def keeps() -> bool:
            """Whether it is known now that the next request will be found."""
            # A client that was not asked for its body may send it or not.
            unsure = self._waits() and not body.asked
            return wanted and body.left <= (0 if unsure else MOST_UNREAD)

        answer = Answer(self._send, method=self.command, version=self.request_version, name=NAME, keeps=keeps)
        self._run(answer, self._environ(body))
        if answer.keeps:
            self._read_rest(body)
            self.close_connection = False
        elif body.left:
            self._linger()

    def _run(self, answer: Answer, environ: dict[str, Any]) -> None:
        """Let the app answer; what goes wrong in it is shown, and the client gets a 500 where that is possible."""
        pieces = None
        try:
            try:
                pieces = self.server.app(environ, answer.start_response)
                answer.run(pieces)
            finally:
                close = getattr(pieces, "close", None)
                if close is not None:
                    close()
        except ClientGone:
            answer.keeps = False
        except Exception:
            errors = self.server.errors or sys.stderr
            print(traceback.format_exc(), file=errors, end="")
            answer.fail()

    def _body(self) -> Body:
        """The request's body.

        Raises:
            Refused: nobody can tell where it ends.
        """
        source: Any = self.rfile
        codings = [each for each in self._all("transfer-encoding") if each != "identity"]
        if codings:
            if codings != ["chunked"]:
                raise Refused(501, "a transfer coding other than chunked")
            return Chunked(source, self._ask)
        lengths = {*self._all("content-length")}
        if not lengths:
            return Sized(source, self._ask, 0)
        length = lengths.pop()
        if lengths or not (length.isascii() and length.isdecimal() and len(length) < MOST_DIGITS):
            raise Refused(400, "a Content-Length that is no number, or several of them")
        return Sized(source, self._ask, int(length))

    def _environ(self, body: Body) -> dict[str, Any]:
        """What the app is told; the raw target as werkzeug and gunicorn tell it."""
        target = raw = self.requestline.split()[1]  # `path` has lost slashes at its beginning
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is not None:
            target = absolute[2] if absolute[2].startswith("/") else f"/{absolute[2]}"
        path, _, query = target.partition("?")
        own, peer = self.server.server_address, self.client_address
        environ: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": self.server.scheme,
            "wsgi.input": io.BufferedReader(body, PIECE),
            "wsgi.input_terminated": True,
            "wsgi.errors": self.server.errors or sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "werkzeug.socket": self.connection,  # by which a fault finds the connection
            "faultinject.server": True,  # by which it knows how to end one
            "SERVER_SOFTWARE": NAME,
            "SERVER_NAME": str(own[0]),
            "SERVER_PORT": str(own[1]),
            "SERVER_PROTOCOL": self.request_version,
            "REMOTE_ADDR": str(peer[0]),
            "REMOTE_PORT": str(peer[1]),
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
            "QUERY_STRING": query,
            "REQUEST_URI": raw,
            "RAW_URI": raw,
        }
        for name, folded in self.headers.items():
            if "_" in name:  # it would be taken for the one with a hyphen
                continue
            key, value = name.upper().replace("-", "_"), folded.replace("\r\n", "")
            if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                environ[key] = value
                continue
            key = f"HTTP_{key}"
            several = ";" if key == "HTTP_COOKIE" else ","
            environ[key] = f"{environ[key]}{several}{value}" if key in environ else value
        if absolute is not None:
            environ["HTTP_HOST"] = absolute[1]
        return environ

    def _all(self, name: str) -> list[str]:
        """The values of a header that holds a list, in lower case."""
        found = ",".join(self.headers.get_all(name, ()))
        return [each for part in found.split(",") if (each := part.strip().lower())]

    def _says(self, name: str, value: str) -> bool:
        return value in self._all(name)

    def _waits(self) -> bool:
        """Whether the client waits to be asked for its body."""
        return self.request_version != "HTTP/1.0" and self._says("expect", "100-continue")

    def _ask(self) -> None:
        if self._waits():
            self._send(CONTINUE)

    def _send(self, data: bytes) -> None:
        try:
            self.connection.sendall(data)
        except OSError as error:
            raise ClientGone(str(error)) from error

    def _read_rest(self, body: Body) -> None:
        """Read what the app has left of the body, lest it be taken for the next request."""
        self.connection.settimeout(STALLED)
        buffer = bytearray(PIECE)
        while body.left:
            body.readinto(buffer)

    def _linger(self) -> None:
        """Let a client that still sends read its answer: bytes that nobody reads would reset the connection first."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(LINGERS)
        end = time.monotonic() + LINGERS_IN_ALL
        while time.monotonic() < end and self.connection.recv(PIECE):
            """Dropped."""


class Server(socketserver.ThreadingTCPServer):
    """A server in a thread, as a context manager; or `serve_forever`.

    Args:
        app: what answers.
        errors: where the app's tracebacks go; None: standard error.
        sock: a listening socket, which it takes over; None: a free port of loopback.
        context: what encrypts its connections; None: nothing does.
    """

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self,
        app: WSGIApplication,
        errors: Any = None,
        *,
        sock: socket.socket | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self.app = app
        self.errors = errors
        self.scheme = "http" if context is None else "https"
        self._context = context
        super().__init__(("127.0.0.1", 0), Exchanges, bind_and_activate=sock is None)
        if sock is not None:
            self.socket.close()
            self.socket = sock
            self.address_family = sock.family
            self.server_address = sock.getsockname()
        self._thread: Thread | None = None
        self._open: dict[Thread, socket.socket] = {}

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer the requests of a new connection on a thread of its own, which `stop` can end."""
        thread = Thread(target=self.process_request_thread, args=(request, client_address), daemon=True)
        self._open[thread] = request
        thread.start()

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """The life of a connection."""
        try:
            if self._context is not None:
                request.settimeout(HANDSHAKE)
                try:
                    request = self._context.wrap_socket(request, server_side=True)
                except OSError:  # the client speaks no TLS, or does not trust the certificate
                    self.shutdown_request(request)
                    return
                self._open[current_thread()] = request
            super().process_request_thread(request, client_address)
        finally:
            self._open.pop(current_thread(), None)

    def shutdown_request(self, request: Any) -> None:
        """End a connection; one that is encrypted says so first, so that its end is not taken for an attack."""
        if isinstance(request, ssl.SSLSocket):
            with suppress(OSError, ValueError):  # a fault has ended it, or the client
                request.settimeout(LINGERS)
                request.unwrap()
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Show an error of our own; that a client has gone is none."""
        if not isinstance(sys.exception(), OSError):  # pragma: no cover - there is none that is known
            super().handle_error(request, client_address)

    @property
    def port(self) -> int:
        """Its port."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Where it is."""
        host = str(self.server_address[0])
        return (
            f"{self.scheme}://[{host}]:{self.port}" if ":" in host else f"{self.scheme}://{host}:{self.port}"
        )

    def serve_forever(self, poll_interval: float = 0.05) -> None:
        """Serve until it is shut down, or interrupted; then nobody can connect any more."""
        try:
            super().serve_forever(poll_interval)
        finally:
            self.server_close()

    def start(self) -> None:
        """Serve beside the program, until it is shut down or the program ends."""
        self._thread = Thread(target=self.serve_forever, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End what `start` began, and all connections: no thread and no socket of it stays."""
        self.__exit__()
        for thread, connection in list(self._open.items()):
            with suppress(OSError):  # its thread was quicker
                connection.shutdown(socket.SHUT_RDWR)
            thread.join(STALLED)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        if self._thread is not None:  # pragma: no branch - it was entered
            self._thread.join()
