"""How a Python in another process finds our hooks."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def hooking(environ: Mapping[str, str]) -> dict[str, str]:
    """PYTHONPATH with the folder of the hooks in front of what is there."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120 - pathlib takes its time to load
    folder = f"{package}/hooks"
    was = environ.get("PYTHONPATH", "")
    # An empty element is the current directory; an empty value is no element.
    rest = [each for each in was.split(os.pathsep) if each != folder] if was else []
    return {"PYTHONPATH": os.pathsep.join([folder, *rest])}
