"""Notes that the Python processes started by `run` leave for `run` and for one another.

They are files beside the file that FAULTINJECT_RUN names.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from functools import cache

KNOWN, REFUSED, PRINTED = ".known", ".refused", ".on"
"""Endings of their names: a framework is loaded; an app is not WSGI or ASGI; faults are on."""


@cache
def reached() -> None:
    """Note once that an app of this process has faults; the first process prints the note."""
    if place := _place():
        with suppress(OSError):  # another process was first
            os.rename(place, f"{place}{PRINTED}")
            with open(f"{place}{PRINTED}", encoding="utf-8") as file:
                print(file.read(), end="", file=sys.stderr, flush=True)  # noqa: T201 - in place of the log


def known() -> None:
    """Note that a framework or server was loaded whose apps get faults."""
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
