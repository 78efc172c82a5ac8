"""Faults for clients of boto3 and botocore, below their own retries: what they retry, they retry."""

from __future__ import annotations

from io import BytesIO
from itertools import chain
from urllib.parse import unquote_to_bytes, urlsplit

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError

from faultinject.adapters import wsgi
from faultinject.adapters.client_errors import Injected
from faultinject.injector.lookup import injector_for

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from faultinject.adapters.types import Environ, Start
    from faultinject.injector.injector import Injector
    from faultinject.rules.scenario import Rules

EVENT = "before-send.*"


def inject_into(
    client: Any,
    rules: Rules | None = None,
    *,
    seed: str | int | None = None,
    injector: Injector | None = None,
) -> Injector:
    """Give a client faults, beneath its retries and above its connections.

    Requests that pass are sent as ever; other hooks that answer instead, such as moto's, are not asked: run their
    server.

    Args:
        client: of `boto3.client(…)`.
        rules: text, `Rule`, a list of either, or a `Scenario`; None for the rules of the environment.
        seed: the seed; by default the scenario's or the environment's.
        injector: an injector of your own, instead of rules.

    Returns:
        The injector; `.disable()` ends it.

    Raises:
        ConfigurationError: rules or variables are wrong.
    """
    found = injector_for(rules, seed=seed, injector=injector)
    session = client._endpoint.http_session  # noqa: SLF001 - what botocore itself sends by

    def before_send(request: Any, **_: object) -> AWSResponse:
        return _answer(request, session, found)

    client.meta.events.register_first(EVENT, before_send, unique_id="faultinject")
    return found


def _answer(request: Any, session: Any, injector: Injector) -> AWSResponse:
    passed: list[AWSResponse] = []
    started: list[tuple[int, list[tuple[str, str]]]] = []

    def forward(_: Environ, start_response: Start) -> Iterable[bytes]:
        response = session.send(request)
        passed.append(response)
        start_response(f"{response.status_code} ", list(response.headers.items()))
        return _Body(response, streamed=request.stream_output)

    def start(status: str, headers: list[tuple[str, str]], *_: object) -> Any:
        started[:] = [(int(status[:3]), headers)]
        return lambda _: None

    try:
        result = wsgi.wrap(forward, injector)(_environ(request), start)
        if isinstance(result, _Body):
            return passed[0]
        raw = _Raw(result)
        status, headers = started[0]
        response = AWSResponse(request.url, status, dict(headers), raw)
        if not request.stream_output:
            _ = response.content  # as botocore's own sending does, which tells its errors in this place
    except Injected as error:
        kind = ReadTimeoutError if isinstance(error, TimeoutError) else ConnectionClosedError
        raise kind(endpoint_url=request.url, error=error) from error
    return response


def _environ(request: Any) -> Environ:
    url = urlsplit(request.url)
    body = request.body
    source = (
        BytesIO(body.encode() if isinstance(body, str) else bytes(body))
        if isinstance(body, str | bytes | bytearray)
        else body
    )
    environ: Environ = {
        "REQUEST_METHOD": request.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(url.path).decode("latin-1"),
        "QUERY_STRING": url.query,
        "RAW_URI": url.path,
        "SERVER_PROTOCOL": "HTTP/1.1",
        "HTTP_HOST": url.netloc.rpartition("@")[2],
        "wsgi.input": source if source is not None else BytesIO(),
        "wsgi.url_scheme": url.scheme,
    }
    for name, value in request.headers.items():
        text = value.decode("latin-1") if isinstance(value, bytes) else str(value)
        key = name.upper().replace("-", "_")
        environ[key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"] = text
    return environ


class _Body:
    """The body of an answer that passes, unread unless a fault changes it."""

    def __init__(self, response: AWSResponse, *, streamed: bool) -> None:
        self._response = response
        self._streamed = streamed

    def __iter__(self) -> Iterator[bytes]:
        # What is no stream, botocore has read.
        raw: Any = self._response.raw
        return iter(raw.stream() if self._streamed else (self._response.content,))

    def close(self) -> None:
        """Give the connection back."""
        self._response.raw.close()


class _Raw:
    """An injected or changed body as botocore reads one; its head is known when it is made."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        # Lets the answer beneath go.
        self.close = getattr(pieces, "close", lambda: None)
        rest = iter(pieces)
        self._pieces = chain((next(rest, b""),), rest)
        self._rest = b""

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """All pieces."""
        return self._pieces

    def read(self, size: int | None = None) -> bytes:
        """The next `size` bytes, or all."""
        while size is None or len(self._rest) < size:
            piece = next(self._pieces, None)
            if piece is None:
                break
            self._rest += piece
        cut = len(self._rest) if size is None else size
        found, self._rest = self._rest[:cut], self._rest[cut:]
        return found
