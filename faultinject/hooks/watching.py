"""The watch of a Python below `run` for the import of a web framework or server."""

from __future__ import annotations

import sys
from _thread import RLock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from importlib.machinery import ModuleSpec
    from types import ModuleType

MODULES = frozenset((
    "a2wsgi.asgi",
    "a2wsgi.wsgi",
    "asgiref.wsgi",
    "cheroot.wsgi",
    "daphne.server",
    "django.core.handlers.asgi",
    "django.core.handlers.wsgi",
    "django.test.client",
    "eventlet.wsgi",
    "flask.app",
    "granian._internal",
    "gunicorn.app.base",
    "hypercorn.utils",
    "starlette.applications",
    "starlette.middleware.wsgi",
    "uvicorn.config",
    "uvicorn.middleware.wsgi",
    "waitress.server",
    "werkzeug.serving",
    "wsgiref.simple_server",
))  # fmt: skip
"""The modules at whose import faults are put around apps, or are carried on."""


class Watch:
    """A finder of modules that finds none: before the first of `MODULES` is imported, it calls.

    Args:
        call: what is to be done then; it handles its own errors.
    """

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        # Another thread that imports one of them meanwhile waits: it would get it without faults. A greenlet of this
        # thread does not, as the lock is not its own.
        self._lock = RLock()
        self._called = False

    def begin(self) -> None:
        """Watch from now on; if one of them is there already, call at once."""
        if MODULES.isdisjoint(sys.modules):
            sys.meta_path.insert(0, self)
        else:
            self._call()

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Called before every import; None leaves it to the other finders."""
        if name not in MODULES:
            return None
        with self._lock:
            if not self._called:
                self._called = True  # what is called may import one of them itself
                self._call()
        # An import of another thread may be going through the list, so this finder stays in it. The list may have
        # changed during the call, and Python would not ask a finder that has come in front of this one: so it asks
        # all.
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)  # very old ones have none, and Python leaves them out
            found: ModuleSpec | None = None
            if finder is not self and find is not None:
                found = find(name, path, target)
            if found is not None:
                return found
        return None
