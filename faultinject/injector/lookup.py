"""Finds the injector of an app: the given one, one for its rules, or the environment's."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

from faultinject.exceptions import ConfigurationError, UnsupportedServerError
from faultinject.injector.injector import Injector
from faultinject.rules.scenario import Rules

_shared: Injector | None = None
# The most layers of middleware in which our wrapper is searched for.
_MOST_LAYERS = 32


def shared_injector(seed: str | int | None = None) -> Injector:
    """The injector of all apps with rules from the environment, made at first use.

    Args:
        seed: the seed at first use; later calls must give the same one, or None.

    Raises:
        ConfigurationError: the environment's rules or variables are wrong, or there are none; or another seed.
    """
    global _shared  # noqa: PLW0603
    if _shared is None:
        _shared = _join_session(Injector(seed=seed))
    elif seed is not None and str(seed) != _shared.seed:
        raise ConfigurationError(
            f"apps with the environment's rules share one injector, whose seed is {_shared.seed}:"
            f" seed {seed} needs rules of its own"
        )
    return _shared


def forget() -> None:
    """Drop the environment's injector; the next app that needs one makes a new one."""
    global _shared  # noqa: PLW0603
    _shared = None


def injector_for(
    rules: Rules | None, *, seed: str | int | None = None, injector: Injector | None = None
) -> Injector:
    """The injector for a middleware: its own, one for its rules, or the environment's.

    Raises:
        ConfigurationError: rules or variables are wrong, or rules or a seed are given beside an injector.
        UnsupportedServerError: this process runs under eventlet.
    """
    if injector is not None:
        if rules is not None or seed is not None:
            raise ConfigurationError(
                "rules and a seed belong to the injector: give an injector, or rules and a seed"
            )
        chosen = _join_session(injector)
    else:
        chosen = shared_injector(seed) if rules is None else _join_session(Injector(rules, seed=seed))
    if chosen.may_inject:
        refuse_eventlet()
    return chosen


def refuse_eventlet(environ: Mapping[str, Any] | None = None) -> None:
    """Refuse to work under eventlet, where a waiting fault keeps all other requests waiting.

    Args:
        environ: the environ of a WSGI request, if there is one. It shows eventlet's own server, which also works in a
            process without patches.

    Raises:
        UnsupportedServerError: eventlet has patched this process, or serves the request.
    """
    patched = getattr(sys.modules.get("eventlet.patcher"), "already_patched", None)
    if patched or (environ is not None and "eventlet.posthooks" in environ):
        raise UnsupportedServerError(
            "eventlet is not supported: a fault that waits would keep all its requests waiting."
            " Serve the app by gunicorn's gevent or gthread worker, or by gevent.pywsgi"
        )


def _join_session(injector: Injector) -> Injector:
    """Return the injector; if this process takes part in a session, follow the session first.

    The session's scenario overrides its own.
    """
    if os.environ.get("FAULTINJECT_SESSION"):
        from faultinject.injector import session_sync

        session_sync.follow(os.environ)
    injector.follow_file()
    return injector


def get_injector(app: object = None) -> Injector | None:
    """The injector around an app, or the environment's without an app; None if there is none."""
    if app is None:
        return _shared
    place = wrapper_of(app)
    injector: Injector | None = None if place is None else place.injector
    return injector


def wrapper_of(app: Any) -> Any:
    """Our wrapper around an app, recognised by its attribute `injector`; None if there is none."""
    places = ("wsgi_app", "asgi_app", "build_middleware_stack", "__faultinject__")
    inside = [app, *(getattr(app, name, None) for name in places)]
    inside.append(getattr(getattr(app, "middleware", None), "__faultinject__", None))  # Connexion's
    # Middleware that was wrapped around ours later, or added to a Starlette app.
    for outer in (*inside[1:3], getattr(app, "middleware_stack", None)):
        place = outer
        for _ in range(_MOST_LAYERS):
            place = getattr(place, "app", None) or getattr(place, "wsgi_app", None)
            inside.append(place)
    return next((part for part in inside if isinstance(getattr(part, "injector", None), Injector)), None)
