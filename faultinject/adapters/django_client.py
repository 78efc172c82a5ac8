"""Faults around the handlers of Django's own test clients, which call no WSGI or ASGI app.

A handler takes an environ or a scope, and returns Django's response object.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from io import BytesIO
from typing import Any

from faultinject.adapters import asgi, wsgi
from faultinject.adapters.types import Environ, Message, Receive, Scope, Send, Start
from faultinject.http.wire import Headers
from faultinject.injector.injector import Injector


def wrap(handler: Callable[[Environ], Any], injector: Injector) -> Callable[[Environ], Any]:
    """Put the injector around a handler; without a fault its own response is returned."""

    def call(environ: Environ) -> Any:
        response: Any = None
        own: Iterable[bytes] | None = None
        headers: Headers = []
        started: list[Any] = []

        def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
            nonlocal response, own, headers
            response = handler(environ)
            # `own` has no `close` of the response: the handler has called that, and a second call would close the
            # test's database as well.
            own = _Stream(response) if response.streaming else list(response)
            headers = _headers(response)
            start_response(f"{response.status_code} {response.reason_phrase}", headers)
            return own

        def start_response(status: str, headers: Headers, *_: object) -> Callable[[bytes], object]:
            started[:] = status, headers
            return lambda _: None  # the `write` of PEP 3333, which neither Django nor an answer of ours calls

        result = wsgi.wrap(app, injector)(environ, start_response)
        if result is own:
            if started[1] is not headers:  # the fault was a delay, which only adds headers
                for name, value in started[1]:
                    if name.lower() != "set-cookie":
                        response[name] = value
            return response
        try:
            content = b"".join(result)
        finally:
            getattr(result, "close", lambda: None)()
        answer = _response(content, started[0], started[1])
        from django.core.handlers.wsgi import WSGIRequest

        answer.wsgi_request = WSGIRequest(environ) if response is None else response.wsgi_request
        return answer

    return call


def wrap_async(
    handler: Callable[[Scope], Awaitable[Any]], injector: Injector
) -> Callable[[Scope], Awaitable[Any]]:
    """Put the injector around the handler of `AsyncClient`.

    If a fault changes or delays a stream, the client gets it only when it is complete.
    """

    async def call(scope: Scope) -> Any:
        response: Any = None
        untouched = False
        started: Message = {}
        pieces: list[bytes] = []

        async def app(_: Scope, receive: Receive, send: Send) -> None:
            nonlocal response, untouched
            response = await handler(scope if receive is given else await _with_body(scope, receive))
            untouched = getattr(send, "passes_to", send) is take
            headers = asgi.encoded(_headers(response))
            await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
            if untouched:
                return  # the client gets the handler's response, which nobody has read yet
            try:
                async for piece in _pieces(response):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
            finally:
                await _end(response)
            await send({"type": "http.response.body"})

        body = scope.get("_body_file")

        async def given() -> Message:
            nonlocal body
            if body is False:
                from anyio import sleep_forever

                await sleep_forever()  # a test client never leaves
            content = b"" if body is None else body.read()
            body = False
            return {"type": "http.request", "body": content}

        async def take(message: Message) -> None:
            if message["type"] == "http.response.start":
                started.update(message)
            else:
                pieces.append(message.get("body", b""))

        await asgi.wrap(app, injector)(_with_types_of_servers(scope), given, take)
        if untouched:
            return response
        answer = _response(b"".join(pieces), f"{started['status']}", asgi.decoded(started["headers"]))
        from django.core.handlers.asgi import ASGIRequest

        answer.asgi_request = ASGIRequest(scope, BytesIO()) if response is None else response.asgi_request
        return answer

    return call


class _Stream:
    """The body of a streaming response; `close` ends it even if nobody read it to its end."""

    def __init__(self, response: Any) -> None:
        self._response = response

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._response)

    def close(self) -> None:
        """End the response's iterator, as a server does."""
        from asgiref.sync import async_to_sync

        async_to_sync(_end)(self._response)


async def _end(response: Any) -> None:
    """End a streaming response's iterator; a second call does nothing."""
    if response.streaming:
        iterator = response._iterator  # noqa: SLF001 - nothing public ends it
        await iterator.aclose() if response.is_async else iterator.close()


def _with_types_of_servers(scope: Scope) -> Scope:
    """Convert a scope of Django's factory to the types of servers.

    Its query may be text, and the port of its client is text.
    """
    query = scope.get("query_string", b"")
    return {
        **scope,
        "query_string": query.encode("latin-1", "replace") if isinstance(query, str) else query,
        "client": (*scope["client"][:1], None) if scope.get("client") else None,
    }


async def _with_body(scope: Scope, receive: Receive) -> Scope:
    """Make a scope for Django's handler with the body that comes by `receive`."""
    from django.test.client import FakePayload

    if "_body_file" not in scope:
        return scope
    content, more = b"", True
    while more:
        message = await receive()
        content += message.get("body", b"")
        more = message.get("more_body", False)
    return {**scope, "_body_file": FakePayload(content)}


async def _pieces(response: Any) -> AsyncIterator[bytes]:
    if response.streaming and response.is_async:
        async for piece in response.streaming_content:
            yield piece
    else:
        for piece in response.streaming_content if response.streaming else response:
            yield piece


def _headers(response: Any) -> Headers:
    cookies = [("Set-Cookie", cookie.output(header="").strip()) for cookie in response.cookies.values()]
    return [*response.items(), *cookies]


def _response(content: bytes, status: str, headers: Headers) -> Any:
    """Make the response that Django's client gets; the caller sets its request."""
    from django.http import HttpResponse

    code, _, reason = status.partition(" ")
    response = HttpResponse(content, status=int(code), reason=reason or None)
    del response["Content-Type"]
    for name, value in headers:
        if name.lower() == "set-cookie":
            response.cookies.load(value)
        else:
            response[name] = value
    return response
