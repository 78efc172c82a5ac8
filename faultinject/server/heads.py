"""uvicorn's protocol over httptools, with what httptools lets pass refused: heads that two readers take in two ways."""

from __future__ import annotations

import re
from asyncio import Transport
from collections.abc import Iterable, Iterator
from typing import Any

from httptools import HttpParserUpgrade, HttpRequestParser
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from faultinject.adapters.servers import SENT_HEADERS
from faultinject.server.bridge import WRITER

LONGEST_HEAD = 262_144
"""Bytes of a request's line and headers."""
LONGEST_TARGET = 65_535
"""Bytes of a target that httptools takes apart."""
LINGERS = 5.0
"""Seconds for which bytes of a client are dropped whose request was refused."""
UPGRADES = (b"upgrade", b"http2-settings")
"""By which HTTP/1.1 goes over into something else."""
# uvicorn has no line for what some services say beyond 599, and an app's such status is a KeyError to it. Its table is that
# of the process; whoever runs another app beside ours could notice only that those answers of it go out as well.
for _status in range(600, 1000):
    STATUS_LINE.setdefault(_status, b"HTTP/1.1 %d \r\n" % _status)


class Parser:
    """httptools' parser, which goes on with HTTP/1.1 where a client would rather speak something else.

    It takes a request that offers an upgrade for one without a body, and drops what stands behind its head; Java's client offers
    HTTP/2 with its first request, also with a body. So such a head is read again without the offer.

    Args:
        speaker: the connection, whose callbacks are called.
    """

    def __init__(self, speaker: Heads) -> None:
        self._speaker = speaker
        self._renew()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parser, name)

    def _renew(self) -> None:
        self._parser = HttpRequestParser(self._speaker)
        self._parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def feed_data(self, data: bytes) -> None:
        """Read the next bytes."""
        while True:
            try:
                self._parser.feed_data(data)
            except HttpParserUpgrade as offer:
                # A CONNECT was refused, which would be offered for ever.
                if self._speaker.refused:
                    return
                data = self._speaker.head() + data[offer.args[0] :]
                self._renew()
            else:
                return


def without_upgrade(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Where both sides are to speak HTTP/1.1 and nothing else."""
    for name, value in headers:
        if name.lower() in UPGRADES:
            continue
        if name.lower() == b"connection":
            kept = [each for each in value.split(b",") if each.strip().lower() not in UPGRADES]
            if not kept:
                continue
            yield name, b",".join(kept).strip()
            continue
        yield name, value


class Heads(HttpToolsProtocol):
    """One connection of a client.

    Attributes:
        refused: whether nothing that still comes is a request.
    """

    refused = False
    _in_head = False
    _size = 0
    _sent: list[tuple[bytes, bytes]]

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """A client has come."""
        if self.ws_protocol_class is None:
            self.parser = Parser(self)  # type: ignore[assignment]
        super().connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Bytes of the client; httptools itself keeps a head of any length."""
        if self.refused:
            return
        super().data_received(data)
        self._size = self._size + len(data) if self._in_head else 0
        if self._size > LONGEST_HEAD:
            self.send_400_response("The head of this request is too long.")

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self._in_head, self._sent = True, []

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header; one behind a body is dropped."""
        if self._in_head:
            self._sent.append((name, value))  # uvicorn has the names in lower case
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """All headers are there; an error that is raised here is the parser's, so it answers 400 and ends the connection."""
        self._in_head = False
        version = self.parser.get_http_version()
        if version not in ("1.0", "1.1"):
            raise ValueError("another version of HTTP")
        if self.parser.get_method() == b"CONNECT":
            raise ValueError("no tunnels are made here")
        if len(self.url) > LONGEST_TARGET:
            raise ValueError("a target that is too long")
        hosts = sum(name == b"host" for name, _ in self.headers)
        if hosts > 1 or not (hosts or version == "1.0"):
            raise ValueError("not one Host")
        codings = [value.lower() for name, value in self.headers if name == b"transfer-encoding"]
        if codings and (codings != [b"chunked"] or version == "1.0"):
            raise ValueError("a body whose end is not known")
        if self.url[:1] not in (b"/", b"*"):
            # https://www.rfc-editor.org/rfc/rfc9112#section-3.2.2
            host = re.split(rb"[/?#]", self.url.partition(b"://")[2], maxsplit=1)[0]
            self.headers[:] = [(name, host if name == b"host" else value) for name, value in self.headers]
        if not self._is_offer():
            super().on_headers_complete()

    def on_message_complete(self) -> None:
        """All of a request is there."""
        if not self._is_offer():
            super().on_message_complete()

    def head(self) -> bytes:
        """That of the request which offers an upgrade, without the offer."""
        lines = b"".join(b"%b: %b\r\n" % each for each in without_upgrade(self.headers))
        start = self.parser.get_method(), self.url, self.parser.get_http_version().encode()
        return b"%b %b HTTP/%b\r\n%b\r\n" % (*start, lines)

    def send_400_response(self, msg: str) -> None:
        """What came is no request; nobody takes this for the answer to an earlier one, or for a part of that."""
        self.refused = True
        cycle = self.cycle
        if cycle is not None and not cycle.response_complete:
            if not cycle.more_body:
                cycle.keep_alive = False
                return
            if cycle.response_started:
                self.transport.abort()
                return
            cycle.disconnected = True
            cycle.message_event.set()
        head = b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
        self.transport.write(head % len(msg) + msg.encode())
        if self.scheme == "https":
            self.transport.close()
        else:
            # A client that still sends would find the connection reset, and not read this.
            self.transport.write_eof()
            self.loop.call_later(LINGERS, self.transport.close)

    def _is_offer(self) -> bool:
        return self.ws_protocol_class is None and self.parser.should_upgrade()


class Bridged(Heads):
    """One connection of a client to a WSGI app."""

    def on_headers_complete(self) -> None:
        """All headers are there."""
        self.scope[WRITER] = writer = Writer(self.transport)  # type: ignore[literal-required]
        self.scope[SENT_HEADERS] = self._sent  # type: ignore[literal-required]
        before = self.cycle
        super().on_headers_complete()
        if self.cycle is not before:
            self.cycle.transport = writer  # type: ignore[assignment]

    def eof_received(self) -> bool:  # type: ignore[override]
        """The client sends no more; one whose request is whole may still read the answer, where TLS does not end with it."""
        cycle = self.cycle
        reads = self.scheme == "http" and not self._in_head and cycle is not None
        if not reads or cycle.more_body or cycle.response_complete:
            return False
        cycle.keep_alive = False
        return True


class Writer:
    """uvicorn's transport for one answer, which writes its head as the app has said it.

    Args:
        transport: the connection's.

    Attributes:
        spelled: the first lines of the head that is written next, in place of uvicorn's; empty of anything else.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.spelled: list[bytes] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write the next bytes."""
        if self.spelled:
            # uvicorn has other reason phrases, and no capitals; behind the app's headers it has its own.
            lines = data.split(b"\r\n")
            lines[: len(self.spelled)] = self.spelled
            data, self.spelled = b"\r\n".join(lines), []
        self._transport.write(data)
