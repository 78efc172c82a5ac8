"""`install()` puts faults around any app, and does nothing where they are not switched on."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Literal, TypeVar

    from faultinject.adapters.types import ASGIApp
    from faultinject.injector.injector import Injector
    from faultinject.rules.scenario import Rules

    App = TypeVar("App")
    Interface = Literal["wsgi", "asgi"]

PLACES: dict[str, tuple[Interface | None, str]] = {
    "connexion.AbstractApp": ("asgi", "middleware"),  # its `run()` serves this attribute
    "flask.Flask": ("wsgi", "wsgi_app"),
    "quart.Quart": ("asgi", "asgi_app"),
    "sanic.Sanic": ("asgi", ""),
    "starlette.Starlette": ("asgi", "build_middleware_stack"),
}
"""The interface of each framework's apps, and the attribute that gets the faults.

Without an attribute, the app's own `__call__` gets them.
"""
PROXY = "put `faultinject proxy --to URL` in front of its server"

_names_checked = False
"""Whether this process has searched the environment for misspelled names: once is enough."""


def install(
    app: App,
    rules: Rules | None = None,
    *,
    seed: str | int | None = None,
    enabled: bool | None = None,
    injector: Injector | None = None,
    interface: Interface | None = None,
) -> App:
    """Put faults around an app if they are switched on; else return the app untouched.

    An app of a framework stays the same object, with its methods and commands; a function is returned wrapped. Faults
    sit outside the whole app; on Starlette and FastAPI also outside middleware that is added later. Middleware that is
    put around Flask's `app.wsgi_app` or Quart's `app.asgi_app` afterwards, such as `ProxyFix`, is outside the faults.
    Installing twice does not inject twice: the rules of a second call replace those of the first.

    Args:
        app: any WSGI or ASGI app.
        rules: text, `Rule`, a list of either, or a `Scenario`; None for those of the environment. Apps with the
            environment's rules share one injector: `times=5` is five in all.
        seed: the seed; by default the scenario's or the environment's, otherwise a new one, which is logged.
        enabled: True or False; None: `FAULTINJECT_ENABLED` decides. `FAULTINJECT_ENABLED=0` overrides True.
        injector: an injector of your own, instead of rules.
        interface: `wsgi` or `asgi`, if the callable itself does not show it.

    Raises:
        ConfigurationError: rules, variables or `enabled` are wrong.
        UnsupportedServerError: this process runs under eventlet.
        TypeError: `app` is a class, an app factory, or neither WSGI nor ASGI.

    While faults are off, `app` is not inspected.
    """
    environment_says = _switched_on()
    if environment_says is not False and enabled and isinstance(enabled, str):  # "0" would be taken for yes
        from faultinject.exceptions import ConfigurationError

        raise ConfigurationError(f"enabled: {enabled!r} is a text; use True, False or None")
    if environment_says is False or not (environment_says if enabled is None else enabled):
        if enabled is None and environment_says is None:
            _say_what_was_meant(rules_given=rules is not None or injector is not None)
        return app
    from faultinject.injector.lookup import get_injector, injector_for, wrapper_of

    if interface not in (None, "wsgi", "asgi"):
        from faultinject.exceptions import ConfigurationError

        raise ConfigurationError(f"interface {interface!r} is neither wsgi nor asgi")
    kind = _framework(app)[1][0] or interface or interface_of(app)
    existing = wrapper_of(app)
    if existing is not None and injector in (None, existing.injector):
        if rules is not None and existing.injector is get_injector():
            # The environment's rules are every app's; from now on this one has its own.
            existing.use_injector(injector_for(rules, seed=seed))
        elif rules is not None:
            existing.injector.use(rules, seed=seed)
        elif seed is not None:
            injector_for(None, seed=seed)
        existing.injector.announce()
        return app
    chosen = injector_for(rules, seed=seed, injector=injector)
    chosen.announce()
    faulting: App = _put_around(app, chosen, kind)
    return faulting


def _switched_on() -> bool | None:
    # In production this check is all that runs, and it imports nothing.
    if not any(map(os.environ.get, ("FAULTINJECT_ENABLED", "FAULTINJECT_SESSION"))):
        return None
    from faultinject.rules.environment import is_switched_on

    return is_switched_on(os.environ)


def forget() -> None:
    """Have `install` read the environment again, as in a process that has just begun."""
    global _names_checked  # noqa: PLW0603
    from faultinject.injector import lookup

    _names_checked = False
    lookup.forget()


def _say_what_was_meant(*, rules_given: bool) -> None:
    """Warn that faults are off if rules or a variable suggest that somebody wants them."""
    global _names_checked  # noqa: PLW0603
    if rules_given:
        from faultinject.journal import log

        # Rules were given in code, and nothing switches them on.
        log.warning("faultinject: rules were given to install(), but it is off: set FAULTINJECT_ENABLED=1")
    if _names_checked:
        return
    _names_checked = True
    # A misspelled name has at least one half right. Values may be secret: only their emptiness matters.
    near = [
        name
        for name, value in os.environ.items()
        if value and ("INJECT" in (upper := name.upper().replace("DEFAULT", "")) or "FAULT" in upper)
    ]
    if near:
        from faultinject.journal import log
        from faultinject.rules.names import gives_rules, likely_switches

        for name in likely_switches(near)[:1]:
            # It is off, and a variable of the environment was probably meant to switch it on.
            log.warning(
                "faultinject is off: did you mean FAULTINJECT_ENABLED? %s is set and means nothing", name
            )
            return
        for name in sorted(filter(gives_rules, near))[:1]:
            # It is off, and a variable of the environment gives rules.
            log.warning(
                "faultinject is off: %s is set, FAULTINJECT_ENABLED is not; set it to 1, or to 0 to silence"
                " this message",
                name,
            )


def _put_around(app: Any, injector: Injector, kind: str) -> Any:
    framework, (_, place) = _framework(app)
    if place == "build_middleware_stack":
        from faultinject.adapters.mounting import check

        check(injector)
        app.build_middleware_stack = _Stack(app, injector)
        if app.middleware_stack is not None:
            app.middleware_stack = faulting(app.middleware_stack, injector, kind)
        return app
    if place in ("asgi_app", "wsgi_app"):
        setattr(app, place, faulting(getattr(app, place), injector, kind))
        return app
    inner = getattr(app, place) if place else app
    if not _reclass(inner, lambda call: faulting(call, injector, kind), awaited=kind == "asgi"):
        return faulting(app, injector, kind)
    if framework == "sanic.Sanic":
        app.before_server_start(_say_that_sanic_serves)
    return app


def faulting(app: Any, injector: Injector, kind: str) -> Any:
    """Put an injector and its control API around an app of that kind, `wsgi` or `asgi`."""
    # Each adapter is loaded only for the apps that it serves.
    from importlib import import_module

    from faultinject.adapters.mounting import control_of

    wrap = import_module(f"faultinject.adapters.{kind}").wrap
    return wrap(app, injector, control_of(injector, kind))


def _reclass(app: Any, wrap: Callable[[Callable[..., Any]], Any], *, awaited: bool) -> bool:
    """Change an app's class to a subclass whose `__call__` has faults; all its methods stay.

    Args:
        app: the object.
        wrap: puts faults around a callable.
        awaited: whether its `__call__` is a coroutine function.

    Returns:
        Whether that was possible: not for functions, and other objects whose class cannot change.
    """
    import functools
    from types import new_class

    kind = type(app)
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "__doc__": kind.__doc__}
    try:
        faulting: Any = new_class(
            kind.__name__, (kind,), exec_body=lambda body: body.update(names, __slots__=())
        )
        object.__setattr__(app, "__class__", faulting)
    except Exception:  # a class may refuse a subclass by any error
        return False

    def inner(*args: Any) -> Any:
        return super(faulting, app).__call__(*args)

    inner.__wrapped__ = app  # type: ignore[attr-defined]  # `inspect.unwrap` reads it; mypy knows no such attribute
    around = wrap(inner)

    # Servers and test clients recognise the kind of app by the arguments, so these are the original's.
    if awaited:

        @functools.wraps(kind.__call__)
        async def call(self: Any, scope: Any, receive: Any, send: Any) -> None:
            await around(scope, receive, send)
    else:

        @functools.wraps(kind.__call__)
        def call(self: Any, environ: Any, start_response: Any) -> Any:
            return around(environ, start_response)

    faulting.__call__ = call
    faulting.__faultinject__ = staticmethod(around)
    return True


class _Stack:
    """A replacement of Starlette's `build_middleware_stack` that puts faults around the stack.

    Args:
        app: the Starlette app.
        injector: decides its requests.
    """

    def __init__(self, app: Any, injector: Injector) -> None:
        self._app = app
        self._build = app.build_middleware_stack
        self.injector = injector

    def __call__(self) -> ASGIApp:
        stack: ASGIApp = faulting(self._build(), self.injector, "asgi")
        return stack

    def use_injector(self, injector: Injector) -> None:
        """Let another injector decide from now on."""
        self.injector = injector
        if self._app.middleware_stack is not None:
            self._app.middleware_stack.use_injector(injector)


def _say_that_sanic_serves(app: Any, _: object) -> None:
    if app.asgi:
        return
    from faultinject.journal import log

    # The app's server is Sanic's own.
    log.error(
        "faultinject: nothing is injected: Sanic's own server does not call the app by ASGI; serve it by"
        " uvicorn or hypercorn, or %s",
        PROXY,
    )


def interface_of(app: object, name: str = "", *, advice: str = "call install() inside it") -> Interface:
    """Find out whether an app is WSGI or ASGI, without importing a framework.

    Args:
        app: the app.
        name: the user's name for the app, for errors.
        advice: what to do with an app factory.

    Raises:
        TypeError: `app` is a class, an app factory or neither.
    """
    import inspect

    _, (known, _) = _framework(app)
    if known is not None:
        return known
    if isinstance(app, type):
        raise TypeError(f"{name or repr(app)} is a class: it looks like an app factory: {advice}")
    if not callable(app):
        raise _neither(app, name, advice)
    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__):
        return "asgi"
    try:
        parameters = inspect.signature(app, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        raise _neither(app, name, advice) from None
    taken = [
        parameter
        for parameter in parameters
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD)
    ]
    needed = sum(parameter.default is parameter.empty for parameter in taken)
    if needed != 2 and needed <= 3 <= len(taken):
        return "asgi"
    if needed <= 2 and (
        len(taken) >= 2 or any(parameter.kind is parameter.VAR_POSITIONAL for parameter in parameters)
    ):
        return "wsgi"
    raise _neither(app, name, advice)


def _framework(app: object) -> tuple[str, tuple[Interface | None, str]]:
    names = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(app).__mro__}
    name = next(iter(names & PLACES.keys()), "")
    return name, PLACES.get(name, (None, ""))


def _neither(app: object, name: str, advice: str) -> TypeError:
    import inspect
    from functools import partial

    if inspect.isroutine(app) or isinstance(app, partial):
        return TypeError(
            f"{name or repr(app)} takes neither two arguments (WSGI) nor three (ASGI):"
            f" it looks like an app factory: {advice}"
        )
    kind = f"{type(app).__module__}.{type(app).__qualname__}"
    return TypeError(f"{name or kind} is neither WSGI nor ASGI: {PROXY}")
