"""Where an app gets its control API, if somebody asked for one.

The API is a layer above the adapters, so nothing here knows it but its name, by which it is loaded when it is wanted: as
`faultinject/__init__.py` has its public names. What is not asked for costs one look when the app is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from faultinject.injector import run_notes
from faultinject.injector.injector import Injector

PLACE = "faultinject.control.mount"
PATHS: set[str] = set()
"""Below which apps of this process have their control API."""


def mounted(app: Any, injector: Injector, kind: str) -> Any:
    """An app that we are put around, with the control API below its path or beside it; the same app where none is asked for.

    Args:
        app: what `wrap` gave.
        injector: what is around it.
        kind: `wsgi` or `asgi`.

    Raises:
        MissingExtraError: what serves the API is not installed.
    """
    run_notes.reached()
    if injector.control is None:
        return app
    PATHS.add(injector.control.path)
    from importlib import import_module

    return import_module(PLACE).mount(app, injector, kind)


def check(injector: Injector) -> None:
    """Say at the start what is missing for it, where the app's own stack is built later.

    Raises:
        MissingExtraError: what serves the API is not installed.
    """
    if injector.control is not None:
        from importlib import import_module

        PATHS.add(injector.control.path)
        import_module(PLACE).check_installed(injector.control)


def is_own(app: Any) -> bool:
    """Whether a server's app is no target of faults: one of ours that says so, or the metrics of prometheus_client."""
    module = getattr(app, "__module__", None)
    return getattr(app, "never_faulted", False) is True or str(module).startswith("prometheus_client.")


def is_for_control(place: Mapping[str, Any]) -> bool:
    """Whether a request is for the control API below a path of the app that is called; `place` is environ or scope.

    Where a framework's class is patched, the faults stand outside of what `install()` has put inside its apps.
    """
    if not PATHS:
        return False
    from faultinject.vendors.vendor import split_mount

    path = place.get("PATH_INFO")
    if path is None:
        path = split_mount(place.get("root_path") or "", place.get("path", ""))[1]
    return any(is_below(each, path) for each in PATHS)


def is_below(path: str, asked: str) -> bool:
    """Whether a path is the control API's, or below it; an empty one is that of an API on an address of its own."""
    return bool(path) and asked.startswith(path) and asked[len(path) : len(path) + 1] in ("", "/")
