"""Whether one process is enough: what is counted in memory is known to nobody else."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

RELOADED = ("WERKZEUG_RUN_MAIN", "RUN_MAIN")
"""What Flask's and Django's reloaders set to `true` for the process that serves."""
_MASTERS = frozenset(("granian", "hypercorn", "uvicorn"))
"""Servers that keep several workers, each in a process of multiprocessing that runs a function of theirs."""
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


def server_process() -> int:
    """The process that is one server with this one: its master or reloader, which may put another in its place; else itself.

    Only one that is known to do so counts: any program may start two servers one after the other.
    """
    if is_reloaded():
        return os.getppid()
    if "gunicorn.arbiter" in sys.modules or "uwsgi" in sys.modules:
        return common_process()
    return os.getppid() if _of_multiprocessing() and _of_a_master() else os.getpid()


def restarter() -> str | None:
    """The process that may start another one in the place of this one when it ends, as `counts.owner` describes it.

    A server's master, which recycles its workers, or a reloader; None: nobody does.
    """
    from faultinject.counts.owner import described

    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is not None:
        master: int = uwsgi.masterpid()
        return described(master) if master else None
    return described(os.getppid()) if is_reloaded() or several_processes() else None


def is_reloaded(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a process with that environment is the one that a reloader has started to serve."""
    return any(environ.get(name) == "true" for name in RELOADED)


def _of_multiprocessing() -> bool:
    process = sys.modules.get("multiprocessing.process")
    # A child that imports its parent's main module does not know of its parent yet.
    return process is not None and (
        process.parent_process() is not None or hasattr(process.current_process(), "_inheriting")
    )


def _of_a_master() -> bool:
    """Whether a process of multiprocessing is a worker, and not one in which somebody has started such a server."""
    process = sys.modules["multiprocessing.process"].current_process()
    target = getattr(process, "_target", None)
    if target is None:  # as long as it imports its parent's main module, nothing else is known of it
        return not _MASTERS.isdisjoint(sys.modules)
    return str(getattr(target, "__module__", "")).partition(".")[0] in _MASTERS


def _image(pid: int) -> list[bytes] | None:
    """What a process shares with those that it was forked from, and with nobody else; None where nobody tells."""
    from faultinject.counts.owner import status

    fields = status(pid)
    drawn = [] if fields is None else fields[_DRAWN]
    return drawn if any(each != b"0" for each in drawn) else None
