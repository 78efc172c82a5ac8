"""The processes of another program: found by their group and by a mark, and killed; and what makes their clocks run faster."""

from __future__ import annotations

import glob
import os
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from subprocess import Popen
from typing import Any, AnyStr

from faultinject.counts.processes import began, status
from faultinject.exceptions import ConfigurationError

PAUSE = 0.01
"""Seconds between two looks at processes that are about to end."""
KERNEL = 0x00200000
"""The flag of a thread of the kernel's own, which has no environment (`PF_KTHREAD`, see proc(5))."""

LIBFAKETIME = (
    "/usr/lib/*/faketime/libfaketimeMT.so.1",
    "/usr/lib*/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
)
"""Where Debian, others and a build of one's own have it, for programs with threads."""
ITS_MEMORY = ("/dev/shm/faketime_shm_{}", "/dev/shm/sem.faketime_sem_{}")  # noqa: S108 - where glibc has it
"""What libfaketime keeps of a process, and removes at its end, unless it is killed."""


class Child(Popen[AnyStr]):
    """A process in a session of its own that an interrupt of its very start does not leave behind.

    On a busy machine it may have been at work for long when the call that starts it comes back; until then nobody
    else knows it.

    Attributes:
        began: when it was started, in clock ticks of this machine; nothing that it starts is older. 0 where nobody knows.
    """

    def __init__(self, *arguments: Any, **options: Any) -> None:
        options["start_new_session"] = True
        try:
            super().__init__(*arguments, **options)
            self.began = began(self.pid)
        except BaseException:
            if getattr(self, "pid", None) is not None and self.returncode is None:
                with self:  # behind it, its pipes are closed and it has ended
                    kill_group(self)
            raise


def kill_group(process: Popen[AnyStr]) -> None:
    """Kill a process that was started in a session of its own, and every process of its group."""
    if not hasattr(os, "killpg"):  # pragma: no cover - Windows
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # nothing is left of it; macOS says so by the second
        os.killpg(process.pid, signal.SIGKILL)
    for each in ITS_MEMORY:
        Path(each.format(process.pid)).unlink(missing_ok=True)


def faster(speed: float) -> dict[str, str]:
    """The variables of a program whose clocks and waits run so many times as fast; what it starts has them too.

    Raises:
        ConfigurationError: libfaketime is not installed.
    """
    if speed == 1:
        return {}
    found = [each for place in LIBFAKETIME for each in glob.glob(place)]  # noqa: PTH207 - they are whole paths
    if not found:
        raise ConfigurationError("--speed needs libfaketime (Linux; Debian: apt-get install faketime)")
    others = os.environ.get("LD_PRELOAD", "")
    return {
        "LD_PRELOAD": f"{found[0]} {others}".rstrip(),
        "FAKETIME": f"+0 x{speed:g}",
        "NO_FAKE_STAT": "1",
    }


def kill_marked(seconds: float, child: Child[Any], mark: str) -> bool:
    """Kill those that have left the group, too: they still have the mark in their environment. Linux shows that alone.

    Args:
        seconds: how long it tries: one of them may start another between the look at all of them and its end.
        child: the one whose group was killed.
        mark: what they have.

    Returns:
        Whether all of them are gone, with the files that they had open, or at their end when the time is over.
    """
    end = time.monotonic() + seconds
    while True:
        found = []
        for each, is_its in _look(child, mark.encode()):
            found.append(is_its)
            if is_its:
                with suppress(ProcessLookupError):
                    os.kill(each, signal.SIGKILL)
        if not found or time.monotonic() >= end:
            return not any(found)
        time.sleep(PAUSE)


def living_after(seconds: float, child: Child[Any], mark: str) -> int:
    """How many of its group, or with the mark, live when they had so many seconds to end; it waits no longer than they need."""
    end = time.monotonic() + seconds
    while found := [is_its for _, is_its in _look(child, mark.encode())]:
        if time.monotonic() >= end:
            break
        time.sleep(PAUSE)
    return sum(found)


def _look(child: Child[Any], mark: bytes) -> Iterator[tuple[int, bool]]:
    """Those that live and are the child's, or may be: one that ends, or becomes another program, has no environment."""
    try:
        numbers = [int(each.name) for each in Path("/proc").iterdir() if each.name.isdecimal()]
    except OSError:  # pragma: no cover - not on Linux
        return
    for each in numbers:
        is_its = _is_of(child, mark, each)
        if is_its is not False:
            yield each, is_its is True


def _is_of(child: Child[Any], mark: bytes, process: int) -> bool | None:
    """Whether a process lives and is the child's; None: it cannot be told at this moment."""
    fields = status(process)
    if fields is None:  # pragma: no cover - it has ended
        return False
    state, _, group, _, _, _, flags, *_ = fields
    if state in b"ZX" or int(flags) & KERNEL or int(fields[19]) < child.began:
        return False
    if int(group) == child.pid:
        return True
    try:
        environ = _read(f"{process}/environ")
    except ProcessLookupError:  # it is about to end
        return None
    except OSError:  # pragma: no cover - it has ended, or is another user's
        return False
    if environ:
        return mark in environ
    fields = status(process)
    return False if fields is not None and fields[47] == fields[48] != b"0" else None


def _read(name: str) -> bytes:
    return Path("/proc", name).read_bytes()
