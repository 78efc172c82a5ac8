"""All that a plan needs from outside: clocks, the journal and its injector's settings.

An `Injection` is one fault under way: it returns what was taken of them.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol, Self

from faultinject.engine.counting import Counter, Counts

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.engine.entry import Entry
    from faultinject.engine.request import Body


LOOK = 0.5
"""Seconds after which a wait checks again whether it is over."""


class Waits(Protocol):
    """A test's replacement of the time that passes."""

    def monotonic(self) -> float:
        """Give the seconds by which waits and durations are measured."""

    def wait(self, seconds: float, sleep: Callable[[float], object]) -> object:
        """Called by a thread that would call `sleep(seconds)`.

        It may do so, or let the clock go on by itself. A thread that is woken early looks at the clock, and waits for
        the rest.
        """


class Services:
    """All that a plan needs from outside: clocks, the journal and its injector's settings.

    Attributes:
        journal: takes a line.
        clock: unix seconds, for ids, rates, and, unless `steady`, begin and end.
        steady: whether the age of a scenario is measured by `monotonic`, which a test that moves its clock does not
            move.
        monotonic: seconds of the clock that durations are measured by.
        waits: replaces the system's wait for a thread that waits, or None.
        marked: whether injected answers carry `x-faultinject` and `Cache-Control`.
        guarded: whether they carry `GUARDS`, as their rules may have come over HTTP.
        endpoints: the user's own host suffixes.
        most_active: the most faults that may be under way at once.
        record_all: whether to record requests that no rule matches.
        expires: unix seconds from which nothing is injected, or None.
        deadline: the same on the monotonic clock: unix time may be set back.
        failed: called with an error inside faultinject itself, and the rule's name if it is known.
        expired: called with that moment when a request comes after it.
        finish: called when a fault is over: its slot is free again.
        refuse: called when there is no slot for one.
        look: notices changes by other processes, which may end a wait; None if there are none.
    """

    def __init__(
        self,
        journal: Callable[[Entry], None],
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        failed: Callable[[Exception, str], None],
        expired: Callable[[float], None],
        refuse: Callable[[], object],
        *,
        marked: bool = True,
        guarded: bool = False,
        endpoints: tuple[str, ...] = (),
        most_active: int = 100,
        record_all: bool = False,
        expires: float | None = None,
        steady: bool = False,
        waits: Waits | None = None,
    ) -> None:
        self.journal = journal
        self.steady = steady
        self.clock = clock
        self.monotonic = monotonic if waits is None else waits.monotonic
        self.waits = waits
        self.marked = marked
        self.guarded = guarded
        self.endpoints = endpoints
        self.most_active = most_active
        self.record_all = record_all
        self.look: Callable[[], None] | None = None
        self.expires: float | None = None
        self.deadline = float("inf")
        self.expire(expires)
        self.failed = failed
        self.expired = expired
        self.refuse = refuse
        # As many as may begin. A list, because to take one off or to put one back is one step for threads.
        self._free_slots: list[None] = [None] * most_active
        self.finish: Callable[[], None] = partial(self._free_slots.append, None)
        self._refused = Counter()

    def expire(self, moment: float | None) -> None:
        """Inject nothing from that moment on, in unix seconds; None: always.

        The same moment again changes nothing.
        """
        if moment != self.expires:
            self.deadline = float("inf") if moment is None else self.monotonic() + moment - self.clock()
            self.expires = moment

    def rest(self, seconds: float, sleep: Callable[[float], object]) -> object:
        """Let a thread wait, by that system call or the test's replacement, and return its result."""
        return sleep(seconds) if self.waits is None else self.waits.wait(seconds, sleep)

    def begin(self) -> bool:
        """Take a slot for one more fault under way; no if all are taken."""
        try:
            self._free_slots.pop()
        except IndexError:
            self._refused.next()
            self.refuse()
            return False
        return True

    @property
    def active(self) -> int:
        """The number of faults under way."""
        return self.most_active - len(self._free_slots)

    @property
    def refused(self) -> int:
        """The number of requests that got no fault because all slots were taken."""
        return self._refused.value


class Injection:
    """One fault under way, as a context manager: its slot, count and lines in the journal.

    It returns the count if the fault was not carried out, and the slot at the end.

    Args:
        services: have the slot.
        counts: have the count.
        entry: what goes into the journal.

    Attributes:
        applied: whether the app ran.
        otherwise: what the journal says where the exchange breaks off.
        settled: whether the journal has what came of it.
    """

    def __init__(self, services: Services, counts: Counts, entry: Entry) -> None:
        self._services = services
        self._counts = counts
        self._entry = entry
        self.settled = self._over = False
        self.applied = False
        self.otherwise = "failed"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if not self.settled:
            self.undo(self.otherwise)
        self.finish()

    def finish(self) -> None:
        """Free the slot for another fault, however long the answer still takes."""
        if not self._over:
            self._over = True
            self._services.finish()

    def begin(self, did: str) -> None:
        """Note what is about to be done, where it takes its time."""
        self._entry.write(did, answered=False, applied=self.applied, last=False)

    def run_app(self) -> None:
        """The app is about to run."""
        self.applied, self.otherwise = True, "app_failed"

    def give(self, did: str, body: Body | None = None, *, answered: bool | float = True) -> None:
        """Note what is done.

        Args:
            did: the outcome's word.
            body: what was read of the request's.
            answered: whether the answer goes out now, or when it began to.
        """
        self.settled = True
        self._entry.write(did, answered=answered, applied=self.applied, body=body)

    def keep(self) -> None:
        """Keep the notes made so far, also if the exchange breaks off."""
        self.settled = True

    def undo(self, did: str, *, status: int | None = None, left: bool = False) -> None:
        """Return the count of a fault that is not carried out, and note the reason.

        The status of the app's own answer is told only where every request is noted, as with requests that pass.

        Args:
            did: the outcome's word.
            status: of the app's own answer, which starts now.
            left: whether the client has left.
        """
        self.settled = True
        entry = self._entry
        entry.left = entry.left or left
        if entry.take is not None:
            self._counts.give_back(entry.take)
        entry.cancel(did, applied=self.applied, status=status if self._services.record_all else None)
