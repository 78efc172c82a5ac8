"""The folder that `faultinject run` puts first on PYTHONPATH: its `sitecustomize` switches faults on in every process."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """PYTHONPATH with this folder in front of what is there, for the processes that are to take part."""
    import os

    folder = os.path.dirname(os.path.abspath(__file__))  # noqa: PTH100, PTH120 - pathlib takes its time to load
    rest = [each for each in environ.get("PYTHONPATH", "").split(os.pathsep) if each and each != folder]
    return {"PYTHONPATH": os.pathsep.join([folder, *rest])}
