"""The limits of waiting for a store, and their clock, which tests may replace."""

from __future__ import annotations

import time
from collections.abc import Callable

PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds of the first and the longest pause after a failure; each pause is twice the last."""


class Waiting:
    """The limits of all waiting, in seconds.

    Attributes:
        answer: the limit for a Redis server to connect and to answer a question.
        opening: the same limit when no request waits: at the start of a process, or for a change by hand.
        queue_timeout: the limit after which a thread stops waiting for the threads before it, one of which may have
            been killed.
        clock: returns seconds since some moment; None: `time.monotonic`.
        pause: waits for so many seconds; None: `time.sleep`.
        no_waiting: whether background work is done at once, by the request that causes it.
    """

    answer = 0.1
    opening = 2.0
    queue_timeout = 60.0
    clock: Callable[[], float] | None = None
    pause: Callable[[float], None] | None = None
    no_waiting = False


waiting = Waiting()


def monotonic() -> float:
    """The time by the clock of the pauses."""
    return (waiting.clock or time.monotonic)()


def sleep(seconds: float) -> None:
    """Wait so many seconds.

    `time.sleep` is looked up at each call, as gevent may replace it after this module was loaded.
    """
    (waiting.pause or time.sleep)(seconds)
