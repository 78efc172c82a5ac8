"""Tells whether a server has several processes, and which process owns their directory.

One process counts in memory; several processes need a shared store.
"""

from __future__ import annotations

import os
import sys
from types import FrameType

RELOADED = ("WERKZEUG_RUN_MAIN", "RUN_MAIN")
"""Variables that Flask's and Django's reloaders set to `true` for the process that serves."""
_FORKING = frozenset(("gunicorn.arbiter", "uwsgi"))
"""Modules of servers that fork their workers; the master and its workers have loaded them."""
_MASTERS = frozenset(("granian", "hypercorn", "uvicorn"))
"""Servers with several workers, which multiprocessing starts with a function of the server."""
_DEAD = (b"Z", b"X")
# The addresses of a program's data and heap: random at each start of a program, and kept by a fork. Linux shows zeros
# for the processes of other users.
_ADDRESSES = slice(42, 45)
_HIDDEN = [b"0"] * 3


def several_processes() -> bool:
    """Whether this process is one of several that serve the same app."""
    return not sys.modules.keys().isdisjoint(_FORKING) or _is_worker()


def common_process() -> int:
    """The process that all processes that serve the same app have in common.

    It is their parent, or this process if it is the parent. The parent of a master that loads the app itself does not
    count: it is a shell or systemd, from which the same command may be started a second time.
    """
    parent = os.getppid()
    return parent if _is_worker() or _was_forked_from(parent) else os.getpid()


def server_process() -> int:
    """The master or reloader that may replace this process, or else the process itself.

    Only a parent that is known to replace processes counts, as any program may start two servers one after the other.
    """
    if is_reloaded():
        return os.getppid()
    if not sys.modules.keys().isdisjoint(_FORKING):
        return common_process()
    return os.getppid() if _is_worker() else os.getpid()


def restarter() -> str | None:
    """The process that may start a successor when this one ends, in the form of `process_text`.

    It is a server's master, which replaces its workers, a reloader, or any parent by multiprocessing; None if there is
    no such process.
    """
    process = sys.modules.get("multiprocessing.process")
    is_child = process is not None and process.parent_process() is not None
    server = os.getppid() if is_child else server_process()
    return process_text(server) if server != os.getpid() else None


def is_reloaded() -> bool:
    """Whether a reloader has started this process to serve."""
    return any(os.environ.get(name) == "true" for name in RELOADED)


def forks_alone(caller: FrameType | None) -> bool:
    """Whether a fork makes a process that shares nothing with this one.

    Such a child is made by multiprocessing and is not a server's worker. An example is a live server that a test
    starts: it has counts of its own each time.

    Args:
        caller: the frame that calls `os.fork`; None if a server forks without Python.
    """
    if caller is None or not caller.f_globals.get("__name__", "").startswith("multiprocessing."):
        return False
    return not _serves_for_master(caller.f_locals.get("process_obj"))


def _is_worker() -> bool:
    """Whether a server's master has made this process by multiprocessing."""
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
    """Whether a process of multiprocessing runs a worker function of a server."""
    target = getattr(process, "_target", None)
    return str(getattr(target, "__module__", "")).partition(".")[0] in _MASTERS


def _was_forked_from(parent: int) -> bool:
    """Whether this process is a fork of its parent, and not another program; yes if unknown."""
    own_status, parent_status = read_status(os.getpid()), read_status(parent)
    if own_status is None or parent_status is None:
        return parent > 0  # the first process of a container has no parent
    if parent_status[_ADDRESSES] == _HIDDEN:
        return _program(parent) == _program(os.getpid())
    return own_status[_ADDRESSES] == parent_status[_ADDRESSES]


def _program(pid: int) -> str:
    """The name of a process, without a suffix by a server, as in `gunicorn: master`."""
    with open(f"/proc/{pid}/comm") as file:
        return file.read().strip().partition(":")[0]


def process_text(pid: int) -> str:
    """A text that identifies a process: its number, its start, and the namespace of the number.

    The text can be part of a file's name.
    """
    return f"{pid}-{start_ticks(pid)}-{_namespace()}"


def has_ended(text: str) -> bool:
    """Whether the process of a text by `process_text` has ended; false for another container's.

    Raises:
        ValueError: it is not such a text.
    """
    pid, start, namespace = (int(number) for number in text.split("-"))
    if namespace != _namespace():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:  # it exists, and belongs to another user
        pass
    stat = read_status(pid)
    return stat is not None and (stat[0] in _DEAD or int(stat[19]) != start)


def start_ticks(pid: int) -> int:
    """The start of a process, in clock ticks of this machine; 0 if it is unknown."""
    stat = read_status(pid)
    return 0 if stat is None else int(stat[19])


def read_status(pid: int) -> list[bytes] | None:
    """The fields that Linux shows of a process, from its state on; None if it does not."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name in parentheses before the state may contain any character.
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


def _namespace() -> int:
    try:
        return int(os.readlink("/proc/self/ns/pid")[5:-1])
    except OSError:
        return 0
