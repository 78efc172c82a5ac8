"""What a process tells a Redis server in the background: matches that no number depends on, injections, failures, returned takes."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from threading import Lock

from faultinject.counts.per_process import PerProcess
from faultinject.counts.redis_link import Unanswered
from faultinject.counts.redis_scripts import NOTE, TAKE
from faultinject.exceptions import StoreUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.counts.redis_link import Argument, Link


class Statistics(PerProcess):
    """What is to be added to the fields of a hash; kept as long as it cannot be sent.

    What was sent and not answered counts as told: a match that is told twice would be one too many.

    Args:
        link: the server.
        keys: those of scripts on counts, of which the first is the hash.
    """

    def __init__(self, link: Link, keys: Sequence[str]) -> None:
        self._sender = link.sender
        self._keys = keys
        self._note, self._take = link.script(NOTE), link.script(TAKE)
        self._here()

    def add(self, field: str, count: int = 1) -> None:
        """Add to a field, soon."""
        self._here()  # what stands here before is the parent's
        with self._lock:
            self._kept[field] = self._kept.get(field, 0) + count
        self._sender.do(self._send)

    def give_back(self, take: Sequence[Argument]) -> None:
        """Undo a take, soon, and before this process asks for another; where the server is away it stays."""
        self._here()
        self._back.append(take)
        self._sender.do(self._send)

    def before_an_ask(self) -> None:
        """Let what was given back here be known to the server."""
        if self._back:
            with suppress(StoreUnavailable):
                self._send()

    def totals(self) -> dict[str, int]:
        """What the server has not been told, after a try to."""
        self._here()
        with suppress(StoreUnavailable):
            self._send()
        with self._lock:
            return dict(self._kept)

    def _begin(self) -> None:
        # One for what is kept, one for who sends it.
        self._lock, self._sending = Lock(), Lock()
        self._back: deque[Sequence[Argument]] = deque()
        self._kept: dict[str, int] = {}

    def _send(self) -> None:
        with self._sending:
            while self._back:
                self._take(self._keys, *self._back.popleft())
            with self._lock:
                kept, self._kept = self._kept, {}
            if not kept:
                return
            try:
                self._note(self._keys[:1], *[each for pair in kept.items() for each in pair])
            except Unanswered:
                raise
            except StoreUnavailable:
                with self._lock:
                    for field, count in kept.items():
                        self._kept[field] = self._kept.get(field, 0) + count
                raise
