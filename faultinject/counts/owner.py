"""Whose a directory is: a process by its number, when it began, and where that number holds."""

from __future__ import annotations

import os

_PROC = "/proc"
_DEAD = (b"Z", b"X")


def described(pid: int) -> str:
    """A text that no other process has, also when the number is given again; fit for the name of a file."""
    return f"{pid}-{began(pid)}-{_namespace()}"


def gone(text: str) -> bool:
    """Whether the process of such a text has ended; one of another container is left in peace.

    Raises:
        ValueError: it is no such text.
    """
    pid, since, namespace = (int(each) for each in text.split("-"))
    if namespace != _namespace():
        return False
    if not _exists(pid):
        return True
    stat = status(pid)
    return stat is not None and (stat[0] in _DEAD or int(stat[19]) != since)


def began(pid: int) -> int:
    """When a process began, in the clock ticks of this machine; 0 where nobody knows."""
    stat = status(pid)
    return 0 if stat is None else int(stat[19])


def status(pid: int) -> list[bytes] | None:
    """What Linux tells of a process, from its state on."""
    try:
        with open(f"{_PROC}/{pid}/stat", "rb") as file:  # noqa: PTH123 - pathlib takes its time to load
            # The name before it, in parentheses, may hold anything.
            return file.read().rpartition(b")")[2].split()
    except OSError:
        return None


def _namespace() -> int:
    try:
        return int(os.readlink(f"{_PROC}/self/ns/pid")[5:-1])  # noqa: PTH115 - pathlib takes its time to load
    except OSError:
        return 0


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
