"""Whether one process is enough: what is counted in memory is known to nobody else."""

from __future__ import annotations

import sys


def several_processes() -> bool:
    """Whether this process is one of several that serve the same app."""
    if "gunicorn.arbiter" in sys.modules:
        return True
    process = sys.modules.get("multiprocessing.process")
    return process is not None and process.parent_process() is not None
