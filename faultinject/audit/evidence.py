"""The evidence that checks judge: the calls of one client, and how exactly waits are known."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise, starmap, takewhile
from math import inf

from faultinject.audit.documents import SDKS, vendor_of
from faultinject.audit.findings import Finding
from faultinject.audit.grouping import AT_ONCE, SOON, is_resent
from faultinject.audit.matching import invocation, marked, thing_of
from faultinject.audit.profiles.profile import Profile
from faultinject.audit.statistics import FEWEST, grouped, median
from faultinject.audit.waits import KINDS, UNMEASURED, WORK, Group, Turnaround, Wait, waits_of
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow, error_class
from faultinject.journal.calls import SDK_ID, Call

OUTAGE = 100
"""Calls of one name, all of which failed, that make an outage."""
ON_THEIR_WAY = 100
"""The last requests before a call without any: among these a circuit breaker has opened."""
OPENS_A_BREAKER = 5
"""Failures in a row that open a circuit breaker, in the libraries that many use."""
FIRST_WAIT = 1.0
"""Seconds; most clients wait less before their first retry."""
LEAST_OPEN = 5.0
"""Seconds for which an open circuit breaker lets nothing through, at least."""
ANY = "*"
"""Stands for an error of whatever class."""
RARE = 0.1
"""Of what a client got, the share that it may ask for again although it does so by no habit."""


@dataclass(frozen=True)
class Silence:
    """Calls of a test or a driver that failed without a request.

    Attributes:
        calls: how many calls there are.
        silent: how many of them made no request and failed.
        last: how many of those came behind the last call that made a request.
        seconds: from the first of these to the last.
        error: what the first of them heard; None: nobody says.
        openings: when circuit breakers had opened, in order, by the name of a driver's calls and the class of the
            error that callers heard then without a request; those of all names by None, and all of a name by `ANY`
            as well.
        errors: classes of errors that callers hear from an open circuit breaker and from no refusal.
    """

    calls: int = 0
    silent: int = 0
    last: int = 0
    seconds: float = 0.0
    error: str | None = None
    openings: Mapping[tuple[str | None, str | None], Sequence[float]] = field(default_factory=dict)
    errors: frozenset[str] = frozenset()


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
    """Whether a client repeats requests that succeeded.

    By a fingerprint alone such a repeat looks like a retry.

    Attributes:
        things: by method, how many of the things that it got it asked for again as soon as for those that failed, and
            of how many.
    """

    things: Mapping[str, tuple[int, int]]

    def shows_retries(self, method: str) -> bool:
        """Whether the client does not repeat successes, so that a repeat after a failure is a retry."""
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
        told: all that a named call asked for, as one call; but for those that overlap.
        replaced: the calls whose object a driver replaced meanwhile, which are in none of the others but `told`: a
            client may do with a cut download what it likes, but for making one object of two.
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
    silence: Silence
    told: Sequence[Call]
    replaced: Sequence[Call]

    @property
    def everyone(self) -> tuple[Call, ...]:
        """All calls: what has already happened needs no ending."""
        return (*self.calls, *self.open)

    @cached_property
    def vendors(self) -> frozenset[str]:
        """The vendors whose client it is: by user agent, profile, and the errors that it got."""
        agents = {
            *(each.user_agent or "" for each in self.requests),
            *(each.text for each in self.profile.marks),
        }
        own = (
            vendor
            for vendor, marks in SDKS.items()
            if any(mark in agent for mark in marks for agent in agents)
        )
        rows = (each.documented for call in self.everyone for each in call.attempts)
        return frozenset((*own, *(vendor_of(row.vendor) for row in rows if row is not None)))

    @cached_property
    def outages(self) -> dict[str, list[Call]]:
        """The calls of each name of which none succeeded, by their beginning; open ones too."""
        named = grouped((call for call in self.everyone if call.name), lambda call: call.name or "")
        return {
            name: sorted(calls, key=lambda call: call.first.arrived)
            for name, calls in named.items()
            if len(calls) >= OUTAGE and not any(call.succeeded for call in calls)
        }

    @cached_property
    def waits(self) -> list[Wait]:
        """The waits that can be measured, outside of outages, which are too busy; open calls too.

        Those in outages count where the client waits before a second retry nowhere else, as one that retries reads
        alone.
        Not those of a program that tries again what failed once it is through with everything: they are as long as
        that took.
        """
        outages = self.outages
        every = [
            wait
            for call in self.everyone
            for wait in waits_of(call)
            if not self.may_be_resent(wait.before, call.attempts[wait.retry])
        ]
        calm = [wait for wait in every if wait.call.name not in outages]
        found = calm if any(wait.retry > 1 for wait in calm) else every
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
        """Failed calls that came again under another id of an SDK that repeats none.

        By method and answer.

        A layer above the SDK tries them again, or somebody asks again: by its ids nobody can tell. Half of what
        failed with that answer came again so, or more.
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
                if 2 * len(set(map(thing_of, again))) >= len(set(map(thing_of, same))):
                    found[method, answer] = again
        return found

    def may_be_under_other_ids(self, call: Call) -> bool:
        """Whether nobody can tell which calls with this method and answer belong together."""
        return (call.first.method, call.first.answer) in self.under_other_ids

    def held_back(self, call: Call, *, alike: bool = True) -> bool:
        """Whether a circuit breaker opened within the client's first wait, and so ended the call.

        Where none of that name failed without a request, what callers of others heard then tells whether it was a
        breaker.

        Args:
            call: the call.
            alike: whether its caller has to have heard the same as callers whose calls made no request.
        """
        error = error_class(call.error)
        unseen = not self._openings(call, ANY) and (None, error) in self.silence.openings
        if alike and (unseen or error in self.silence.errors):
            return not call.retries
        failed, waits = answered_at(call.first), max(self._first_wait, call.first.hint or 0.0)
        opened = self._openings(call, error if alike else ANY)
        place = bisect_left(opened, failed)
        return not call.retries and any(each <= failed + waits for each in opened[place : place + 1])

    def may_be_held_back(self, call: Call) -> bool:
        """Whether a circuit breaker may have ended a call, if calls without requests are unknown.

        All of its client's requests failed until its first wait was over, or the call, five in a row or more, and
        then none came for 5 s. Not
        where another request followed at once, unless on another connection that was used before: its caller had
        done with the call, unless a breaker is seen.
        """
        requests, begun = self.requests, bisect_left(self._arrivals, call.first.arrived)
        failed, told = answered_at(call.first), call.window and call.window.ended
        due = failed + max(self._first_wait or FIRST_WAIT, call.first.hint or 0.0)
        end = bisect_right(self._arrivals, min(due, told or inf))
        row = list(takewhile(lambda each: each.failed, reversed(requests[max(0, end - ON_THEIR_WAY) : end])))
        if call.retries or len(row) < max(OPENS_A_BREAKER, end - begun):
            return False
        # Of callers that work side by side, one takes the connection that another one's wait has left.
        side_by_side = any(after.arrived < answered_at(before) for after, before in pairwise(row))
        at_once = any(
            0 <= each.arrived - failed < self.turnaround.none
            and ((each.connection == call.first.connection and not side_by_side) or not self._was_used(each))
            for each in requests[begun + 1 : begun + 2]
        )
        until = self._arrivals[end] if end < len(requests) else inf
        return (self.has_a_breaker or not at_once) and until - answered_at(row[0]) >= LEAST_OPEN

    @property
    def has_a_breaker(self) -> bool:
        """Whether calls are seen to fail without a request because of failures before them."""
        return bool(self.silence.openings)

    def _openings(self, call: Call, error: str | None) -> Sequence[float]:
        return self.silence.openings.get((call.name if self.driven else None, error), ())

    def may_be_copy(self, before: Attempt, after: Attempt) -> bool:
        """Whether a client that sends copies may have sent this before reading the answer.

        The journal has the time at which an answer left the server: on a busy machine its client reads it later.
        What says that it is a retry is one.
        """
        copies = self.copies.get(before.method)
        if copies is None or before.answered is None or marked(after):
            return False
        # The turnaround is measured while nothing else is under way: a client that sends copies is later than that.
        noise = max(self.turnaround.noise, UNMEASURED * self.turnaround.speed)
        late = after.arrived - before.arrived
        return after.arrived - before.answered <= noise or late <= copies.after + noise

    def may_be_resent(self, before: Attempt, after: Attempt) -> bool:
        """Whether a transport may have sent the request again.

        A client that numbers its attempts says so itself.
        """
        one, other = ((each.attempt_hint or {}).get("attempt") for each in (before, after))
        if before.kind == "transport" and before.status is None and None not in (one, other):
            return one == other and invocation(before) == invocation(after)
        return self._was_used(before) and is_resent(before, after, self.turnaround.zero)

    def fewest_attempts(self, call: Call) -> int:
        """The attempts of a call without those that a transport may have sent again."""
        return len(call.attempts) - sum(starmap(self.may_be_resent, pairwise(call.attempts)))

    @cached_property
    def findings(self) -> dict[str, list[Finding]]:
        """Findings of the checks that were asked so far, by name."""
        return {}

    @cached_property
    def _first_wait(self) -> float:
        """The longest first wait of the client where nothing asks for one; 0 where it has none."""
        retried = (call for call in self.everyone if call.retries and call.first.hint_form is None)
        return max((call.gaps[0] or 0.0 for call in retried), default=0.0)

    @cached_property
    def _connections(self) -> dict[tuple[str | None, int | None], float]:
        """The time of the first request on each connection."""
        first: dict[tuple[str | None, int | None], float] = {}
        for each in self.requests:
            if each.connection is not None:
                first.setdefault((each.client, each.connection), each.arrived)
        return first

    def _was_used(self, attempt: Attempt) -> bool:
        """Whether a request came on a connection that its client had used before."""
        return self._connections.get((attempt.client, attempt.connection), inf) < attempt.arrived

    @cached_property
    def _arrivals(self) -> list[float]:
        return [each.arrived for each in self.requests]

    @cached_property
    def _since(self) -> list[float]:
        """For each request, the time since which the client had sent one after the other.

        A pause is twice the time that one request takes.
        """
        pause = 2 * WORK * self.turnaround.speed
        found = self._arrivals[:1]
        for before, each in pairwise(self._arrivals):
            found.append(found[-1] if each - before <= pause else each)
        return found

    def group(self, waits: Sequence[Wait]) -> Group:
        """Some of its waits, at least one, that are judged together."""
        return Group(waits, self.turnaround, self._arrivals, self._since)


def _is_pass(waits: Sequence[Wait]) -> bool:
    """Whether the first of these retries came right after the last failure.

    The client was through with everything first.
    """
    after = min(wait.arrived for wait in waits) - max(answered_at(wait.before) for wait in waits)
    return 0 <= after <= RARE * median([wait.seconds for wait in waits])


def opening(silent: CallWindow, answered: Sequence[Attempt]) -> float | None:
    """The time at which a circuit breaker opened that may have ended a call; None: unseen.

    It says what is wrong, which can be compared. Three failures that may pass come before it, the last some seconds
    ago at most; what came at once behind that one was on its way.

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
    """The time at which a request was answered, or was over; infinity while it is not."""
    return inf if attempt.answered is None else attempt.answered
