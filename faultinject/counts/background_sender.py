"""Sends data to a store in the background, so that no request or event loop waits for it."""

from __future__ import annotations

import threading
from _weakrefset import WeakSet
from collections.abc import Callable

from faultinject.counts.patience import sleep, waiting
from faultinject.counts.per_process import PerProcess
from faultinject.exceptions import StoreUnavailableError
from faultinject.journal import log
from faultinject.journal.endings import ProcessEnd
from faultinject.locks import Lock

LINGER = 0.01
"""Seconds for which more work is gathered before it is sent."""

_all: WeakSet[BackgroundSender] = WeakSet()


class BackgroundSender(PerProcess):
    """A thread that ends when there is nothing left to send.

    It does not wait for more work: it would then run during each fork, and Python 3.12 and later warn of a fork beside
    a running thread.
    """

    _runs: bool

    def __init__(self) -> None:
        self._begin_once()
        _all.add(self)

    def do(self, work: Callable[[], object]) -> None:
        """Do this work soon, once, even if it is given again before that."""
        if waiting.no_waiting:
            _run_work(work)
            return
        self._begin_once()  # a child must not do its parent's work
        with self._lock:
            self._due[work] = None
            if self._runs:
                return
            self._runs = True
        _at_the_end.register(self._pid)
        try:
            threading.Thread(target=self._run, name="faultinject redis", daemon=True).start()
        except RuntimeError:  # no thread can be started, or the interpreter is ending
            self._runs = False

    def finish(self) -> None:
        """Do the remaining work as the process ends, since the background thread ends with it."""
        self._begin_once()  # a child must not do its parent's work
        with self._round:
            for work in list(self._due):
                _run_work(work)

    def _begin(self) -> None:
        self._lock = Lock()
        # Held from the moment that work is taken from `_due` until it is done.
        self._round = Lock()
        self._due: dict[Callable[[], object], None] = {}
        self._runs = False

    def _run(self) -> None:
        while True:
            sleep(LINGER)
            with self._round:
                with self._lock:
                    due, self._due = self._due, {}
                    if not due:
                        self._runs = False
                        return
                for work in due:
                    _run_work(work)


def _run_work(work: Callable[[], object]) -> None:
    try:
        work()
    except StoreUnavailableError:
        return  # the data are sent with the next work that is due
    except Exception as error:
        # Background work, or a call of the control API, has failed.
        log.error("faultinject: background work failed, requests go on", cause=error)


def _finish() -> None:
    for sender in list(_all):
        sender.finish()


_at_the_end = ProcessEnd(_finish)
