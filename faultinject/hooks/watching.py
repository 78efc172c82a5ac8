"""Watches a process for the import of a web framework or server."""

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
"""The hooks must be in place before one of these modules is imported."""


class ImportWatch:
    """A finder that finds no modules, but calls a function before one of `MODULES` is imported.

    Args:
        call: the function; it handles its own errors.
    """

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call
        # A second thread that imports one of `MODULES` waits for the call, or it would get the module without
        # faults. A greenlet of the same thread does not wait, as the lock belongs to the thread.
        self._lock = RLock()
        self._called = False

    def begin(self) -> None:
        """Watch from now on; if one of the modules is loaded already, call at once."""
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
                self._called = True  # before the call, as the function may import one of the modules itself
                self._call()
        # This finder stays in the list, as another thread's import may be walking through it. The call may have
        # inserted a finder before this one, which this import has passed already: so all finders are asked here.
        for finder in list(sys.meta_path):
            find = getattr(finder, "find_spec", None)  # very old finders have none, and Python skips them
            spec: ModuleSpec | None = None
            if finder is not self and find is not None:
                spec = find(name, path, target)
            if spec is not None:
                return spec
        return None
