"""Django's own test client, which calls no WSGI app: its handler takes an environ and gives a response of Django's."""

from __future__ import annotations

from faultinject.adapters import wsgi

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from faultinject.adapters.types import Environ, Start
    from faultinject.http.types import Headers
    from faultinject.injector.injector import Injector


def wrap(handler: Callable[[Environ], Any], injector: Injector) -> Callable[[Environ], Any]:
    """`handler` with the injector around it; a response that no fault has changed is the handler's own."""

    def call(environ: Environ) -> Any:
        response: Any = None
        own: Iterable[bytes] | None = None
        started: list[Any] = []

        def app(environ: Environ, start_response: Start) -> Iterable[bytes]:
            nonlocal response, own
            response = handler(environ)
            # The handler has closed the response: a second time would close the test's database as well.
            own = response.streaming_content if response.streaming else list(response)
            start_response(f"{response.status_code} {response.reason_phrase}", _headers(response))
            return own

        def start_response(status: str, headers: Headers, *_: object) -> Callable[[bytes], object]:
            started[:] = status, headers
            return lambda _: None  # WSGI's old way to write, which neither Django nor an answer of ours takes

        result = wsgi.wrap(app, injector)(environ, start_response)
        if result is own:
            return response
        try:
            content = b"".join(result)
        finally:
            close = getattr(result, "close", None)
            if close is not None:
                close()
        return _response(environ, content, started[0], started[1], response)

    return call


def _headers(response: Any) -> Headers:
    cookies = [("Set-Cookie", each.output(header="").strip()) for each in response.cookies.values()]
    return [*response.items(), *cookies]


def _response(environ: Environ, content: bytes, status: str, headers: Headers, replaced: Any) -> Any:
    """What Django's client gives for an answer, with the request that it looks for there."""
    from django.core.handlers.wsgi import WSGIRequest
    from django.http import HttpResponse

    code, _, reason = status.partition(" ")
    response = HttpResponse(content, status=int(code), reason=reason)
    del response["Content-Type"]
    for name, value in headers:
        if name.lower() == "set-cookie":
            response.cookies.load(value)
        else:
            response[name] = value
    response.wsgi_request = WSGIRequest(environ) if replaced is None else replaced.wsgi_request
    return response
