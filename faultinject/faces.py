"""Names that a module offers but other modules define; each is loaded on first use."""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def face(module_name: str, package: str = "", /, **places: str) -> tuple[Callable[[str], Any], list[str]]:
    """Return the `__getattr__` of a module, and the names that it loads.

    Args:
        module_name: the module's `__name__`.
        package: the package that has the names, by default the module itself.
        places: for each name the module of the package that defines it, such as `parse="rule"`; empty if the name is
            that of a module.
    """

    def load(name: str) -> Any:
        if name not in places:
            raise AttributeError(f"module {module_name!r} has no attribute {name!r}")
        module = f"{package or module_name}.{places[name] or name}"
        __import__(module)  # importlib would be loaded for this alone
        holder = sys.modules[module]
        value = getattr(holder, name) if places[name] else holder
        setattr(sys.modules[module_name], name, value)
        return value

    return load, sorted(places)
