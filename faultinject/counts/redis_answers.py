"""Counts the app's own answers in a window, for all processes of a Redis server's prefix."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

from faultinject.counts.per_process import PerProcess
from faultinject.counts.redis_link import Link
from faultinject.counts.redis_scripts import ANSWERS
from faultinject.exceptions import StoreUnavailableError
from faultinject.locks import Lock


class RedisAnswers(PerProcess):
    """The app's answers for one bound, of all processes; no request waits for the server.

    Args:
        bound: the text of the bound.
        width: seconds of a part of its window.
        link: the connection to the server.
        prefix: the prefix of all keys.
    """

    _armed: int
    _judge: Callable[[int, int, bool], None]

    def __init__(self, bound: str, width: float, link: Link, prefix: str) -> None:
        self._key = f"{prefix}:answers:{blake2b(bound.encode(), digest_size=8).hexdigest()}"
        self._width = width
        self._sender = link.sender
        self._note = link.script(ANSWERS)
        self._begin_once()

    def add(
        self,
        armed: int,
        part: int,  # noqa: ARG002 - the server has one clock for all hosts
        answers: int,
        failures: int,
        judge: Callable[[int, int, bool], None],
    ) -> None:
        """Note answers as `SharedAnswers.add` does, but send them later."""
        self._begin_once()
        with self._lock:
            if self._armed != armed:
                self._armed, self._answers, self._failures = armed, 0, 0
            self._answers += answers
            self._failures += failures
            self._judge = judge
        self._sender.do(self._send)

    def _begin(self) -> None:
        # One lock for the numbers, one for the thread that sends them.
        self._lock, self._sending = Lock(), Lock()
        # How often faults were switched on again, and the numbers since then that are not sent yet.
        self._armed = self._answers = self._failures = 0

    def _send(self) -> None:
        with self._sending:
            with self._lock:
                armed, answers, failures, judge = self._armed, self._answers, self._failures, self._judge
                self._answers = self._failures = 0
            try:
                all_answers, all_failures = self._note(
                    (self._key,), armed, repr(self._width), answers, failures
                )
            except StoreUnavailableError:
                # No process can switch faults on while the server is unavailable, so `armed` is still right.
                with self._lock:
                    self._answers += answers
                    self._failures += failures
                raise
        if failures:
            judge(all_answers, all_failures, True)
