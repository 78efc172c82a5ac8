"""A client's connection: h11 reads the requests; answers keep the spelling of their headers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from logging import getLogger
from socket import SO_LINGER, SOL_SOCKET
from struct import pack
from time import monotonic
from typing import Any
from urllib.parse import unquote_to_bytes

import h11
from uvicorn import Config, Server
from uvicorn.server import ServerState

from faultinject.adapters.asgi import TO_THE_END
from faultinject.adapters.mounting import as_own
from faultinject.adapters.types import Message, Scope
from faultinject.http.wire import reason
from faultinject.journal import log
from faultinject.proxy.target import Target
from faultinject.proxy.upstream import LIMITS, PIECE, RawHeaders, Upstream, header_lines, without_quotes
from faultinject.server.bounds import LIMITS as SERVER_LIMITS
from faultinject.server.bounds import Limits, make_room, protocol_factory
from faultinject.server.certificates import Certificate
from faultinject.server.protocol import URL, split_url_target

KEY = "faultinject.client_transport"
"""The key of the `ClientTransport` in a scope."""
RESPONSE_HEAD = "faultinject.response_head"
"""The key of the server's reason phrase and header names, in an answer's first message.

The names are spelled as the server spells them.
"""
BODILESS = (204, 304)
"""Statuses of answers without a body."""
FRAMING = frozenset((b"content-length", b"transfer-encoding"))
"""The headers that say where a body ends; a request with a body has one of them."""
_LOOK = 0.01
"""Seconds between two checks of whether all has been sent."""
_TOO_LONG = f"a request's line and headers have at most {LIMITS.head} bytes here"
_NO_HTTP = "the client did not send a request of HTTP/1.1"
_NO_TUNNEL = "this proxy makes no tunnels: use its address as the endpoint, not as HTTPS_PROXY"
_NO_FORWARD = "this proxy goes to {} only"
_FAILED = "an error in the proxy: its log has the details"


class ClientTransport(asyncio.StreamReaderProtocol):
    """One connection of a client, which sends its requests one after another.

    uvicorn makes one for each client, and ends it.

    Args:
        target: the server behind the proxy.
        limits: the limits of the proxy's connections.
        config: uvicorn's configuration, with the app.
        server_state: uvicorn's connections and tasks.

    Attributes:
        upstream: this client's own connection to the server, opened for its first request. As without the proxy, no
            other client uses it.
        request: the request as the client sent it; if its target was a URL, the target is the URL's path.
        trailers: the request's trailers; they are complete when the body is.
        answer_trailers: the trailers to send at the end of the answer.
        waiting_for_100_continue: whether the client waits before it sends its body.
        more_body: whether a part of the body has not been read yet.
        keep_alive: whether both the client and the proxy allow another request.
        last_active: the time when the client last connected, sent or received something, on the monotonic clock.
        wire: the transport below TLS.
    """

    request: h11.Request
    transport: asyncio.Transport
    wire: asyncio.Transport

    def __init__(
        self, target: Target, limits: Limits, *, config: Config, server_state: ServerState, **_: object
    ) -> None:
        self._reader = asyncio.StreamReader(PIECE)
        super().__init__(self._reader)
        self.target = target
        self.limits = limits
        self.last_active = 0.0
        self.upstream: Upstream | None = None
        self.trailers: RawHeaders = ()
        self.answer_trailers: RawHeaders = ()
        self.waiting_for_100_continue = self.more_body = False
        self.keep_alive = True
        self._app = config.loaded_app
        self._server = server_state
        self._http = h11.Connection(h11.SERVER, LIMITS.head)
        self._reading = asyncio.Lock()
        self._lost = asyncio.Event()
        # An event that was read and not delivered to the app yet.
        self._pending: h11.Event | None = None
        # The status and the reason if the proxy refuses the request instead of forwarding it.
        self._refusal: tuple[int, str] | None = None
        self._idle = self._is_reading = True
        self._proxy_ends = self._started = self._complete = self._bodiless = self._chunked = (
            self._is_last_answer
        ) = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to serve a client."""
        super().connection_made(transport)
        # Under uvloop, a client that has left by a reset has no address.
        self._client, self._address = (
            (transport.get_extra_info(name) or ("", 0))[:2] for name in ("peername", "sockname")
        )
        self._writer = asyncio.StreamWriter(transport, self, self._reader, asyncio.get_running_loop())
        if self not in self._server.connections:
            self.enter(transport)
        self.transport = transport
        task = asyncio.create_task(self._serve())
        self._server.tasks.add(task)
        task.add_done_callback(self._server.tasks.discard)

    def enter(self, wire: asyncio.Transport) -> None:
        """Count the connection; with TLS, when its handshake begins."""
        self.transport = self.wire = wire
        self.last_active = monotonic()
        self._server.connections.add(self)  # type: ignore[arg-type]
        # Each client has a second descriptor, for its connection to the server behind the proxy.
        make_room(self._server.connections, self.limits, descriptors=2)

    def data_received(self, data: bytes) -> None:
        """Note that the client has sent something."""
        self.last_active = monotonic()
        super().data_received(data)

    def resume_writing(self) -> None:
        """Note that the client has received something."""
        self.last_active = monotonic()
        super().resume_writing()

    def eof_received(self) -> bool:
        """Close the connection when the client closes its half of it."""
        super().eof_received()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection to the server when the client has left."""
        super().connection_lost(exc)
        self._server.connections.discard(self)
        self._lost.set()
        if self.upstream is not None:
            self.upstream.leave()

    def shutdown(self) -> None:
        """End the connection when the proxy ends, unless a request is under way."""
        self._proxy_ends, self.keep_alive = True, False
        if self._idle and self.transport.can_write_eof():
            self.transport.close()
        elif self._idle or (self.transport.is_closing() and self._is_sent):
            self.transport.abort()  # `close` would wait for the TLS client to confirm the end

    @property
    def _is_sent(self) -> bool:
        """Whether the operating system has taken all bytes that were written."""
        return not self.wire.get_write_buffer_size()

    def abort(self) -> None:
        """End the connection with an RST."""
        with suppress(OSError, ValueError):  # a connection that has ended has no descriptor
            self.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
        self.transport.abort()

    async def receive(self) -> Message:
        """Wait for the next message for the app: a piece of the body, or the client's end."""
        if self.waiting_for_100_continue:
            self.waiting_for_100_continue = False
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        await self.wait_for_body()
        event = self._pending
        if isinstance(event, h11.Data):
            self._pending = None
            return {"type": "http.request", "body": bytes(event.data), "more_body": True}
        if isinstance(event, h11.EndOfMessage):
            self.trailers, self._pending = event.headers.raw_items(), h11.ConnectionClosed()
            return {"type": "http.request", "body": b"", "more_body": False}
        if self._refusal is None:
            await self._lost.wait()
        return {"type": "http.disconnect"}

    async def wait_for_body(self) -> None:
        """Wait for a part of the body, or the client's end, without sending `100 Continue`."""
        async with self._reading:
            if self._pending is None:
                self._pending = await self._next() or h11.ConnectionClosed()
            self.waiting_for_100_continue = False
            self.more_body = isinstance(self._pending, h11.Data)

    async def _next(self) -> h11.Event | None:
        """Read the client's next event; None if it is refused, or ends too early."""
        try:
            while (event := self._http.next_event()) is h11.NEED_DATA:
                self._http.receive_data(await self._read())
        except h11.RemoteProtocolError as error:
            if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                self._refusal = 431, _TOO_LONG
            elif not self._http.trailing_data[1]:  # otherwise the client has left
                self._refusal = 400, f"the request cannot go on: {without_quotes(error)}"
            return None
        assert isinstance(event, h11.Event)
        return event

    async def _read(self) -> bytes:
        self._is_reading = True
        try:
            return await self._reader.read(PIECE)
        except OSError:
            return b""
        finally:
            self._is_reading = False

    @property
    def is_silent(self) -> bool:
        """Whether the proxy waits for the client to send something."""
        return self._is_reading and not self.waiting_for_100_continue

    async def _serve(self) -> None:
        try:
            while await self._begin():
                await self._app(self._scope(), self.receive, self.send)
                if not await self._finish():
                    break
        except asyncio.CancelledError:
            # The proxy is ending and has waited long enough. The reset tells the client that the answer is cut.
            self.abort()
        except Exception:
            # uvicorn's own protocols log an error of the app with this text.
            getLogger("uvicorn.error").exception("Exception in ASGI application\n")
            if not self._started:
                await self._refuse(500, _FAILED)
        finally:
            await self._close()

    async def _close(self) -> None:
        """Close the connection; if the proxy ends, do not wait for a TLS client's confirmation."""
        self.transport.close()
        if not self._proxy_ends:
            return
        try:
            while not self._is_sent:
                await asyncio.sleep(_LOOK)
        finally:
            self.transport.abort()

    async def _begin(self) -> bool:
        """Read the head of a request, and say whether to forward it."""
        self._idle, self._started = True, False
        event = await self._next()
        self._idle = False
        if isinstance(event, h11.Request):
            self.request = event
            self._refusal = self._refusal_of(event)
        if self._refusal is not None:
            await self._refuse(*self._refusal)
        if self._refusal is not None or not isinstance(event, h11.Request):
            return False
        self.waiting_for_100_continue = self._http.they_are_waiting_for_100_continue
        self.keep_alive = self.keep_alive and not _closes(event.headers)
        self._complete = False
        self.more_body = not FRAMING.isdisjoint(name for name, _ in event.headers)
        self.trailers, self.answer_trailers, self._pending = (), (), None
        return True

    def _refusal_of(self, request: h11.Request) -> tuple[int, str] | None:
        """The status and the reason if a request cannot be forwarded.

        Clients with HTTP_PROXY send a URL as the target: its path becomes the target, and its host the Host
        (https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2).
        """
        names = [name for name, _ in request.headers]
        if request.http_version != b"1.1" or {*names} >= FRAMING:
            return 400, _NO_HTTP
        if request.method == b"CONNECT":
            return 405, _NO_TUNNEL
        if request.target[:1] in (b"/", b"*"):
            return None
        url = URL.fullmatch(request.target)
        if url is None or not self.target.serves(url[1].decode()):
            return 421, _NO_FORWARD.format(self.target.url)
        target, headers = split_url_target(request.target, request.headers.raw_items())
        self.request = h11.Request(method=request.method, target=target, headers=headers)
        return None

    def _scope(self) -> Scope:
        path, _, query = self.request.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.3"},
            "http_version": "1.1",
            "method": self.request.method.decode(),
            "scheme": "http" if self.transport.get_extra_info("sslcontext") is None else "https",
            "path": unquote_to_bytes(path).decode(errors="replace"),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": list(self.request.headers),
            "client": self._client,
            "server": self._address,
            KEY: self,
        }

    async def send(self, message: Message) -> None:
        """Write an app's message, and wait until the client can take more."""
        if message["type"] == "http.response.start":
            self._write(self._head(message))
        else:
            piece, more = message.get("body", b""), message.get("more_body", False)
            if self._chunked:
                piece = b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
                piece += b"" if more else b"0\r\n%b\r\n" % header_lines(self.answer_trailers)
            self._write(b"" if self._bodiless else piece)
            self._complete = not more
        await self.drain()

    async def send_informational(self, status: int, phrase: bytes, headers: RawHeaders) -> None:
        """Write an informational (1xx) head, which comes before the answer."""
        if status == HTTPStatus.CONTINUE:
            self.waiting_for_100_continue = False
        self._write(b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, phrase, header_lines(headers)))
        await self.drain()

    async def drain(self) -> None:
        """Wait until the client can take more, or has left."""
        with suppress(OSError):
            await self._writer.drain()

    def _write(self, data: bytes) -> None:
        if not self.transport.is_closing():
            self._writer.write(data)

    def _head(self, message: Message) -> bytes:
        """Render the head of an answer.

        The server's headers keep their spelling, also where a fault has changed their values.
        """
        status, headers = message["status"], list(message["headers"])
        phrase, spelling = message.get(RESPONSE_HEAD, (reason(status).encode(), ()))
        self._started = True
        self._bodiless = self.request.method == b"HEAD" or status in BODILESS
        names = {name for name, _ in headers}
        ends_connection = TO_THE_END in message
        if not (self._bodiless or ends_connection or FRAMING & names):
            headers.append((b"transfer-encoding", b"chunked"))
        self._chunked = any(name == b"transfer-encoding" for name, _ in headers)
        self._is_last_answer = ends_connection or _closes(headers)
        # A client that waits for `100 Continue` and gets an answer may send its body or leave it out:
        # https://www.rfc-editor.org/rfc/rfc9110#section-10.1.1
        if not self._is_last_answer and (self.waiting_for_100_continue or not self.keep_alive):
            headers.append((b"connection", b"close"))
            self._is_last_answer = True
        self.waiting_for_100_continue = False
        if not spelling:
            self.answer_trailers = ()
        unused = list(spelling)
        for at, (name, value) in enumerate(headers):
            name_sent = next((spelling for spelling in unused if spelling.lower() == name), name)
            if name_sent in unused:
                unused.remove(name_sent)
            headers[at] = name_sent, value
        return b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, phrase, header_lines(headers))

    async def _finish(self) -> bool:
        """End an exchange, and say whether another request can come."""
        if self._refusal is not None and self._started:
            self.abort()
        elif self._refusal is not None:
            await self._refuse(*self._refusal)
        elif self._complete and self.keep_alive and not self._is_last_answer:
            while not isinstance(self._pending, h11.ConnectionClosed):
                await self.receive()
            self._http.send(h11.Response(status_code=200, headers=[(b"content-length", b"0")]))
            self._http.send(h11.EndOfMessage())
            if self._http.their_state is h11.DONE:
                self._http.start_next_cycle()
                return True
        elif self.more_body:
            await self._linger()
        return False

    async def _refuse(self, status: int, reason: str) -> None:
        """Answer with the reason, and end the connection."""
        # The proxy has no answer from its server, or only a part of one.
        log.warning("faultinject: %s", reason)
        text = f"faultinject: {reason}\n".encode()
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: text/plain\r\n"
        self._write(f"{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)
        await self._linger()

    async def _linger(self) -> None:
        """Read the bytes that a client still sends, and drop them.

        Bytes that nobody reads would reset the connection, and the reset may destroy an answer that the client has
        not read yet (https://www.rfc-editor.org/rfc/rfc9112#section-9.6). TLS has no half-closed connections: if only
        the connection's end marks the end of an answer, the client sees that end only after `lingers` seconds.
        """
        if self._proxy_ends or self.transport.is_closing():
            return
        self._idle, dropped = True, 0
        if self.transport.can_write_eof():
            self.transport.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(LIMITS.lingers):
                while dropped <= LIMITS.dropped and (piece := await self._read()):
                    dropped += len(piece)


def _closes(headers: Iterable[tuple[bytes, bytes]]) -> bool:
    """Whether the connection ends after a message with these headers, whose names are lowercase."""
    values = b",".join(value for name, value in headers if name == b"connection")
    return b"close" in map(bytes.strip, values.lower().split(b","))


def proxy_server(
    app: Any,
    target: Target,
    certificate: Certificate | None = None,
    *,
    within: int = 2,
    limits: Limits = SERVER_LIMITS,
) -> Server:
    """Make a uvicorn server for the proxy; it adds nothing to answers, and logs only warnings.

    Args:
        app: the proxy, with or without faults around it.
        target: the server behind the proxy.
        certificate: the certificate for clients; None: plain HTTP.
        within: seconds that requests under way may take when the server ends.
        limits: the limits of the clients' connections.
    """
    context = None if certificate is None else certificate.context
    config = Config(
        as_own(app),
        http=protocol_factory(partial(ClientTransport, target, limits), context),  # type: ignore[arg-type]
        # uvloop cannot end encrypted connections that their client keeps:
        # https://github.com/MagicStack/uvloop/issues/471
        loop="auto" if context is None else "asyncio",
        ws="none",
        lifespan="off",
        proxy_headers=False,
        server_header=False,
        date_header=False,
        log_level="warning",
        timeout_graceful_shutdown=within,
    )
    config.load()
    return Server(config)
