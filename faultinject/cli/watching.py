"""Warns if no process of a command gets faults, for `run`.

The check is made while the command serves, and at its end.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from select import poll
from typing import NoReturn

from faultinject.counts.processes import read_status
from faultinject.injector.run_notes import KNOWN, REFUSED

SERVING = 10.0
"""Seconds after which a server that listens must have loaded its app."""
ENDS_WITHIN = 10.0
"""Seconds between SIGTERM and SIGKILL for a command that is ended."""
PROXY = "put `faultinject proxy --to URL` in front of its server"
FORWARDED = {
    getattr(signal, f"SIG{name}")
    for name in ("HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "WINCH", "TTIN", "TTOU")
}


def watch(notes: str, *, strict: bool) -> None:
    """Watch the command from another process; return in the process that becomes it.

    Args:
        notes: the file that the command's processes find in FAULTINJECT_RUN.
        strict: whether the watcher is the command's parent, and exits with 2 if nothing gets faults; without it the
            watcher ends as soon as it knows.
    """
    if not hasattr(os, "pidfd_open"):  # only Linux shows which process listens
        return
    if strict:
        signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED | {signal.SIGCHLD})
        command = os.fork()
        if command == 0:  # pragma: no cover - this process becomes the command before coverage is written
            signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED | {signal.SIGCHLD})
            _end_with_parent()
            return
        _stand_in_front(command, notes)
    command = os.getpid()
    descriptor = os.pidfd_open(command)
    # The watcher is a grandchild, as the command may wait for all of its own children.
    child = os.fork()
    if child == 0:  # pragma: no cover - it outlives the test
        os.setsid()
        if os.fork() == 0:
            for stream in (0, 1):
                os.close(stream)
            end = poll()
            end.register(descriptor)
            _say(_reason_for_no_faults(command, notes, lambda seconds: bool(end.poll(seconds * 1000))))
        os._exit(0)
    os.close(descriptor)
    os.waitpid(child, 0)


def _stand_in_front(command: int, notes: str) -> NoReturn:
    """Wait for the command as its parent, pass signals on to it, and end with its exit code."""
    code: int | None = None
    awaited = FORWARDED | {signal.SIGCHLD}

    def ended(seconds: float) -> bool:
        nonlocal code
        end = time.monotonic() + seconds
        while code is None and (seconds_left := end - time.monotonic()) > 0:
            received = signal.sigtimedwait(awaited, seconds_left)
            if received and received.si_signo in FORWARDED and received.si_code <= 0:
                os.kill(command, received.si_signo)  # a signal of the terminal reaches the command by itself
            with suppress(ChildProcessError):
                # The first process of a container is the parent of other processes, too.
                while (ended_child := os.waitpid(-1, os.WNOHANG))[0]:
                    if ended_child[0] == command:
                        code = os.waitstatus_to_exitcode(ended_child[1])
        return code is not None

    reason = _reason_for_no_faults(command, notes, ended)
    _say(reason)
    if reason:
        awaited = {signal.SIGCHLD}  # further signals are not passed on: the command is ended here
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not ended(0):
                os.kill(command, number)
                ended(ENDS_WITHIN)
        os._exit(2)
    while not ended(3600):
        pass
    assert code is not None
    if code < 0:  # pragma: no cover - the signal ends this process before coverage is written
        signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _end_with_parent() -> None:  # pragma: no cover - called in the process of the command alone
    """Let the kernel kill this process when its parent is killed."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _reason_for_no_faults(command: int, notes: str, ended: Callable[[float], bool]) -> str:
    """Watch a command, and return the reason why nothing gets faults; empty: an app gets them.

    The function returns when an app has faults, when the command has ended, or after `SERVING` seconds of serving.

    Args:
        command: the process id of the command.
        notes: the file that is renamed when an app has faults.
        ended: waits for at most a number of seconds, and returns whether the command has ended.
    """
    since, pause = None, 0.1
    while True:
        over = ended(pause)
        if not Path(notes).exists():
            return ""
        if since is None and not over and _serves(command):
            since = time.monotonic()
        if over or (since and time.monotonic() - since >= SERVING):
            refused, known = Path(notes + REFUSED), Path(notes + KNOWN)
            if refused.exists():
                return f"no request was seen: {refused.read_text(encoding='utf-8')}; {PROXY}"
            if since and not known.exists():
                reason = "the listening process uses no framework and no server that `run` reaches"
                return f"no request was seen: {reason}; {PROXY}"
            if over:
                return "no request was seen: nobody asked an app that `run` reaches" if since else ""
        pause = min(pause * 1.2, 2.0)


def _say(reason: str) -> None:
    if reason:
        os.write(2, f"faultinject: {reason}\n".encode())


def _serves(command: int) -> bool:
    """Whether a Python process of the command listens for TCP connections."""
    listening = {
        f"socket:[{line.split()[9]}]"
        for kind in ("tcp", "tcp6")
        for line in _lines(f"/proc/{command}/net/{kind}")
        if line.split()[3] == "0A"
    }
    return any(
        not listening.isdisjoint(_files(process)) and _is_python(process) for process in _processes(command)
    )


def _processes(command: int) -> Iterator[int]:
    """The process of the command, and its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        if stat := read_status(int(entry.name)):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    rest = [command]
    for process in rest:
        yield process
        rest += children.get(process, [])


def _files(process: int) -> Iterator[str]:
    with suppress(OSError):  # the process has ended, or belongs to another user
        for path in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                yield str(path.readlink())


def _is_python(process: int) -> bool:
    """Whether the process is a Python, or embeds one as uWSGI does."""
    return any("python" in line or "pypy" in line for line in _lines(f"/proc/{process}/maps"))


def _lines(path: str) -> list[str]:
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    return []
