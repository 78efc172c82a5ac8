"""uvicorn's protocol over h11, which refuses ambiguous requests.

A request is ambiguous if two HTTP parsers may read another end, version or host in it (request smuggling).
"""

from __future__ import annotations

import re
from asyncio import TimerHandle, Transport
from collections.abc import Iterable
from socket import socket
from typing import Any

import h11
from uvicorn import Server
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from faultinject.adapters.servers import SENT_HEADERS, SPELL
from faultinject.server.bounds import FRAMING, TRANSPORT, Limits, make_room

LONGEST_HEAD = 262_144
"""Bytes of a request's line and headers."""
LONGEST_TARGET = 65_535
"""Bytes of a request's target."""
LAX = re.compile(rb"(?<!\r)\n|\n[ \t]")
"""A line that ends without CR, or that is continued in the next line."""
URL = re.compile(rb"[^/?#]+://(?:[^/?#]*@)?([^/?#@]+)([^#]*)")
"""A target that is a URL, as clients of a proxy send it: its host, its path and query."""
# uvicorn raises a KeyError for statuses above 599, which some services send. Its table is shared by all of its
# servers in the process, so a user's own uvicorn beside ours sends such answers, too.
for _status in range(600, 1000):
    STATUS_PHRASES.setdefault(_status, b"")
ONCE = {b"date", b"server"}
"""Headers that uvicorn adds to every answer; if an answer has its own, only that is sent."""


class StrictConnection(h11.Connection):
    """The server's side of h11, which refuses ambiguous requests.

    Attributes:
        sent: names and values of the last request's headers as they were sent.
    """

    def __init__(self) -> None:
        super().__init__(h11.SERVER, LONGEST_HEAD)
        self.sent: list[tuple[bytes, bytes]] = []
        self._reason: bytes | None = None
        self._names: dict[bytes, bytes] = {}

    def spell(self, status_line: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Set the reason phrase of the next answer, and the spelling of its headers.

        ASGI has no place for either.
        """
        self._reason = status_line[4:].encode("latin-1")
        self._names = {name.lower().encode("latin-1"): name.encode("latin-1") for name, _ in headers}

    def send_with_data_passthrough(self, event: h11.Event) -> list[bytes] | None:
        """Return the bytes of an event that we send."""
        if isinstance(event, h11.Response) and self._reason is not None:
            # Of two headers with one name, the later one is the answer's own.
            own_values = dict(event.headers)
            headers = [
                (self._names.get(name, raw), value)
                for (name, value), (raw, _) in zip(event.headers, event.headers.raw_items(), strict=True)
                if name not in ONCE or value == own_values[name]
            ]
            headers.sort(key=lambda header: header[0].lower() in ONCE)
            event = h11.Response(status_code=event.status_code, headers=headers, reason=self._reason)
            self._reason = None
        return super().send_with_data_passthrough(event)

    def next_event(self) -> Any:
        """Read the client's next event.

        Raises:
            RemoteProtocolError: it is not a request, or an ambiguous one.
        """
        data_before = self.trailing_data[0] if self.their_state is h11.IDLE else b""
        event = super().next_event()
        if not isinstance(event, h11.Request):
            return event
        head = data_before[: len(data_before) - len(self.trailing_data[0])]
        if LAX.search(head) or not _is_unambiguous(event) or len(head) > LONGEST_HEAD:
            raise h11.RemoteProtocolError("not a request, or an ambiguous one")
        self.sent = event.headers.raw_items()
        # Java's clients offer h2c (HTTP/2 without TLS), and uvicorn would log each offer that it declines.
        offers_h2c = (b"upgrade", b"h2c") in event.headers
        return _as_own_request(event) if offers_h2c or event.target[:1] not in (b"/", b"*") else event


def split_url_target(
    target: bytes, headers: list[tuple[bytes, bytes]]
) -> tuple[bytes, list[tuple[bytes, bytes]]]:
    """Split a target that matches `URL` into its path, and the headers with its host.

    https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
    """
    host, path = URL.fullmatch(target).groups()  # type: ignore[union-attr] # both callers have matched it
    headers = [(name, host if name.lower() == b"host" else value) for name, value in headers]
    return path if path[:1] == b"/" else b"/" + path, headers


def _is_unambiguous(request: h11.Request) -> bool:
    """Whether all parsers read the same version and body in a request that asks for no tunnel."""
    names = FRAMING.intersection(name for name, _ in request.headers)
    has_one_end = len(names) < 2 and (request.http_version == b"1.1" or b"transfer-encoding" not in names)
    is_plain = request.http_version in (b"1.0", b"1.1") and request.method != b"CONNECT"
    has_target = request.target[:1] in (b"/", b"*") or URL.fullmatch(request.target) is not None
    return is_plain and has_one_end and has_target and len(request.target) <= LONGEST_TARGET


def _as_own_request(request: h11.Request) -> h11.Request:
    """Turn a request with a URL as target, or with an offer of h2c, into an ordinary one."""
    target, headers = request.target, [header for header in request.headers if header[0] != b"upgrade"]
    if target[:1] not in (b"/", b"*"):
        target, headers = split_url_target(target, headers)
    version = request.http_version
    return h11.Request(method=request.method, target=target, headers=headers, http_version=version)


class ClientConnection(H11Protocol):
    """One connection of a client.

    Args:
        limits: the server's limits.
        arguments: the arguments that uvicorn gives to its protocol.

    Attributes:
        last_active: the loop's time when the client last connected, sent or received something.
        wire: the transport below TLS.
    """

    wire: Transport

    def __init__(self, limits: Limits, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.conn: StrictConnection = StrictConnection()
        self.last_active = self.loop.time()
        self._limits = limits
        self._deadline: TimerHandle | None = None
        self._ends = False

    @property
    def is_idle(self) -> bool:
        """Whether no request is under way."""
        return self.cycle is None or self.cycle.response_complete

    @property
    def is_silent(self) -> bool:
        """Whether the server waits for the client to send something."""
        cycle = self.cycle
        awaits_body = not self.is_idle and cycle.more_body and not cycle.waiting_for_100_continue
        return self.is_idle or (awaits_body and self.transport.is_reading())

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Register the connection, and wait for a request."""
        if self not in self.connections:
            self.enter(transport)
        super().connection_made(transport)
        self._set_deadline()

    def enter(self, wire: Transport) -> None:
        """Count the connection; if it uses TLS, it counts from the beginning of its handshake."""
        self.transport = self.wire = wire
        self.last_active = self.loop.time()
        self.connections.add(self)
        make_room(self.connections, self._limits)

    def data_received(self, data: bytes) -> None:
        """Read the client's bytes."""
        self.last_active = self.loop.time()
        super().data_received(data)
        self._set_deadline()

    def resume_writing(self) -> None:
        """Note that the client has received something."""
        self.last_active = self.loop.time()
        super().resume_writing()

    def handle_events(self) -> None:
        """Handle h11's events, and give the scope of a new request our keys."""
        scope_before = self.scope
        super().handle_events()
        if self.scope is not scope_before:  # a new request, whose task has not begun yet
            ours = {SENT_HEADERS: self.conn.sent, SPELL: self.conn.spell, TRANSPORT: self.transport}
            self.scope |= ours  # type: ignore[typeddict-item]

    def on_response_complete(self) -> None:
        """Go on with the next request, or end the connection if the server ends."""
        super().on_response_complete()
        self._end()

    def shutdown(self) -> None:
        """End the connection, unless a request is under way."""
        self._ends = True
        if not self.transport.is_closing():
            super().shutdown()
        self._end()

    def _end(self) -> None:
        """End a closed connection when the server stops; a TLS client need not confirm the end."""
        if self._ends and self.is_idle and not self.wire.get_write_buffer_size():
            self.transport.abort()

    def _set_deadline(self) -> None:
        """Start the client's deadline at a request's first byte, and end it at the last one."""
        state, seconds = self.conn.their_state, self._limits.request
        begun = state is h11.SEND_BODY or (
            state is h11.IDLE and (self.cycle is None or self.conn.trailing_data[0] != b"")
        )
        if seconds is not None and begun and self._deadline is None:
            self._deadline = self.loop.call_later(seconds, self.transport.abort)
        elif self._deadline is not None and not begun:
            self._deadline.cancel()
            self._deadline = None

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not a request with 400, unless another answer has begun."""
        if not self.is_idle:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.is_idle or not self.cycle.response_started:
            head = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n"
            self.transport.write(f"{head}Content-Length: {len(msg)}\r\n\r\n{msg}".encode())
        self.transport.close()


class UvicornServer(Server):
    """A uvicorn server; at its end it closes the connections of an app of ours."""

    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Stop serving; an app that waits for its client sees that the client has left."""
        if self.config.lifespan == "off":
            for connection in list(self.server_state.connections):
                connection.transport.abort()
        await super().shutdown(sockets)
