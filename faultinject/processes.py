"""Processes of a program that somebody else wrote: all that it started, found by their group and by a mark, and killed."""

from __future__ import annotations

import os
import signal
import time
from contextlib import suppress
from pathlib import Path
from subprocess import Popen
from typing import TYPE_CHECKING, Any, AnyStr

if TYPE_CHECKING:
    from collections.abc import Iterator

PAUSE = 0.01
"""Seconds between two looks at processes that are about to end."""
LOOKS = 10
"""How often it is looked again where others start processes all the time; each takes some milliseconds."""


class Child(Popen[AnyStr]):
    """A process in a session of its own that an interrupt of its very start does not leave behind.

    On a busy machine it may have been at work for long when the call that starts it comes back; until then nobody
    else knows it.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options["start_new_session"] = True
        try:
            super().__init__(*arguments, **options)
        except BaseException:
            if getattr(self, "pid", None) is not None and self.returncode is None:
                kill_group(self)
                self.wait()
            raise


def kill_group(process: Popen[AnyStr]) -> None:
    """Kill a process that was started in a session of its own, and every process of its group."""
    if not hasattr(os, "killpg"):  # pragma: no cover - Windows
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # nothing is left of it; macOS says so by the second
        os.killpg(process.pid, signal.SIGKILL)


def kill_marked(seconds: float, group: int, mark: str) -> bool:
    """Kill those that have left the group, too: they still have the mark in their environment. Linux shows that alone.

    Args:
        seconds: how long it tries: one of them may start another between the look at all of them and its end.
        group: that which was killed.
        mark: what they have.

    Returns:
        Whether all of them are gone.
    """
    end = time.monotonic() + seconds
    while True:
        found = False
        for each in _look(group, mark):
            found = True
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)
        if not found or time.monotonic() >= end:
            return not found
        time.sleep(PAUSE)


def living(group: int | None, mark: str) -> list[int]:
    """The processes of the group that live, and those whose environment has the mark; none where the system does not tell."""
    return list(_look(group, mark))


def living_after(seconds: float, group: int | None, mark: str) -> int:
    """How many of them live when they had so many seconds to end; it waits no longer than they need."""
    end = time.monotonic() + seconds
    while number := len(living(group, mark)):
        if time.monotonic() >= end:
            break
        time.sleep(PAUSE)
    return number


def _look(group: int | None, mark: str) -> Iterator[int]:
    """Those of `living`, the newest first: one that becomes another each moment is killed before the next one is there."""
    for _ in range(LOOKS):
        before, found = _started(), False
        try:
            names = [each.name for each in Path("/proc").iterdir()]
        except OSError:  # pragma: no cover - not on Linux
            return
        for each in sorted((int(name) for name in names if name.isdecimal()), reverse=True):
            if _lives(each, group, mark.encode()):
                found = True
                yield each
        # What is started during a look may be missed by it, and what has started it may have ended before its turn.
        if found or _started() == before:
            return


def _started() -> bytes:
    """How many processes and threads the system has started."""
    text = _read("stat")
    at = text.find(b"\nprocesses ")
    return text[at : text.find(b"\n", at + 1)]


def _lives(process: int, group: int | None, mark: bytes) -> bool:
    try:
        state, _, its_group, *_ = _read(f"{process}/stat").rpartition(b")")[2].split()
        return state not in b"ZX" and (int(its_group) == group or mark in _read(f"{process}/environ"))
    except OSError:  # pragma: no cover - it has ended meanwhile, or is another user's
        return False


def _read(name: str) -> bytes:
    return Path("/proc", name).read_bytes()
