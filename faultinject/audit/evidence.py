"""The evidence that checks judge: the calls of one client, its waits, and their precision."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
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
"""The number of calls of one name that make an outage if all of them fail."""
LOOK_BACK = 100
"""The number of latest requests that are searched for the failures that open a breaker."""
OPENS_A_BREAKER = 5
"""Failures in a row that open a circuit breaker of common libraries."""
FIRST_WAIT = 1.0
"""Seconds; most clients wait less before their first retry."""
LEAST_OPEN = 5.0
"""Seconds for which an open circuit breaker lets nothing through, at least."""
ANY = "*"
"""Stands for an error of any class."""
RARE = 0.1
"""The largest share of its successes that a client may repeat by chance."""


@dataclass(frozen=True)
class Silence:
    """Calls of a test or a driver that failed without a request.

    Attributes:
        calls: the number of all calls.
        silent: the number of calls that made no request and failed.
        last: the number of silent calls after the last call that made a request.
        seconds: the time from the first of these calls at the end to the last.
        error: the error that the caller of the first silent call got; None: unknown.
        openings: the times at which circuit breakers opened, in order, by the name of a driver's calls (None for all
            names) and the class of the error that callers then got without a request (`ANY` for all classes).
        errors: the classes of errors that callers got from an open circuit breaker, and neither from a refusal nor at
            another time.
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
    """The copies that a client sends of an unanswered request.

    Attributes:
        most: the largest number of copies of one request before its answer.
        after: the median time from a request to its next copy, seconds.
    """

    most: int
    after: float


@dataclass(frozen=True)
class Contrast:
    """Whether a client repeats requests that succeeded.

    By fingerprint, such a repeat looks like a retry.

    Attributes:
        things: by method, the number of successes that were repeated as soon as failures are, and the number of all
            successes.
    """

    things: Mapping[str, tuple[int, int]]

    def shows_retries(self, method: str) -> bool:
        """Whether the client does not repeat successes, so that a repeat after a failure is a retry."""
        repeated, successes = self.things.get(method, (0, 0))
        return successes >= FEWEST and repeated <= RARE * successes

    def repeats(self, method: str) -> bool:
        """Whether the client also repeats successes."""
        repeated, successes = self.things.get(method, (0, 0))
        return repeated > RARE * successes

    def in_words(self, methods: Iterable[str]) -> str:
        """Put the comparison in words."""
        numbers_of = [self.things.get(method, (0, 0)) for method in sorted(set(methods))]
        repeated, successes = (sum(numbers) for numbers in zip(*numbers_of, strict=True))
        return f"of {successes} successful requests the client repeated {repeated or 'none'}"


@dataclass(frozen=True)
class Evidence:
    """The calls of one client.

    Attributes:
        calls: the calls that are over and not shared, and that got a fault or were retried, by their beginning.
        open: calls that may still go on; checks judge only what has already happened in them.
        turnaround: the client's speed.
        driven: whether a driver made the calls, so that each has its own key and its end is known.
        profile: the promises for the client.
        detected: whether the profile was found by the user agent, instead of chosen by the user.
        left_out: the number of calls that do not count, by reason: `shared`, `open`, ….
        shared: the calls left out because calls for the same object at the same time cannot be distinguished, by
            their target.
        contrast: whether the client repeats successes as it repeats failures.
        copies: by method, the copies that the client sends of unanswered requests.
        requests: all requests of the client, in order of arrival.
        silence: the calls of a test or a driver without a request.
        named_calls: all requests of each named call, as one call, without named calls that overlap.
        overlapping: for each named call that overlaps another, all requests that may belong to it, also those of other
            clients.
        replaced: the calls whose object a driver replaced meanwhile; besides these, only `named_calls` has them. A
            client may do anything with such a download, except make one object of two versions.
        findings: the findings of the checks that have been called so far, by name.
    """

    calls: Sequence[Call]
    open: Sequence[Call]
    turnaround: Turnaround
    driven: bool
    profile: Profile
    detected: bool
    left_out: dict[str, int]
    shared: Collection[Sequence[Call]]
    contrast: Contrast
    copies: Mapping[str, Copies]
    requests: Sequence[Attempt]
    silence: Silence
    named_calls: Sequence[Call]
    overlapping: Mapping[CallWindow, Sequence[Attempt]]
    replaced: Sequence[Call]
    findings: dict[str, list[Finding]] = field(default_factory=dict)

    @property
    def everyone(self) -> tuple[Call, ...]:
        """All calls, open ones too."""
        return (*self.calls, *self.open)

    @cached_property
    def vendors(self) -> frozenset[str]:
        """The vendors of the client, by its user agent, its profile and the errors that it got."""
        agents = {
            *(request.user_agent or "" for request in self.requests),
            *(mark.text for mark in self.profile.marks),
        }
        own = (
            vendor
            for vendor, marks in SDKS.items()
            if any(mark in agent for mark in marks for agent in agents)
        )
        rows = (attempt.documented for call in self.everyone for attempt in call.attempts)
        return frozenset((*own, *(vendor_of(row.vendor) for row in rows if row is not None)))

    @cached_property
    def outages(self) -> dict[str, list[Call]]:
        """The calls of each name without any success, by their beginning; open ones too."""
        named = grouped((call for call in self.everyone if call.name), lambda call: call.name or "")
        return {
            name: sorted(calls, key=lambda call: call.first.arrived)
            for name, calls in named.items()
            if len(calls) >= OUTAGE and not any(call.succeeded for call in calls)
        }

    def crowded(self, matters: Callable[[Attempt], bool], fewest: int) -> list[Call]:
        """Find shared calls with requests that matter: it is unknown which were retried.

        Args:
            matters: returns whether a check would judge what followed a request.
            fewest: the smallest number of such requests for one target.
        """
        crowded: list[Call] = []
        for same in self.shared:
            numbers = [sum(map(matters, call.attempts)) for call in same]
            if sum(numbers) >= fewest:
                crowded += [call for call, number in zip(same, numbers, strict=True) if number]
        return crowded

    @cached_property
    def waits(self) -> list[Wait]:
        """The waits that can be measured, also those of open calls.

        In an outage the machine is busy. So the waits in outages count only if there is no wait before a second or
        later retry outside of them. The waits of a program that first goes through all its work, and then retries the
        failures, do not count: they are as long as that work.
        """
        every = [
            wait
            for call in self.everyone
            for wait in waits_of(call)
            if not self.may_be_resent(wait.before, call.attempts[wait.retry])
        ]
        calm = [wait for wait in every if wait.call.name not in self.outages]
        measured = calm if any(wait.retry > 1 for wait in calm) else every
        passes = {
            retry
            for retry, waits in grouped(measured, lambda wait: wait.retry).items()
            if len(waits) >= FEWEST and all(wait.call.inferred for wait in waits) and _is_pass(waits)
        }
        return [wait for wait in measured if wait.retry not in passes]

    @cached_property
    def waits_by_number(self) -> dict[tuple[str, int], Group]:
        """The waits by kind of failure and number of the retry, in that order."""
        by_number = grouped(self.waits, lambda wait: (wait.kind, wait.retry))
        ordered = sorted(by_number, key=lambda key: (KINDS.index(key[0]), key[1]))
        return {key: self.group(by_number[key]) for key in ordered}

    @cached_property
    def under_other_ids(self) -> dict[tuple[str, str], list[Call]]:
        """Failed calls that came again with another id of an SDK, by method and answer.

        The SDK repeats no id, so the ids do not show whether a layer above it or the caller repeated the calls. At
        least half of the failures with that answer came again.
        """
        repeated: dict[tuple[str, str], list[Call]] = {}
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
                    repeated[method, answer] = again
        return repeated

    def may_be_under_other_ids(self, call: Call) -> bool:
        """Whether calls with this method and answer may belong together under several ids."""
        return (call.first.method, call.first.answer) in self.under_other_ids

    def held_back(self, call: Call, *, alike: bool = True) -> bool:
        """Whether a circuit breaker opened within the client's first wait, and so ended the call.

        If no breaker is known for calls of that name, a breaker counts that gave callers of other names the same error.

        Args:
            call: the call.
            alike: whether its caller must have got the same error as the callers of calls without a request.
        """
        error = error_class(call.error)
        # If calls overlap, it is unknown which caller got which error.
        alike = alike and (call.returned is not None or error is not None)
        unseen = not self._openings(call, ANY) and (None, error) in self.silence.openings
        if alike and (unseen or error in self.silence.errors):
            return not call.retries
        failed, waits = answered_at(call.first), max(self._first_wait, call.first.hint or 0.0)
        opened = self._openings(call, error if alike else ANY)
        place = bisect_left(opened, failed)
        return not call.retries and any(moment <= failed + waits for moment in opened[place : place + 1])

    def may_be_held_back(self, call: Call) -> bool:
        """Whether a circuit breaker may have ended a call, if no call without a request shows it.

        A breaker may have opened if the client's last five or more requests had failed by the end of its first wait
        or of the call, and no request came in the next 5 s. A request right after the failure shows instead that the
        caller had ended the call. It does not show this if it came on another connection that was used before, or if
        a breaker is known to have opened.
        """
        requests, begun = self.requests, bisect_left(self._arrivals, call.first.arrived)
        failed, told_end = answered_at(call.first), call.window and call.window.ended
        due = failed + max(self._first_wait or FIRST_WAIT, call.first.hint or 0.0)
        end = bisect_right(self._arrivals, min(due, told_end or inf))
        row = list(
            takewhile(lambda request: request.failed, reversed(requests[max(0, end - LOOK_BACK) : end]))
        )
        if call.retries or len(row) < max(OPENS_A_BREAKER, end - begun):
            return False
        # Among parallel callers, one may take the connection that another leaves while it waits.
        side_by_side = any(after.arrived < answered_at(before) for after, before in pairwise(row))
        at_once = not side_by_side and any(
            0 <= request.arrived - failed < self.turnaround.at_once
            and (request.connection == call.first.connection or not self._was_used(request))
            for request in requests[begun + 1 : begun + 2]
        )
        until = self._arrivals[end] if end < len(requests) else inf
        return (self.has_a_breaker or not at_once) and until - answered_at(row[0]) >= LEAST_OPEN

    @property
    def has_a_breaker(self) -> bool:
        """Whether calls failed without a request because of failures before them."""
        return bool(self.silence.openings)

    def _openings(self, call: Call, error: str | None) -> Sequence[float]:
        return self.silence.openings.get((call.name if self.driven else None, error), ())

    def may_be_copy(self, before: Attempt, after: Attempt) -> bool:
        """Whether a client that sends copies may have sent this request before it read the answer.

        The journal has the time at which an answer left the server; on a busy machine the client reads it later. A
        request with a retry mark is a retry.
        """
        copies = self.copies.get(before.method)
        if copies is None or before.answered is None or marked(after):
            return False
        # The turnaround is measured while no other request is under way; a client that sends copies may be slower.
        noise = max(self.turnaround.noise, UNMEASURED * self.turnaround.speed)
        return after.arrived - noise <= max(before.answered, before.arrived + copies.after)

    def may_be_resent(self, before: Attempt, after: Attempt) -> bool:
        """Whether a transport may have sent the request again.

        If the client numbers its attempts, only the numbers count: a transport repeats a request with its number.
        """
        one, other = ((attempt.attempt_hint or {}).get("attempt") for attempt in (before, after))
        if before.kind == "transport" and before.status is None and None not in (one, other):
            return one == other and invocation(before) == invocation(after)
        return self._was_used(before) and is_resent(before, after, self.turnaround.zero)

    def fewest_attempts(self, call: Call) -> int:
        """Count the attempts of a call, without those that a transport may have sent again."""
        return len(call.attempts) - sum(starmap(self.may_be_resent, pairwise(call.attempts)))

    @cached_property
    def _first_wait(self) -> float:
        """The longest first wait of the client's own choice; 0 if there is none.

        If there are only one or two waits, longer ones may occur: then the result is at least `FIRST_WAIT`. A request
        after a refusal, such as one with a new token, is no retry.
        """
        own = [
            call
            for call in self.everyone
            if call.retries
            and call.first.hint_form is None
            and call.first.kind in KINDS
            and not self.may_be_resent(*call.attempts[:2])
        ]
        least = FIRST_WAIT if 0 < len(own) < FEWEST else 0.0
        # A copy comes before the answer, so its wait is negative.
        return max([least, *(call.gaps[0] or 0.0 for call in own)])

    @cached_property
    def _connections(self) -> dict[tuple[str | None, int | None], float]:
        """The time of the first request on each connection."""
        # In reversed order the first request overwrites the later ones.
        return {
            (request.client, request.connection): request.arrived
            for request in reversed(self.requests)
            if request.connection is not None
        }

    def _was_used(self, attempt: Attempt) -> bool:
        """Whether a request came on a connection that its client had used before."""
        return self._connections.get((attempt.client, attempt.connection), inf) < attempt.arrived

    @cached_property
    def _arrivals(self) -> list[float]:
        return [request.arrived for request in self.requests]

    @cached_property
    def _since(self) -> list[float]:
        """For each request, the time since which the client has sent requests without a pause.

        A pause is longer than twice the time that one request takes.
        """
        pause = 2 * WORK * self.turnaround.speed
        since = self._arrivals[:1]
        for before, arrival in pairwise(self._arrivals):
            since.append(since[-1] if arrival - before <= pause else arrival)
        return since

    def group(self, waits: Sequence[Wait]) -> Group:
        """Group waits, at least one, that are judged together."""
        return Group(waits, self.turnaround, self._arrivals, self._since)


def _is_pass(waits: Sequence[Wait]) -> bool:
    """Whether a program went through all its work, and then retried the failures."""
    after = min(wait.arrived for wait in waits) - max(answered_at(wait.before) for wait in waits)
    return 0 <= after <= RARE * median([wait.seconds for wait in waits])


def opening(silent: CallWindow, answered: Sequence[Attempt]) -> float | None:
    """Find the time at which a circuit breaker opened that may have ended a call, or None.

    Three transient failures must come before the call, the last one a few seconds before at most. Requests that
    arrived right after that failure were already on their way.

    Args:
        silent: the call, which made no request.
        answered: the requests of its client's calls, by the times of their answers.
    """
    end = bisect_right(answered, silent.began, key=answered_at)
    before = answered[max(0, end - LOOK_BACK) : end]
    failed = [number for number, attempt in enumerate(before) if attempt.kind in (*KINDS, "timeout")]
    if len(failed) < FEWEST:
        return None
    opened, behind = answered_at(before[failed[-1]]), before[failed[-1] + 1 :]
    on_their_way = all(attempt.arrived <= opened + AT_ONCE for attempt in behind)
    return opened if on_their_way and silent.began - opened <= SOON else None


def answered_at(attempt: Attempt) -> float:
    """The time at which a request was answered, or was over; infinity if it is not."""
    return inf if attempt.answered is None else attempt.answered
