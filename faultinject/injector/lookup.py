"""Which injector is around an app: the one it was given, one for its rules, or the one that the environment makes."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from faultinject.exceptions import ConfigurationError, UnsupportedServer
from faultinject.injector.injector import Injector
from faultinject.rules.scenario import Rules

_shared: Injector | None = None
# Middleware around middleware, of which the innermost may be ours.
_MOST_LAYERS = 32


def shared_injector(seed: str | int | None = None) -> Injector:
    """The injector that every app shares whose rules come from the environment; made on first use.

    Args:
        seed: the seed of a first use; a later one can only ask for the same.

    Raises:
        ConfigurationError: the environment's rules or variables are wrong, or there are none; or another seed.
    """
    global _shared  # noqa: PLW0603
    if _shared is None:
        _shared = _of_this_process(Injector(seed=seed))
    elif seed is not None and str(seed) != _shared.seed:
        raise ConfigurationError(
            f"apps with the environment's rules share one injector, whose seed is {_shared.seed}:"
            f" seed {seed} needs rules of its own"
        )
    return _shared


def forget() -> None:
    """The next app that asks for the environment's injector makes one."""
    global _shared  # noqa: PLW0603
    _shared = None


def injector_for(
    rules: Rules | None, *, seed: str | int | None = None, injector: Injector | None = None
) -> Injector:
    """The injector that a middleware asks for: its own, one for its rules, or the environment's.

    Raises:
        ConfigurationError: rules or variables are wrong, or rules or a seed are given beside an injector.
        UnsupportedServer: this process runs under eventlet.
    """
    if injector is not None:
        if rules is not None or seed is not None:
            raise ConfigurationError("rules and a seed belong to the injector: give one or the other")
        found = _of_this_process(injector)
    else:
        found = shared_injector(seed) if rules is None else _of_this_process(Injector(rules, seed=seed))
    if found.may_inject:
        refuse_eventlet()
    return found


def refuse_eventlet(environ: Mapping[str, Any] | None = None) -> None:
    """Refuse to work under eventlet, where a fault that waits would keep every other request waiting.

    Args:
        environ: of a WSGI request, where one is served: eventlet's own server need not have patched anything.

    Raises:
        UnsupportedServer: eventlet has patched this process, or serves the request.
    """
    patched = getattr(sys.modules.get("eventlet.patcher"), "already_patched", None)
    if patched or (environ is not None and "eventlet.posthooks" in environ):
        raise UnsupportedServer(
            "eventlet is not supported: a fault that waits would keep all its requests waiting."
            " Serve the app by gunicorn's gevent or gthread worker, or by gevent.pywsgi"
        )


def _of_this_process(injector: Injector) -> Injector:
    """The injector; where this process takes part in a session, what that has in force goes before."""
    if os.environ.get("FAULTINJECT_SESSION"):
        from faultinject.injector import session_sync

        session_sync.follow(os.environ)
    injector.heed_file()
    return injector


def get_injector(app: object = None) -> Injector | None:
    """The injector around an app, or without an app the injector of the environment; None if there is none."""
    if app is None:
        return _shared
    place = wrapper_of(app)
    found: Injector | None = None if place is None else place.injector
    return found


def wrapper_of(app: Any) -> Any:
    """What we put around an app, told by its attribute `injector`; None when there is none."""
    places = ("wsgi_app", "asgi_app", "build_middleware_stack", "__faultinject__")
    inside = [app, *(getattr(app, each, None) for each in places)]
    inside.append(getattr(getattr(app, "middleware", None), "__faultinject__", None))  # Connexion's
    # Middleware that was put around the app's own place later, or added to a Starlette app.
    for first in (*inside[1:3], getattr(app, "middleware_stack", None)):
        place = first
        for _ in range(_MOST_LAYERS):
            place = getattr(place, "app", None) or getattr(place, "wsgi_app", None)
            inside.append(place)
    return next((each for each in inside if isinstance(getattr(each, "injector", None), Injector)), None)
