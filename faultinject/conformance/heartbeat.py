"""How late the driver's own clock wakes it, all through a run: what says when the machine is too busy for measuring."""

from __future__ import annotations

import time
from threading import Event, Thread

from faultinject.audit.lateness import LATE, LateTime

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

BEAT = 0.02
"""Seconds between two looks at the clock."""


class Heartbeat:
    """Looks at the clock in a thread, for its block.

    Attributes:
        late: when it should have woken, and when it did, as often as that was too late.
    """

    def __init__(self) -> None:
        self.late: list[LateTime] = []
        self._over = Event()
        self._thread = Thread(target=self._beat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _beat(self) -> None:
        due = time.monotonic() + BEAT
        while not self._over.wait(max(0.0, due - time.monotonic())):
            now = time.monotonic()
            if now - due >= LATE:
                self.late.append(LateTime(due, now))
            due = now + BEAT
