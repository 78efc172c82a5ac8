"""The times for which a store is waited for, and their clock.

They stand in one place, so that a test may have a time of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable

PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds of the first and the longest pause after a failure; each is twice the one before."""


class Waiting:
    """The limits of all waiting, in seconds.

    Attributes:
        answer: for the answer of a Redis server to a question, with the connection that it needs.
        opening: the same if no request waits: for a process that begins, or a change by hand.
        queue_timeout: after which a thread stops waiting for the threads before it, one of which may have been killed
            in its turn.
        clock: the seconds since some moment; None: `time.monotonic`.
        pause: lets so many seconds go by; None: `time.sleep`.
        no_waiting: whether work that requests do not wait for is done together with them, and not in the background.
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

    `time.sleep` is looked up now: gevent replaces it in a worker after this module was loaded.
    """
    (waiting.pause or time.sleep)(seconds)
