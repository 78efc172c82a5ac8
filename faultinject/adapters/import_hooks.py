"""Faults around apps whose code says nothing of them: what frameworks and servers call is wrapped when they are loaded.

The frameworks' own entry points reach every app of theirs, whatever serves it; the servers' reach the rest. However
many of them a request passes, it is decided once.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from faultinject.adapters import asgi, wsgi
from faultinject.adapters.install import interface_of
from faultinject.adapters.mounting import control_of, is_own
from faultinject.adapters.patch import Patch
from faultinject.exceptions import UnsupportedServerError
from faultinject.injector import run_notes
from faultinject.injector.injector import Injector
from faultinject.injector.lookup import refuse_eventlet, shared_injector
from faultinject.journal import log

Call = Callable[..., Any]
Wrapper = Callable[[Call, Any, tuple[Any, ...], dict[str, Any]], Any]

_hooked = False


def hook() -> None:
    """From now on, every app that a known framework or server runs in this process has faults; again is nothing.

    Raises:
        ConfigurationError: the environment's rules or variables are wrong.
    """
    global _hooked  # noqa: PLW0603
    if _hooked:
        return
    import wrapt

    injector = shared_injector()
    _hooked = True
    run_notes.known()
    Patch(injector, began=lambda: _announce(injector))
    for name in SERVERS:
        wrapt.register_post_import_hook(_server(injector), name)


def _announce(injector: Injector) -> None:
    injector.announce()
    run_notes.reached()


def _server(injector: Injector) -> Callable[[ModuleType], None]:
    def put_on(module: ModuleType) -> None:
        import wrapt

        target, make, *elsewhere = SERVERS[module.__name__]
        wrapper = make(injector)
        if "." in target:
            wrapt.wrap_function_wrapper(module, target, wrapper)
            return
        original = getattr(module, target)

        # Servers hand it to their workers by its name.
        @functools.wraps(original)
        def call(*args: Any, **keys: Any) -> Any:
            return wrapper(original, None, args, keys)

        setattr(module, target, call)
        for name in elsewhere:
            # Imported from there before we came.
            if vars(sys.modules.get(name, module)).get(target) is original:
                setattr(sys.modules[name], target, call)

    return put_on


def _around(app: Any, injector: Injector) -> Any:
    """An app with faults; what is not told to be WSGI or ASGI is the server's own affair."""
    if is_own(app) or isinstance(getattr(app, "injector", None), Injector):
        return app
    try:
        refuse_eventlet()
    except UnsupportedServerError as error:
        # The server is one that faultinject does not support.
        log.error("faultinject: %s", error)
        return app
    import inspect

    try:
        kind = interface_of(app)
        # What granian calls RSGI is awaited too, and takes two arguments.
        inspect.signature(app).bind(*("scope", "receive", "send")[: 3 if kind == "asgi" else 2])
    except (TypeError, ValueError):
        run_notes.refused(app)
        return app
    _announce(injector)
    control = control_of(injector, kind)
    return asgi.wrap(app, injector, control) if kind == "asgi" else wsgi.wrap(app, injector, control)


def _argument(at: int, name: str) -> Callable[[Injector], Wrapper]:
    """For a call that is given the app."""

    def make(injector: Injector) -> Wrapper:
        def wrapper(wrapped: Call, _: Any, args: tuple[Any, ...], keys: dict[str, Any]) -> Any:
            given = [_around(each, injector) if place == at else each for place, each in enumerate(args)]
            named = {
                each: _around(found, injector) if each == name else found for each, found in keys.items()
            }
            return wrapped(*given, **named)

        return wrapper

    return make


def _result(injector: Injector) -> Wrapper:
    """For a call that gives the app."""

    def wrapper(wrapped: Call, _: Any, args: tuple[Any, ...], keys: dict[str, Any]) -> Any:
        return _around(wrapped(*args, **keys), injector)

    return wrapper


def _loaded(injector: Injector) -> Wrapper:
    """For uvicorn's configuration, which keeps the app when it has made sure that it is ASGI 3."""

    def wrapper(wrapped: Call, config: Any, args: tuple[Any, ...], keys: dict[str, Any]) -> Any:
        result = wrapped(*args, **keys)
        if not is_own(config.app):
            _announce(injector)
            config.loaded_app = asgi.wrap(config.loaded_app, injector, control_of(injector, "asgi"))
        return result

    return wrapper


def _refused(_: Injector) -> Wrapper:
    """For eventlet's server, whose app stays as it is."""

    def wrapper(wrapped: Call, _: Any, args: tuple[Any, ...], keys: dict[str, Any]) -> Any:
        try:
            refuse_eventlet({"eventlet.posthooks": []})
        except UnsupportedServerError as error:
            # The server is one that faultinject does not support.
            log.error("faultinject: %s", error)
        return wrapped(*args, **keys)

    return wrapper


SERVERS: dict[str, tuple[Any, ...]] = {
    "cheroot.wsgi": ("Server.__init__", _argument(1, "wsgi_app")),
    "daphne.server": ("Server.__init__", _argument(0, "application")),
    "eventlet.wsgi": ("server", _refused),
    "granian._internal": ("load_target", _result, "granian.server.common"),
    "gunicorn.app.base": ("BaseApplication.wsgi", _result),
    "hypercorn.utils": ("wrap_app", _argument(0, "app"), "hypercorn.asyncio", "hypercorn.trio"),
    "uvicorn.config": ("Config.load", _loaded),
    "waitress.server": ("create_server", _argument(0, "application"), "waitress"),
    "werkzeug.serving": ("BaseWSGIServer.__init__", _argument(2, "app")),
    "wsgiref.simple_server": ("WSGIServer.set_app", _argument(0, "application")),
}
"""By module: what is called with the app, or gives it, how it is wrapped, and which modules have it by name."""
