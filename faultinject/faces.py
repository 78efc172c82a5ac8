"""The face of a room: the few names of a package in here that the rest and the tests may use, wherever they are kept."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def face(room: str, **places: str) -> tuple[Callable[[str], Any], list[str]]:
    """What a package assigns to its `__getattr__` and `__all__`: each name is loaded on first use.

    Args:
        room: the package's `__name__`.
        places: for each name the module of the package that has it, such as `parse="rule"`; empty for a module.
    """

    def load(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {room!r} has no attribute {name!r}")
        module = f"{room}.{places[name] or name}"
        __import__(module)  # importlib would be loaded for this alone
        found = sys.modules[module]
        value = getattr(found, name) if places[name] else found
        setattr(sys.modules[room], name, value)
        return value

    return load, sorted(places)
