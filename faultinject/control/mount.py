"""The control API below a path of a wrapped app, or beside it on an address of its own."""

from __future__ import annotations

from collections.abc import Iterable
from http import HTTPStatus
from typing import Any

from faultinject.adapters.mounting import is_below
from faultinject.adapters.types import ASGIApp, Environ, Receive, Scope, Send, Start, WSGIApp
from faultinject.control.access import Access
from faultinject.control.api import LARGEST, ControlApi, Response, cut
from faultinject.exceptions import MissingExtraError
from faultinject.injector.injector import Injector
from faultinject.journal import log
from faultinject.rules.control import ControlSettings
from faultinject.vendors.vendor import split_mount


def mount(app: Any, injector: Injector, kind: str) -> Any:
    """The app with the control API that the injector's environment asks for.

    Args:
        app: an app that `wrap` has made, with its attributes `injector` and `use_injector`.
        injector: the injector around it.
        kind: `wsgi` or `asgi`.

    Raises:
        MissingExtraError: the API's own server is not installed.
        ConfigurationError: its workers cannot agree on a random token.
    """
    settings = injector.control
    assert settings is not None
    check_installed(settings)
    # Any process of the server can be asked, and each reports the requests of all.
    injector.let_watch()
    if not settings.path:
        from faultinject.control import server

        server.serve(injector)
        return app
    access = Access(settings)
    if settings.token is not None or access.own:
        log.control_ready(settings.place, access.token if access.own else None)
    api = ControlApi(injector, access)
    outer = wsgi(api, app, settings.path) if kind == "wsgi" else asgi(api, app, settings.path)

    def use_injector(other: Injector) -> None:
        app.use_injector(other)
        other.let_watch()
        vars(outer)["injector"] = api.injector = other

    vars(outer).update(vars(app), app=app, use_injector=use_injector)
    return outer


def check_installed(settings: ControlSettings) -> None:
    """Report at the start that a package is missing.

    Args:
        settings: of the API.

    Raises:
        MissingExtraError: it is on an address of its own, and its server is not installed.
    """
    from importlib.util import find_spec

    if not settings.path and find_spec("uvicorn") is None:
        raise MissingExtraError(
            'the control API on an address of its own needs uvicorn: pip install "faultinject[control]"'
        )


def wsgi(api: ControlApi, app: WSGIApp | None = None, path: str = "") -> WSGIApp:
    """The API below a path of a WSGI app, or alone."""

    def faultinject(environ: Environ, start_response: Start) -> Iterable[bytes]:
        whole = environ.get("PATH_INFO", "")
        if app is not None and not is_below(path, whole):
            return app(environ, start_response)
        headers = {name[5:]: text for name, text in environ.items() if name[:5] == "HTTP_"}
        headers |= {name: environ.get(name) or "" for name in ("CONTENT_TYPE", "CONTENT_LENGTH")}
        status, fields, body = api.answer(
            environ["REQUEST_METHOD"],
            _text(whole.removeprefix(path)),
            {name.lower().replace("_", "-"): text for name, text in headers.items()},
            lambda: _read(environ),
            query=environ.get("QUERY_STRING", ""),
            client=environ.get("REMOTE_ADDR") or None,
            mount=_text(environ.get("SCRIPT_NAME", "") + path),
        )
        start_response(f"{status} {HTTPStatus(status).phrase}", fields)
        return [body]

    return faultinject


def _text(path: str) -> str:
    return path.encode("latin-1", "replace").decode("utf-8", "replace")


def _read(environ: Environ) -> bytes:
    length = environ.get("CONTENT_LENGTH")
    ends = length or environ.get("wsgi.input_terminated")
    try:
        body: bytes = environ["wsgi.input"].read(int(length or LARGEST + 1)) if ends else b""
    except OSError:  # how servers say that the client has left
        raise cut() from None
    return body


def asgi(api: ControlApi, app: ASGIApp, path: str) -> ASGIApp:
    """The API below a path of an ASGI app."""

    async def faultinject(scope: Scope, receive: Receive, send: Send) -> None:
        root, whole = split_mount(scope.get("root_path") or "", scope.get("path", ""))
        if scope["type"] != "http" or not is_below(path, whole):
            await app(scope, receive, send)
            return
        from anyio import CapacityLimiter, from_thread, to_thread

        headers: dict[str, str] = {}
        for raw, value in scope["headers"]:
            name, text = raw.decode("latin-1").lower(), value.decode("latin-1")
            headers[name] = f"{headers[name]}, {text}" if name in headers else text

        def answer() -> Response:
            return api.answer(
                scope["method"],
                whole.removeprefix(path),
                headers,
                lambda: from_thread.run(_receive, receive),
                query=scope["query_string"].decode("latin-1"),
                client=(scope.get("client") or (None,))[0],
                mount=root + path,
            )

        # Not one of the threads that the app may have: faults can be switched off also where all of these work.
        status, fields, body = await to_thread.run_sync(answer, limiter=CapacityLimiter(1))
        coded = [(name.encode("latin-1"), text.encode("latin-1")) for name, text in fields]
        await send({"type": "http.response.start", "status": status, "headers": coded})
        await send({"type": "http.response.body", "body": body})

    return faultinject


async def _receive(receive: Receive) -> bytes:
    body, more = b"", True
    while more and len(body) <= LARGEST:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise cut()
        body, more = body + message.get("body", b""), message.get("more_body", False)
    return body
