"""The ASGI app that forwards each request and its answer, piece by piece."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Iterator

import h11

from faultinject.adapters.asgi import TO_THE_END
from faultinject.adapters.types import Message, Receive, Scope, Send
from faultinject.journal import log
from faultinject.proxy.client import BODILESS, FRAMING, KEY, RESPONSE_HEAD, ClientTransport
from faultinject.proxy.target import Target
from faultinject.proxy.upstream import Upstream, UpstreamFailure

HEADER_FOR_THE_PROXY = b"proxy-authorization"
"""The header that a client with HTTP_PROXY sends to the proxy.

It holds a secret for the proxy, which the server must not see.
"""
UPGRADES = (b"upgrade", b"http2-settings")
"""The headers that switch from HTTP/1.1 to another protocol."""


def log_failure(failure: UpstreamFailure) -> None:
    """Log the reason why the server gave no answer, or only a part of one."""
    # The proxy has no answer from its server, or only a part of one.
    log.warning("faultinject: %s", failure)


class Proxy:
    """The ASGI app in front of one server.

    `ClientTransport` serves it, and keeps the request's bytes as the client sent them.

    Args:
        target: the server behind the proxy.
        rewrite_host: whether to send the server's own Host instead of the client's, which may be signed.
        on_failure: called for each request that the server did not answer completely.
    """

    def __init__(
        self,
        target: Target,
        *,
        rewrite_host: bool = False,
        on_failure: Callable[[UpstreamFailure], None] = log_failure,
    ) -> None:
        self.target = target
        self._on_failure = on_failure
        self._context: ssl.SSLContext | None = None
        if target.tls:
            self._context = ssl.create_default_context()
            self._context.set_alpn_protocols(["http/1.1"])
        self._rewrite_host = rewrite_host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward one request, and its answer."""
        client: ClientTransport = scope[KEY]
        try:
            client.upstream = upstream = await self._connect(client.upstream)
        except UpstreamFailure as failure:
            self._on_failure(failure)
            await _send_reason(send, failure)
            return
        if client.transport.is_closing():
            # The client has left meanwhile, and nothing else would close the connection to the server.
            upstream.leave()
            return
        await _Forwarding(client, upstream, receive, send, self._on_failure).run(self._headers(client))

    async def _connect(self, upstream: Upstream | None) -> Upstream:
        if upstream is not None and await upstream.can_be_reused():
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
            if name.lower() != HEADER_FOR_THE_PROXY
        ]


class _Forwarding:
    """Forwards one request and its answer, concurrently.

    A server may answer before it has the whole request.
    """

    def __init__(
        self,
        client: ClientTransport,
        upstream: Upstream,
        receive: Receive,
        send: Send,
        on_failure: Callable[[UpstreamFailure], None],
    ) -> None:
        self._client = client
        self._upstream = upstream
        self._receive = receive
        self._send = send
        self._on_failure = on_failure
        self._started = self._client_left = False
        # The failure that ended the forwarding of the request.
        self._request_failure: UpstreamFailure | None = None

    async def run(self, headers: list[tuple[bytes, bytes]]) -> None:
        """Forward until the answer is complete, or one side has left."""
        client, upstream = self._client, self._upstream
        try:
            await upstream.send_head(client.request.method, client.request.target, headers)
            sending = asyncio.create_task(self._forward_body())
            try:
                await self._forward_answer()
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
        except UpstreamFailure as failure:
            upstream.leave()
            if not (self._client_left or client.transport.is_closing()):
                await self._end(self._request_failure or failure)
        except BaseException:
            upstream.leave()
            raise
        else:
            upstream.prepare_reuse()

    async def _forward_body(self) -> None:
        """Forward the body, then wait for the client to leave."""
        try:
            if self._client.waiting_for_100_continue:
                # `receive` would send `100 Continue`, which only the server behind the proxy may do. A client that does
                # not get `100 Continue` sends its body after a while anyway.
                await self._client.wait_for_body()
            more = True
            while (message := await self._receive())["type"] == "http.request":
                if not more:
                    continue
                if message.get("body"):
                    await self._upstream.send_body(message["body"])
                more = message.get("more_body", False)
                if not more:
                    await self._upstream.send_end(self._client.trailers)
        except UpstreamFailure as failure:
            self._request_failure = failure
            self._upstream.leave()
        else:
            self._client_left = True
            self._upstream.leave()

    async def _forward_answer(self) -> None:
        client, send = self._client, self._send
        async for event in self._upstream.events():
            if isinstance(event, h11.InformationalResponse):
                await client.send_informational(event.status_code, event.reason, event.headers.raw_items())
            elif isinstance(event, h11.Response):
                await self._forward_head(event)
            elif isinstance(event, h11.Data):
                await send({"type": "http.response.body", "body": bytes(event.data), "more_body": True})
            else:
                assert isinstance(event, h11.EndOfMessage)
                client.answer_trailers = event.headers.raw_items()
                await send({"type": "http.response.body", "body": b""})

    async def _forward_head(self, event: h11.Response) -> None:
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

    async def _end(self, failure: UpstreamFailure) -> None:
        """End the connection as the server did, or answer with the reason if it did not."""
        self._on_failure(failure)
        if not self._started and failure.reset is None:
            await _send_reason(self._send, failure)
        elif failure.reset is not False:
            self._client.abort()


async def _send_reason(send: Send, failure: UpstreamFailure) -> None:
    """Answer with the reason why the server gave no answer."""
    text = f"faultinject: {failure}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(text)).encode()),
        (b"connection", b"close"),
    ]
    await send({"type": "http.response.start", "status": failure.status, "headers": headers})
    await send({"type": "http.response.body", "body": text})


def without_upgrade(headers: Iterable[tuple[bytes, bytes]]) -> Iterator[tuple[bytes, bytes]]:
    """Leave out the offer of another protocol: both sides are to speak HTTP/1.1."""
    for name, value in headers:
        if name.lower() in UPGRADES:
            continue
        if name.lower() == b"connection":
            options = [option for option in value.split(b",") if option.strip().lower() not in UPGRADES]
            if not options:
                continue
            yield name, b",".join(options).strip()
            continue
        yield name, value
