"""What a plan needs from outside, and how many faults may be under way."""

from __future__ import annotations

from functools import partial

from faultinject.engine.counting import Counter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from faultinject.engine.journal_entry import Entry

    class Waits(Protocol):
        """What a test gives an injector in the place of time that passes."""

        def monotonic(self) -> float:
            """Seconds, by which waits and durations are measured."""

        def wait(self, seconds: float, sleep: Callable[[float], object]) -> object:
            """Called by a thread that would call `sleep(seconds)`: it may do so, or let the clock go on by itself.

            Who is woken early looks at the clock, and waits for the rest.
            """


class Services:
    """What a plan needs from outside, given to it: clocks, the journal and the settings of its injector.

    Attributes:
        journal: takes a line.
        clock: unix seconds, for ids, rates, and, unless `steady`, begin and end.
        steady: whether the age of a scenario is measured by `monotonic`, which a test that moves its clock does not move.
        monotonic: seconds of the clock that durations are measured by.
        waits: what a thread that waits calls instead of the system, or None.
        marked: whether injected answers carry `x-faultinject` and `Cache-Control`.
        guarded: whether they carry what keeps a browser from running them: their rules may have come over HTTP.
        endpoints: the user's own host suffixes.
        most_active: how many faults may be under way at once.
        record_all: whether to record requests that no rule matches.
        expires: unix seconds from which nothing is injected, or None.
        deadline: the same on the monotonic clock: unix time may be set back.
        failed: told of an error inside faultinject itself, and of the rule's name where that is known.
        expired: told of that moment when a request comes after it.
        finish: called when a fault is over: its slot is free again.
        watch: called when something begins to wait, where other processes may end it; else None.
    """

    __slots__ = (
        "_free_slots", "_refused", "clock", "deadline", "endpoints", "expired", "expires", "failed", "finish", "guarded", "journal",
        "marked", "monotonic", "most_active", "record_all", "steady", "waits", "watch",
    )  # fmt: skip

    def __init__(
        self,
        journal: Callable[[Entry], None],
        clock: Callable[[], float],
        monotonic: Callable[[], float],
        failed: Callable[[Exception, str], None],
        expired: Callable[[float], None],
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
        self.watch: Callable[[], None] | None = None
        self.expires: float | None = None
        self.deadline = float("inf")
        self.expire(expires)
        self.failed = failed
        self.expired = expired
        # As many as may begin. A list, because to take one off or to put one back is one step for threads.
        self._free_slots: list[None] = [None] * most_active
        self.finish: Callable[[], None] = partial(self._free_slots.append, None)
        self._refused = Counter()

    def expire(self, moment: float | None) -> bool:
        """Inject nothing from that moment on, in unix seconds; None: always. The same moment again changes nothing: no then."""
        if moment == self.expires:
            return False
        self.deadline = float("inf") if moment is None else self.monotonic() + moment - self.clock()
        self.expires = moment
        return True

    def rest(self, seconds: float, sleep: Callable[[float], object]) -> object:
        """Let a thread wait: by that system call, or as a test has it; gives what that returns."""
        return sleep(seconds) if self.waits is None else self.waits.wait(seconds, sleep)

    def begin(self) -> bool:
        """Take a slot for one fault under way; no when all are taken."""
        try:
            self._free_slots.pop()
        except IndexError:
            self._refused.next()
            return False
        return True

    @property
    def active(self) -> int:
        """How many faults are under way."""
        return self.most_active - len(self._free_slots)

    @property
    def refused(self) -> int:
        """How many requests got no fault because all slots were taken."""
        return self._refused.value
