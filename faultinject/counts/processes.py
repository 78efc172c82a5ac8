"""The processes of one server: whether one is enough, as what is counted in memory is known to nobody else, and whose a directory is."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from types import FrameType

RELOADED = ("WERKZEUG_RUN_MAIN", "RUN_MAIN")
"""What Flask's and Django's reloaders set to `true` for the process that serves."""
_FORKING = frozenset(("gunicorn.arbiter", "uwsgi"))
"""Modules of servers that fork their workers, which the master and each worker has."""
_MASTERS = frozenset(("granian", "hypercorn", "uvicorn"))
"""Servers that keep several workers, each in a process of multiprocessing that runs a function of theirs."""
_DEAD = (b"Z", b"X")
# Where the kernel has put a program's data and heap: drawn anew for each that is started, and not shown of other users' processes.
_DRAWN = slice(42, 45)
_HIDDEN = [b"0"] * 3


def several_processes() -> bool:
    """Whether this process is one of several that serve the same app."""
    return not _FORKING.isdisjoint(sys.modules) or _is_worker()


def common_process() -> int:
    """The process that those which serve the same app have in common: their parent, or this one, which will be.

    A master that loads the app itself has a shell or systemd for a parent, from which the same command may be started again.
    """
    parent = os.getppid()
    return parent if _is_worker() or _was_forked_from(parent) else os.getpid()


def server_process() -> int:
    """The process that is one server with this one: its master or reloader, which may put another in its place; else itself.

    Only one that is known to do so counts: any program may start two servers one after the other.
    """
    if is_reloaded():
        return os.getppid()
    if not _FORKING.isdisjoint(sys.modules):
        return common_process()
    return os.getppid() if _is_worker() else os.getpid()


def restarter() -> str | None:
    """The process that may start another one in the place of this one when it ends, as `described` has it.

    A server's master, which recycles its workers, a reloader, or any parent by multiprocessing; None: nobody does.
    """
    process = sys.modules.get("multiprocessing.process")
    is_child = process is not None and process.parent_process() is not None
    server = os.getppid() if is_child else server_process()
    return described(server) if server != os.getpid() else None


def is_reloaded(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a process with that environment is the one that a reloader has started to serve."""
    return any(environ.get(name) == "true" for name in RELOADED)


def forks_alone(caller: FrameType | None) -> bool:
    """Whether a fork makes a process that shares nothing: a child of multiprocessing that is no server's worker.

    Such as a live server that a test starts, with counts of its own each time.

    Args:
        caller: the frame that calls `os.fork`; None where a server forks without Python.
    """
    if caller is None or not caller.f_globals.get("__name__", "").startswith("multiprocessing."):
        return False
    return not _serves_for_master(caller.f_locals.get("process_obj"))


def _is_worker() -> bool:
    """Whether a server's master has made this process with multiprocessing."""
    process = sys.modules.get("multiprocessing.process")
    if process is None:
        return False
    current = process.current_process()
    # A spawned process imports its parent's main module before it knows what it is to do.
    imports_main = sys.modules.get("__mp_main__", sys.modules["__main__"]) is not sys.modules["__main__"]
    if hasattr(current, "_inheriting") and imports_main:
        return not _MASTERS.isdisjoint(sys.modules)
    return _serves_for_master(current)


def _serves_for_master(process: object) -> bool:
    """Whether a process of multiprocessing runs a function of a server that keeps several workers."""
    target = getattr(process, "_target", None)
    return str(getattr(target, "__module__", "")).partition(".")[0] in _MASTERS


def _was_forked_from(parent: int) -> bool:
    """Whether this process has gone on in the program of its parent, and has not been started as another; yes where nobody tells."""
    own, other = status(os.getpid()), status(parent)
    if own is None or other is None:
        return parent > 0  # the first process of a container has none
    if other[_DRAWN] == _HIDDEN:
        return _program(parent) == _program(os.getpid())
    return own[_DRAWN] == other[_DRAWN]


def _program(pid: int) -> str:
    """What a process is called; a server may tell behind it what the process is for, as in `gunicorn: master`."""
    with open(f"/proc/{pid}/comm") as file:  # noqa: PTH123 - pathlib takes its time to load
        return file.read().strip().partition(":")[0]


def described(pid: int) -> str:
    """A process by its number, when it began, and where that number holds: a text that no other has, fit for the name of a file."""
    return f"{pid}-{began(pid)}-{_namespace()}"


def gone(text: str) -> bool:
    """Whether the process of such a text has ended; one of another container is left in peace.

    Raises:
        ValueError: it is no such text.
    """
    pid, since, namespace = (int(each) for each in text.split("-"))
    if namespace != _namespace():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and is another user's
        pass
    stat = status(pid)
    return stat is not None and (stat[0] in _DEAD or int(stat[19]) != since)


def began(pid: int) -> int:
    """When a process began, in the clock ticks of this machine; 0 where nobody knows."""
    stat = status(pid)
    return 0 if stat is None else int(stat[19])


def status(pid: int) -> list[bytes] | None:
    """What Linux tells of a process, from its state on."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123 - pathlib takes its time to load
            # The name before it, in parentheses, may hold anything.
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


def _namespace() -> int:
    try:
        return int(os.readlink("/proc/self/ns/pid")[5:-1])  # noqa: PTH115 - pathlib takes its time to load
    except OSError:
        return 0
