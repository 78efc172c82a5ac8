"""Transports for httpx that put faults in front of another transport."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, cast

import httpx

from faultinject.adapters import asgi
from faultinject.adapters.types import Environ, Receive, Scope, Send, Start
from faultinject.clients.wsgi import PiecesFile, answer_of, environ_of, with_first_read
from faultinject.http.wire import PIECE
from faultinject.injector.injector import Injector
from faultinject.injector.lookup import injector_for
from faultinject.rules.scenario import Rules


class FaultTransport(httpx.BaseTransport):
    """A transport of httpx with faults.

    An example is `httpx.Client(transport=FaultTransport(rules="cos:SlowDown,times=2"))`. httpx itself retries nothing
    above a transport, so all retries are those of the code under test.

    Args:
        transport: sends the requests without a fault; by default httpx's own.
        rules: text, `Rule`, a list of either, or a `Scenario`; None for the rules of the environment.
        seed: the seed; by default the scenario's or the environment's.
        injector: an injector of your own, instead of rules.

    Raises:
        ConfigurationError: rules or variables are wrong.
    """

    def __init__(
        self,
        transport: httpx.BaseTransport | None = None,
        *,
        rules: Rules | None = None,
        seed: str | int | None = None,
        injector: Injector | None = None,
    ) -> None:
        self.injector = injector_for(rules, seed=seed, injector=injector)
        self._transport = transport or httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, or answer it with a fault."""
        own_body = PiecesFile(cast("Iterable[bytes]", request.stream))

        def forward(environ: Environ, start_response: Start) -> Iterable[bytes]:
            source = environ["wsgi.input"]
            untouched = source is own_body and not own_body.was_read
            sent = request if untouched else _with_body(request, _BodyOfFile(source))
            response = self._transport.handle_request(sent)
            headers = [
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw
            ]
            reason = response.extensions.get("reason_phrase", b"").decode("latin-1")
            start_response(f"{response.status_code} {reason}", headers)
            return _PassedBody(response, headers)

        path, _, query = request.url.raw_path.decode("latin-1").partition("?")
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in request.headers.raw]
        environ = environ_of(request.method, request.url.scheme, path, query, headers, own_body)
        status, fields, result = answer_of(forward, self.injector, environ)
        if isinstance(result, _PassedBody) and fields is result.headers:
            return result.response
        return httpx.Response(
            int(status[:3]),
            headers=[(name.encode("latin-1"), value.encode("latin-1")) for name, value in fields],
            stream=_InjectedBody(result),
            extensions={"http_version": b"HTTP/1.1", "reason_phrase": status[4:].encode("latin-1")},
        )

    def close(self) -> None:
        """Close the wrapped transport."""
        self._transport.close()


class AsyncFaultTransport(httpx.AsyncBaseTransport):
    """`FaultTransport` for `httpx.AsyncClient`.

    An answer that a fault has changed is delivered as a whole.
    """

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        rules: Rules | None = None,
        seed: str | int | None = None,
        injector: Injector | None = None,
    ) -> None:
        self.injector = injector_for(rules, seed=seed, injector=injector)
        self._transport = transport or httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, or answer it with a fault."""
        untouched: list[httpx.Response] = []
        outermost: list[tuple[Receive, Send]] = []

        async def forward(_: Scope, receive: Receive, send: Send) -> None:
            own_receive, own_send = outermost[0]
            sent = request if receive is own_receive else _with_body(request, _RestOfBody(receive))
            response = await self._transport.handle_async_request(sent)
            if send is own_send:
                # No fault reads the answer: the client gets it as it came.
                untouched.append(response)
                await send({"type": "http.response.start", "status": response.status_code, "headers": []})
            else:
                headers = [(name.lower(), value) for name, value in response.headers.raw]
                await send(
                    {"type": "http.response.start", "status": response.status_code, "headers": headers}
                )
                stream: Any = response.stream
                try:
                    async for piece in stream:
                        await send({"type": "http.response.body", "body": piece, "more_body": True})
                finally:
                    await response.aclose()
            await send({"type": "http.response.body"})

        faulty = asgi.wrap(forward, self.injector)

        async def app(scope: Scope, receive: Receive, send: Send) -> None:
            outermost.append((receive, send))
            # No server names a client's address here, and errors of the connection are raised in this process.
            scope["client"] = None
            scope["extensions"] = {"http.response.debug": {}}
            await faulty(scope, receive, send)

        response = await httpx.ASGITransport(app).handle_async_request(request)
        return untouched[0] if untouched else response

    async def aclose(self) -> None:
        """Close the wrapped transport."""
        await self._transport.aclose()


class _PassedBody:
    """The body of an answer without a fault."""

    def __init__(self, response: httpx.Response, headers: list[tuple[str, str]]) -> None:
        self.response = response
        self.headers = headers

    def __iter__(self) -> Iterator[bytes]:
        stream: Any = self.response.stream
        return iter(stream)

    def close(self) -> None:
        """Release the connection."""
        self.response.close()


class _InjectedBody(httpx.SyncByteStream):
    """The body of an injected or changed answer."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._close = getattr(pieces, "close", None)
        self._pieces = with_first_read(pieces)

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """Release the connection of the original answer."""
        if self._close is not None:
            self._close()


class _RestOfBody(httpx.AsyncByteStream):
    """The body of a request whose beginning a fault has read."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive

    async def __aiter__(self) -> AsyncIterator[bytes]:
        more = True
        while more:
            message = await self._receive()
            yield message.get("body", b"")
            more = message.get("more_body", False)


def _with_body(request: httpx.Request, stream: httpx.SyncByteStream | httpx.AsyncByteStream) -> httpx.Request:
    return httpx.Request(
        request.method, request.url, headers=request.headers, stream=stream, extensions=request.extensions
    )


class _BodyOfFile(httpx.SyncByteStream):
    """The body of a request that a fault, or the journal, reads on its way."""

    def __init__(self, source: Any) -> None:
        self._read = getattr(source, "read1", source.read)

    def __iter__(self) -> Iterator[bytes]:
        while piece := self._read(PIECE):
            yield piece
