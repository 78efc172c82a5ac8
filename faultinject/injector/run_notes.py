"""Notes of the Python processes below `run` to it and to one another.

They are files beside the one that FAULTINJECT_RUN names.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

KNOWN, REFUSED, SAID = ".known", ".refused", ".on"
"""Endings of their names: a framework is loaded; an app is of no known kind; faults are on.

A server counts as a framework; faults are on when an app has got them.
"""

_reached = False


def reached() -> None:
    """Note that an app of this process has faults; the first one of all processes says so."""
    global _reached  # noqa: PLW0603
    if _reached:
        return
    _reached = True
    if place := _place():
        with suppress(OSError):  # another one has said it
            os.rename(place, f"{place}{SAID}")
            with open(f"{place}{SAID}", encoding="utf-8") as file:
                print(file.read(), end="", file=sys.stderr, flush=True)  # noqa: T201 - stands for the log


def known() -> None:
    """Note that a framework or a server was loaded that faults are put around."""
    _write(KNOWN, "")


def refused(app: object) -> None:
    """Note that a known server serves an app that is neither WSGI nor ASGI."""
    kind = type(app)
    shown = getattr(app, "__qualname__", None) or f"{kind.__module__}.{kind.__qualname__}"
    _write(REFUSED, f"{shown} is neither WSGI nor ASGI")


def _place() -> str:
    return os.environ.get("FAULTINJECT_RUN", "").partition(":")[2]


def _write(name: str, text: str) -> None:
    if place := _place():
        with suppress(OSError), open(f"{place}{name}", "w", encoding="utf-8") as file:
            file.write(text)
