"""The processes of one server: whether there are several, and which one owns a directory.

One process counts in memory; several need a shared store.
"""

from __future__ import annotations

import os
import sys
from types import FrameType

RELOADED = ("WERKZEUG_RUN_MAIN", "RUN_MAIN")
"""Variables that Flask's and Django's reloaders set to `true` for the process that serves."""
_FORKING = frozenset(("gunicorn.arbiter", "uwsgi"))
"""Modules of servers that fork their workers; the master and each worker have loaded them."""
_MASTERS = frozenset(("granian", "hypercorn", "uvicorn"))
"""Servers with several workers, each a process of multiprocessing that runs their function."""
_DEAD = (b"Z", b"X")
# The addresses of a program's data and heap, random at each start of a program and kept by a fork. Linux shows zeros
# for the processes of other users.
_ADDRESSES = slice(42, 45)
_HIDDEN = [b"0"] * 3


def several_processes() -> bool:
    """Whether this process is one of several that serve the same app."""
    return not sys.modules.keys().isdisjoint(_FORKING) or _is_worker()


def common_process() -> int:
    """The process that all processes serving the same app have in common.

    It is their parent, or this process if it is the parent. A master that loads the app itself has a shell or systemd
    for a parent, from which the same command may be started again, so its own parent does not count.
    """
    parent = os.getppid()
    return parent if _is_worker() or _was_forked_from(parent) else os.getpid()


def server_process() -> int:
    """The master or reloader of this process, which may replace it; else the process itself.

    Only a parent that is known to replace processes counts: any program may start two servers one after the other.
    """
    if is_reloaded():
        return os.getppid()
    if not sys.modules.keys().isdisjoint(_FORKING):
        return common_process()
    return os.getppid() if _is_worker() else os.getpid()


def restarter() -> str | None:
    """The process that may replace this one when it ends, as `described` gives it.

    It is a server's master, which recycles its workers, a reloader, or any parent by multiprocessing; None if there
    is none.
    """
    process = sys.modules.get("multiprocessing.process")
    is_child = process is not None and process.parent_process() is not None
    server = os.getppid() if is_child else server_process()
    return described(server) if server != os.getpid() else None


def is_reloaded() -> bool:
    """Whether a reloader has started this process to serve."""
    return any(os.environ.get(name) == "true" for name in RELOADED)


def forks_alone(caller: FrameType | None) -> bool:
    """Whether a fork makes a process that shares nothing with this one.

    That is a child of multiprocessing that is no server's worker, such as a live server that a test starts: it has
    counts of its own each time.

    Args:
        caller: the frame that calls `os.fork`; None if a server forks without Python.
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
    # A spawned process imports its parent's main module before it gets its target.
    imports_main = sys.modules.get("__mp_main__", sys.modules["__main__"]) is not sys.modules["__main__"]
    if hasattr(current, "_inheriting") and imports_main:
        return not _MASTERS.isdisjoint(sys.modules)
    return _serves_for_master(current)


def _serves_for_master(process: object) -> bool:
    """Whether a process of multiprocessing runs a function of a server with several workers."""
    target = getattr(process, "_target", None)
    return str(getattr(target, "__module__", "")).partition(".")[0] in _MASTERS


def _was_forked_from(parent: int) -> bool:
    """Whether this process is a fork of its parent, and not another program; yes if unknown."""
    own_status, parent_status = status(os.getpid()), status(parent)
    if own_status is None or parent_status is None:
        return parent > 0  # the first process of a container has no parent
    if parent_status[_ADDRESSES] == _HIDDEN:
        return _program(parent) == _program(os.getpid())
    return own_status[_ADDRESSES] == parent_status[_ADDRESSES]


def _program(pid: int) -> str:
    """The name of a process, without the purpose that a server adds, as in `gunicorn: master`."""
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip().partition(":")[0]


def described(pid: int) -> str:
    """The unique text of a process: its number, its start, and the namespace of the number.

    It is fit for the name of a file.
    """
    return f"{pid}-{began(pid)}-{_namespace()}"


def gone(text: str) -> bool:
    """Whether the process that `described` gave this text has ended; no for another container's.

    Raises:
        ValueError: it is no such text.
    """
    pid, start, namespace = (int(number) for number in text.split("-"))
    if namespace != _namespace():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it lives, and is another user's
        pass
    stat = status(pid)
    return stat is not None and (stat[0] in _DEAD or int(stat[19]) != start)


def began(pid: int) -> int:
    """The start of a process, in the clock ticks of this machine; 0 if it is unknown."""
    stat = status(pid)
    return 0 if stat is None else int(stat[19])


def status(pid: int) -> list[bytes] | None:
    """The fields that Linux shows of a process, from its state on."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses before the state may hold any character.
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


def _namespace() -> int:
    try:
        return int(os.readlink("/proc/self/ns/pid")[5:-1])
    except OSError:
        return 0
