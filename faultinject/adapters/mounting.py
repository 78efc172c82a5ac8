"""Where an app gets its control API, if somebody asked for one.

The API stands above the adapters, so nothing here knows it but its name, by which it is loaded when it is wanted: as
`faultinject/__init__.py` has its public names. What is not asked for costs one look when the app is installed.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from faultinject.injector.injector import Injector

PLACE = "faultinject.control.mount"


def mounted(app: Any, injector: Injector, kind: str) -> Any:
    """An app that we are put around, with the control API below its path or beside it; the same app where none is asked for.

    Args:
        app: what `wrap` gave.
        injector: what is around it.
        kind: `wsgi` or `asgi`.

    Raises:
        MissingExtra: what serves the API is not installed.
    """
    if injector.control is None:
        return app
    from importlib import import_module

    return import_module(PLACE).mount(app, injector, kind)


def check(injector: Injector, kind: str) -> None:
    """Say at the start what is missing for it, where the app's own stack is built later.

    Raises:
        MissingExtra: what serves the API is not installed.
    """
    if injector.control is not None:
        from importlib import import_module

        import_module(PLACE).check_installed(injector.control, kind)
