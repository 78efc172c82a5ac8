"""The connection to the server behind the proxy: h11 parses its answers."""

from __future__ import annotations

import asyncio
import os
import re
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus

import h11

from faultinject.proxy.target import Target


@dataclass
class ForwardingLimits:
    """The proxy's limits.

    Attributes:
        connect: seconds to connect to the server.
        silent: seconds after which the proxy gives up a server that accepts no bytes of the request, or sends no bytes
            of its answer once it has the whole request.
        lingers: seconds that a client which is still sending gets to read an answer before the connection ends.
        dropped: bytes that are read from such a client meanwhile, and dropped.
        head: bytes of the line and headers of a request or an answer.
    """

    connect: float = 10.0
    silent: float = 600.0
    lingers: float = 10.0
    dropped: int = 128 * 1024 * 1024
    head: int = 262_144


LIMITS = ForwardingLimits()

RawHeaders = Sequence[tuple[bytes, bytes]]
PIECE = 65_536


class UpstreamFailure(Exception):
    """The server gave no answer, or only a part of one.

    Attributes:
        status: the status of the proxy's own answer, if none has begun: 502 or 504.
        reset: whether the server ended the connection with an RST; None: it has not ended the connection.
    """

    def __init__(self, reason: str, status: int = 502, *, reset: bool | None = None) -> None:
        super().__init__(reason)
        self.status = status
        self.reset = reset


class Upstream:
    """A connection to the server behind the proxy, for the requests of one client's connection.

    Args:
        target: the server.
        reader: reads the server's bytes.
        writer: writes the proxy's bytes.
    """

    def __init__(self, target: Target, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._target = target
        self._reader = reader
        self._writer = writer
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=LIMITS.head)
        self._ended = False
        self._bytes_accepted = 0  # by the server
        # The failure to raise when the server's last bytes have been read.
        self._broken: UpstreamFailure | None = None
        # The stream's own `set_exception` would raise before the bytes that arrived earlier are read.
        reader.set_exception = self._break  # type: ignore[method-assign]

    @classmethod
    async def open(cls, target: Target, context: ssl.SSLContext | None) -> Upstream:
        """Connect to the server, with TLS if there is a context.

        Raises:
            UpstreamFailure: the connection failed.
        """
        try:
            async with asyncio.timeout(LIMITS.connect):
                streams = await asyncio.open_connection(
                    target.host,
                    target.port,
                    ssl=context,
                    server_hostname=target.host if context else None,
                    limit=PIECE,
                )
        except TimeoutError:
            raise UpstreamFailure(
                f"{target.url} accepted no connection within {LIMITS.connect:g} s", 504
            ) from None
        except ssl.SSLCertVerificationError as error:
            raise UpstreamFailure(
                f"the certificate of {target.url} is not trusted: {error.verify_message};"
                " name a file of trusted certificates in SSL_CERT_FILE"
            ) from None
        except ssl.SSLError as error:
            raise UpstreamFailure(
                f"{target.url} does not speak TLS as it should: {error.reason or error}"
            ) from None
        except (OSError, UnicodeError) as error:
            raise UpstreamFailure(f"{target.url} cannot be reached: {_reason(error)}") from None
        return cls(target, *streams)

    async def can_be_reused(self) -> bool:
        """Whether another request can use the connection.

        The last answer is complete, and the server has neither ended the connection nor sent more since.
        """
        if self._ended or self._writer.is_closing() or self._connection.our_state is not h11.IDLE:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(0):
                await self._reader.read(1)
                return False
        return True

    async def send_head(self, method: bytes, target: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """Send a request's line and headers, in their order."""
        # h11 only keeps track of the state. Its own bytes are dropped, as it would put the Host first.
        self._connection.send(h11.Request(method=method, target=target, headers=headers))
        await self._write(b"%b %b HTTP/1.1\r\n%b\r\n" % (method, target, header_lines(headers)))

    async def send_body(self, piece: bytes) -> None:
        """Send a piece of its body."""
        await self._write(self._connection.send(h11.Data(data=piece)) or b"")

    async def send_end(self, trailers: RawHeaders) -> None:
        """Send the end of a body, with its trailers unchanged; only chunked bodies have trailers."""
        last = self._connection.send(h11.EndOfMessage()) or b""
        if trailers:
            last = b"0\r\n%b\r\n" % header_lines(trailers)
        await self._write(last)

    async def _write(self, data: bytes) -> None:
        if not data:
            return
        # When a write fails, the loop drops the bytes that it has not read yet. So it first reads the bytes that the
        # server has sent by now, which takes two turns of the loop.
        for _ in range(2):
            await asyncio.sleep(0)
        if self._writer.is_closing():
            return
        try:
            async with asyncio.timeout(LIMITS.silent):
                self._writer.write(data)
                await self._writer.drain()
        except TimeoutError:
            raise UpstreamFailure(
                f"{self._target.url} accepted no bytes for {LIMITS.silent:g} s", 504
            ) from None
        except OSError:
            # The server may have answered already, for example with 413. If it has not, `_read` raises the reason.
            return
        self._bytes_accepted += len(data)

    def _break(self, exc: Exception) -> None:
        """Note that the connection is broken, and read the server's last bytes.

        When a write fails, the loop stops reading, then closes the socket, even if there are bytes to read.
        """
        if self._writer.get_extra_info("sslcontext") is None:
            with suppress(OSError):
                while piece := os.read(self._writer.get_extra_info("socket").fileno(), PIECE):
                    self._reader.feed_data(piece)
        self._broken = UpstreamFailure(f"{self._target.url} broke the connection: {_reason(exc)}", reset=True)
        self._reader.feed_eof()

    async def events(self) -> AsyncIterator[h11.Event]:
        """Read the server's events, until the end of its answer.

        Raises:
            UpstreamFailure: the answer ends too early, or is not HTTP.
        """
        while True:
            try:
                event = self._connection.next_event()
            except h11.RemoteProtocolError as error:
                if self._reader.at_eof():
                    raise UpstreamFailure(
                        f"{self._target.url} ended the connection too early", reset=False
                    ) from None
                raise UpstreamFailure(_unreadable(self._target.url, error)) from None
            if event is h11.NEED_DATA:
                self._connection.receive_data(await self._read())
                continue
            assert isinstance(event, h11.Event)
            yield event
            if isinstance(event, h11.EndOfMessage):
                return

    async def _read(self) -> bytes:
        accepted_before, data = self._bytes_accepted, None
        while data is None:
            try:
                async with asyncio.timeout(LIMITS.silent):
                    data = await self._reader.read(PIECE)
            except TimeoutError:
                # The server need not answer before it has taken the whole request, which may be long.
                if (
                    self._connection.our_state is not h11.SEND_BODY
                    and self._bytes_accepted == accepted_before
                ):
                    raise UpstreamFailure(
                        f"{self._target.url} sent nothing for {LIMITS.silent:g} s", 504
                    ) from None
                accepted_before = self._bytes_accepted
        if not data and self._broken is not None:
            raise self._broken
        if not data and self._connection.their_state is h11.SEND_RESPONSE:
            raise UpstreamFailure(f"{self._target.url} ended the connection without an answer", reset=False)
        return data

    def prepare_reuse(self) -> None:
        """Prepare for the next request, or end the connection if it cannot take another."""
        states = {self._connection.our_state, self._connection.their_state}
        if states == {h11.DONE} and not self._connection.trailing_data[0]:
            self._connection.start_next_cycle()
        else:
            self.leave()

    def leave(self) -> None:
        """End the connection, even during an exchange."""
        if self._ended:
            return
        self._ended = True
        over = (h11.IDLE, h11.DONE, h11.MUST_CLOSE, h11.CLOSED)
        if self._connection.our_state in over and self._connection.their_state in over:
            self._writer.close()
        else:
            self._writer.transport.abort()


def header_lines(headers: RawHeaders) -> bytes:
    """Write headers as HTTP/1.1 lines."""
    return b"".join(b"%b: %b\r\n" % header for header in headers)


def _unreadable(url: str, error: h11.RemoteProtocolError) -> str:
    """Say why the answer cannot be forwarded: it is not HTTP, or the proxy does not support it."""
    reason = without_quotes(error)
    if error.error_status_hint == HTTPStatus.NOT_IMPLEMENTED:
        return f"the answer of {url} has another Transfer-Encoding than chunked, which does not go through this proxy"
    if error.error_status_hint == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
        return f"the answer of {url} has a head of more than {LIMITS.head:,} bytes, the most that this proxy reads"
    if "_SWITCH_UPGRADE" in reason:
        return f"{url} goes on with another protocol (101), which nobody has asked for"
    return f"the answer of {url} is not HTTP: {reason}"


def without_quotes(error: h11.ProtocolError) -> str:
    """Take the quoted bytes out of h11's text: they may be a cookie, a token or a body."""
    return re.sub(r"(bytearray\()?\bb['\"].*", "…", str(error), flags=re.DOTALL)


def _reason(error: Exception) -> str:
    """Describe an error of the system in a few words, without its number."""
    if isinstance(error, ConnectionRefusedError):
        return "it refuses connections"
    text = getattr(error, "strerror", None) or str(error) or "it ends the connection"
    return text[:1].lower() + text[1:]
