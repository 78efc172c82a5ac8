"""A patch puts faults around apps that nobody wrapped, at their frameworks' entry points."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

from faultinject.adapters import asgi, django_client, wsgi
from faultinject.adapters.mounting import is_for_control
from faultinject.engine.exchange import DECIDED, NOTED
from faultinject.injector import instances
from faultinject.injector.injector import Injector
from faultinject.rules.scenario import Scenario

Places = Mapping[str, tuple[tuple[str, Callable[..., Any]], ...]]

PLACES: Places = {
    "django.core.handlers.asgi": (("ASGIHandler", asgi.wrap),),
    "django.core.handlers.wsgi": (("WSGIHandler", wsgi.wrap),),
    "django.test.client": (
        ("ClientHandler", django_client.wrap),
        ("AsyncClientHandler", django_client.wrap_async),
    ),
    "flask.app": (("Flask", wsgi.wrap),),
    "starlette.applications": (("Starlette", asgi.wrap),),
}
"""The classes whose `__call__` every request passes, by module.

Beside each class is the function that puts faults around its `__call__`.
"""

BRIDGES: dict[str, str] = {
    "a2wsgi.asgi": "build_scope",
    "a2wsgi.wsgi": "build_environ",
    "asgiref.wsgi": "WsgiToAsgiInstance.build_environ",
    "starlette.middleware.wsgi": "build_environ",
    "uvicorn.middleware.wsgi": "build_environ",
}
"""The functions that convert a scope to an environ, or an environ to a scope, by module.

They run if an app of one interface contains an app of the other.
"""

_wrapped_bridges: set[str] = set()
"""The modules of `BRIDGES` that `carry_notes` has wrapped."""


def call_with_faults(
    around: Callable[..., Any], injector: Callable[[], Injector | None]
) -> Callable[..., Any]:
    """Make the function, for wrapt, that replaces a framework's `__call__`.

    Args:
        around: puts faults around a callable.
        injector: returns the present injector, or None for no faults.
    """

    def call(wrapped: Any, _: object, args: tuple[Any, ...], keys: Mapping[str, Any]) -> Any:
        current = injector()
        # The first argument is environ or scope. uvicorn passes none to see whether the app is a factory, and the
        # classes that moto patches are not apps.
        raw_requests = [argument for argument in [*args, *keys.values()][:1] if isinstance(argument, dict)]
        inner = (
            wrapped if current is None or any(map(is_for_control, raw_requests)) else around(wrapped, current)
        )
        return inner(*args, **keys)

    return call


def carry_notes(module: ModuleType) -> None:
    """Make a function of `BRIDGES` copy our notes that a request was decided or recorded."""
    import wrapt

    if module.__name__ in _wrapped_bridges:
        return
    _wrapped_bridges.add(module.__name__)

    def call(wrapped: Any, _: object, args: tuple[Any, ...], keys: dict[str, Any]) -> Any:
        converted = wrapped(*args, **keys)
        source = args[0] if args else next(iter(keys.values()))
        converted.update({key: source[key] for key in (DECIDED, NOTED) if key in source})
        return converted

    wrapt.wrap_function_wrapper(module, BRIDGES[module.__name__], call)


class Patch:
    """Faults around all apps of Django, Flask and Starlette, so also FastAPI, until `undo`.

    These include apps made before, and apps of frameworks that are imported later. If an app also has a wrapper of its
    own, each request is still decided once.

    Args:
        injector: the injector around them; None: one without rules, which injects only while an override such as
            `inject` gives it rules.
        began: called before the first request.
        places: the classes that requests pass; by default those of the frameworks.
    """

    def __init__(
        self,
        injector: Injector | None = None,
        began: Callable[[], None] | None = None,
        places: Places = PLACES,
    ) -> None:
        import wrapt

        self._places = places
        self._injector = injector
        self._began = began
        self._patched: list[tuple[type, Any, Any]] = []
        self._undone = False
        for name in places:
            wrapt.register_post_import_hook(self._put_on, name)
        for name in BRIDGES:
            wrapt.register_post_import_hook(carry_notes, name)

    def _put_on(self, module: ModuleType) -> None:
        if self._undone:
            return
        if self._injector is None:
            # The environment's settings are for the injectors that have rules, not for this one.
            self._injector = Injector(Scenario([]), environ={})
        import wrapt

        for name, around in self._places[module.__name__]:
            framework = getattr(module, name)
            original = vars(framework)["__call__"]
            wrapt.wrap_function_wrapper(
                module, f"{name}.__call__", call_with_faults(around, self._current_injector)
            )
            self._patched.append((framework, original, vars(framework)["__call__"]))

    def _current_injector(self) -> Injector | None:
        if self._began is not None:
            began, self._began = self._began, None
            began()
        return self._injector

    def undo(self) -> None:
        """Put back each framework's own `__call__`.

        If somebody else has patched it since, ours stays, without effect.
        """
        self._undone = True
        if self._injector is not None:
            instances.note_unwrapped(self._injector)
            self._injector = None
        while self._patched:
            framework, original, ours = self._patched.pop()
            if vars(framework)["__call__"] is ours:
                setattr(framework, "__call__", original)  # noqa: B010 - a class that the type checker does not know
