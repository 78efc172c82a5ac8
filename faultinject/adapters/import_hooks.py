"""Import hooks put faults around apps whose code does not mention them.

They wrap the entry points of frameworks and servers when those are loaded. Every request to an app of a known framework
passes the framework's entry point, under any server; a request to any other app passes the entry point of its
server. A request is decided once, however many entry points it passes.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any

from faultinject.adapters.install import faulting, interface_of
from faultinject.adapters.mounting import is_own
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
    """Put faults around every app that a known framework or server runs in this process.

    A second call does nothing.

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

        # The function keeps its name: granian pickles it by name for its workers.
        @functools.wraps(original)
        def call(*args: Any, **keys: Any) -> Any:
            return wrapper(original, None, args, keys)

        setattr(module, target, call)
        for name in elsewhere:
            # These modules have imported the original before it was replaced.
            if vars(sys.modules.get(name, module)).get(target) is original:
                setattr(sys.modules[name], target, call)

    return put_on


def _around(app: Any, injector: Injector) -> Any:
    """Put faults around a WSGI or ASGI app; return any other app unchanged."""
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
        # granian's own interface, RSGI, is awaited like ASGI, but takes two arguments: `bind` refuses it.
        inspect.signature(app).bind(*("scope", "receive", "send")[: 3 if kind == "asgi" else 2])
    except (TypeError, ValueError):
        run_notes.refused(app)
        return app
    _announce(injector)
    return faulting(app, injector, kind)


def _argument(position: int, name: str) -> Callable[[Injector], Wrapper]:
    """Make the wrapper of a function that takes the app as an argument, by position or by name."""

    def make(injector: Injector) -> Wrapper:
        def wrapper(wrapped: Call, _: Any, args: tuple[Any, ...], keys: dict[str, Any]) -> Any:
            new_args = [
                _around(value, injector) if at == position else value for at, value in enumerate(args)
            ]
            new_keys = {
                key: _around(value, injector) if key == name else value for key, value in keys.items()
            }
            return wrapped(*new_args, **new_keys)

        return wrapper

    return make


def _result(injector: Injector) -> Wrapper:
    """Make the wrapper of a function that returns the app."""

    def wrapper(wrapped: Call, _: Any, args: tuple[Any, ...], keys: dict[str, Any]) -> Any:
        return _around(wrapped(*args, **keys), injector)

    return wrapper


def _loaded(injector: Injector) -> Wrapper:
    """Make the wrapper of uvicorn's `Config.load`, after which `loaded_app` is an ASGI 3 app."""

    def wrapper(wrapped: Call, config: Any, args: tuple[Any, ...], keys: dict[str, Any]) -> Any:
        result = wrapped(*args, **keys)
        if not is_own(config.app):
            _announce(injector)
            config.loaded_app = faulting(config.loaded_app, injector, "asgi")
        return result

    return wrapper


def _refused(_: Injector) -> Wrapper:
    """Make the wrapper of eventlet's server: it logs an error, and the app has no faults."""

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
"""The functions that take or return an app, by module.

Each value is the function's name, the maker of its wrapper, and the modules that import the function by name.
"""
