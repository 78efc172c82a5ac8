"""uvicorn's protocol over h11, which refuses heads that two readers take in two ways."""

from __future__ import annotations

import re
from asyncio import TimerHandle, Transport
from collections.abc import Iterable, Iterator
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

from faultinject.adapters.servers import SENT_HEADERS, SPELL
from faultinject.server.bounds import Bounded, Bounds

TRANSPORT = "faultinject.transport"
"""The key of the connection's transport in a scope."""
LONGEST_HEAD = 262_144
"""Bytes of a request's line and headers."""
LONGEST_TARGET = 65_535
"""Bytes of a request's target."""
LINGERS = 5.0
"""Seconds for which bytes of a client are dropped whose request was refused."""
UPGRADES = (b"upgrade", b"http2-settings")
"""The headers by which HTTP/1.1 goes over into another protocol."""
FRAMING = {b"content-length", b"transfer-encoding"}
"""Headers that set the end of a body: of both, two readers may obey different ones."""
LAX = re.compile(rb"(?<!\r)\n|\n[ \t]")
"""A line that ends without CR, or goes on in the next one."""
# uvicorn has no line for statuses beyond 599, which some services send, and such a status of an app is a KeyError to
# it. Its table is that of the process; somebody who runs another app beside ours could notice only that those answers
# of it go out as well.
for _status in range(600, 1000):
    STATUS_PHRASES.setdefault(_status, b"")


class Requests(h11.Connection):
    """h11's side of a server, which takes no request that two readers could read in two ways.

    Attributes:
        sent: names and values of the last request's headers as they were sent.
    """

    sent: list[tuple[bytes, bytes]]

    def __init__(self) -> None:
        super().__init__(h11.SERVER, LONGEST_HEAD)
        self._reason: bytes | None = None
        self._names: dict[bytes, bytes] = {}

    def spell(self, status_line: str, headers: Iterable[tuple[str, str]] = ()) -> None:
        """Give the next answer this reason phrase, and its headers these capitals.

        ASGI has neither.
        """
        self._reason = status_line[4:].encode("latin-1")
        self._names = {name.lower().encode("latin-1"): name.encode("latin-1") for name, _ in headers}

    def send_with_data_passthrough(self, event: h11.Event) -> list[bytes] | None:
        """The bytes of an event of ours."""
        if isinstance(event, h11.Response) and self._reason is not None:
            headers = [
                (self._names.get(lower, name), value)
                for (name, value), (lower, _) in zip(event.headers.raw_items(), event.headers, strict=True)
            ]
            event = h11.Response(status_code=event.status_code, headers=headers, reason=self._reason)
            self._reason = None
        return super().send_with_data_passthrough(event)

    def next_event(self) -> Any:
        """The next event of the client.

        Raises:
            RemoteProtocolError: it is no request, or none that is taken here.
        """
        before = self.trailing_data[0] if self.their_state is h11.IDLE else b""
        event = super().next_event()
        if not isinstance(event, h11.Request):
            return event
        head = before[: len(before) - len(self.trailing_data[0])]
        if LAX.search(head) or not _is_clear(event) or len(head) > LONGEST_HEAD:
            raise h11.RemoteProtocolError("not a request that all readers take alike")
        self.sent = event.headers.raw_items()
        offers = any(name == b"upgrade" and value.lower() != b"websocket" for name, value in event.headers)
        return _to_us(event) if offers or event.target[:1] not in (b"/", b"*") else event


def _is_clear(request: h11.Request) -> bool:
    """Whether nobody reads another version or another body in it, and it asks for no tunnel."""
    names = FRAMING.intersection(name for name, _ in request.headers)
    ends = len(names) < 2 and (request.http_version == b"1.1" or b"transfer-encoding" not in names)
    known = request.http_version in (b"1.0", b"1.1") and request.method != b"CONNECT"
    return known and ends and len(request.target) <= LONGEST_TARGET


def _to_us(request: h11.Request) -> h11.Request:
    """Make a request to this server of one that offers another protocol or asks a proxy."""
    target, headers = request.target, list(without_upgrade(request.headers))
    if target[:1] not in (b"/", b"*"):
        # https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
        authority = re.split(rb"[/?#]", target.partition(b"://")[2], maxsplit=1)[0]
        headers = [(name, authority if name == b"host" else value) for name, value in headers]
        path = target.partition(b"://")[2][len(authority) :]
        target = path if path[:1] == b"/" else b"/" + path
    version = request.http_version
    return h11.Request(method=request.method, target=target, headers=headers, http_version=version)


def without_upgrade(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Leave out the offer of another protocol: both sides are to speak HTTP/1.1."""
    for name, value in headers:
        if name.lower() in UPGRADES:
            continue
        if name.lower() == b"connection":
            kept = [word for word in value.split(b",") if word.strip().lower() not in UPGRADES]
            if not kept:
                continue
            yield name, b",".join(kept).strip()
            continue
        yield name, value


class Connection(Bounded, H11Protocol):
    """One connection of a client.

    Args:
        bounds: of the server.
        given: by uvicorn.
    """

    def __init__(self, bounds: Bounds, **given: Any) -> None:
        super().__init__(bounds, **given)
        self.conn: Requests = Requests()
        self._refused = False
        self._stage: tuple[object, float | None] = None, None
        self._deadline: TimerHandle | None = None

    @property
    def is_in_body(self) -> bool:
        """Whether the client has to send more of a body that somebody waits for."""
        cycle = self.cycle
        return cycle is not None and cycle.more_body and not cycle.response_complete

    def _waits(self) -> bool:
        if self.is_in_body:
            return self.transport.is_reading() and not self.cycle.waiting_for_100_continue
        # One that has become a WebSocket has another protocol.
        is_idle = self.cycle is None or self.cycle.response_complete
        return is_idle and self.transport.get_protocol() is self

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """Note that a client has come."""
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        """Take the client's bytes, unless it was refused."""
        if not self._refused:
            super().data_received(data)

    def handle_events(self) -> None:
        """Begin with the request that has come, if one has."""
        before = self.scope
        super().handle_events()
        if self.scope is not before:  # its task has not begun yet
            ours = {SENT_HEADERS: self.conn.sent, SPELL: self.conn.spell, TRANSPORT: self.transport}
            self.scope |= ours  # type: ignore[typeddict-item]
        self._look()

    def _look(self) -> None:
        """Allow the client its time, which begins anew with each head and each body."""
        limits, state = self.bounds.limits, self.conn.their_state
        if limits.head is limits.body is None:
            return
        in_head = state is h11.IDLE and (self.cycle is None or self.conn.trailing_data[0] != b"")
        allowed = limits.head if in_head else limits.body if state is h11.SEND_BODY else None
        stage = self.scope, None if self._refused else allowed
        if stage != self._stage:
            self._stage = stage
            self._allow(stage[1])

    def _allow(self, seconds: float | None) -> None:
        """End the connection if the client is silent in so many seconds; None: never."""
        if self._deadline is not None:
            self._deadline.cancel()
        self._deadline = None if seconds is None else self.loop.call_later(seconds, self._late, seconds)

    def _late(self, seconds: float) -> None:
        if self.is_silent:
            self.wire.abort()
        else:
            self._allow(seconds)

    def send_400_response(self, msg: str) -> None:
        """Answer 400 to bytes that are no request; nobody takes it for a part of an answer."""
        self._refused = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if cycle.response_started:
                self.transport.abort()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        head = (
            b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n"
        )
        self.transport.write(head % len(msg) + msg.encode())
        if self.scheme == "https":
            self.transport.close()
        else:
            # A client that still sends would find the connection reset, and not read this.
            self.transport.write_eof()
            self.loop.call_later(LINGERS, self.transport.close)


class Bridged(Connection):
    """One connection of a client to a WSGI app."""

    def eof_received(self) -> bool:  # type: ignore[override]
        """Note that the client sends no more; where its request is whole it may still read.

        TLS ends with it.
        """
        cycle = self.cycle
        if self.scheme == "https" or cycle is None or cycle.more_body or cycle.response_complete:
            return False
        cycle.keep_alive = False
        return True
