"""Which injector is around an app: the one it was given, one for its rules, or the one that the environment makes."""

from __future__ import annotations

from faultinject.exceptions import ConfigurationError
from faultinject.injector import Injector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.injector import Rules

_shared: Injector | None = None
# Middleware around middleware, of which the innermost may be ours.
_MOST_LAYERS = 32


def shared_injector() -> Injector:
    """The injector that every app shares whose rules come from the environment; made on first use.

    Raises:
        ConfigurationError: the environment's rules or variables are wrong, or there are none.
    """
    global _shared  # noqa: PLW0603
    if _shared is None:
        _shared = Injector()
    return _shared


def injector_for(
    rules: Rules | None, *, seed: str | int | None = None, injector: Injector | None = None
) -> Injector:
    """The injector that a middleware asks for: its own, one for its rules, or the environment's.

    Raises:
        ConfigurationError: rules or variables are wrong, or rules or a seed are given beside an injector.
    """
    if injector is not None:
        if rules is not None or seed is not None:
            raise ConfigurationError("rules and a seed belong to the injector: give one or the other")
        return injector
    return shared_injector() if rules is None and seed is None else Injector(rules, seed=seed)


def get_injector(app: object = None) -> Injector | None:
    """The injector around an app, or without an app the one that reads the environment; None when there is none."""
    if app is None:
        return _shared
    place = app
    for _ in range(_MOST_LAYERS):
        found = getattr(place, "injector", None)
        if isinstance(found, Injector):
            return found
        if place is app:
            place = getattr(app, "wsgi_app", None) or getattr(app, "build_middleware_stack", None)
        else:  # middleware that was put around the app's own `wsgi_app` later
            place = getattr(place, "app", None) or getattr(place, "wsgi_app", None)
    return None
