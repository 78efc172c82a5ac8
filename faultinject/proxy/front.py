"""The client's side: uvicorn's protocol, which keeps each request as it was sent and spells answers as they came."""

from __future__ import annotations

import asyncio
import re
from collections import deque
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from faultinject.journal import log
from faultinject.proxy.client_transport import KEY, ClientTransport, ProxiedRequest
from faultinject.server.heads import LONGEST_HEAD, Parser, without_upgrade

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from uvicorn._types import ASGI3Application
    from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

    from faultinject.proxy.target import Target

_TOO_LONG = f"a request's line and headers have at most {LONGEST_HEAD} bytes here"
_NO_HTTP = "what was sent is no request of HTTP/1.1"
_NO_TUNNEL = "this proxy makes no tunnels: use its address as the endpoint, not as HTTPS_PROXY"
_NO_FORWARD = "this proxy goes to {} only"


class Front(HttpToolsProtocol):
    """One connection of a client.

    Attributes:
        refused: whether nothing that still comes is a request.
    """

    target: Target
    to_client: ClientTransport
    proxied: ProxiedRequest
    refused = False
    _refusal = b""
    _silent = 0
    _cycles: deque[RequestResponseCycle]

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A client has come."""
        self.to_client = ClientTransport(transport)
        self._cycles = deque()
        self.parser = Parser(self)  # type: ignore[assignment]
        self.app = _ending_with(self.app)
        super().connection_made(self.to_client)

    def connection_lost(self, exc: Exception | None) -> None:
        """It has left: so do we on the other side."""
        super().connection_lost(exc)
        # uvicorn tells the newest request only; one before it may be under way.
        for cycle in self._cycles:
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self.to_client.lost()

    def shutdown(self) -> None:
        """The proxy ends."""
        self.to_client.end()
        super().shutdown()

    def data_received(self, data: bytes) -> None:
        """Bytes of the client; behind what was refused nothing is a request."""
        if self.to_client.drops(len(data)) or self.refused:
            return
        self._silent += len(data)
        super().data_received(data)
        # httptools keeps a header until it has all of it.
        if self._silent > LONGEST_HEAD:
            self._refuse(431, _TOO_LONG)

    def on_message_begin(self) -> None:
        """A request begins."""
        super().on_message_begin()
        self.to_client.unread, self._silent = True, 0
        self.proxied = self.to_client.proxied = ProxiedRequest(self.to_client)
        self.scope[KEY] = self.proxied  # type: ignore[literal-required]  # what a server adds of its own

    def on_url(self, url: bytes) -> None:
        """A part of its target."""
        if self._has_room(len(url)):
            super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or behind the body one more."""
        if not self._has_room(len(name) + len(value)):
            return
        if self.proxied.whole:
            self.proxied.trailers.append((name, value))
            return
        self.proxied.headers.append((name, value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """All headers are there."""
        proxied = self.proxied
        if self.parser.get_http_version() != "1.1":
            self._refuse(400, _NO_HTTP)
        elif self.parser.get_method() == b"CONNECT":
            self._refuse(405, _NO_TUNNEL)
        elif self.url[:1] not in (b"/", b"*"):
            # As a client asks its HTTP_PROXY: the server behind is asked by the path.
            rest = self.url.partition(b"://")[2]
            authority = re.split(rb"[/?#]", rest, maxsplit=1)[0]
            if not self.target.serves(authority.decode("latin-1")):
                self._refuse(421, _NO_FORWARD.format(self.target.url))
            path = rest[len(authority) :]
            self.url = path if path[:1] == b"/" else b"/" + path
        if not self.refused and not self.parser.should_upgrade():
            proxied.whole, proxied.target = True, self.url
            super().on_headers_complete()
            proxied.cycle = self.cycle
            while self._cycles and self._cycles[0].response_complete:
                self._cycles.popleft()
            self._cycles.append(self.cycle)

    def head(self) -> bytes:
        """That of the request which offers an upgrade, without the offer."""
        lines = b"".join(b"%b: %b\r\n" % each for each in without_upgrade(self.proxied.headers))
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (self.parser.get_method(), self.url, lines)

    def on_body(self, body: bytes) -> None:
        """A piece of its body."""
        if not self.refused:
            self._silent = 0
            self.proxied.let_body_come()
            super().on_body(body)

    def on_message_complete(self) -> None:
        """All of it is there."""
        if not self.refused and self.proxied.whole:
            self.to_client.unread, self._silent = False, 0
            self.proxied.let_body_come()
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """An answer is written; behind the last one may stand what was refused."""
        super().on_response_complete()
        if self._refusal and self.cycle.response_complete:
            self._say_refusal()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """What came is no request."""
        self._refuse(400, _NO_HTTP)

    def _has_room(self, size: int) -> bool:
        self._silent = 0
        self.proxied.size += size
        if self.proxied.size > LONGEST_HEAD:
            self._refuse(431, _TOO_LONG)
        return not self.refused

    def _refuse(self, status: int, why: str) -> None:
        """Say why, and end the connection: what comes by it is no request of ours."""
        if self.refused:
            return
        log.no_answer(why)
        self.refused = self.to_client.unread = True
        text = f"faultinject: {why}\n".encode()
        head = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: text/plain\r\n"
        self._refusal = f"{head}Content-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text
        if self.cycle is None or self.cycle.response_complete:
            self._say_refusal()
        elif self.cycle is self.proxied.cycle:
            # In the middle of a request that goes on already.
            if self.cycle.response_started or self.pipeline:
                self.to_client.abort()
            else:
                self.proxied.give_up()
                self._say_refusal()

    def _say_refusal(self) -> None:
        self.to_client.refuse(self._refusal)


def _ending_with(app: ASGI3Application) -> ASGI3Application:
    """The app, whose requests end with the proxy: uvicorn would say 500, which nobody has said."""

    async def ending(scope: Any, receive: Any, send: Any) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            # The proxy has waited long enough. Its client sees that this was not all.
            proxied: ProxiedRequest = scope[KEY]
            proxied.to_client.abort()
            proxied.give_up()

    return ending


def front_of(target: Target) -> type[Front]:
    """The protocol of the connections to a proxy in front of that server."""
    return type("Front", (Front,), {"target": target})
