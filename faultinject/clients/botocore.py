"""Faults for clients of boto3 and botocore, below their retries.

A client retries an injected error as it retries a real one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from inspect import iscoroutinefunction
from io import BytesIO
from typing import Any
from urllib.parse import urlsplit

from botocore.awsrequest import AWSResponse
from botocore.client import BaseClient
from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
from botocore.hooks import first_non_none_response

from faultinject.adapters.client_errors import Injected
from faultinject.adapters.types import Environ, Start
from faultinject.clients.wsgi import PiecesFile, answer_of, environ_of, with_first_read
from faultinject.engine.exchange import DECIDED, NOTED
from faultinject.injector.injector import Injector
from faultinject.injector.lookup import injector_for
from faultinject.rules.scenario import Rules

EVENT = "before-send."
MARK = "_faultinject"
"""The name of an attribute that is set on botocore's requests.

The attribute holds `DECIDED` and `NOTED` of the request's environ: the fault is decided, the request is recorded.
"""


def inject_into(
    client: Any,
    rules: Rules | None = None,
    *,
    seed: str | int | None = None,
    injector: Injector | None = None,
) -> Injector:
    """Inject faults into a client, below its retries and above its connections.

    A request without a fault goes on to another hook that answers it, such as that of moto's `mock_aws`, or to the
    client's connections. botocore's Stubber answers above the retries, so faults do not reach its clients. A second
    call for a client replaces the rules of the first.

    Args:
        client: a client, such as `boto3.client("s3")`.
        rules: text, `Rule`, a list of either, or a `Scenario`; None for the rules of the environment.
        seed: the seed; by default the scenario's or the environment's.
        injector: an injector of your own, instead of rules.

    Returns:
        The injector; `.disable()` ends it.

    Raises:
        ConfigurationError: rules or variables are wrong.
        TypeError: `client` is not a client of botocore, or it is asynchronous, as those of aiobotocore.
    """
    if not isinstance(client, BaseClient) or iscoroutinefunction(client._make_api_call):  # noqa: SLF001
        raise TypeError(
            f"inject_into() takes a client of boto3 or botocore, not {type(client).__name__!r}:"
            " give the meta.client of a resource, or each client that a session makes"
        )
    own_injector = injector_for(rules, seed=seed, injector=injector)
    endpoint = client._endpoint  # noqa: SLF001 - botocore sends through it
    events = endpoint._event_emitter  # noqa: SLF001 - botocore calls it
    if isinstance(events, _Events):
        events.injector = own_injector
    else:
        endpoint._event_emitter = _Events(events, endpoint.http_session, own_injector)  # noqa: SLF001
    return own_injector


class _Events:
    """The events of a client's endpoint, with faults before every hook that answers requests.

    A fault cannot be one of these hooks: botocore calls all of them, so another hook would still send the request.

    Args:
        client_events: the client's own events.
        session: sends the requests that no hook answers.
        injector: the injector of the faults.
    """

    def __init__(self, client_events: Any, session: Any, injector: Injector) -> None:
        self._client_events = client_events
        self._session = session
        self.injector = injector

    def emit(self, event_name: str, **arguments: Any) -> Any:
        """Call the hooks of an event, and return their answers."""
        if not event_name.startswith(EVENT):
            return self._client_events.emit(event_name, **arguments)
        botocore_hooks, other_hooks = self._hooks(event_name)
        for hook in botocore_hooks:
            hook(event_name=event_name, **arguments)
        request = arguments["request"]

        def send() -> AWSResponse:
            answers = ((hook, hook(event_name=event_name, **arguments)) for hook in other_hooks)
            return first_non_none_response(list(answers)) or self._session.send(request)

        return [(self, answer_with_faults(request, send, self.injector))]

    def _hooks(self, event_name: str) -> tuple[list[Any], list[Any]]:
        """The hooks of botocore itself, which limit the rate and never answer, and all other hooks."""
        handlers = self._client_events._emitter._handlers  # noqa: SLF001 - nothing public lists the hooks
        hooks = handlers.prefix_search(event_name)
        botocore_hooks = [hook for hook in hooks if hook.__module__.startswith("botocore.")]
        return botocore_hooks, [hook for hook in hooks if hook not in botocore_hooks]


def answer_with_faults(request: Any, send: Callable[[], AWSResponse], injector: Injector) -> AWSResponse:
    """Send a request with faults, and return its answer.

    Args:
        request: a request of botocore.
        send: sends the request, and returns its answer.
        injector: the injector of the faults.
    """
    responses: list[AWSResponse] = []
    environ = {**_environ(request), **getattr(request, MARK, {})}
    own_body, body = environ["wsgi.input"], request.body

    def forward(environ: Environ, start_response: Start) -> Iterable[bytes]:
        source = environ["wsgi.input"]
        # Another adapter that gets this request finds the decision here, and makes none of its own.
        setattr(request, MARK, {key: environ[key] for key in (DECIDED, NOTED) if key in environ})
        if source is not own_body:
            # A fault or the journal reads the body while it is sent.
            request.body = source.read() if isinstance(body, str | bytes | bytearray) else _Upload(source)
        try:
            response = send()
        finally:
            request.body = body
        responses.append(response)
        start_response(f"{response.status_code} ", list(response.headers.items()))
        return _Body(response, streamed=request.stream_output)

    try:
        status, headers, result = answer_of(forward, injector, environ)
        if isinstance(result, _Body):
            return responses[0]
        response = AWSResponse(request.url, int(status[:3]), dict(headers), _Raw(result))
        if not request.stream_output:
            # botocore too reads the body at this point, so errors of the body are raised here.
            _ = response.content
    except Injected as error:
        kind = ReadTimeoutError if isinstance(error, TimeoutError) else ConnectionClosedError
        raise kind(endpoint_url=request.url, error=error) from error
    return response


class _Upload:
    """The body of a request, with the interface that botocore reads."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def read(self, size: int = -1) -> bytes:
        """The next `size` bytes, or all."""
        piece: bytes = self._source.read(size)
        return piece


def _environ(request: Any) -> Environ:
    url = urlsplit(request.url)
    body = request.body
    source = (
        BytesIO(body.encode() if isinstance(body, str) else bytes(body))
        if isinstance(body, str | bytes | bytearray)
        else body
    )
    headers = [("Host", url.netloc.rpartition("@")[2])]
    headers += [
        (name, value.decode("latin-1") if isinstance(value, bytes) else str(value))
        for name, value in request.headers.items()
    ]
    body_file = BytesIO() if source is None else source
    return environ_of(request.method, url.scheme, url.path, url.query, headers, body_file)


class _Body:
    """The body of an answer without a fault; it is read only if a fault changes it."""

    def __init__(self, response: AWSResponse, *, streamed: bool) -> None:
        self._response = response
        self._streamed = streamed

    def __iter__(self) -> Iterator[bytes]:
        # If the body is no stream, botocore has read it already.
        raw: Any = self._response.raw
        return iter(raw.stream() if self._streamed else (self._response.content,))

    def close(self) -> None:
        """Release the connection."""
        self._response.raw.close()


class _Raw(PiecesFile):
    """An injected or changed body, with the interface that botocore reads."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        # Releases the connection of the original answer.
        self.close = getattr(pieces, "close", lambda: None)
        super().__init__(with_first_read(pieces))

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        """All pieces."""
        return iter(self.read1, b"")
