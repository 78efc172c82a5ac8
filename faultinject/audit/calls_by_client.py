"""Selects the calls to judge, by client."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from math import log2

from faultinject.audit import profiles
from faultinject.audit.evidence import Contrast, Copies, Evidence, Silence
from faultinject.audit.grouping import OTHER_BODY, POLL, SOON, WINDOW, AttemptInContext
from faultinject.audit.matching import UNNAMED, client_of, fingerprint, thing_of, title_of
from faultinject.audit.profiles import Profile
from faultinject.audit.statistics import FEWEST, grouped, median
from faultinject.audit.waits import Turnaround
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow
from faultinject.journal.calls import Call

JUDGED = 20
"""The largest number of clients that are judged; those with the most calls are chosen."""
REPLACED = "replaced"
"""A driver's name for calls whose object it replaces: only `mixed versions` judges them."""
MOST_COPIES = 10
"""The number of requests after one that may be copies of it."""
SHORTEST = 1e-4
"""Seconds; shorter intervals count as equal."""
NEVER = 10**6
"""Stands for the step (`_step`) of a request that was never repeated."""


class Habits:
    """The repeats without a failure: heartbeats, polls, and loops over the same things.

    A repeat after a failure proves a retry only if the client makes no such repeats after a success.

    Args:
        requests: in order of arrival. A repeat in another call window is no habit.
    """

    def __init__(self, requests: Iterable[AttemptInContext]) -> None:
        things = grouped(requests, lambda request: _thing(request.attempt, request.fingerprint))
        self._intervals: dict[Hashable, set[int]] = {}
        self._shortest: dict[tuple[str, str], list[int]] = {}
        for thing, same in things.items():
            shortest = NEVER
            for one, other in zip(same, [*same[1:], None], strict=True):
                last = one.attempt
                well = last.status is not None and not last.failed
                if (
                    other is not None
                    and other.attempt.arrived - last.arrived <= WINDOW
                    and one.windows == other.windows
                ):
                    if well and last.answered is not None and last.answered <= other.attempt.arrived:
                        step = _step(other.attempt.arrived - last.answered)
                        shortest = min(shortest, step)
                        self._intervals.setdefault(thing, set()).add(step)
                    continue
                if well or shortest < NEVER:
                    self._shortest.setdefault((client_of(last.user_agent), last.method), []).append(shortest)
                shortest = NEVER
        self._usual = {kind: round(median(steps)) for kind, steps in self._shortest.items()}

    def explains(self, attempt: Attempt, interval: float) -> bool:
        """Whether the client repeats successes too, after half to twice this interval.

        A client that loops over its work repeats most successes, so a repeat after a failure may be the loop's.
        """
        usual = self._usual.get((client_of(attempt.user_agent), attempt.method))
        return not {
            usual if interval >= POLL else None,
            *self._intervals.get(_thing(attempt, fingerprint(attempt)), ()),
        }.isdisjoint(range(_step(interval) - 1, _step(interval) + 2))

    def contrast(self, client: str, method: str, within: float) -> tuple[int, int]:
        """Count a client's successes by a method: those that it repeated, and all of them.

        Equal requests in a row count once. Only repeats within these seconds count.
        """
        shortest = self._shortest.get((client, method), [])
        return sum(step <= _step(within) for step in shortest), len(shortest)


def _thing(attempt: Attempt, asked: Hashable) -> Hashable:
    """The identity of a request: fingerprint, principal and length of its body."""
    return asked, attempt.principal, attempt.request_bytes


def _step(seconds: float) -> int:
    """Find the power of two nearest to an interval."""
    return round(log2(max(seconds, SHORTEST) / SHORTEST))


class CallsByClient:
    """The calls of a journal, by client.

    Args:
        requests: all requests, in order of arrival.
        calls: the calls that they belong to.
        driven: whether a driver made them all; then there is one client, whatever its user agent.

    Attributes:
        names: the clients to judge, the one with the most calls first; there is at least one.
    """

    def __init__(self, requests: Sequence[AttemptInContext], calls: Iterable[Call], *, driven: bool) -> None:
        self._driven = driven
        self._habits = Habits(requests)
        attempts = [request.attempt for request in requests]
        self._agents = Counter(client_of(attempt.user_agent) for attempt in attempts)
        self._attempts = grouped(attempts, self.client)
        self._calls: dict[str, list[Call]] = {}
        self._replaced: list[Call] = []
        self._clean: Counter[str] = Counter()
        self._left_out: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for call in calls:
            client, first = self.client(call.first), call.first
            retried_or_failed = call.retries or first.failed or first.injected or call.cut
            if driven and call.name == REPLACED:
                self._replaced.append(call)
            elif not (driven or retried_or_failed) and call.closed:
                self._clean[client] += 1
            else:
                self._calls.setdefault(client, []).append(call)
        by_size = sorted(self._calls, key=lambda client: -len(self._calls[client]))
        for further in by_size[JUDGED:]:
            self._left_out[further]["further clients"] = len(self._calls[further])
        self.names = by_size[:JUDGED] or ["" if driven else _commonest(self._clean)]

    def client(self, attempt: Attempt) -> str:
        """Find the client of an attempt."""
        return "" if self._driven else client_of(attempt.user_agent)

    def titles(self) -> dict[str, str]:
        """Names of the clients: product and version, or the whole user agent if two are equal."""
        if self._driven:
            return {name: title_of(_commonest(self._agents)) for name in self.names}
        titles = Counter(map(title_of, self.names))
        return {name: title if titles[title := title_of(name)] == 1 else name for name in self.names}

    def evidence(
        self,
        client: str,
        turnaround: Turnaround,
        profile: Profile | None,
        silence: Silence,
        named_calls: Sequence[Call],
        overlapping: Mapping[CallWindow, Sequence[Attempt]],
    ) -> Evidence:
        """Collect the evidence on one client.

        Args:
            client: one of `names`.
            turnaround: the client's speed.
            profile: the client's promises; None: found by its user agent.
            silence: the calls without a request, as in `Evidence`.
            named_calls: the named calls, as in `Evidence`.
            overlapping: the named calls that overlap, as in `Evidence`.
        """
        own_calls = sorted(self._calls.get(client, ()), key=_began)
        contrast = self._contrast(client, own_calls)
        keeps_bytes = _keeps_bytes(own_calls)

        def reason_against(call: Call) -> str:
            excused = keeps_bytes and OTHER_BODY in (call.followed, call.follows)
            # If a client never repeats a success, each repeat is a retry, on any connection.
            unsure = not contrast.shows_retries(call.first.method) if call.crossed else call.shared
            if unsure:
                return "shared"
            if call.cut or (call.follows and not excused):
                return "begun earlier"
            if self._is_habit(call):
                return "repeated"
            if call.followed and not excused:
                return "followed"
            return "" if call.closed else "open"

        by_reason = grouped(own_calls, reason_against)
        counted = by_reason.pop("", [])
        self._left_out[client].update({reason: len(calls) for reason, calls in by_reason.items()})
        return Evidence(
            copies=_copies(own_calls),
            calls=counted,
            open=sorted((*by_reason.get("followed", ()), *by_reason.get("open", ())), key=_began),
            turnaround=turnaround,
            driven=self._driven,
            profile=profile or profiles.detect(_commonest(self._agents) if self._driven else client),
            detected=profile is None,
            left_out=dict(self._left_out[client]),
            shared=grouped(by_reason.get("shared", ()), thing_of).values(),
            contrast=contrast,
            requests=self._attempts.get(client, ()),
            silence=silence,
            named_calls=named_calls,
            overlapping=overlapping,
            replaced=self._replaced,
        )

    def _contrast(self, client: str, calls: Sequence[Call]) -> Contrast:
        """Compare repeats after a success with those after a failure, by method."""
        longest = {
            method: max([SOON, *(2 * (gap or 0.0) for call in same for gap in call.gaps)])
            for method, same in grouped(calls, lambda call: call.first.method).items()
        }
        return Contrast(
            {method: self._habits.contrast(client, method, within) for method, within in longest.items()}
        )

    def _is_habit(self, call: Call) -> bool:
        """Whether the client also makes this repeat without a failure."""
        return call.inferred and any(
            gap is not None and self._habits.explains(attempt, gap)
            for attempt, gap in zip(call.attempts[1:], call.gaps, strict=True)
        )

    @property
    def left_out(self) -> dict[str, int]:
        """The number of calls that no check counts, by reason."""
        return dict(sum(self._left_out.values(), Counter()))


def _began(call: Call) -> tuple[int, float]:
    return call.first.clock, call.first.arrived


def _keeps_bytes(calls: Sequence[Call]) -> bool:
    """Whether a client's retries have the same body, so that another body is another call."""
    same = sum(call.same_digests and bool(call.first.request_bytes) for call in calls)
    return same >= FEWEST and all(call.other_bytes is None for call in calls)


def _copies(calls: Sequence[Call]) -> dict[str, Copies]:
    """Find, by method, the copies that a client sends of two unanswered requests or more.

    A copy is an equal request that is sent before the answer. Only calls that a fingerprint alone separates can have
    copies in one another. A client that times out leaves before it retries, so that retry is not a copy; a client that
    gets its answer from a copy leaves after it. A server may notice late that a client has left. A request that came
    again before the server noticed that is a retry after a time-out, too, and not a copy, if at least as many requests
    came again after their server had noticed it.
    """
    copied: dict[str, list[Sequence[Attempt]]] = {}
    timed_out: Counter[str] = Counter()
    requests = [(call, attempt) for call in calls for attempt in call.attempts]
    for same in grouped(
        requests, lambda one: (None if one[0].inferred else one[0], fingerprint(one[1]))
    ).values():
        ordered = sorted((attempt for _, attempt in same), key=lambda attempt: attempt.arrived)
        for number, before in enumerate(ordered):
            ended = before.answered or 0.0
            some = [
                attempt for attempt in ordered[number : number + MOST_COPIES + 1] if attempt.arrived < ended
            ]
            in_time = not before.left or any((attempt.answered or ended) < ended for attempt in some[1:])
            if some[1:] and in_time:
                copied.setdefault(before.method, []).append(some)
                break
            timed_out[before.method] += before.left and any(
                attempt.arrived <= ended + SOON for attempt in ordered[number + 1 : number + 2]
            )
    for method, things in copied.items():
        if sum(some[0].left for some in things) <= timed_out[method]:
            copied[method] = [some for some in things if not some[0].left]
    return {
        method: Copies(
            max(len(some) - 1 for some in things),
            median([some[1].arrived - some[0].arrived for some in things]),
        )
        for method, things in copied.items()
        if len(things) > 1
    }


def _commonest(counts: Counter[str]) -> str:
    return counts.most_common(1)[0][0] if counts else UNNAMED
