"""A request to the store and its answer, without WSGI or ASGI."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from http import HTTPStatus
from typing import Any, Protocol, cast

from werkzeug.datastructures import Headers, ImmutableMultiDict, MultiDict
from werkzeug.http import remove_entity_headers
from werkzeug.sansio.request import Request

from faultinject.engine.filters import Filter
from faultinject.engine.request import Request as View
from faultinject.http.wire import Headers as Pairs

NO_PARAMETERS: MultiDict[str, str] = ImmutableMultiDict()


class BodyReader(Protocol):
    """A file-like reader of a request's body."""

    def read(self, size: int = ..., /) -> bytes:
        """Read the next bytes; empty at the end."""


class Fields(dict[str, str]):
    """The headers of a request, by their names in any case."""

    def __init__(self, headers: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        for name, value in headers:
            key = name.lower()
            self[key] = f"{self[key]},{value}" if key in self else value

    def get(self, name: str, default: Any = None) -> Any:
        """Find the value of a header, or the default."""
        return super().get(name.lower(), default)

    def __getitem__(self, name: str) -> str:
        return super().__getitem__(name.lower())

    def __contains__(self, name: object) -> bool:
        return super().__contains__(str(name).lower())


class StoreRequest(Request):
    """A request; werkzeug parses its head.

    Args:
        view: the same request, as rules and a vendor's addressing read it.
        scheme: `http` or `https`.
        server: host and port of the server, for requests without a Host.
        raw_path: the path below the mount point, percent-decoded.
        query: the query as the client sent it.
        headers: names and values.
        body: the reader of the body.

    Attributes:
        view: the same request, as rules and a vendor's addressing read it.
        raw_path: the path below the mount point, percent-decoded.
        body: the reader of the body.
        fields: the headers by name, cheaper to read than `headers`.
        sent: names and values of the headers as the client sent them.
        targets: path and query as the client sent them, if the server shows them.
        ends: whether a body without a length has a marked end.
        alteration: the change that a fault makes to this exchange, or None.
    """

    def __init__(
        self,
        view: View,
        *,
        scheme: str,
        server: tuple[str, int | None] | None,
        raw_path: bytes,
        query: bytes,
        headers: Fields,
        body: BodyReader,
    ) -> None:
        path = raw_path.decode(errors="replace")
        fields = cast("Headers", headers)
        super().__init__(view.method, scheme, server, view.mount, path, query, fields, view.client)
        self.fields = headers
        self.view = view
        self.raw_path = raw_path
        self.body = body
        self.sent: Iterable[tuple[str, str]] = ()
        self.targets: Iterable[str] = ()
        self.ends = True
        self.alteration: Filter | None = None

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """The parameters of the query."""
        return super().args if self.query_string else NO_PARAMETERS


class StoreAnswer:
    """An answer.

    Args:
        body: the body, whole or in pieces.
        status: the status code and its phrase.

    Attributes:
        status: the status code and its phrase.
        headers: names and values.
        pieces: the pieces of the body.
    """

    def __init__(self, body: bytes | Iterable[bytes] = b"", *, status: str) -> None:
        self.status = status
        self.headers = Headers()
        self.pieces = (body,) if isinstance(body, bytes) else tuple(body)

    @property
    def status_code(self) -> int:
        """The status code."""
        return int(self.status[:3])

    def get_data(self) -> bytes:
        """Join the pieces of the body."""
        return b"".join(self.pieces)

    def head(self) -> Pairs:
        """The headers to send, with the body's length."""
        headers, status = self.headers, self.status_code
        if status == HTTPStatus.NO_CONTENT:
            headers.remove("Content-Length")
        elif status == HTTPStatus.NOT_MODIFIED:
            remove_entity_headers(headers)
        elif "Content-Length" not in headers:
            headers["Content-Length"] = str(sum(map(len, self.pieces)))
        return headers.to_wsgi_list()


def status_line(code: int) -> str:
    """Write a status line with the standard's phrase."""
    return f"{code} {HTTPStatus(code).phrase}"
