"""`install()`: one line that puts faults around any app, and nothing at all where they are not switched on."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Literal, TypeVar

    from faultinject.adapters.types import ASGIApp
    from faultinject.injector.injector import Injector
    from faultinject.rules.scenario import Rules

    App = TypeVar("App")
    Interface = Literal["wsgi", "asgi"]

_looked = False
"""Whether the names of the environment have been looked at in this process."""


def install(
    app: App,
    rules: Rules | None = None,
    *,
    seed: str | int | None = None,
    enabled: bool | None = None,
    injector: Injector | None = None,
    interface: Interface | None = None,
) -> App:
    """Put faults around an app, if they are switched on; otherwise return the same object untouched.

    Flask, Starlette and FastAPI apps are changed in place; any other WSGI or ASGI callable is returned wrapped, with its own
    attributes and without the methods of its class: add an app's routes before you install it. Faults sit outside the whole
    app; on Starlette and FastAPI also outside middleware that is added later. Middleware that is put around Flask's
    `app.wsgi_app` afterwards, such as `ProxyFix`, is outside the faults. Installing twice does not inject twice: with rules,
    the second replaces the first's.

    Args:
        app: a Flask, Starlette or FastAPI app, or any WSGI or ASGI callable.
        rules: text, `Rule`, a list of either, or a `Scenario`; None for those of the environment. Apps with the
            environment's rules share one injector: `times=5` is five in all.
        seed: the seed; by default the scenario's or the environment's, otherwise a new one, which is logged.
        enabled: None: `FAULTINJECT_ENABLED` decides; else True or False (`FAULTINJECT_ENABLED=0` overrides it). No text.
        injector: an injector of your own, instead of rules.
        interface: `wsgi` or `asgi`, if the callable itself does not show it.

    Raises:
        ConfigurationError: rules, variables or `enabled` are wrong.
        UnsupportedServer: this process runs under eventlet.
        TypeError: `app` is a class or an app factory.

    While faults are off, `app` is not inspected.
    """
    says = _switched_on()
    if says is not False and enabled and isinstance(enabled, str):  # "0" would be taken for yes
        from faultinject.exceptions import ConfigurationError

        raise ConfigurationError(f"enabled: {enabled!r} is a text; use True, False or None")
    if says is False or not (says if enabled is None else enabled):
        if enabled is None and says is None:
            _say_what_was_meant(rules_given=rules is not None or injector is not None)
        return app
    from faultinject.injector.lookup import get_injector, injector_for, wrapper_of

    kind = _interface(app, interface)
    place = wrapper_of(app)
    if place is not None and injector in (None, place.injector):
        if rules is not None and place.injector is get_injector():
            # The environment's rules are every app's; from now on this one has its own.
            place.use_injector(injector_for(rules, seed=seed))
        elif rules is not None:
            place.injector.use(rules, seed=seed)
        elif seed is not None:
            injector_for(None, seed=seed)
        place.injector.announce()
        return app
    found = injector_for(rules, seed=seed, injector=injector)
    found.announce()
    around: App = _put_around(app, found, kind)
    return around


def _switched_on() -> bool | None:
    # The way of every app that is not tested now: a look, and nothing is loaded.
    if not any(map(os.environ.get, ("FAULTINJECT_ENABLED", "FAULTINJECT_SESSION"))):
        return None
    from faultinject.rules.environment import is_switched_on

    return is_switched_on(os.environ)


def forget() -> None:
    """Let `install` do as in a process that has just begun: the environment has made no injector, and is looked at anew."""
    global _looked  # noqa: PLW0603
    from faultinject.injector import lookup

    _looked = False
    lookup.forget()


def _say_what_was_meant(*, rules_given: bool) -> None:
    """Nothing switches on: say so where somebody seems to have meant it."""
    global _looked  # noqa: PLW0603
    if rules_given:
        from faultinject.journal import log

        log.forgotten()
    if _looked:
        return
    _looked = True
    # In a misspelling at least one half of it is right. Of what the variables say only is looked at whether it is nothing.
    near = [
        name
        for name in os.environ
        if "INJECT" in (upper := name.upper().replace("DEFAULT", "")) or "FAULT" in upper
    ]
    found = [name for name in near if os.environ.get(name)]
    if found:
        from faultinject.journal import log
        from faultinject.rules.names import gives_rules, like_the_switch

        for name in like_the_switch(found)[:1]:
            log.misspelled(name)
            return
        for name in sorted(filter(gives_rules, found))[:1]:
            log.waiting(name)


def _put_around(app: Any, injector: Injector, kind: str) -> Any:
    # Each adapter is loaded only where it serves.
    from faultinject.adapters.mounting import check, mounted

    if kind in ("flask", "wsgi"):
        from faultinject.adapters import wsgi

        if kind == "wsgi":
            return mounted(wsgi.wrap(app, injector), injector, "wsgi")
        app.wsgi_app = mounted(wsgi.wrap(app.wsgi_app, injector), injector, "wsgi")
        return app
    from faultinject.adapters import asgi

    if kind == "starlette":
        check(injector)
        build = app.build_middleware_stack

        def build_middleware_stack() -> ASGIApp:
            around: ASGIApp = mounted(asgi.wrap(build(), injector), injector, "asgi")
            return around

        def use_injector(other: Injector) -> None:
            nonlocal injector
            injector = vars(build_middleware_stack)["injector"] = other
            if app.middleware_stack is not None:
                app.middleware_stack.use_injector(other)

        vars(build_middleware_stack).update(injector=injector, use_injector=use_injector)
        app.build_middleware_stack = build_middleware_stack
        if app.middleware_stack is not None:
            app.middleware_stack = mounted(asgi.wrap(app.middleware_stack, injector), injector, "asgi")
        return app
    return mounted(asgi.wrap(app, injector), injector, "asgi")


def interface_of(app: object) -> Interface:
    """Whether an app is WSGI or ASGI, told as `install` tells it.

    Raises:
        TypeError: `app` is a class or an app factory.
    """
    return "asgi" if _interface(app) in ("asgi", "starlette") else "wsgi"


def _interface(app: Any, interface: str | None = None) -> str:
    """`flask`, `starlette`, `wsgi` or `asgi`, told without importing a framework."""
    names = {f"{each.__module__.partition('.')[0]}.{each.__name__}" for each in type(app).__mro__}
    if "flask.Flask" in names:
        return "flask"
    if "starlette.Starlette" in names:
        return "starlette"
    if interface is not None:
        if interface not in ("wsgi", "asgi"):
            from faultinject.exceptions import ConfigurationError

            raise ConfigurationError(f"interface {interface!r} is neither wsgi nor asgi")
        return interface
    if isinstance(app, type) or not callable(app):
        raise TypeError(_factory(app))
    import inspect

    if inspect.iscoroutinefunction(app) or inspect.iscoroutinefunction(type(app).__call__):
        return "asgi"
    try:
        parameters = inspect.signature(app, follow_wrapped=False).parameters.values()
    except (TypeError, ValueError):
        raise TypeError(_factory(app)) from None
    taken = [each for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    needed = sum(each.default is each.empty for each in taken)
    if needed != 2 and needed <= 3 <= len(taken):
        return "asgi"
    if needed <= 2 and (len(taken) >= 2 or any(each.kind is each.VAR_POSITIONAL for each in parameters)):
        return "wsgi"
    raise TypeError(_factory(app))


def _factory(app: object) -> str:
    what = "is a class" if isinstance(app, type) else "takes neither two arguments (WSGI) nor three (ASGI)"
    return f"{app!r} {what}: it looks like an app factory: call install() inside it"
