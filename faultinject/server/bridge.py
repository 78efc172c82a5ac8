"""Makes an ASGI app of a user's WSGI app: each request runs on a thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
import io
import sys
import time
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import Any, cast
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication
from wsgiref.util import FileWrapper

from faultinject.adapters.servers import OUR_SERVER, SENT_HEADERS, SPELL
from faultinject.adapters.types import Message, Receive, Scope, Send
from faultinject.http.wire import can_be_written
from faultinject.server.body import LARGE, ClientLeftError, RequestBody
from faultinject.server.bounds import FRAMING, TRANSPORT

NAME = "faultinject"


class BridgedBody(RequestBody):
    """The body of a request that a thread of the bridge reads.

    Attributes:
        loop: the server's event loop.
    """

    def __init__(self, receive: Receive) -> None:
        super().__init__(receive)
        self.loop = asyncio.get_running_loop()
        self._until: float | None = None

    def wait(self) -> None:
        """Wait on a thread for more of the body.

        Raises:
            TimeoutError: nothing has arrived in the time that `allow` has set.
        """
        self.on_loop(
            self.receive_more(), None if self._until is None else max(0.0, self._until - time.monotonic())
        )

    def allow(self, seconds: float | None) -> None:
        """Wait for the rest of the body for at most these seconds from now on; None: for ever."""
        self._until = None if seconds is None else time.monotonic() + seconds

    def on_loop(self, work: Awaitable[None], seconds: float | None = None) -> None:
        """Let the server's loop run a coroutine, and wait for its end in this thread.

        Raises:
            ClientLeftError: the server has ended.
            TimeoutError: the coroutine has not ended within these seconds.
        """
        coroutine = cast("Coroutine[Any, Any, None]", work)
        if self.loop.is_closed():
            coroutine.close()
            raise ClientLeftError("the server has ended")
        future = asyncio.run_coroutine_threadsafe(coroutine, self.loop)
        try:
            future.result(seconds)
        except TimeoutError:
            future.cancel()
            raise


async def in_thread(work: Callable[[], None]) -> None:
    """Call a function in a thread of its own, which does not keep the program from ending."""
    loop = asyncio.get_running_loop()
    finished = loop.create_future()
    context = contextvars.copy_context()

    def run() -> None:
        raised = None
        try:
            context.run(work)
        except BaseException as error:
            raised = error
        with suppress(RuntimeError):  # the server's loop has closed meanwhile
            loop.call_soon_threadsafe(finish, raised)

    def finish(raised: BaseException | None) -> None:
        if finished.done():  # the server is ending, and has cancelled the wait
            return
        if raised is None:
            finished.set_result(None)
        else:
            finished.set_exception(raised)

    Thread(target=run, name="faultinject request", daemon=True).start()
    await finished


class Bridge:
    """An ASGI app that calls a WSGI app.

    Args:
        app: the WSGI app, with its faults.
    """

    never_faulted = True  # `run` puts no faults around it, as its app has its own

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = BridgedExchange(scope, receive, send)
        try:
            await in_thread(partial(exchange.run, self._app))
        except ClientLeftError:
            return
        for message in exchange.final_messages:
            await send(message)


class BridgedExchange:
    """One request and its answer, as the app's thread sees them.

    Args:
        scope: the ASGI scope of the request.
        receive: the server's `receive`.
        send: the server's `send`.

    Attributes:
        body: the request's body.
        final_messages: the messages to send when the app has returned.
        keep_alive: whether another request may come on the connection; a fault sets it to False.
        transport: the connection's transport.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.body = BridgedBody(receive)
        self.body.complete = FRAMING.isdisjoint(name for name, _ in scope["headers"])
        self.final_messages: list[Message] = []
        self.keep_alive = True
        self.transport = scope[TRANSPORT]
        self._scope = scope
        self._send = send
        self._status = ""
        self._headers: list[tuple[str, str]] | None = None
        self._begun = self._has_no_body = False

    @property
    def more_body(self) -> bool:
        """Whether a part of the body was not read."""
        return not self.body.complete

    @property
    def waiting_for_100_continue(self) -> bool:
        """Whether the client waits for `100 Continue` before it sends its body."""
        return (
            self.more_body
            and not self.body.was_requested
            and any(name == b"expect" for name, _ in self._scope["headers"])
        )

    def run(self, app: WSGIApplication) -> None:
        """Let the app answer."""
        pieces: Iterable[bytes] = app(self._environ(), self.start_response)
        try:
            if isinstance(pieces, list | tuple):
                body = b"".join(pieces)
                self.final_messages = [*self._beginning(len(body)), self._piece(body, more=False)]
                return
            for piece in pieces:
                if piece:
                    self.send(piece)
            self.final_messages = [*self._beginning(None), self._piece(b"", more=False)]
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """Take the head of the answer, as in PEP 3333.

        Nothing is sent before the first byte of the body, or the end.
        """
        if exc_info and self._begun:
            raise exc_info[1].with_traceback(exc_info[2])
        if self._headers is not None and not exc_info:
            raise AssertionError("start_response was called a second time, without exc_info")
        if not can_be_written(status, headers) or not (status[:3].isdecimal() and status[3:4] in ("", " ")):
            raise ValueError(f"not the head of an answer: {status!r}, {headers!r}")
        self._status, self._headers = status, headers
        return self.send

    def send(self, data: bytes) -> None:
        """Send a piece of the body.

        Raises:
            ClientLeftError: the client has left.
        """
        for message in (*self._beginning(None), self._piece(data, more=True)):
            self.body.on_loop(self._send(message))
        if self.transport.is_closing():
            raise ClientLeftError("the client left before the end of its answer")

    def _beginning(self, length: int | None) -> list[Message]:
        """The head, once.

        Args:
            length: bytes of the whole body; None if unknown.
        """
        if self._begun:
            return []
        if self._headers is None:
            raise AssertionError("the app has not called start_response")
        self._begun = True
        status = int(self._status[:3])
        self._has_no_body = status < 200 or status in (204, 304)
        headers_kept = [
            header
            for header in self._headers
            if not (self._has_no_body and header[0].lower() == "content-length")
        ]
        names = {name.lower() for name, _ in headers_kept}
        framed = self._has_no_body or names & {"content-length", "transfer-encoding"}
        if length is not None and not framed:
            headers_kept.append(("Content-Length", str(length)))
        # It is unknown whether a client that waits for `100 Continue` now sends its body, so no request may follow.
        if not self.keep_alive or self.waiting_for_100_continue:
            headers_kept.append(("Connection", "close"))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers_kept]
        self._scope[SPELL](self._status)
        return [{"type": "http.response.start", "status": status, "headers": headers}]

    def _piece(self, data: bytes, *, more: bool) -> Message:
        return {"type": "http.response.body", "body": b"" if self._has_no_body else data, "more_body": more}

    def _environ(self) -> dict[str, Any]:
        """The app's environ; REQUEST_URI and RAW_URI are as werkzeug and gunicorn set them."""
        scope = self._scope
        query = scope["query_string"].decode("latin-1")
        raw = scope["raw_path"].decode("latin-1")
        target = f"{raw}?{query}" if query else raw
        environ: dict[str, Any] = {
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": scope["scheme"],
            "wsgi.input": io.BufferedReader(self.body, LARGE),
            "wsgi.input_terminated": True,
            "wsgi.errors": sys.stderr,
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "wsgi.file_wrapper": FileWrapper,
            "asgi.scope": scope,
            OUR_SERVER: self.send,
            SENT_HEADERS: scope[SENT_HEADERS],
            "SERVER_SOFTWARE": NAME,
            "SERVER_NAME": scope["server"][0],
            "SERVER_PORT": str(scope["server"][1]),
            "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
            "REMOTE_ADDR": scope["client"][0],
            "REMOTE_PORT": str(scope["client"][1]),
            "REQUEST_METHOD": scope["method"],
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
            "QUERY_STRING": query,
            "REQUEST_URI": target,
            "RAW_URI": target,
        }
        for name, value in scope["headers"]:
            if b"_" in name:  # in an environ it would be the same as the name with a hyphen
                continue
            key, text = name.decode().upper().replace("-", "_"), value.decode("latin-1")
            if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
                environ[key] = text
                continue
            key = f"HTTP_{key}"
            separator = ";" if key == "HTTP_COOKIE" else ","
            environ[key] = f"{environ[key]}{separator}{text}" if key in environ else text
        return environ
