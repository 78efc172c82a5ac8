"""The control API of an app, if its environment asks for one.

The API's package may import the adapters, but not the reverse. This module imports it by name when it is needed.
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
    """Mount the control API below a path of an app, or start it on its own address.

    Args:
        injector: the injector around the app.
        kind: `wsgi` or `asgi`.

    Returns:
        The mounted API; None if there is none, or it has its own address.

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
    """Raise the error of a missing package now, for an app that builds its stack later.

    Raises:
        MissingExtraError: a package that serves the API is not installed.
    """
    if injector.control is not None:
        from importlib import import_module

        PATHS.add(injector.control.path)
        import_module(PLACE).check_installed(injector.control)


def as_own(app: Any) -> Any:
    """Mark an app so that `run` puts no faults around it, and return it."""
    app.never_faulted = True
    return app


def is_own(app: Any) -> bool:
    """Whether an app never gets faults: one that is marked, or the metrics of prometheus_client."""
    module = getattr(app, "__module__", None)
    return getattr(app, "never_faulted", False) is True or str(module).startswith("prometheus_client.")


def is_for_control(raw_request: Mapping[str, Any]) -> bool:
    """Whether a request is for the control API below a path of the app that is called.

    A patched class of a framework must ask: its faults are outside of the middleware with the control API, which
    `install()` has put inside the app.

    Args:
        raw_request: environ or scope.
    """
    if not PATHS:
        return False
    from faultinject.vendors.addressing import split_mount

    path = raw_request.get("PATH_INFO")
    if path is None:
        path = split_mount(raw_request.get("root_path") or "", raw_request.get("path", ""))[1]
    return any(is_below(control_path, path) for control_path in PATHS)


def is_below(control_path: str, path: str) -> bool:
    """Whether a path is the control API's, or below it.

    An empty `control_path` means that the API has an address of its own.
    """
    return bool(control_path) and (path == control_path or path.startswith(f"{control_path}/"))
