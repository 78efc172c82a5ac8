"""How long a store is waited for, and by which clock: in one place, so that a test may have a time of its own."""

from __future__ import annotations

import time
from collections.abc import Callable

PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds in which a store that failed is left alone, at first and, twice as long each time, at most."""


class Waiting:
    """What is waited for, in seconds.

    Attributes:
        answer: that a question to a Redis server may take, with the connection that it needs.
        opening: the same where no request waits: a process that begins, or a change by hand.
        turn: after which a thread takes it that one before was torn out of its turn, and will never end it.
        clock: the seconds since some moment; None: `time.monotonic`.
        pause: lets so many seconds go by; None: `time.sleep`.
        at_once: whether what requests do not wait for is done with them all the same.
    """

    answer = 0.1
    opening = 2.0
    turn = 60.0
    clock: Callable[[], float] | None = None
    pause: Callable[[float], None] | None = None
    at_once = False


waiting = Waiting()


def monotonic() -> float:
    """The time by the clock of the pauses."""
    return (waiting.clock or time.monotonic)()


def sleep(seconds: float) -> None:
    """Let them go by.

    Looked up now: what gevent makes of it in a worker is not there yet when this module is loaded.
    """
    (waiting.pause or time.sleep)(seconds)
