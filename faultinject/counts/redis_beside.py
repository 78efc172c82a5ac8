"""What is done beside the requests: nobody waits for it, and an event loop goes on meanwhile."""

from __future__ import annotations

import sys
import threading
from _weakrefset import WeakSet

from faultinject.counts.patience import sleep, waiting
from faultinject.counts.per_process import PerProcess
from faultinject.exceptions import StoreUnavailable
from faultinject.journal import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    # Does what there is to do; gives the seconds after which it is to be called again, or None.
    Work = Callable[[], float | None]

LINGER = 0.01
"""Seconds for which more work is gathered before it is done."""
STEP = 0.25
"""Seconds at most after which work that is to be done again is looked at."""
PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds until the server is told again after a failure, and at most."""

_all: WeakSet[Beside] = WeakSet()
_heeded = 0  # the process whose end is heeded


class Beside(PerProcess):
    """A thread that lives as long as there is something to do.

    One that waits for more would be there at each fork, of which Python 3.12 and later warn.
    """

    _runs: bool

    def __init__(self) -> None:
        self._here()
        _all.add(self)

    def do(self, work: Work) -> None:
        """Have it done soon: once, however often it is asked for until then."""
        if waiting.at_once:
            _done(work)
            return
        self._here()  # the parent does its own
        with self._lock:
            self._due.setdefault(work, 0.0)
            if self._runs:
                return
            self._runs = True
        _heed(self._pid)
        try:
            threading.Thread(target=self._run, name="faultinject redis", daemon=True).start()
        except RuntimeError:  # there is no room for one, or the interpreter ends
            self._runs = False

    def finish(self) -> None:
        """Do what is left, as the process ends, behind what is being done: its thread would end with the process."""
        self._here()  # the parent does its own
        with self._round:
            for work in list(self._due):
                _done(work)

    def forget(self) -> None:
        """Leave undone what is left."""
        with self._lock:
            self._due.clear()

    def _begin(self) -> None:
        # Looked up now: what gevent makes of it in a worker holds for this process.
        self._lock = threading.Lock()
        # Held from when work is no longer due until it is done.
        self._round = threading.Lock()
        self._due: dict[Work, float] = {}
        self._runs = False

    def _run(self) -> None:
        wait = LINGER
        while True:
            sleep(wait)
            with self._round:
                with self._lock:
                    due, self._due = self._due, {}
                    if not due:
                        self._runs = False
                        return
                slept, wait = wait, STEP
                for work, left in due.items():
                    again: float | None = left - slept
                    if left <= slept:
                        again = _done(work)
                        wait = LINGER
                    if again is not None:
                        with self._lock:
                            self._due[work] = again


class Errand:
    """Something that a server is told by and by, and after a pause again where it did not work.

    Args:
        beside: where it is done.
        tell: tells it; called by one thread at a time.
    """

    def __init__(self, beside: Beside, tell: Callable[[], None]) -> None:
        self.lock = threading.Lock()
        """Held while it is told."""
        self._beside = beside
        self._tell = tell
        self._pause = 0.0

    def soon(self) -> None:
        """Have it told."""
        self._beside.do(self._work)

    def now(self) -> None:
        """Tell it, unless the server did not answer a moment ago."""
        if not self._pause:
            self._work()

    def _work(self) -> float | None:
        with self.lock:
            try:
                self._tell()
            except StoreUnavailable:
                self._pause = min(2 * self._pause, LONGEST_PAUSE) or PAUSE
                return self._pause
            self._pause = 0.0
            return None


def _done(work: Work) -> float | None:
    try:
        return work()
    except Exception as error:
        log.beside_failed(error)
        return None


def _heed(pid: int) -> None:
    """Let what is left be done when this process ends, however it does but by a signal that kills."""
    global _heeded  # noqa: PLW0603
    if _heeded == pid:
        return
    import atexit

    if not _heeded:  # a forked child has its parent's
        atexit.register(_finish)
    _heeded = pid
    # Children of multiprocessing leave by os._exit(), behind their own finalizers; these forget their parent's.
    util = sys.modules.get("multiprocessing.util")
    if util is not None:
        util.Finalize(None, _finish, exitpriority=-100)


def forget_beside() -> None:
    """Forget what is left to be done in this process, as a test does that has taken its server away."""
    for each in list(_all):
        each.forget()


def _finish() -> None:
    for each in list(_all):
        each.finish()
