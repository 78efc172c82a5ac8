"""Looks whether anything of a command gets faults, for `run`, and warns if nothing does.

It looks while the command serves, and at its end.
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

from faultinject.counts.processes import status
from faultinject.injector.run_notes import KNOWN, REFUSED

SERVING = 10.0
"""Seconds in which a server has loaded its app, or never will."""
ENDS_WITHIN = 10.0
PROXY = "put `faultinject proxy --to URL` in front of its server"
FORWARDED = {
    getattr(signal, f"SIG{name}")
    for name in ("HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "WINCH", "TTIN", "TTOU")
}


def watch(notes: str, *, strict: bool) -> None:
    """Return in the process that the command will have, while another one watches it.

    Args:
        notes: the file that the command's processes find in FAULTINJECT_RUN.
        strict: the watcher is its parent, and ends with 2 where nothing gets faults; else it ends as soon as it
            knows.
    """
    if not hasattr(os, "pidfd_open"):  # only Linux tells who listens
        return
    if strict:
        signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED | {signal.SIGCHLD})
        command = os.fork()
        if command == 0:  # pragma: no cover - it becomes the command before anything is measured
            signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED | {signal.SIGCHLD})
            _end_with_parent()
            return
        _stand_in_front(command, notes)
    command = os.getpid()
    descriptor = os.pidfd_open(command)
    # A child of the command might be taken for one of its own.
    child = os.fork()
    if child == 0:  # pragma: no cover - it outlives the test that measures
        os.setsid()
        if os.fork() == 0:
            for stream in (0, 1):
                os.close(stream)
            end = poll()
            end.register(descriptor)
            _say(_why_no_faults(command, notes, lambda seconds: bool(end.poll(seconds * 1000))))
        os._exit(0)
    os.close(descriptor)
    os.waitpid(child, 0)


def _stand_in_front(command: int, notes: str) -> NoReturn:
    """Be the parent of the command: pass signals on to it, and end with its exit code."""
    code: int | None = None
    awaited = FORWARDED | {signal.SIGCHLD}

    def ended(seconds: float) -> bool:
        nonlocal code
        end = time.monotonic() + seconds
        while code is None and (left := end - time.monotonic()) > 0:
            heard = signal.sigtimedwait(awaited, left)
            if heard and heard.si_signo in FORWARDED and heard.si_code <= 0:
                os.kill(command, heard.si_signo)  # what a terminal sends reaches both
            with suppress(ChildProcessError):
                # As the first process of a container it is the parent of others, too.
                while (ended_child := os.waitpid(-1, os.WNOHANG))[0]:
                    if ended_child[0] == command:
                        code = os.waitstatus_to_exitcode(ended_child[1])
        return code is not None

    why = _why_no_faults(command, notes, ended)
    _say(why)
    if why:
        awaited = {signal.SIGCHLD}  # a second signal to end may mean: at once, and all of the group
        for number in (signal.SIGTERM, signal.SIGKILL):
            if not ended(0):
                os.kill(command, number)
                ended(ENDS_WITHIN)
        os._exit(2)
    while not ended(3600):
        pass
    assert code is not None
    if code < 0:  # pragma: no cover - nothing is measured of what a signal ends
        signal.signal(-code, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, FORWARDED)
        os.kill(os.getpid(), -code)
    os._exit(code)


def _end_with_parent() -> None:  # pragma: no cover - of the command alone
    """Let this process be killed when its parent is, as it would have been itself."""
    import ctypes

    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def _why_no_faults(command: int, notes: str, ended: Callable[[float], bool]) -> str:
    """Watch a command until the answer is known: why nothing gets faults, or an empty text.

    The answer is known when an app has faults, or the command has ended, or has served long enough.

    Args:
        command: its process.
        notes: the file that is renamed when an app has faults.
        ended: waits for so many seconds at most, and returns whether the command has ended.
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
                reason = "what serves is of no framework and no server that `run` reaches"
                return f"no request was seen: {reason}; {PROXY}"
            if over:
                return "no request was seen: nobody asked an app that `run` reaches" if since else ""
        pause = min(pause * 1.2, 2.0)


def _say(why: str) -> None:
    if why:
        os.write(2, f"faultinject: {why}\n".encode())


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
    """The processes of the command: its own, and all that have come from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        if stat := status(int(entry.name)):
            children.setdefault(int(stat[1]), []).append(int(entry.name))
    rest = [command]
    for process in rest:
        yield process
        rest += children.get(process, [])


def _files(process: int) -> Iterator[str]:
    with suppress(OSError):  # it has ended, or is another user's
        for path in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                yield str(path.readlink())


def _is_python(process: int) -> bool:
    """Whether the process is a Python, or has one in it as uWSGI has."""
    return any("python" in line or "pypy" in line for line in _lines(f"/proc/{process}/maps"))


def _lines(path: str) -> list[str]:
    with suppress(OSError):
        return Path(path).read_text(encoding="utf-8", errors="replace").splitlines()
    return []
