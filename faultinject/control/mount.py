"""The control API below a path of a wrapped app, or beside it on an address of its own."""

from __future__ import annotations

import os
from contextlib import suppress
from io import BytesIO
from threading import Lock
from urllib.parse import quote
from weakref import WeakSet

from faultinject.adapters.mounting import is_below
from faultinject.adapters.wsgi_ending import Ending
from faultinject.adapters.wsgi_wait import drain
from faultinject.control.access import Access
from faultinject.control.answers import Refusal
from faultinject.control.guard import HEADERS, LARGEST, cut, slow
from faultinject.control.tokens import random_token
from faultinject.engine.exchange import ClientGone
from faultinject.engine.request import WSGIRequest
from faultinject.exceptions import MissingExtra
from faultinject.installation import install_extra
from faultinject.journal import log
from faultinject.vendors.addressing import split_mount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Iterable, Iterator
    from typing import Any

    from faultinject.adapters.types import ASGIApp, Environ, Receive, Scope, Send, Start, WSGIApp
    from faultinject.control.guard import Guard
    from faultinject.engine.plan import Plan
    from faultinject.injector.injector import Injector
    from faultinject.rules.control import ControlSettings

_doors: WeakSet[Door] = WeakSet()
_loop: AbstractEventLoop | None = None
_loop_lock = Lock()


def mount(app: Any, injector: Injector, kind: str) -> Any:
    """The app with the control API that the injector's environment asks for.

    Args:
        app: what `wrap` gave, with its attributes `injector` and `use_injector`.
        injector: what is around it.
        kind: `wsgi` or `asgi`.

    Raises:
        MissingExtra: what serves the API is not installed.
        ConfigurationError: its workers cannot agree on a random token.
    """
    settings = injector.control
    assert settings is not None
    check_installed(settings, kind)
    # Whichever process is asked, it tells what happened in all of them.
    injector.let_watch()
    if not settings.path:
        from faultinject.control import server

        server.serve(injector)
        return app
    door = Door(injector)
    outer = _wsgi(app, door, settings.path) if kind == "wsgi" else _asgi(app, door, settings.path)

    def use_injector(other: Injector) -> None:
        app.use_injector(other)
        vars(outer)["injector"] = other
        door.use_injector(other)

    vars(outer).update(vars(app), app=app, use_injector=use_injector)
    return outer


class Door:
    """The API of one app, made anew for another injector and in another process.

    Args:
        injector: what is looked at and changed.
    """

    def __init__(self, injector: Injector) -> None:
        self._injector = injector
        assert injector.control is not None
        self._access = _access(injector.control)
        self._asgi: Guard | None = None
        self._wsgi: WSGIApp | None = None
        self.after_fork()
        _doors.add(self)

    def use_injector(self, other: Injector) -> None:
        """Look at another one from now on."""
        other.let_watch()
        with self._lock:
            self._injector, self._asgi, self._wsgi = other, None, None

    @property
    def plan(self) -> Plan:
        """By whose clock bodies are read."""
        return self._injector.own_plan

    def guard(self) -> Guard:
        """The API as an ASGI app."""
        from faultinject.control.app import make_app

        with self._lock:
            if self._asgi is None:
                self._asgi = make_app(self._injector, self._access)
            return self._asgi

    def wsgi(self) -> WSGIApp:
        """The API as a WSGI app: an event loop on a thread of this process answers."""
        from a2wsgi import ASGIMiddleware

        app = self.guard()
        with self._lock:
            if self._wsgi is None:
                made: Any = ASGIMiddleware  # its types have names of their own for the same
                self._wsgi = made(_cancellable(app), loop=_event_loop())
            assert self._wsgi is not None
            return self._wsgi

    def after_fork(self) -> None:
        """In a child the thread of the event loop is not there."""
        self._lock = Lock()
        self._wsgi = self._asgi = None


def _event_loop() -> AbstractEventLoop:
    """What answers under WSGI, on a thread of its own: one for all apps of this process, and for all injectors that they had."""
    global _loop  # noqa: PLW0603
    with _loop_lock:
        if _loop is None:
            from asyncio import new_event_loop
            from threading import Thread

            _loop = new_event_loop()
            Thread(target=_loop.run_forever, name="faultinject control", daemon=True).start()
        return _loop


def _after_fork() -> None:
    global _loop, _loop_lock
    _loop, _loop_lock = None, Lock()
    for door in _doors:
        door.after_fork()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)


def _access(settings: ControlSettings) -> Access:
    token, own = settings.token, False
    if token is None:
        token, own = random_token(settings.place)
    if settings.token is not None or own:
        log.control(settings.place, token if own else None)
    return Access(settings, token)


def check_installed(settings: ControlSettings, kind: str) -> None:
    """Say at the start what is missing.

    Args:
        settings: where the API is.
        kind: `wsgi` or `asgi`, of the app.

    Raises:
        MissingExtra: it is not installed.
    """
    from importlib.util import find_spec

    own = not settings.path
    needed = ["starlette", *(["uvicorn"] if own else ["a2wsgi"] if kind == "wsgi" else [])]
    missing = [each for each in needed if find_spec(each) is None]
    if missing:
        raise MissingExtra(f"the control API needs {' and '.join(missing)}: {install_extra('control')}")


def _asgi(app: ASGIApp, door: Door, path: str) -> ASGIApp:
    async def faultinject(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            root, below = split_mount(scope.get("root_path") or "", scope["path"])
            if is_below(path, below):
                inner = {**scope, "root_path": root + path, "path": root + below}
                await door.guard()(inner, receive, send)
                return
        await app(scope, receive, send)

    return faultinject


def _wsgi(app: WSGIApp, door: Door, path: str) -> WSGIApp:
    def faultinject(environ: Environ, start_response: Start) -> Iterable[bytes]:
        if not is_below(path, environ.get("PATH_INFO", "")):
            return app(environ, start_response)
        inner = _readable(environ, path)
        try:
            # A body is read for those alone who may ask.
            door.guard().check(_scope(inner))
            body = _body(environ, door)
        except Refusal as refusal:
            return _refuse(refusal, environ, start_response)
        inner.update({"wsgi.input": BytesIO(body), "CONTENT_LENGTH": str(len(body))})
        return Answering(door.wsgi()(inner, start_response), inner)

    return faultinject


def _readable(environ: Environ, path: str) -> Environ:
    """The request as a2wsgi can read it, but for its body: text that decodes, a port that is a number."""
    inner = dict(environ)
    for name in ("SCRIPT_NAME", "PATH_INFO"):
        text = environ.get(name, "").encode("latin-1", "replace").decode("utf-8", "replace")
        inner[name] = text.encode().decode("latin-1")
    inner["SCRIPT_NAME"] += path
    inner["PATH_INFO"] = inner["PATH_INFO"].removeprefix(path)
    inner["QUERY_STRING"] = quote(
        environ.get("QUERY_STRING", "").encode("latin-1", "replace"), safe="%/?:@!$&'()*+,;=-._~"
    )
    # Behind a Unix socket some servers have none; hypercorn's is no text.
    port = str(environ.get("SERVER_PORT") or "")
    inner["SERVER_PORT"] = port if port.isascii() and port.isdecimal() else "0"
    inner.pop("HTTP_TRANSFER_ENCODING", None)
    return inner


def _scope(environ: Environ) -> Scope:
    """What a2wsgi makes of it, with the client's own address."""
    from a2wsgi.asgi import build_scope

    made: Any = build_scope  # its types have names of their own for the same
    return _with_client(made(environ))


def _with_client(scope: Any) -> Scope:
    address = scope["wsgi_environ"].get("REMOTE_ADDR")
    return {**scope, "client": (address, 0) if address else None}


class Pieces:
    """The body of a call, collected while it is read."""

    def __init__(self) -> None:
        self.data = b""

    def feed(self, piece: bytes) -> None:
        """One more."""
        self.data += piece


def _body(environ: Environ, door: Door) -> bytes:
    """All of a request's body, within bounds of bytes and seconds.

    Raises:
        Refusal: it is too large, too slow, cut, or has no end.
    """
    length = environ.get("CONTENT_LENGTH") or ""
    if length and not (length.isascii() and length.isdecimal() and len(length) < 19):
        raise Refusal(400, "the Content-Length is no number")
    large = Refusal(413, f"a body has at most {LARGEST} bytes")
    if length and int(length) > LARGEST:
        raise large
    request = WSGIRequest(environ)
    if not request.has_body:
        return b""
    pieces = Pieces()
    upto = None if length else LARGEST + 1
    try:
        read = drain(environ, door.plan, request, pieces, upto)
    except ClientGone:
        raise cut() from None
    if read is None:
        raise Refusal(411, "this server needs a Content-Length")
    if len(pieces.data) > LARGEST:
        raise large
    if not read[2]:
        raise slow()
    return pieces.data


def _refuse(refusal: Refusal, environ: Environ, start_response: Start) -> Iterable[bytes]:
    """Answer without the body, or the rest of it: its connection ends."""
    from http import HTTPStatus

    answer, request = refusal.answer, WSGIRequest(environ)
    headers = [("Content-Type", answer.content_type), ("Content-Length", str(len(answer.body)))]
    headers += answer.headers.items()
    headers += [(name.decode(), value.decode()) for name, value in HEADERS]
    ending = Ending(environ, start_response, request, unread=request.has_body, broken=True, closes=False)
    ending.start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
    return ending.behind([] if environ["REQUEST_METHOD"] == "HEAD" else [answer.body])


class Answering:
    """The answer of a2wsgi, which does not heed that its client leaves: then the call is ended here.

    Args:
        pieces: the answer.
        environ: of the request.
    """

    def __init__(self, pieces: Iterable[bytes], environ: Environ) -> None:
        self._pieces = iter(pieces)
        self._environ = environ

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces

    def close(self) -> None:
        """The server has sent all, or can send no more."""
        end = self._environ.pop(_END, None)
        if end is not None:
            end()
        close = getattr(self._pieces, "close", None)
        if close is not None:  # pragma: no branch - a generator has one
            close()


_END = "faultinject.control.end"


def _cancellable(app: ASGIApp) -> ASGIApp:
    """An app whose every call can be ended from another thread, and which sees the client's own address."""

    async def cancellable(scope: Scope, receive: Receive, send: Send) -> None:
        from asyncio import CancelledError, current_task, get_running_loop

        environ = scope["wsgi_environ"]
        task, loop = current_task(), get_running_loop()
        assert task is not None
        environ[_END] = lambda: loop.call_soon_threadsafe(task.cancel)
        with suppress(CancelledError):
            await app(_with_client(scope), receive, send)
        environ.pop(_END, None)

    return cancellable
