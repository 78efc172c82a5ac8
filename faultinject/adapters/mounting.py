"""The control API of an app, if somebody asked for one.

The API is a layer above the adapters: its name alone is known here, and it is loaded when it is wanted. Otherwise it
costs one look when the app is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faultinject.injector import run_notes
from faultinject.injector.injector import Injector

PLACE = "faultinject.control.mount"
PATHS: set[str] = set()
"""The paths below which apps of this process have their control API."""


def control_of(injector: Injector, kind: str) -> Any:
    """Get the control API below a path of an app, or begin the one beside it; else None.

    Args:
        injector: the injector around the app.
        kind: `wsgi` or `asgi`.

    Raises:
        MissingExtraError: a package that serves the API is not installed.
    """
    run_notes.reached()
    if injector.control is None:
        return None
    PATHS.add(injector.control.path)
    from importlib import import_module

    return import_module(PLACE).mount(injector, kind)


def check(injector: Injector) -> None:
    """Say at the start that a package is missing, for an app whose own stack is built later.

    Raises:
        MissingExtraError: a package that serves the API is not installed.
    """
    if injector.control is not None:
        from importlib import import_module

        PATHS.add(injector.control.path)
        import_module(PLACE).check_installed(injector.control)


def as_own(app: Any) -> Any:
    """Mark an app that has its own faults, so that `run` gives it none, and return it."""
    app.never_faulted = True
    return app


def is_own(app: Any) -> bool:
    """Whether a server's app never gets faults.

    An app of ours says so, and the metrics of prometheus_client do not get any either.
    """
    module = getattr(app, "__module__", None)
    return getattr(app, "never_faulted", False) is True or str(module).startswith("prometheus_client.")


def is_for_control(place: Mapping[str, Any]) -> bool:
    """Whether a request is for the control API below a path of the app that is called.

    The faults of a framework's patched class are outside of those that `install()` has put inside its apps.

    Args:
        place: environ or scope.
    """
    if not PATHS:
        return False
    from faultinject.vendors.addressing import split_mount

    path = place.get("PATH_INFO")
    if path is None:
        path = split_mount(place.get("root_path") or "", place.get("path", ""))[1]
    return any(is_below(control_path, path) for control_path in PATHS)


def is_below(path: str, asked: str) -> bool:
    """Whether a path is the control API's, or below it.

    An empty path is that of an API on an address of its own.
    """
    return bool(path) and asked.startswith(path) and asked[len(path) : len(path) + 1] in ("", "/")
