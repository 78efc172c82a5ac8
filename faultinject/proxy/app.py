"""The ASGI app that sends each request on and its answer back, piece by piece."""

from __future__ import annotations

import asyncio
import re
import ssl
from typing import TYPE_CHECKING

import h11

from faultinject.adapters.asgi_delivery import TO_THE_END
from faultinject.journal import log
from faultinject.proxy.client_transport import KEY, ProxiedRequest, ResponseHead
from faultinject.proxy.upstream import Broken, Upstream
from faultinject.server.heads import UPGRADES, without_upgrade

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.adapters.types import Message, Receive, Scope, Send
    from faultinject.proxy.target import Target

_FRAMING = (b"content-length", b"transfer-encoding")
_BODILESS = (204, 304)
PROXY_S_OWN = b"proxy-authorization"
"""What is for a proxy that is asked by the variable HTTP_PROXY: a secret of its user, and none of the server's."""
_CONTROLS = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")


def log_it(broken: Broken) -> None:
    """Say in the log why there is no answer."""
    log.no_answer(str(broken))


class Proxy:
    """What stands before one server. It is served by `Front`, which keeps requests as they were sent.

    Args:
        target: the server behind.
        rewrite_host: whether requests go on with its own Host, instead of that which the client sent and may have signed.
        notice: is told of each request to which the server had no whole answer.
    """

    def __init__(
        self,
        target: Target,
        *,
        rewrite_host: bool = False,
        notice: Callable[[Broken], None] = log_it,
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
        if scope["type"] == "lifespan":
            await _live(receive, send)
            return
        await self._go_on(scope[KEY], scope, receive, send)

    async def _go_on(self, proxied: ProxiedRequest, scope: Scope, receive: Receive, send: Send) -> None:
        # uvicorn begins the next request when an answer is written, which is before this one is over.
        async with proxied.to_client.turn:
            proxied.to_client.begin()
            try:
                upstream = await self._connected(proxied)
            except Broken as broken:
                self._notice(broken)
                await _tell(send, broken)
                return
            if proxied.to_client.is_closing():
                # The client has left meanwhile, and nobody else will let go of the server.
                upstream.leave()
                proxied.give_up()
                return
            exchange = _Exchange(proxied, upstream, scope, receive, send, self._notice)
            await exchange.run(self._headers(proxied))

    async def _connected(self, proxied: ProxiedRequest) -> Upstream:
        to_client = proxied.to_client
        if to_client.upstream is not None and to_client.upstream.ended:
            # Else it would end the client's connection when it notices.
            to_client.upstream.leave()
        if to_client.upstream is None or to_client.upstream.ended:
            to_client.upstream = await Upstream.open(self.target, self._context)
        return to_client.upstream

    def _headers(self, proxied: ProxiedRequest) -> list[tuple[bytes, bytes]]:
        headers = [each for each in proxied.headers if each[0].lower() != PROXY_S_OWN]
        if any(name.lower() in UPGRADES for name, _ in headers):
            headers = list(without_upgrade(headers))
        if self._rewrite_host:
            host = self.target.authority.encode("idna" if not self.target.authority.isascii() else "ascii")
            headers = [(name, host if name.lower() == b"host" else value) for name, value in headers]
        return headers


class _Exchange:
    """One request and its answer. The request goes on while the answer comes back: a server may answer before it has all."""

    def __init__(
        self,
        proxied: ProxiedRequest,
        upstream: Upstream,
        scope: Scope,
        receive: Receive,
        send: Send,
        notice: Callable[[Broken], None],
    ) -> None:
        self._notice = notice
        self._proxied = proxied
        self._upstream = upstream
        self._method: str = scope["method"]
        self._receive = receive
        self._send = send
        # What is expected is `100 Continue`.
        self._expects = False
        self._started = self._over = self._left = False
        # Why the request could not go on.
        self._stuck: Broken | None = None

    async def run(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Until the answer is there, or one side has left."""
        to_client, upstream = self._proxied.to_client, self._upstream
        try:
            await upstream.send_head(self._proxied.target, self._method, headers)
            self._expects = any(name.lower() == b"expect" for name, _ in headers)
            sending = asyncio.create_task(self._forward())
            try:
                await self._answer()
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        except Broken as broken:
            upstream.leave()
            if self._left or to_client.is_closing():
                self._proxied.give_up()
            else:
                await self._end(self._stuck or broken)
        except BaseException:
            upstream.leave()
            raise
        else:
            upstream.go_on(to_client.end_between)

    async def _forward(self) -> None:
        """Send the body on, then listen for a client that leaves."""
        try:
            if self._expects:
                # uvicorn would say `100 Continue` when the body is asked for. The server says it, or the client has waited long
                # enough and sends its body anyhow.
                await self._proxied.body_may_come.wait()
            more = True
            while (message := await self._receive())["type"] == "http.request":
                if not more:
                    continue
                if message.get("body"):
                    await self._upstream.send_body(message["body"])
                more = message.get("more_body", False)
                if not more:
                    await self._upstream.send_end(self._proxied.trailers)
        except Broken as broken:
            self._stuck = broken
            self._upstream.leave()
        else:
            if not self._over:
                self._left = True
                self._upstream.leave()

    async def _answer(self) -> None:
        to_client, send = self._proxied.to_client, self._send
        async for event in self._upstream.events():
            if isinstance(event, h11.InformationalResponse):
                if event.status_code == 100:
                    self._proxied.let_body_come()
                to_client.send_informational(event.status_code, event.reason, event.headers.raw_items())
                await self._proxied.drain()
            elif isinstance(event, h11.Response):
                await self._begin(event)
            elif isinstance(event, h11.Data):
                await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
            else:
                assert isinstance(event, h11.EndOfMessage)
                self._over = True
                with to_client.ending(event.headers.raw_items()):
                    await send({"type": "http.response.body", "body": b""})

    async def _begin(self, event: h11.Response) -> None:
        status, headers = event.status_code, event.headers.raw_items()
        names = {name.lower() for name, _ in headers}
        bodiless = status in _BODILESS
        told, untold = [], []
        for at, (name, value) in enumerate(headers):
            # uvicorn would wait for that many bytes, or refuse what many servers put into cookies.
            if (bodiless and name.lower() in _FRAMING) or _CONTROLS.search(value):
                untold.append(at)
            else:
                told.append((name.lower(), value))
        to_the_end = not bodiless and self._method != "HEAD" and names.isdisjoint(_FRAMING)
        self._started = True
        head = ResponseHead(status, event.reason, headers, untold, to_the_end=to_the_end)
        start: Message = {"type": "http.response.start", "status": status, "headers": told}
        if to_the_end:
            start[TO_THE_END] = head.frame
        with self._proxied.to_client.sending(head):
            await self._send(start)

    async def _end(self, broken: Broken) -> None:
        """As the server behind has ended it; where it has not, say why there is no answer."""
        to_client = self._proxied.to_client
        self._notice(broken)
        if not self._started and broken.reset is None:
            await _tell(self._send, broken)
            return
        if broken.reset is False:
            to_client.close()
        else:
            to_client.abort()
        self._proxied.give_up()


async def _tell(send: Send, broken: Broken) -> None:
    """An answer of our own, which no server behind has sent."""
    text = f"faultinject: {broken}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": broken.status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


async def _live(receive: Receive, send: Send) -> None:
    """There is nothing to do at the start and at the end."""
    while True:
        phase = (await receive())["type"]
        await send({"type": f"{phase}.complete"})
        if phase == "lifespan.shutdown":
            return
