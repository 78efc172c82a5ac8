"""Faults around apps that nobody wrapped: the frameworks' own entry points are patched for a while."""

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
"""By module: the classes whose `__call__` every request of an app passes, and what is put around it."""

BRIDGES: dict[str, str] = {
    "a2wsgi.asgi": "build_scope",
    "a2wsgi.wsgi": "build_environ",
    "asgiref.wsgi": "WsgiToAsgiInstance.build_environ",
    "starlette.middleware.wsgi": "build_environ",
    "uvicorn.middleware.wsgi": "build_environ",
}
"""By module: what makes an environ of a scope, or a scope of an environ, where an app of one kind holds another."""

_carrying: set[str] = set()


def faulting(around: Callable[..., Any], injector: Callable[[], Injector | None]) -> Callable[..., Any]:
    """What stands in the place of a framework's `__call__`, for wrapt.

    Args:
        around: puts faults around a callable.
        injector: gives the one that is asked now; None asks nobody.
    """

    def call(wrapped: Any, _: object, args: tuple[Any, ...], keys: Mapping[str, Any]) -> Any:
        found = injector()
        # Without any, uvicorn asks whether the app is a factory; and not every place is that of an app.
        asked = [each for each in [*args, *keys.values()][:1] if isinstance(each, dict)]
        inner = wrapped if found is None or any(map(is_for_control, asked)) else around(wrapped, found)
        return inner(*args, **keys)

    return call


def carry(module: ModuleType) -> None:
    """Let what such a function makes tell as well that the request was decided or noted."""
    import wrapt

    if module.__name__ in _carrying:
        return
    _carrying.add(module.__name__)

    def call(wrapped: Any, _: object, args: tuple[Any, ...], keys: dict[str, Any]) -> Any:
        made = wrapped(*args, **keys)
        source = args[0] if args else next(iter(keys.values()))
        made.update({key: source[key] for key in (DECIDED, NOTED) if key in source})
        return made

    wrapt.wrap_function_wrapper(module, BRIDGES[module.__name__], call)


class Patch:
    """From its making until `undo`, all apps of Django, Flask and Starlette (so FastAPI) ask an injector.

    Apps made before count as well, and frameworks that are imported later. Where an app is wrapped besides, each request is
    still decided once.

    Args:
        injector: that one; None: one without rules, which does nothing until rules that stand in the place of everybody's
            are put in force.
        began: called before the first request.
        places: where requests pass; by default those of the frameworks.
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
        self._over = False
        for name in places:
            wrapt.register_post_import_hook(self._put_on, name)
        for name in BRIDGES:
            wrapt.register_post_import_hook(carry, name)

    def _put_on(self, module: ModuleType) -> None:
        if self._over:
            return
        if self._injector is None:
            # Settings of the environment belong to those who inject, not to the place where it happens.
            self._injector = Injector(Scenario([]), environ={})
        import wrapt

        for name, around in self._places[module.__name__]:
            framework = getattr(module, name)
            original = vars(framework)["__call__"]
            wrapt.wrap_function_wrapper(module, f"{name}.__call__", faulting(around, self._asked))
            self._patched.append((framework, original, vars(framework)["__call__"]))

    def _asked(self) -> Injector | None:
        if self._began is not None:
            began, self._began = self._began, None
            began()
        return self._injector

    def undo(self) -> None:
        """Put back what was there; where somebody else has patched since, ours stays and does nothing."""
        self._over = True
        if self._injector is not None:
            instances.lay_bare(self._injector)
            self._injector = None
        while self._patched:
            framework, original, ours = self._patched.pop()
            if vars(framework)["__call__"] is ours:
                setattr(framework, "__call__", original)  # noqa: B010 - a class that the type checker does not know
