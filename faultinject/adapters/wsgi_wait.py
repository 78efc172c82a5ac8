"""Waiting under WSGI: never shorter than asked, over as soon as nobody waits any more.

All waits of one scenario share one pipe. A thread waits for it and for its client's connection in one system call,
so 500 of them cost nothing until something happens. What is written into the pipe is never read: it wakes them all.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import threading
import time
from contextlib import suppress

from faultinject.adapters.connection import gevent_sleep, native_poll, until_delivered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Self

    from faultinject.adapters.connection import Connection
    from faultinject.engine.plan import Plan

SLICE = 0.05
"""Seconds after which a wait looks around where nothing can wake it: without a pipe, or in a greenlet."""
WORKER_SLICE = 0.5
"""Seconds after which a worker of gunicorn is looked at: what it does at SIGTERM wakes nobody, so one thread looks for all."""

# A signal may come, and end a scenario, while its own thread holds it.
_lock = threading.RLock()
_bells: dict[Plan, Bell] = {}
_registered = _watched = False
_program_ends = False


def delivered(connection: Connection, plan: Plan) -> bool:
    """Wait until the client has all that was sent to it before; no when it takes nothing of that for a while."""
    services = plan.services
    steps = until_delivered(connection, services.monotonic)
    while True:
        try:
            seconds = next(steps)
        except StopIteration as end:
            return bool(end.value)
        services.rest(seconds, connection.gone)


def wait(plan: Plan, seconds: float, connection: Connection | None = None, *, reads_on: bool = False) -> bool:
    """Block, never shorter than asked, unless the plan is over or the program ends; no when the client left first.

    Whether it has left is looked at in the end, too: what was due before, on a busy machine, is given to nobody then.

    Args:
        plan: the plan that decided.
        seconds: how long; nothing, or less, when the time is over already.
        connection: shows when the client leaves.
        reads_on: whether a client that has only ended its own side is waited with, as one that still reads.
    """
    if seconds > 0:
        clock = plan.services.monotonic
        end, endings = clock() + seconds, plan.endings
        with Alarm(plan) as alarm:
            while (left := end - clock()) > 0 and not plan.over(endings) and not program_ends():
                seconds = min(left, plan.until_expiry)
                if alarm.sleep(seconds, connection, reads_on=reads_on):
                    return False
    return connection is None or not (connection.gone if reads_on else connection.left)(0)


class Bell:
    """The pipe that the waits of one scenario share until it has rung.

    Attributes:
        file: readable once it has rung; -1 where no pipe could be had.
        users: how many wait.
        rung: whether it has; a later wait needs another one.
    """

    def __init__(self) -> None:
        self.users = 0
        self.rung = False
        self.file = self._end = -1
        self._process = os.getpid()
        if hasattr(select, "poll"):  # pragma: no branch - Windows has none
            with suppress(OSError):  # too many files are open
                self.file, self._end = os.pipe()

    def ring(self) -> None:
        """Wake all that wait, once and for all; a child of their process does not."""
        if self._process != os.getpid():
            return
        with _lock:
            if not self.rung and self._end >= 0:
                os.write(self._end, b"\0")
            self.rung = True

    def close(self) -> None:
        """Nobody waits any more."""
        for each in (self.file, self._end):
            if each >= 0:
                os.close(each)
        self.file = self._end = -1


class Alarm:
    """The wait of one thread; a context manager.

    Args:
        plan: wakes it when it ends.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        _ring_at_end()
        self._bell = self._enter()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()

    def _enter(self) -> Bell:
        """Wait by the bell that has not rung."""
        plan = self._plan
        with _lock:
            bell = _bells.get(plan)
            if bell is None or bell.rung:
                bell = _bells[plan] = Bell()
            plan.wait(bell.ring)
            bell.users += 1
            _watch_worker()
        return bell

    def _leave(self) -> None:
        plan, bell = self._plan, self._bell
        with _lock:
            bell.users -= 1
            if not bell.users:
                plan.waiting.discard(bell.ring)
                if _bells.get(plan) is bell:
                    del _bells[plan]
                bell.close()

    def sleep(self, seconds: float, connection: Connection | None = None, *, reads_on: bool = False) -> bool:
        """Sleep at most so long, and less when it rings or the client leaves; yes when that has left.

        Args:
            seconds: how long.
            connection: shows when the client leaves.
            reads_on: whether a client that has only ended its own side has not left.
        """
        if self._bell.rung:
            # It rang for all to look whether their time is over; where it is not, another bell tells of the next time.
            self._leave()
            self._bell = self._enter()
            return False

        def sleep(seconds: float) -> bool:
            return self._sleep(seconds, connection, reads_on=reads_on)

        return bool(self._plan.services.rest(seconds, sleep))

    def _sleep(self, seconds: float, connection: Connection | None, *, reads_on: bool) -> bool:
        file = self._bell.file
        in_greenlet = gevent_sleep() is not None
        if file < 0 or in_greenlet:
            seconds = min(seconds, SLICE)
        if connection is not None:
            return (connection.gone if reads_on else connection.left)(seconds, file)
        if file < 0 or in_greenlet:
            time.sleep(seconds)
            return False
        poll = native_poll()
        poll.register(file, select.POLLIN)
        poll.poll(seconds * 1000)
        return False


def program_ends() -> bool:
    """Whether the program has begun to end, so that nothing is waited for any more."""
    if _program_ends or not threading.main_thread().is_alive():
        return True
    worker = _worker()
    return worker is not None and not worker.alive


def _worker() -> Any:
    """Gunicorn's worker that this process is, told by its handler of SIGTERM; None elsewhere."""
    base = sys.modules.get("gunicorn.workers.base")
    worker = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return worker if base is not None and isinstance(worker, base.Worker) else None


def _watch_worker() -> None:
    """Wake all that wait when gunicorn has told its worker to end."""
    global _watched  # noqa: PLW0603
    if _watched or _worker() is None:
        return

    def watch() -> None:
        global _watched  # noqa: PLW0603
        while _watched:
            time.sleep(WORKER_SLICE)
            with _lock:
                ended = program_ends()
                if ended:
                    _ring_all()
                _watched = bool(_bells) and not ended

    _watched = True
    threading.Thread(target=watch, name="faultinject worker watch", daemon=True).start()


def _ring_at_end() -> None:
    """From the first wait on the end of the program wakes them all: a thread that waits would keep it from ending."""
    global _registered  # noqa: PLW0603
    if _registered:
        return
    _registered = True
    try:
        # What `concurrent.futures` uses: called before threads are waited for, the last registered first.
        threading._register_atexit(_end)  # type: ignore[attr-defined]  # noqa: SLF001
    except RuntimeError:  # it has begun to end
        _end()


def _end() -> None:
    global _program_ends  # noqa: PLW0603
    _program_ends = True
    _ring_all()


def _ring_all() -> None:
    for each in list(_bells.values()):
        each.ring()


def _after_fork() -> None:
    """In the child nobody waits."""
    global _lock, _watched  # noqa: PLW0603
    _lock = threading.RLock()
    _watched = False
    for plan, bell in _bells.items():
        plan.waiting.discard(bell.ring)
        bell.close()
    _bells.clear()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)
