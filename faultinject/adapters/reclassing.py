"""Faults around an app that is an object, which stays the same object."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import new_class
from typing import Any


def reclass(app: Any, wrap: Callable[[Callable[..., Any]], Any], *, awaited: bool) -> bool:
    """Make an object one of a subclass, whose `__call__` has faults; it keeps its methods.

    Args:
        app: the object.
        wrap: puts faults around a callable.
        awaited: whether its call is awaited.

    Returns:
        Whether that was possible: not for functions, and other objects whose class cannot change.
    """
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

    # It has the arguments of the original, by which servers and test clients recognise the kind of app.
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
