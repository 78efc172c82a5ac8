"""Transports for httpx that give faults instead of, or on top of, the answers of another transport."""

from __future__ import annotations

import httpx

from faultinject.adapters import asgi, wsgi
from faultinject.injectors import injector_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from faultinject.adapters.asgi import Receive, Scope, Send
    from faultinject.adapters.wsgi import Environ, Start
    from faultinject.injector import Injector, Rules


class FaultTransport(httpx.BaseTransport):
    """A transport with faults, such as `httpx.Client(transport=FaultTransport(rules="cos:SlowDown,times=2"))`.

    httpx has no retries of its own above a transport but those of the code under test.

    Args:
        transport: what sends the requests that pass; by default httpx's own.
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
        self._transport = transport or httpx.HTTPTransport()
        self.injector = injector_for(rules, seed=seed, injector=injector)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, or give its fault."""
        passed: list[httpx.Response] = []

        def forward(_: Environ, start_response: Start) -> Iterable[bytes]:
            response = self._transport.handle_request(request)
            passed.append(response)
            headers = [
                (name.decode("latin-1"), value.decode("latin-1")) for name, value in response.headers.raw
            ]
            start_response(f"{response.status_code} {response.reason_phrase}", headers)
            return _Stream(response)

        app = wsgi.wrap(forward, self.injector)
        response = httpx.WSGITransport(app).handle_request(request)
        if passed and response.status_code == passed[0].status_code:
            response.extensions.update(passed[0].extensions)
        return response

    def close(self) -> None:
        """Close the transport beneath."""
        self._transport.close()


class AsyncFaultTransport(httpx.AsyncBaseTransport):
    """`FaultTransport` for `httpx.AsyncClient`."""

    def __init__(
        self,
        transport: httpx.AsyncBaseTransport | None = None,
        *,
        rules: Rules | None = None,
        seed: str | int | None = None,
        injector: Injector | None = None,
    ) -> None:
        self._transport = transport or httpx.AsyncHTTPTransport()
        self.injector = injector_for(rules, seed=seed, injector=injector)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request, or give its fault."""
        passed: list[httpx.Response] = []

        async def forward(_: Scope, __: Receive, send: Send) -> None:
            response = await self._transport.handle_async_request(request)
            passed.append(response)
            headers = [(name.lower(), value) for name, value in response.headers.raw]
            await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
            stream: Any = response.stream
            try:
                async for piece in stream:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            finally:
                await response.aclose()
            await send({"type": "http.response.body"})

        app = asgi.wrap(forward, self.injector)
        response = await httpx.ASGITransport(app).handle_async_request(request)
        if passed and response.status_code == passed[0].status_code:
            kept = ("http_version", "reason_phrase")
            response.extensions.update(
                {name: passed[0].extensions[name] for name in kept if name in passed[0].extensions}
            )
        return response

    async def aclose(self) -> None:
        """Close the transport beneath."""
        await self._transport.aclose()


class _Stream:
    """The body of a response that passes, as it came."""

    def __init__(self, response: httpx.Response) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        stream: Any = self._response.stream
        return iter(stream)

    def close(self) -> None:
        """Give the connection back."""
        self._response.close()
