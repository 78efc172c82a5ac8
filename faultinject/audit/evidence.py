"""What the checks look at: the calls of one client, and how exactly their waits can be told."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from math import inf

from faultinject.audit.findings import Finding
from faultinject.audit.grouping import AT_ONCE, SOON
from faultinject.audit.matching import marked, thing_of
from faultinject.audit.profiles.profile import Profile
from faultinject.audit.statistics import FEWEST, grouped, median
from faultinject.audit.waits import KINDS, UNMEASURED, WORK, Group, Turnaround, Wait, waits_of
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow, error_class
from faultinject.journal.calls import SDK_ID, Call

OUTAGE = 100
"""Calls of one name, all of which failed, that make an outage."""
ON_THEIR_WAY = 100
"""Requests of one client, the last before a call without any: among these a circuit breaker has opened."""
ANY = "*"
"""Stands for an error of whatever class."""
RARE = 0.1
"""Of what a client got, the share that it may ask for again although it does so by no habit."""


@dataclass(frozen=True)
class Silence:
    """Calls that a test or a driver tells of, and in which no request was made although they failed.

    Attributes:
        calls: how many calls there are.
        silent: how many of them made no request and failed.
        last: how many of those came behind the last call that made a request.
        seconds: from the first of these to the last.
        openings: when circuit breakers had opened, in order, by the name of a driver's calls and the class of the error that
            callers heard then without a request; all of them by `ANY` as well.
    """

    calls: int = 0
    silent: int = 0
    last: int = 0
    seconds: float = 0.0
    openings: Mapping[tuple[str | None, str | None], Sequence[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class Copies:
    """The copies that a client sends of a request which is not answered yet.

    Attributes:
        most: how many copies of one request came before its answer.
        after: the time from a request to the next copy of it, in the middle, seconds.
    """

    most: int
    after: float


@dataclass(frozen=True)
class Contrast:
    """Whether a client asks again for what it got, so that a fingerprint alone would take the next request for a retry.

    Attributes:
        things: by method, how many of the things that it got it asked for again as soon as for those that failed, and
            of how many.
    """

    things: Mapping[str, tuple[int, int]]

    def shows_retries(self, method: str) -> bool:
        """Whether what succeeds is not asked for again, so that what is asked for again after a failure is a retry."""
        again, got = self.things.get(method, (0, 0))
        return got >= FEWEST and again <= RARE * got

    def repeats(self, method: str) -> bool:
        """Whether what succeeds is asked for again as well."""
        again, got = self.things.get(method, (0, 0))
        return again > RARE * got

    def said(self, methods: Iterable[str]) -> str:
        """The same in words."""
        found = [self.things.get(method, (0, 0)) for method in sorted(set(methods))]
        again, got = (sum(numbers) for numbers in zip(*found, strict=True))
        return f"of {got} successful requests the client repeated {again or 'none'}"


@dataclass(frozen=True)
class Evidence:
    """The calls of one client.

    Attributes:
        calls: those that are over and not shared, and that got a fault or were tried again, by their beginning.
        open: calls that may still go on, for what has already happened in them.
        turnaround: how fast the client is.
        driven: whether a driver kept to the plan, so that each call had its own key and its end is known.
        profile: what is promised for the client.
        detected: whether the profile was found by the user agent; who chose it knows what the client is set to.
        left_out: how many calls count for nothing, by reason: `shared`, `open`, ….
        shared: those of them that were made at the same time for the same object, so that nobody can tell them apart.
        contrast: whether what succeeded was asked for again just as what failed.
        copies: by method those that it sends of what is not answered yet.
        requests: all requests of the client, in order of arrival.
        silence: of the calls that a test or a driver tells of, those in which no request was made.
        named: all that a named call asked for of one object, as one call; but for those that overlap.
        replaced: the calls whose object a driver replaced meanwhile, which are in none of the others but `named`: a client may
            do with a cut download what it likes, but for making one object of two.
    """

    calls: Sequence[Call]
    open: Sequence[Call]
    turnaround: Turnaround
    driven: bool
    profile: Profile
    detected: bool
    left_out: dict[str, int]
    shared: Sequence[Call]
    contrast: Contrast
    copies: Mapping[str, Copies]
    requests: Sequence[Attempt]
    silence: Silence = Silence()
    named: Sequence[Call] = ()
    replaced: Sequence[Call] = ()

    @property
    def everyone(self) -> tuple[Call, ...]:
        """All calls: what has already happened needs no ending."""
        return (*self.calls, *self.open)

    @cached_property
    def outages(self) -> dict[str, list[Call]]:
        """The calls during which nothing worked at all, by name, by their beginning; those that may go on as well."""
        named = grouped((call for call in self.everyone if call.name), lambda call: call.name or "")
        return {
            name: sorted(calls, key=lambda call: call.first.arrived)
            for name, calls in named.items()
            if len(calls) >= OUTAGE and not any(call.succeeded for call in calls)
        }

    @cached_property
    def waits(self) -> list[Wait]:
        """The waits that can be told, also of calls that go on, outside of outages, which are too busy for measuring.

        Not those of a program that tries again what failed once it is through with everything: they are as long as that took.
        """
        outages = self.outages
        found = [wait for call in self.everyone if call.name not in outages for wait in waits_of(call)]
        passes = {
            retry
            for retry, waits in grouped(found, lambda wait: wait.retry).items()
            if len(waits) >= FEWEST and all(wait.call.inferred for wait in waits) and _is_pass(waits)
        }
        return [wait for wait in found if wait.retry not in passes]

    @cached_property
    def waits_by_number(self) -> dict[tuple[str, int], Group]:
        """The same by kind of failure and number of the retry, in that order."""
        found = grouped(self.waits, lambda wait: (wait.kind, wait.retry))
        ordered = sorted(found, key=lambda key: (KINDS.index(key[0]), key[1]))
        return {key: self.group(found[key]) for key in ordered}

    @cached_property
    def under_other_ids(self) -> dict[tuple[str, str], list[Call]]:
        """By method and answer: failed calls whose request came again under another id, of an SDK that is never seen to repeat an id.

        A layer above the SDK tries them again, or somebody asks again: by its ids nobody can tell. Half of what failed with
        that answer came again so, or more.
        """
        found: dict[tuple[str, str], list[Call]] = {}
        with_id = grouped(
            (call for call in self.everyone if call.signal == SDK_ID), lambda call: call.first.method
        )
        for method, calls in with_id.items():
            if any(call.retries for call in calls):
                continue
            failed = [call for call in calls if call.first.kind not in (None, "client", "hidden")]
            for answer, same in grouped(failed, lambda call: call.first.answer).items():
                again = [call for call in same if call.again is not None]
                if again and 2 * len(set(map(thing_of, again))) >= len(set(map(thing_of, same))):
                    found[method, answer] = again
        return found

    def may_be_under_other_ids(self, call: Call) -> bool:
        """Whether calls with this method and answer are such, so that nobody can tell which belong together."""
        return (call.first.method, call.first.answer) in self.under_other_ids

    def held_back(self, call: Call, *, alike: bool = True) -> bool:
        """Whether an open circuit breaker ended a call that was not retried: it opened before the client's first wait was over.

        Args:
            call: the call.
            alike: whether its caller has to have heard the same as callers whose calls made no request.
        """
        failed, waits = answered_at(call.first), max(self._first_wait, call.first.hint or 0.0)
        opened = self._openings(call, error_class(call.error) if alike else ANY)
        place = bisect_left(opened, failed)
        return not call.retries and any(each <= failed + waits for each in opened[place : place + 1])

    def has_a_breaker(self, call: Call) -> bool:
        """Whether the client that made this call is seen to fail others without a request."""
        return bool(self._openings(call, ANY))

    def _openings(self, call: Call, error: str | None) -> Sequence[float]:
        return self.silence.openings.get((call.name if self.driven else None, error), ())

    def may_be_copy(self, before: Attempt, after: Attempt) -> bool:
        """Whether a client that sends copies may have sent a request before it had read the answer to the one before.

        The journal has the time at which an answer left the server: on a busy machine its client reads it later. What says that
        it is a retry is one.
        """
        copies = self.copies.get(before.method)
        if copies is None or before.answered is None or marked(after):
            return False
        # The turnaround is measured while nothing else is under way: a client that sends copies is later than that.
        noise = max(self.turnaround.noise, UNMEASURED * self.turnaround.speed)
        late = after.arrived - before.arrived
        return after.arrived - before.answered <= noise or late <= copies.after + noise

    @cached_property
    def findings(self) -> dict[str, list[Finding]]:
        """What the checks that were asked so far have found, by their names."""
        return {}

    @cached_property
    def _first_wait(self) -> float:
        """The longest first wait of the client where nothing asks for one; 0 where it has none."""
        retried = (call for call in self.everyone if call.retries and call.first.hint_form is None)
        return max((call.gaps[0] or 0.0 for call in retried), default=0.0)

    @cached_property
    def _arrivals(self) -> list[float]:
        return [each.arrived for each in self.requests]

    @cached_property
    def _since(self) -> list[float]:
        """Of each request: since when the client had sent one after the other, with no pause of twice what it takes for one."""
        pause = 2 * WORK * self.turnaround.speed
        found = self._arrivals[:1]
        for before, each in pairwise(self._arrivals):
            found.append(found[-1] if each - before <= pause else each)
        return found

    def group(self, waits: Sequence[Wait]) -> Group:
        """Some of its waits, at least one, that are judged together."""
        return Group(waits, self.turnaround, self._arrivals, self._since)


def _is_pass(waits: Sequence[Wait]) -> bool:
    """Whether the first of these retries came right after the last failure: the client was through with everything first."""
    after = min(wait.arrived for wait in waits) - max(answered_at(wait.before) for wait in waits)
    return 0 <= after <= RARE * median([wait.seconds for wait in waits])


def opening(silent: CallWindow, answered: Sequence[Attempt]) -> float | None:
    """When a circuit breaker opened that may be why a call made no request; None: nothing shows that.

    It says what is wrong, which can be compared. Three failures that may pass come before it, the last some seconds ago at most; what
    came at once behind that one was on its way.

    Args:
        silent: the call.
        answered: the requests of calls of its client, by their answers.
    """
    end = bisect_right(answered, silent.began, key=answered_at)
    before = answered[max(0, end - ON_THEIR_WAY) : end]
    failed = [number for number, each in enumerate(before) if each.kind in (*KINDS, "timeout")]
    if not silent.error or len(failed) < FEWEST:
        return None
    opened, behind = answered_at(before[failed[-1]]), before[failed[-1] + 1 :]
    on_their_way = all(each.arrived <= opened + AT_ONCE for each in behind)
    return opened if on_their_way and silent.began - opened <= SOON else None


def answered_at(attempt: Attempt) -> float:
    """When a request was answered, or was over without an answer; while it is not, never."""
    return inf if attempt.answered is None else attempt.answered
