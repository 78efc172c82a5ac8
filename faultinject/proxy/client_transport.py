"""A client's connection as uvicorn writes to it, with answers spelled as the server behind spelled them."""

from __future__ import annotations

import asyncio
from array import array
from contextlib import contextmanager

from faultinject.proxy.limits import LIMITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from typing import Any

    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from faultinject.proxy.upstream import Upstream

    RawHeaders = Sequence[tuple[bytes, bytes]]

KEY = "faultinject.proxied"
"""Where a scope has its `ProxiedRequest`."""
_END = b"0\r\n\r\n"
_CHUNKED = b"transfer-encoding: chunked"
LOOKS = 2
"""How often nothing may be left for the client, since what is held is written only when there is room for it."""


class ResponseHead:
    """How the server behind has begun an answer.

    Args:
        status: of the answer.
        reason: its phrase.
        headers: names in their case and order.
        untold: places of those of them that uvicorn was not told of.
        to_the_end: whether the end of the connection is that of the answer.
    """

    __slots__ = ("_headers", "_start", "_untold", "to_the_end")

    def __init__(
        self,
        status: int,
        reason: bytes,
        headers: RawHeaders,
        untold: Collection[int] = (),
        *,
        to_the_end: bool = False,
    ) -> None:
        self._start = b"HTTP/1.1 %d %b" % (status, reason)
        self._headers = headers
        self._untold = untold
        self.to_the_end = to_the_end

    def frame(self) -> None:
        """Let it have chunks, which show a cut."""
        self.to_the_end = False

    def of(self, head: bytes) -> bytes:
        """The head that uvicorn has made, spelled so."""
        _, *lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
        spelled: dict[bytes, list[bytes]] = {}
        for at, (name, _) in enumerate(self._headers):
            if at not in self._untold:
                spelled.setdefault(name.lower(), []).append(name)
        told = []
        for line in lines:
            if self.to_the_end and line == _CHUNKED:
                continue
            name, colon, value = line.partition(b":")
            names = spelled.get(name)
            told.append((names.pop(0) if names else name) + colon + value)
        for at in sorted(self._untold):
            told.insert(at, b"%b: %b" % self._headers[at])
        return b"\r\n".join((self._start, *told, b"", b""))


class ClientTransport(asyncio.Transport):
    """The transport of a client's connection, and the connection behind it.

    uvicorn knows one phrase for each status, and writes names in small letters.

    Attributes:
        upstream: made when a request first goes on. Each client's connection has one of its own, as it would have without us.
        proxied: the newest request.
        turn: whoever's request is under way has it.
        ends: whether the proxy is about to end.
        unread: whether the client may still be sending a request.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self.upstream: Upstream | None = None
        self.proxied: ProxiedRequest | None = None
        self.turn = asyncio.Lock()
        self.ends = False
        self.unread = False
        self._transport = transport
        self._lingers: asyncio.TimerHandle | None = None
        self._quiet: asyncio.TimerHandle | None = None
        self._lost = False
        self._dropped = 0
        self._head: ResponseHead | None = None
        self._spelled = self._bare = False
        self._trailers: RawHeaders = ()

    @contextmanager
    def sending(self, head: ResponseHead) -> Iterator[None]:
        """For its block, in which the server's answer begins, have its head spelled so.

        A fault may withhold that answer: the head that is written later is then that of another one.
        """
        self._head = head
        try:
            yield
        finally:
            self._head = None

    @contextmanager
    def ending(self, trailers: RawHeaders) -> Iterator[None]:
        """For its block, in which the server's answer ends, have these go out behind its last chunk, unless it was withheld."""
        self._trailers = trailers if self._spelled else ()
        try:
            yield
        finally:
            self._trailers = ()

    def begin(self) -> None:
        """The next answer: nothing of it is written."""
        self._spelled = False

    def refuse(self, answer: bytes) -> None:
        """Write an answer of the proxy's own, and end both connections."""
        self._head = None  # of an answer that has not begun, and does not any more
        self.write(answer)
        self.close()
        self.leave()

    def send_informational(self, status: int, reason: bytes, headers: RawHeaders) -> None:
        """Write a head with a status of 1xx, behind which the answer comes; where the connection ends, nobody reads it."""
        if self.is_closing():
            return
        lines = b"".join(b"%b: %b\r\n" % each for each in headers)
        self._transport.write(b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, reason, lines))

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Write what uvicorn has made."""
        if self._lingers is not None:
            return
        if self._bare:
            self._write_bare(bytes(data))
            return
        if self._head is not None and bytes(data[:9]) == b"HTTP/1.1 " and data[9:10] != b"1":
            data, self._bare = self._head.of(bytes(data)), self._head.to_the_end
            self._head, self._spelled = None, True
        elif self._trailers and bytes(data[-len(_END) :]) == _END:
            lines = b"".join(b"%b: %b\r\n" % each for each in self._trailers)
            data = b"%b0\r\n%b\r\n" % (bytes(data[: -len(_END)]), lines)
            self._trailers = ()
        self._transport.write(data)

    def _write_bare(self, data: bytes) -> None:
        """Without the chunks that uvicorn makes: at most one with something in it, and the last one."""
        while data:
            size, _, rest = data.partition(b"\r\n")
            length = int(size, 16)
            if not length:
                self.close()
                return
            self._transport.write(rest[:length])
            data = rest[length + 2 :]

    def abort(self) -> None:
        """End the connection with an RST."""
        from contextlib import suppress
        from socket import SO_LINGER, SOL_SOCKET
        from struct import pack

        sock = self._transport.get_extra_info("socket")
        if sock is not None:  # pragma: no branch - each has one
            with suppress(OSError, ValueError):  # one that has ended has no descriptor
                sock.setsockopt(SOL_SOCKET, SO_LINGER, pack("ii", 1, 0))
        self._transport.abort()

    def close(self) -> None:
        """End it when all is written.

        While the client still sends, only our half of it: bytes that nobody reads would reset the connection, and the reset may
        destroy an answer that the client has not read yet (https://www.rfc-editor.org/rfc/rfc9112#section-9.6). TLS has no half
        here: the client has to be through with an answer that has a length, or to be quiet where its end is that of the connection.
        """
        if self.is_closing():
            return
        if self.ends or not self.unread:
            self._close()
            return
        self._lingers = asyncio.get_running_loop().call_later(LIMITS.lingers, self._close)
        if self._transport.can_write_eof():
            self._transport.write_eof()
        elif self._bare:
            self._quiet = asyncio.get_running_loop().call_later(LIMITS.quiet, self._close)
        self._transport.resume_reading()

    def _close(self) -> None:
        """Close it; a client of TLS that reads nothing does not answer that it has heard of it."""
        self._wait_no_more()
        self._transport.close()
        if self._transport.get_extra_info("ssl_object") is not None:
            asyncio.get_running_loop().call_later(LIMITS.unanswered, self._end_unanswered, LOOKS)

    def _end_unanswered(self, looks: int) -> None:
        """End it without the client's answer when it has all: what asyncio holds below TLS shows only in what the system has left."""
        if self._lost:
            return
        looks = LOOKS if self._transport.get_write_buffer_size() or self._queued() else looks - 1
        if looks:
            asyncio.get_running_loop().call_later(LIMITS.unanswered, self._end_unanswered, looks)
        else:
            self._transport.abort()

    def _queued(self) -> bool:
        """Whether the system has bytes that the client's has not; yes where it does not tell."""
        try:
            from fcntl import ioctl
            from termios import TIOCOUTQ

            found = array("i", [0])
            ioctl(self._transport.get_extra_info("socket").fileno(), TIOCOUTQ, found)
        except (
            ImportError,
            OSError,
            ValueError,
        ):  # pragma: no cover - another platform, or it is lost just now
            return True
        return found[0] != 0

    def end_between(self) -> None:
        """The server behind has ended its connection: so do we, unless a request has begun, which goes by another one."""
        cycle = None if self.proxied is None else self.proxied.cycle
        if cycle is None or not cycle.response_complete or self.is_closing():
            return
        self._close()

    def drops(self, size: int) -> bool:
        """Whether that many bytes that have come are nobody's any more."""
        if self._lingers is not None:
            self._dropped += size
            if self._quiet is not None:
                self._quiet.cancel()
                self._quiet = asyncio.get_running_loop().call_later(LIMITS.quiet, self._close)
            if self._dropped > LIMITS.dropped:
                self._close()
        return self._lingers is not None

    def end(self) -> None:
        """The proxy ends: nobody is waited for."""
        self.ends = True
        if self._lingers is not None and not self._transport.is_closing():
            self._close()

    def leave(self) -> None:
        """Let go of the server behind."""
        if self.upstream is not None:
            self.upstream.leave()

    def lost(self) -> None:
        """The connection is no more."""
        self._lost = True
        self._wait_no_more()
        self.leave()

    def _wait_no_more(self) -> None:
        for each in (self._lingers, self._quiet):
            if each is not None:
                each.cancel()

    def is_closing(self) -> bool:
        """Whether it ends or has ended."""
        return self._lingers is not None or self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """What the real transport knows."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Take no more."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Take more again."""
        self._transport.resume_reading()

    def get_write_buffer_size(self) -> int:
        """Bytes that the system has not taken yet."""
        return self._transport.get_write_buffer_size()


class ProxiedRequest:
    """A request as it was sent.

    Attributes:
        to_client: the connection that it came by.
        target: as it was sent.
        headers: names in their case and order.
        trailers: likewise; whole when the body is.
        whole: whether all headers are there.
        size: of its line and headers, in bytes.
        cycle: what uvicorn has for it and its answer.
        body_may_come: set when the server says `100 Continue`, or the client sends its body without.
    """

    __slots__ = ("body_may_come", "cycle", "headers", "size", "target", "to_client", "trailers", "whole")

    def __init__(self, to_client: ClientTransport) -> None:
        self.to_client = to_client
        self.target = b""
        self.headers: list[tuple[bytes, bytes]] = []
        self.trailers: list[tuple[bytes, bytes]] = []
        self.whole = False
        self.size = 0
        self.cycle: RequestResponseCycle | None = None
        self.body_may_come = asyncio.Event()

    def give_up(self) -> None:
        """Tell uvicorn that nobody waits for the answer any more, or it would complain that there is none."""
        if self.cycle is not None:  # pragma: no branch - each that goes on has one
            self.cycle.disconnected = True
            self.cycle.message_event.set()

    def let_body_come(self) -> None:
        """The body may come, or comes anyhow: uvicorn has nothing to say about that any more."""
        if self.cycle is not None:  # pragma: no branch - each that goes on has one
            self.cycle.waiting_for_100_continue = False
        self.body_may_come.set()

    async def drain(self) -> None:
        """Wait until the client takes more."""
        if self.cycle is not None and self.cycle.flow.write_paused and not self.cycle.disconnected:
            await self.cycle.flow.drain()
