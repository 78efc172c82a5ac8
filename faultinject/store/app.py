"""Translates requests of WSGI and ASGI for a store, and its answers back.

Besides this module, only `asgi` knows WSGI or ASGI.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from io import BytesIO
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit
from wsgiref.types import StartResponse, WSGIEnvironment

from werkzeug.datastructures import EnvironHeaders
from werkzeug.wsgi import get_input_stream

from faultinject.adapters.servers import SENT_HEADERS
from faultinject.engine.filters import STORE
from faultinject.engine.request import ASGIRequest, WSGIRequest
from faultinject.store.messages import BodyReader, Fields, StoreAnswer, StoreRequest


class StoreApp(ABC):
    """The base class of stores, which are WSGI apps."""

    @abstractmethod
    def answer(self, request: StoreRequest) -> StoreAnswer:
        """Answer a request."""

    def delete(self, request: StoreRequest, keys: Iterable[str]) -> None:
        """Delete objects of a request's bucket, for a fault that answers the request itself."""
        del request, keys

    def delete_keys(self, environ: WSGIEnvironment, keys: Iterable[str]) -> None:
        """Delete objects of the bucket of a WSGI request."""
        self.delete(of_environ(environ), keys)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a WSGI request."""
        request = of_environ(environ)
        answer = self.answer(request)
        start_response(answer.status, answer.head())
        return () if request.method == "HEAD" else answer.pieces


def of_environ(environ: WSGIEnvironment) -> StoreRequest:
    """Translate a WSGI request."""
    port = environ.get("SERVER_PORT")
    request = StoreRequest(
        WSGIRequest(environ),
        scheme=environ["wsgi.url_scheme"],
        server=(environ["SERVER_NAME"], int(port) if port else None) if "SERVER_NAME" in environ else None,
        raw_path=environ.get("PATH_INFO", "").encode("latin-1"),
        query=environ.get("QUERY_STRING", "").encode("latin-1"),
        headers=Fields(EnvironHeaders(environ)),
        body=get_input_stream(environ),
    )
    # WSGI turns underscores in names of headers into hyphens, but names of metadata may have them. a2wsgi shows the
    # scope, which has the names as they were sent.
    sent = environ.get("asgi.scope", {}).get("headers")
    request.sent = (
        [(name.lower(), value) for name, value in EnvironHeaders(environ)] if sent is None else _text(sent)
    )
    request.targets = [environ.get(name, "") for name in ("RAW_URI", "REQUEST_URI", "QUERY_STRING")]
    request.ends = "wsgi.input_terminated" in environ
    request.alteration = environ.get(STORE)
    return request


def of_scope(scope: Mapping[str, Any], body: BodyReader) -> StoreRequest:
    """Translate an ASGI request."""
    view, query = ASGIRequest(scope), scope.get("query_string", b"")
    sent = _text(scope.get(SENT_HEADERS) or scope["headers"])
    request = StoreRequest(
        view,
        scheme=scope.get("scheme", "http"),
        server=scope.get("server"),
        raw_path=unquote_to_bytes(view.raw_path.removeprefix(view.mount).encode("latin-1", "replace")),
        query=query,
        headers=Fields(sent),
        body=body,
    )
    request.sent = sent
    request.targets = [(scope.get("raw_path") or b"").decode("latin-1"), query.decode("latin-1")]
    request.alteration = scope.get(STORE)
    return request


def nested_request(
    by: StoreRequest, method: str, target: str, headers: Iterable[tuple[str, str]]
) -> StoreRequest:
    """Make a request without a body from the text in the body of another one, such as a batch.

    Raises:
        ValueError: the text is not a request.
    """
    parts, given = urlsplit(target), [("Host", by.host), *headers]
    if any("\n" in value for _, value in given):
        raise ValueError("a line that ends without CR")
    scope = {
        "method": method,
        "scheme": by.scheme,
        "server": by.server,
        "root_path": by.view.mount,
        "path": unquote_to_bytes(parts.path).decode(errors="replace"),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in given],
    }
    return of_scope(scope, BytesIO())


def _text(headers: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    return [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
