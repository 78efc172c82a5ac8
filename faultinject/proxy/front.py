"""The client's side: uvicorn's protocol, which keeps each request as it was sent and spells answers as they came."""

from __future__ import annotations

from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from faultinject.proxy.line import KEY, Asked, Line

TYPE_CHECKING = False
if TYPE_CHECKING:
    import asyncio

    from faultinject.proxy.target import Target

LONGEST_HEAD = 262_144
"""Bytes of a request's line and headers, and of what may stand behind its body."""
# uvicorn has no line for what some services say beyond 599.
for _status in range(600, 1000):
    STATUS_LINE.setdefault(_status, b"HTTP/1.1 %d \r\n" % _status)
_NO_TUNNEL = "this proxy makes no tunnels: use its address as the endpoint, not as HTTPS_PROXY"
_NO_FORWARD = "this proxy goes to {} only"


class Front(HttpToolsProtocol):
    """One connection of a client."""

    target: Target
    line: Line
    asked: Asked
    _refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        self.line = Line(transport)
        super().connection_made(self.line)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has left: so do we on the other side."""
        super().connection_lost(exc)
        if self.line.upstream is not None:
            self.line.upstream.leave()

    def shutdown(self) -> None:
        """The proxy ends."""
        self.line.ends = True
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Bytes of the client; behind what was refused nothing is a request."""
        if not self._refused:
            super().data_received(data)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.asked = Asked(self.line)
        self.scope[KEY] = self.asked  # type: ignore[literal-required]  # what a server adds of its own

    def on_url(self, url: bytes) -> None:
        """A part of its target."""
        if self._has_room(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or behind the body one more."""
        if not self._has_room(len(name) + len(value)):
            return
        if self.asked.whole:
            self.asked.trailers.append((name, value))
            return
        self.asked.headers.append((name, value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """All headers are there."""
        asked = self.asked
        asked.whole, asked.target = True, self.url
        if self.parser.get_method() == b"CONNECT":
            self._refuse(405, _NO_TUNNEL)
        elif self.url[:1] not in (b"/", b"*"):
            # As a client asks its HTTP_PROXY: the server behind is asked by the path.
            authority, slash, path = self.url.partition(b"://")[2].partition(b"/")
            if not self.target.serves(authority.decode("latin-1")):
                self._refuse(421, _NO_FORWARD.format(self.target.url))
            asked.target = slash + path or b"/"
        if not self._refused:
            super().on_headers_complete()
            asked.cycle = self.cycle

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        if not self._refused:
            self._wait_no_more()
            super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is there."""
        if not self._refused:
            self._wait_no_more()
            super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """What a client would rather speak is not passed on: it goes on with HTTP/1.1, as it has to where that is all there is."""

    def _wait_no_more(self) -> None:
        """The client sends its body, or has none: whatever it expects, it needs no `100 Continue`."""
        self.cycle.waiting_for_100_continue = False
        self.asked.body_may_come.set()

    def _has_room(self, size: int) -> bool:
        self.asked.size += size
        if self.asked.size > LONGEST_HEAD:
            self._refuse(431, f"a request's line and headers have at most {LONGEST_HEAD} bytes here")
        return not self._refused

    def _refuse(self, status: int, why: str) -> None:
        """Say why, and end the connection: what comes by it is no request of ours."""
        if self._refused:
            return
        self._refused = True
        text = f"faultinject: {why}\n".encode()
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: text/plain\r\n"
        self.line.write(f"{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text)
        self.line.close()


def front_of(target: Target) -> type[Front]:
    """The protocol of the connections to a proxy in front of that server."""
    return type("Front", (Front,), {"target": target})
