"""The ASGI app that sends each request on and its answer back, piece by piece."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable

import h11

from faultinject.adapters.asgi import TO_THE_END
from faultinject.adapters.types import Message, Receive, Scope, Send
from faultinject.journal import log
from faultinject.proxy.client import BODILESS, FRAMING, KEY, RESPONSE_HEAD, ClientTransport
from faultinject.proxy.target import Target
from faultinject.proxy.upstream import Upstream, UpstreamFailure
from faultinject.server.protocol import without_upgrade

PROXY_S_OWN = b"proxy-authorization"
"""The header for a proxy that a client uses by HTTP_PROXY.

It is a secret of the proxy's user, and none of the server's.
"""


def log_it(broken: UpstreamFailure) -> None:
    """Log the reason why there is no answer."""
    # The proxy has no answer from its server, or only a part of one.
    log.warning("faultinject: %s", broken)


class Proxy:
    """The ASGI app before one server.

    `ClientTransport` serves it, and keeps requests as they were sent.

    Args:
        target: the server behind.
        rewrite_host: whether requests go on with its own Host, instead of that which the client sent and may have
            signed.
        notice: called for each request to which the server had no whole answer.
    """

    def __init__(
        self,
        target: Target,
        *,
        rewrite_host: bool = False,
        notice: Callable[[UpstreamFailure], None] = log_it,
    ) -> None:
        self.target = target
        self._notice = notice
        self._context: ssl.SSLContext | None = None
        if target.tls:
            self._context = ssl.create_default_context()
            self._context.set_alpn_protocols(["http/1.1"])
        self._rewrite_host = rewrite_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send one request on."""
        client: ClientTransport = scope[KEY]
        try:
            client.upstream = upstream = await self._connected(client.upstream)
        except UpstreamFailure as broken:
            self._notice(broken)
            await _tell(send, broken)
            return
        if client.transport.is_closing():
            # The client has left meanwhile, and nobody else will let go of the server.
            upstream.leave()
            return
        await _Exchange(client, upstream, receive, send, self._notice).run(self._headers(client))

    async def _connected(self, upstream: Upstream | None) -> Upstream:
        if upstream is not None and await upstream.can_go_on():
            return upstream
        if upstream is not None:
            upstream.leave()
        return await Upstream.open(self.target, self._context)

    def _headers(self, client: ClientTransport) -> list[tuple[bytes, bytes]]:
        headers = without_upgrade(client.request.headers.raw_items())
        host = self.target.authority.encode("idna" if not self.target.authority.isascii() else "ascii")
        return [
            (name, host if self._rewrite_host and name.lower() == b"host" else value)
            for name, value in headers
            if name.lower() != PROXY_S_OWN
        ]


class _Exchange:
    """One request and its answer.

    The request goes on while the answer comes back: a server may answer before it has all.
    """

    def __init__(
        self,
        client: ClientTransport,
        upstream: Upstream,
        receive: Receive,
        send: Send,
        notice: Callable[[UpstreamFailure], None],
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._receive = receive
        self._send = send
        self._notice = notice
        self._started = self._left = False
        # Why the request could not go on.
        self._stuck: UpstreamFailure | None = None

    async def run(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Forward until the answer is there, or one side has left."""
        client, upstream = self._client, self._upstream
        try:
            await upstream.send_head(client.request.method, client.request.target, headers)
            sending = asyncio.create_task(self._forward())
            try:
                await self._answer()
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        except UpstreamFailure as broken:
            upstream.leave()
            if not (self._left or client.transport.is_closing()):
                await self._end(self._stuck or broken)
        except BaseException:
            upstream.leave()
            raise
        else:
            upstream.go_on()

    async def _forward(self) -> None:
        """Send the body on, then listen for a client that leaves."""
        try:
            if self._client.waiting_for_100_continue:
                # The side that asks for the body sends `100 Continue`. The server sends it, or the client has waited
                # long enough and sends its body anyhow.
                await self._client.body_comes()
            more = True
            while (message := await self._receive())["type"] == "http.request":
                if not more:
                    continue
                if message.get("body"):
                    await self._upstream.send_body(message["body"])
                more = message.get("more_body", False)
                if not more:
                    await self._upstream.send_end(self._client.trailers)
        except UpstreamFailure as broken:
            self._stuck = broken
            self._upstream.leave()
        else:
            self._left = True
            self._upstream.leave()

    async def _answer(self) -> None:
        client, send = self._client, self._send
        async for event in self._upstream.events():
            if isinstance(event, h11.InformationalResponse):
                await client.send_informational(event.status_code, event.reason, event.headers.raw_items())
            elif isinstance(event, h11.Response):
                await self._begin(event)
            elif isinstance(event, h11.Data):
                await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
            else:
                assert isinstance(event, h11.EndOfMessage)
                client.answer_trailers = event.headers.raw_items()
                await send({"type": "http.response.body", "body": b""})

    async def _begin(self, event: h11.Response) -> None:
        headers = event.headers.raw_items()
        self._started = True
        start: Message = {
            "type": "http.response.start",
            "status": event.status_code,
            "headers": [(name.lower(), value) for name, value in headers],
            RESPONSE_HEAD: (event.reason, [name for name, _ in headers]),
        }
        bodiless = event.status_code in BODILESS or self._client.request.method == b"HEAD"
        if not bodiless and all(name.lower() not in FRAMING for name, _ in headers):
            start[TO_THE_END] = True
        await self._send(start)

    async def _end(self, broken: UpstreamFailure) -> None:
        """End as the server behind has; where it has not ended, answer why there is no answer."""
        self._notice(broken)
        if not self._started and broken.reset is None:
            await _tell(self._send, broken)
        elif broken.reset is not False:
            self._client.abort()


async def _tell(send: Send, broken: UpstreamFailure) -> None:
    """Send an answer of our own, which no server behind has sent."""
    text = f"faultinject: {broken}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": broken.status, "headers": headers})
    await send({"type": "http.response.body", "body": text})
