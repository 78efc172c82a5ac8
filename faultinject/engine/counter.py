"""A counter that many threads may use at once."""

from __future__ import annotations

import sys
from _thread import allocate_lock
from itertools import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Counter:
    """Hands out 0, 1, 2, … to many threads, each number once."""

    __slots__ = ("_count", "next")

    next: Callable[[], int]

    def __init__(self) -> None:
        self._count = count()
        # One C call is atomic under the interpreter's lock; a build without that lock needs ours.
        self.next = self._count.__next__ if ONE_CALL_IS_ATOMIC else locked(self._count.__next__)

    @property
    def value(self) -> int:
        """How many numbers were handed out."""
        return int(repr(self._count)[6:-1])


def locked(call: Callable[[], int]) -> Callable[[], int]:
    """`call`, one thread at a time."""
    lock = allocate_lock()

    def one_at_a_time() -> int:
        with lock:
            return call()

    return one_at_a_time


ONE_CALL_IS_ATOMIC: bool = getattr(sys, "_is_gil_enabled", lambda: True)()
