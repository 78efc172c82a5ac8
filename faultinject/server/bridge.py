"""A WSGI app as uvicorn serves it: each request on a thread of its own."""

from __future__ import annotations

import asyncio
import contextvars
import io
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_to_bytes
from wsgiref.types import WSGIApplication
from wsgiref.util import FileWrapper

from faultinject.adapters.servers import OUR_SERVER, SENT_HEADERS
from faultinject.adapters.types import Message, Receive, Scope, Send
from faultinject.http.wire import can_be_written, http_date
from faultinject.locks import Lock

if TYPE_CHECKING:
    from queue import SimpleQueue

NAME = "faultinject"
WRITER = "faultinject.writer"
"""In a scope: what writes the answer."""
PIECE = 65_536
ENDS_WITHIN = 5.0
"""Seconds for which an app is waited for when its server has ended."""


class ClientGone(ConnectionResetError):
    """The client has left, or sent what is no HTTP."""


class Bridge:
    """An ASGI app that calls a WSGI app.

    Args:
        app: what answers, with the faults that it is to have.
    """

    never_faulted = True  # by `run`: its faults are its own

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app
        self._threads = Threads()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        exchange = Exchange(scope, receive, send, asyncio.get_running_loop())
        cycle: Any = receive.__self__  # type: ignore[attr-defined] # uvicorn's
        try:
            if not cycle.more_body:  # all of it is there
                exchange.take(await receive())
            await self._threads.run(lambda: exchange.run(self._app))
        except (ClientGone, asyncio.CancelledError):  # or the server has ended, and the app has not
            return
        for message in exchange.last:
            await send(message)

    def end(self) -> None:
        """Answer no more."""
        self._threads.end()


class Exchange(io.RawIOBase):
    """One request, from the side of the app's thread; itself the body.

    Args:
        scope: of the request.
        receive: the server's.
        send: the server's.
        loop: the server's.

    Attributes:
        last: what is still to be sent when the app is done.
        receive: the server's.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, loop: asyncio.AbstractEventLoop) -> None:
        self.last: list[Message] = []
        self._scope = scope
        self.receive = receive
        self._send = send
        self._loop = loop
        self._data = memoryview(b"")
        self._whole = False
        self._deadline: float | None = None
        self._status = ""
        self._headers: list[tuple[str, str]] | None = None
        self._begun = self._silent = False

    def readable(self) -> bool:
        """It is."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read what has come into the buffer; 0 at the end.

        Raises:
            ClientGone: the client left before the end.
            TimeoutError: nothing has come in the time that `allow` gave.
        """
        while not self._data and not self._whole:
            self.take(self._wait(self.receive(), self._deadline))
        taken, self._data = self._data[: len(buffer)], self._data[len(buffer) :]
        buffer[: len(taken)] = taken
        return len(taken)

    def allow(self, seconds: float | None) -> None:
        """Wait for the rest of the body no longer than this from now on; None: for ever."""
        self._deadline = None if seconds is None else time.monotonic() + seconds

    def take(self, message: Message) -> None:
        """What has come of the client.

        Raises:
            ClientGone: it left before the end.
        """
        if message["type"] == "http.disconnect":
            raise ClientGone("the client left before the end of its request")
        self._data = memoryview(message["body"])
        self._whole = not message["more_body"]

    def run(self, app: WSGIApplication) -> None:
        """Let the app answer."""
        pieces: Iterable[bytes] = app(environ_of(self._scope, self), self.start_response)
        try:
            if isinstance(pieces, list | tuple) or self._scope["http_version"] == "1.0":
                # One who speaks HTTP/1.0 knows no chunks.
                whole = b"".join(pieces)
                self.last = [*self._beginning(len(whole)), self._piece(whole, more=False)]
                return
            for piece in pieces:
                if piece:
                    self.send(piece)
            self.last = [*self._beginning(None), self._piece(b"", more=False)]
        finally:
            close = getattr(pieces, "close", None)
            if close is not None:
                close()

    def start_response(
        self, status: str, headers: list[tuple[str, str]], exc_info: Any = None
    ) -> Callable[[bytes], object]:
        """See PEP 3333; nothing is sent before the first byte of the body, or the end."""
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
            ClientGone: the client has left.
        """
        for message in (*self._beginning(None), self._piece(data, more=True)):
            self._wait(self._send(message))
        if self._scope[WRITER].is_closing():
            raise ClientGone("the client left before the end of its answer")

    def _beginning(self, length: int | None) -> list[Message]:
        """The head, once.

        Args:
            length: of the whole body, where it is known.
        """
        if self._begun:
            return []
        if self._headers is None:
            raise AssertionError("the app has not called start_response")
        self._begun = True
        status = int(self._status[:3])
        bare = status < 200 or status in (204, 304)
        self._silent = bare or self._scope["method"] == "HEAD"
        kept = [each for each in self._headers if not (bare and each[0].lower() == "content-length")]
        names = {name.lower() for name, _ in kept}
        if length is not None and not self._silent and not names & {"content-length", "transfer-encoding"}:
            kept.append(("Content-Length", str(length)))
        if "date" not in names:
            kept.append(("Date", http_date(time.time())))
        if "server" not in names:
            kept.append(("Server", NAME))
        cycle: Any = self.receive.__self__  # type: ignore[attr-defined]
        if cycle.waiting_for_100_continue and cycle.more_body:
            # Whether the client sends its body now, nobody knows.
            kept.append(("Connection", "close"))
        headers = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in kept]
        lines = [f"HTTP/1.1 {self._status}".encode("latin-1"), *(b"%b: %b" % each for each in headers)]
        self._scope[WRITER].spelled = lines
        return [{"type": "http.response.start", "status": status, "headers": headers}]

    def _piece(self, data: bytes, *, more: bool) -> Message:
        return {"type": "http.response.body", "body": b"" if self._silent else data, "more_body": more}

    def _wait(self, coroutine: Any, deadline: float | None = None) -> Any:
        """Let the server's loop do it.

        Raises:
            ClientGone: the server has ended.
            TimeoutError: it is not done by then.
        """
        if self._loop.is_closed():
            coroutine.close()
            raise ClientGone("the server has ended")
        future = asyncio.run_coroutine_threadsafe(coroutine, self._loop)
        try:
            return future.result(None if deadline is None else max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            future.cancel()
            raise


def environ_of(scope: Scope, body: Exchange) -> dict[str, Any]:
    """What the app is told; the raw target as werkzeug and gunicorn tell it."""
    query = scope["query_string"].decode("latin-1")
    raw = scope["raw_path"].decode("latin-1")
    target = f"{raw}?{query}" if query else raw
    environ: dict[str, Any] = {
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": io.BufferedReader(body, PIECE),
        "wsgi.input_terminated": True,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
        "wsgi.file_wrapper": FileWrapper,
        "asgi.scope": scope,
        OUR_SERVER: body.receive,
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
        if b"_" in name:  # it would be taken for the one with a hyphen
            continue
        key, text = name.decode().upper().replace("-", "_"), value.decode("latin-1")
        if key in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            environ[key] = text
            continue
        key = f"HTTP_{key}"
        several = ";" if key == "HTTP_COOKIE" else ","
        environ[key] = f"{environ[key]}{several}{text}" if key in environ else text
    return environ


class Threads:
    """Threads that end with the program, as many as are at work at a time."""

    def __init__(self) -> None:
        self._idle: list[SimpleQueue[Callable[[], None] | None]] = []
        self._all: list[Thread] = []
        self._lock = Lock()
        self._over = False

    async def run(self, work: Callable[[], None]) -> None:
        """Do it on a thread that has nothing else to do."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        context = contextvars.copy_context()

        def do() -> None:
            try:
                context.run(work)
            except BaseException as raised:
                told = partial(_tell, future.set_exception, raised)
            else:
                told = partial(_tell, future.set_result, None)
            with suppress(RuntimeError):  # the server has ended meanwhile
                loop.call_soon_threadsafe(told)

        with self._lock:
            queue = self._idle.pop() if self._idle else self._more()
        queue.put(do)
        await future

    def end(self) -> None:
        """End those that have nothing to do, and wait a little for the others."""
        with self._lock:
            self._over = True
            for each in self._idle:
                each.put(None)
        for thread in self._all:
            thread.join(ENDS_WITHIN)

    def _more(self) -> SimpleQueue[Callable[[], None] | None]:
        from queue import SimpleQueue  # gevent may have replaced it by now

        queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        thread = Thread(target=self._work, args=(queue,), name="faultinject request", daemon=True)
        thread.start()
        self._all.append(thread)
        return queue

    def _work(self, queue: SimpleQueue[Callable[[], None] | None]) -> None:
        while (do := queue.get()) is not None:
            do()
            with self._lock:
                if self._over:
                    return
                self._idle.append(queue)


def _tell(say: Callable[[Any], None], what: Any) -> None:
    with suppress(asyncio.InvalidStateError):  # the server ends, and waits no more
        say(what)
