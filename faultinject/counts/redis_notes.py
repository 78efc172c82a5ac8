"""What a process tells a Redis server and never waits for: matches that no number depends on, injections, failures, takes back."""

from __future__ import annotations

from collections import deque

from faultinject.counts.per_process import PerProcess
from faultinject.counts.redis_beside import Errand
from faultinject.counts.redis_link import Script, Unanswered
from faultinject.counts.redis_scripts import NOTE, TAKE
from faultinject.exceptions import StoreUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.counts.redis_link import Argument, Link

MANY = 10_000
"""Notes that stand one by one; more are added up, as where the server is away for long."""


class Notes(PerProcess):
    """What is to be added to the fields of a hash; kept as long as it cannot be sent.

    What was sent and not answered counts as told: a match that is told twice would be one too many.

    Args:
        link: the server.
        keys: those of scripts on counts, of which the first is the hash; a note of one that is gone is lost.
    """

    def __init__(self, link: Link, keys: Sequence[str]) -> None:
        self._link = link
        self._keys = keys
        self._note, self._take = Script(NOTE), Script(TAKE)
        self._here()

    def add(self, field: str, count: int = 1) -> None:
        """Add to a field, soon."""
        self._here()  # what stands here before is the parent's
        self._new.append((field, count))
        if len(self._new) > MANY and self._errand.lock.acquire(blocking=False):
            try:
                self._add_up()
            finally:
                self._errand.lock.release()
        self._errand.soon()

    def give_back(self, take: Sequence[Argument]) -> None:
        """Undo a take, soon, and before this process asks for another; where the server is away it stays."""
        self._here()
        self._back.append(take)
        self._errand.soon()

    def before_an_ask(self) -> None:
        """Let what was given back here be known to the server."""
        if self._back:
            self._errand.now()

    def totals(self) -> dict[str, int]:
        """What the server has not been told, after a try to."""
        self._here()
        self._errand.now()
        with self._errand.lock:
            self._add_up()
            return dict(self._kept)

    def _begin(self) -> None:
        self._errand = Errand(self._link.beside, self._tell)
        self._new: deque[tuple[str, int]] = deque()
        self._back: deque[Sequence[Argument]] = deque()
        self._kept: dict[str, int] = {}

    def _add_up(self) -> None:
        kept = self._kept
        for _ in range(len(self._new)):
            field, count = self._new.popleft()
            kept[field] = kept.get(field, 0) + count

    def _tell(self) -> None:
        try:
            while self._back:
                self._link.run(self._take, self._keys, *self._back[0])
                self._back.popleft()
        except StoreUnavailable:
            self._back.clear()
            raise
        self._add_up()
        kept = self._kept
        if not kept:
            return
        try:
            self._link.run(self._note, self._keys[:1], *[each for pair in kept.items() for each in pair])
        except Unanswered:
            self._kept = {}
            raise
        self._kept = {}
