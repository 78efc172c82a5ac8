"""Starts another program, and finds and kills all of its processes, by group and by a mark.

It can also make their clocks run faster.
"""

from __future__ import annotations

import errno
import glob
import os
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import Popen
from typing import Any, AnyStr, Self

from faultinject.counts.processes import read_status, start_ticks
from faultinject.exceptions import ConfigurationError

PAUSE = 0.01
"""Seconds between two checks whether the processes have ended."""
KERNEL = 0x00200000
"""The flag of a kernel thread, which has no environment (`PF_KTHREAD`, see proc(5))."""

LIBFAKETIME = (
    "/usr/lib/*/faketime/libfaketimeMT.so.1",
    "/usr/lib*/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
)
"""The library for threaded programs: in Debian, in other systems, and built from source."""
CAUSE = re.compile(r"^\S.*: \S.*$", re.MULTILINE)
"""A line of output that may say why the program ended.

In a stack trace this is the last line.
"""
LONGEST_CAUSE = 300
"""The most characters of such a line that are shown."""
FAKETIME_FILES = ("/dev/shm/faketime_shm_{}", "/dev/shm/sem.faketime_sem_{}")  # noqa: S108 - where glibc has it
"""Files that libfaketime makes for a process, and removes only if it is not killed."""


def cause_in(output: str) -> str:
    """The last line of a program's output that may say why it ended; empty if there is none."""
    return next(reversed(CAUSE.findall(output)), "")[:LONGEST_CAUSE]


def why_not_run(error: OSError) -> str:
    """Say why the system does not run a program.

    A shell also runs scripts that the system refuses.
    """
    if error.errno == errno.ENOEXEC:
        return f"{error.strerror}: a script needs a first line such as #!/bin/sh"
    return str(error.strerror)


class Child(Popen[AnyStr]):
    """A process in its own session, which an interrupt during its start does not leave behind.

    On a busy machine the process may run for long before the constructor returns; until then only `known` has it.

    Args:
        arguments: as of `Popen`.
        known: called with the process before the constructor returns.
        options: as of `Popen`.

    Attributes:
        began: its start, in clock ticks of this machine; 0 if unknown. No process that it starts is older.
    """

    def __init__(
        self, *arguments: Any, known: Callable[[Self], object] | None = None, **options: Any
    ) -> None:
        options["start_new_session"] = True
        try:
            with interrupts_later():
                super().__init__(*arguments, **options)
                self.began = start_ticks(self.pid)
                if known is not None:
                    known(self)
        except BaseException:
            if getattr(self, "pid", None) is not None and self.returncode is None:
                with self:  # the end of the block closes the pipes and waits for the process
                    kill_group(self)
            raise


@contextmanager
def interrupts_later() -> Iterator[None]:
    """Call handlers of signals after the block.

    A handler that raises while a process starts would lose the process's number.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    received: list[int] = []
    handlers = {}
    for number in (signal.SIGINT, signal.SIGTERM):
        handler = signal.getsignal(number)
        if callable(handler):
            handlers[number] = handler
            signal.signal(number, lambda number, _: received.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for caught in received:
            signal.raise_signal(caught)


def kill_group(process: Popen[AnyStr]) -> None:
    """Kill a process that was started in a session of its own, and every process of its group."""
    if not hasattr(os, "killpg"):  # pragma: no cover - Windows
        process.kill()
        return
    with suppress(ProcessLookupError, PermissionError):  # it has ended; macOS raises the second error
        os.killpg(process.pid, signal.SIGKILL)
    for path in FAKETIME_FILES:
        Path(path.format(process.pid)).unlink(missing_ok=True)


def faster(speed: float) -> dict[str, str]:
    """The variables that make a program's clocks and waits run faster by a factor.

    The programs that it starts inherit them.

    Raises:
        ConfigurationError: libfaketime is not installed.
    """
    if speed == 1:
        return {}
    # `Path.glob` takes no absolute pattern.
    paths = [path for place in LIBFAKETIME for path in glob.glob(place)]  # noqa: PTH207
    if not paths:
        raise ConfigurationError("--speed needs libfaketime (Linux; Debian: apt-get install faketime)")
    preloaded = os.environ.get("LD_PRELOAD", "")
    return {
        "LD_PRELOAD": f"{paths[0]} {preloaded}".rstrip(),
        "FAKETIME": f"+0 x{speed:g}",
        "NO_FAKE_STAT": "1",
    }


def kill_marked(seconds: float, child: Child[Any], mark: str) -> bool:
    """Kill also the processes that left the group, by the mark in their environment.

    Only Linux shows the environment.

    Args:
        seconds: the time limit; a process may start another one before it is killed.
        child: the child whose group was killed.
        mark: the mark in the environment.

    Returns:
        Whether all of them have ended, or are ending when the time is over.
    """
    end = time.monotonic() + seconds
    while True:
        states = []
        for pid, is_known in _look(child, mark.encode()):
            states.append(is_known)
            if is_known:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
        if not states or time.monotonic() >= end:
            return not any(states)
        time.sleep(PAUSE)


def living_after(seconds: float, child: Child[Any], mark: str) -> int:
    """The number of a child's processes, by group or mark, that live after so many seconds.

    It returns as soon as all have ended.
    """
    end = time.monotonic() + seconds
    while states := [is_known for _, is_known in _look(child, mark.encode())]:
        if time.monotonic() >= end:
            break
        time.sleep(PAUSE)
    return sum(states)


def _look(child: Child[Any], mark: bytes) -> Iterator[tuple[int, bool]]:
    """Yield the living processes that are or may be the child's, and whether that is certain.

    A process that is ending, or becoming another program, has no environment.
    """
    try:
        numbers = [int(folder.name) for folder in Path("/proc").iterdir() if folder.name.isdecimal()]
    except OSError:  # pragma: no cover - not on Linux
        return
    for pid in numbers:
        is_of_child = _is_of(child, mark, pid)
        if is_of_child is not False:
            yield pid, is_of_child is True


def _is_of(child: Child[Any], mark: bytes, process: int) -> bool | None:
    """Whether a process lives and is the child's; None if that is unknown at this moment."""
    fields = read_status(process)
    if fields is None:  # pragma: no cover - it has ended
        return False
    state, _, group, _, _, _, flags, *_ = fields
    # A zombie, dead, or a thread of the kernel; or started (`starttime`) before the child.
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
    fields = read_status(process)
    # `env_start` and `env_end` of proc(5): if they are equal and known, it has an empty environment, so no mark.
    return False if fields is not None and fields[47] == fields[48] != b"0" else None


def _read(name: str) -> bytes:
    return Path("/proc", name).read_bytes()
