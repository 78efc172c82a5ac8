"""Whether one process is enough: what is counted in memory is known to nobody else."""

from __future__ import annotations

import os
import sys

# Where the kernel has put a program's data and heap: drawn anew for each that is started.
_DRAWN = slice(42, 45)


def several_processes() -> bool:
    """Whether this process is one of several that serve the same app."""
    if "gunicorn.arbiter" in sys.modules:
        return True
    return _of_multiprocessing()


def common_process() -> int:
    """The process that those which serve the same app have in common: their parent, or this one, which will be.

    A master that loads the app itself has a shell for a parent, from which the same command may be started again.
    """
    parent = os.getppid()
    if _of_multiprocessing():
        return parent
    own, other = _image(os.getpid()), _image(parent)
    return parent if own is None or other is None or own == other else os.getpid()


def _of_multiprocessing() -> bool:
    process = sys.modules.get("multiprocessing.process")
    # A child that imports its parent's main module does not know of its parent yet.
    return process is not None and (
        process.parent_process() is not None or hasattr(process.current_process(), "_inheriting")
    )


def _image(pid: int) -> list[bytes] | None:
    """What a process shares with those that it was forked from, and with nobody else; None where nobody tells."""
    from faultinject.stores.owner import status

    fields = status(pid)
    drawn = [] if fields is None else fields[_DRAWN]
    return drawn if any(each != b"0" for each in drawn) else None
