"""What a plan needs from outside, and how many faults may be under way."""

from __future__ import annotations

from functools import partial

from faultinject.engine.counting import Counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from faultinject.engine.journal_entry import Line

    class Watch(Protocol):
        """What is told of the app's own answers."""

        text: str

        def note(self, *, failed: bool) -> None:
            """One answer more."""

        def note_late(self) -> None:
            """An answer that was noted turns out to be a failure."""


class Services:
    """What a plan needs from outside, given to it: clocks, the journal and the settings of its injector.

    Attributes:
        journal: takes a line.
        clock: unix seconds, for ids, begin, end and rates.
        monotonic: seconds of the clock that durations are measured by.
        marked: whether injected answers carry `x-faultinject` and `Cache-Control`.
        endpoints: the user's own host suffixes.
        most_active: how many faults may be under way at once.
        record_all: whether requests are noted that no rule matches.
        expires: unix seconds from which nothing is injected, or None.
        deadline: the same on the monotonic clock: unix time may be set back.
        failed: told of an error inside faultinject itself, and of the rule's name where that is known.
        expired: told of that moment when a request comes after it.
        places_left: one for each fault that is over: a place for the next.
        finish: called when a fault is over.
        watch: called when something begins to wait, where other processes may end it; else None.
    """

    __slots__ = (
        "_places", "clock", "deadline", "endpoints", "expired", "expires", "failed", "finish", "journal", "marked",
        "monotonic", "most_active", "places_left", "record_all", "watch",
    )  # fmt: skip

    def __init__(
        self,
        journal: Callable[[Line], None],
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        failed: Callable[[Exception, str], None],
        expired: Callable[[float], None],
        *,
        marked: bool = True,
        endpoints: tuple[str, ...] = (),
        most_active: int = 100,
        record_all: bool = False,
        expires: float | None = None,
    ) -> None:
        self.journal = journal
        self.clock = clock
        self.monotonic = monotonic
        self.marked = marked
        self.endpoints = endpoints
        self.most_active = most_active
        self.record_all = record_all
        self.watch: Callable[[], None] | None = None
        self.expires: float | None = None
        self.deadline = float("inf")
        self.expire(expires)
        self.failed = failed
        self.expired = expired
        self._places = Counter()
        self.places_left: list[None] = []
        # One C call: it is a step of every fault.
        self.finish: Callable[[], None] = partial(self.places_left.append, None)

    def expire(self, moment: float | None) -> bool:
        """Inject nothing from that moment on, in unix seconds; None: always. The same moment again changes nothing: no then."""
        if moment == self.expires:
            return False
        self.deadline = float("inf") if moment is None else self.monotonic() + moment - self.clock()
        self.expires = moment
        return True

    def begin(self) -> bool:
        """Take a place for one fault under way; no when all are taken."""
        try:
            self.places_left.pop()
        except IndexError:
            return self._places.next() < self.most_active
        return True

    @property
    def active(self) -> int:
        """How many faults are under way."""
        return min(self._places.value, self.most_active) - len(self.places_left)

    @property
    def refused(self) -> int:
        """How many requests got no fault because all places were taken."""
        return max(0, self._places.value - self.most_active)
