"""The control API below a path of a wrapped app, or beside it on an address of its own."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from faultinject.adapters.mounting import is_below
from faultinject.adapters.types import Environ, Receive, Scope, Send, Start
from faultinject.control.access import Access
from faultinject.control.api import LARGEST, ControlApi, Response, cut_refusal
from faultinject.exceptions import MissingExtraError
from faultinject.http.target import utf8
from faultinject.injector.injector import Injector
from faultinject.journal import log
from faultinject.rules.control import TOKEN, ControlSettings
from faultinject.vendors.addressing import split_mount

if TYPE_CHECKING:
    from anyio import CapacityLimiter


def mount(injector: Injector, kind: str) -> Mounted | None:
    """Make the control API that the environment asks for; None if it has an address of its own.

    Args:
        injector: the injector around the app.
        kind: `wsgi` or `asgi`.

    Raises:
        MissingExtraError: the API's own server is not installed.
        ConfigurationError: its workers cannot agree on a random token.
    """
    settings = injector.control
    assert settings is not None
    check_installed(settings)
    # A call may reach any process of the server, and every process shows the requests of all.
    injector.share_outcomes()
    if not settings.path:
        from faultinject.control import server

        server.serve(injector)
        return None
    access = Access(settings)
    if settings.tokens or access.made_token:
        # The control API is ready.
        log.warning(
            "faultinject: the control API is at %s, its token is %s",
            settings.place,
            access.tokens[""] if access.made_token else f"in {TOKEN}",
        )
    api = ControlApi(injector, access)
    return (MountedWSGI if kind == "wsgi" else MountedASGI)(api, settings.path)


def check_installed(settings: ControlSettings) -> None:
    """Report a missing package at the start.

    Args:
        settings: the settings of the API.

    Raises:
        MissingExtraError: the API has an address of its own, and its server is not installed.
    """
    from importlib.util import find_spec

    if not settings.path and find_spec("uvicorn") is None:
        raise MissingExtraError(
            'the control API on an address of its own needs uvicorn: pip install "faultinject[control]"'
        )


class Mounted:
    """The API as an app, below a path of another app or on an address of its own.

    Args:
        api: the API.
        path: the path of the API below the other app; empty on an address of its own.
    """

    def __init__(self, api: ControlApi, path: str = "") -> None:
        self._api = api
        self._path = path
        self.never_faulted = True  # `run` puts no faults around it

    def use_injector(self, injector: Injector) -> None:
        """Make the API control another injector."""
        injector.share_outcomes()
        self._api.injector = injector


class MountedWSGI(Mounted):
    """The API as a WSGI app."""

    def takes(self, environ: Environ) -> bool:
        """Whether a request is for the API."""
        return is_below(self._path, environ.get("PATH_INFO", ""))

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer a request."""
        headers = {name[5:]: text for name, text in environ.items() if name[:5] == "HTTP_"}
        headers |= {name: environ.get(name) or "" for name in ("CONTENT_TYPE", "CONTENT_LENGTH")}
        status, fields, body = self._api.answer(
            environ["REQUEST_METHOD"],
            utf8(environ.get("PATH_INFO", "").removeprefix(self._path)),
            {name.lower().replace("_", "-"): text for name, text in headers.items()},
            lambda: _read(environ),
            query=environ.get("QUERY_STRING", ""),
            client=environ.get("REMOTE_ADDR") or None,
            mount=utf8(environ.get("SCRIPT_NAME", "") + self._path),
        )
        start_response(f"{status} {HTTPStatus(status).phrase}", fields)
        return [body]


def _read(environ: Environ) -> bytes:
    length = environ.get("CONTENT_LENGTH")
    has_end = length or environ.get("wsgi.input_terminated")
    try:
        body: bytes = environ["wsgi.input"].read(int(length or LARGEST + 1)) if has_end else b""
    except OSError:  # servers raise it if the client has left
        raise cut_refusal() from None
    return body


class MountedASGI(Mounted):
    """The API as an ASGI app.

    Args:
        api: answers the calls.
        path: the path that it is mounted at.
        threads: the most threads that its calls use together, in one event loop; None: each call has its own thread.
    """

    def __init__(self, api: ControlApi, path: str = "", threads: int | None = None) -> None:
        super().__init__(api, path)
        self._threads = threads
        self._limiter: CapacityLimiter | None = None

    def takes(self, scope: Scope) -> bool:
        """Whether a request is for the API."""
        return scope["type"] == "http" and is_below(self._path, _split(scope)[1])

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        from anyio import CapacityLimiter, from_thread, to_thread

        root, whole = _split(scope)
        headers: dict[str, str] = {}
        for raw, value in scope["headers"]:
            name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text

        def answer() -> Response:
            return self._api.answer(
                scope["method"],
                whole.removeprefix(self._path),
                headers,
                lambda: from_thread.run(_receive, receive),
                query=scope["query_string"].decode("latin-1"),
                client=(scope.get("client") or (None,))[0],
                mount=root + self._path,
            )

        # A limiter of its own, so that faults can be switched off while all threads of the app are busy.
        limiter = self._limiter or CapacityLimiter(self._threads or 1)
        if self._threads is not None:
            self._limiter = limiter
        status, fields, body = await to_thread.run_sync(answer, limiter=limiter)
        coded = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in fields]
        await send({"type": "http.response.start", "status": status, "headers": coded})
        await send({"type": "http.response.body", "body": body})


def _split(scope: Scope) -> tuple[str, str]:
    return split_mount(scope.get("root_path") or "", scope.get("path", ""))


async def _receive(receive: Receive) -> bytes:
    body, more = b"", True
    while more and len(body) <= LARGEST:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise cut_refusal()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body
