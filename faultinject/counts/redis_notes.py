"""What a process tells a Redis server and never waits for: matches that no number depends on, injections, failures."""

from __future__ import annotations

import os
from _thread import allocate_lock
from collections import deque
from time import monotonic as _monotonic

from faultinject.counts.redis_scripts import NOTE
from faultinject.exceptions import StoreUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.counts.redis_link import Link


class Notes:
    """What is to be added to the fields of a hash; kept as long as it cannot be sent.

    Args:
        link: the server.
        key: the hash; a note of one that is gone is lost.
        monotonic: the clock of the pauses.
    """

    def __init__(self, link: Link, key: str, *, monotonic: Callable[[], float] = _monotonic) -> None:
        self._link = link
        self._keys = (key,)
        self._monotonic = monotonic
        self._begin()

    def add(self, field: str, count: int = 1) -> None:
        """Add to a field, now or later."""
        if self._pid != os.getpid():
            self._begin()  # what stands here is the parent's
        self._new.append((field, count))
        self.send()

    def send(self) -> None:
        """Send what is there, unless another thread is at it or the server is left alone."""
        # Who comes while another thread sends leaves it to that thread, which looks again.
        while self._new and self._lock.acquire(blocking=False):
            try:
                self._send()
            finally:
                self._lock.release()

    @property
    def kept(self) -> dict[str, int]:
        """What could not be sent so far."""
        return dict(self._kept)

    def _begin(self) -> None:
        self._pid = os.getpid()
        self._lock = allocate_lock()
        self._new: deque[tuple[str, int]] = deque()
        self._kept: dict[str, int] = {}

    def _send(self) -> None:
        kept = self._kept
        while self._new:
            field, count = self._new.popleft()
            kept[field] = kept.get(field, 0) + count
        if self._monotonic() < self._link.again:
            return
        try:
            self._link.tell(NOTE, self._keys, *[each for pair in kept.items() for each in pair])
        except StoreUnavailable:
            return
        self._kept = {}
