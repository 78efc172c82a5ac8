"""The calls that are to be judged, by client, and no more of them than there is room for."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from faultinject.audit import profiles
from faultinject.audit.evidence import Contrast, Evidence
from faultinject.audit.grouping import OTHER_BODY, SOON
from faultinject.audit.matching import UNNAMED, client_of, fingerprint, title_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from faultinject.audit.evidence import Turnaround
    from faultinject.audit.habits import Habits
    from faultinject.audit.profiles import Profile
    from faultinject.journal.attempts import Attempt
    from faultinject.journal.calls import Call

MOST = 100_000
"""Attempts of calls that count which are kept; later calls are left out."""
CLIENTS, JUDGED = 1_000, 20
"""How many clients are told apart, and how many of them, those with the most calls, are judged."""
SAME_BYTES = 3
"""Calls that sent the same body again, after which another body is another call."""
FURTHER = "further clients"
"""What the others are called."""


class CallsByClient:
    """The calls that were told, by client.

    Args:
        driven: whether a driver made them all: then there is one client, whatever it calls itself.
        habits: what clients ask for again although all was well.

    Attributes:
        attempts: how many requests were seen.
        signal: how many calls each signal joined.
    """

    def __init__(self, *, driven: bool, habits: Habits) -> None:
        self.attempts = 0
        self.signal: Counter[str] = Counter()
        self._driven = driven
        self._habits = habits
        self._calls: dict[str, list[Call]] = {}
        self._clean: Counter[str] = Counter()
        self._left_out: dict[str, Counter[str]] = {}
        self._room = MOST
        self._agents: Counter[str] = Counter()
        self._spans: dict[int, tuple[float, float]] = {}

    def client(self, attempt: Attempt) -> str:
        """Whose an attempt is."""
        return "" if self._driven else self._name(attempt)

    def see(self, attempt: Attempt) -> None:
        """Count an attempt."""
        self.attempts += 1
        now = attempt.arrived
        first, last = self._spans.get(attempt.clock, (now, now))
        self._spans[attempt.clock] = min(first, now), max(last, now)
        self._agents[self._name(attempt)] += 1

    def take(self, call: Call) -> None:
        """Keep a call to which something was done, or that was tried again; count one to which nothing was."""
        self.signal[call.signal] += 1
        client, first = self.client(call.first), call.first
        touched = call.retries or first.failed or first.injected
        if not (self._driven or touched or call.shared or call.cut) and call.closed:
            self._clean[client] += 1
        elif self._room < len(call.attempts):
            self._leave_out(client, "too many")
        else:
            self._room -= len(call.attempts)
            self._calls.setdefault(client, []).append(call)

    def clients(self) -> list[str]:
        """Those that are to be judged, the one with the most calls first; there is always one."""
        found = sorted(self._calls, key=lambda each: -len(self._calls[each]))
        for each in found[JUDGED:]:
            self._leave_out(each, FURTHER, len(self._calls[each]))
        return found[:JUDGED] or ["" if self._driven else _commonest(self._clean, UNNAMED)]

    def names(self, clients: Sequence[str]) -> dict[str, str]:
        """What clients are called: name and version, or all that they say of themselves where that is the same."""
        if self._driven:
            return {each: title_of(_commonest(self._agents, UNNAMED)) for each in clients}
        titles = Counter(title_of(each) for each in clients)
        return {each: title if titles[title := title_of(each)] == 1 else each for each in clients}

    def evidence(self, client: str, turnaround: Turnaround, profile: Profile | None) -> Evidence:
        """What there is on one client.

        Args:
            client: one of `clients`.
            turnaround: how fast it is.
            profile: what it promises; None: found by its user agent.
        """
        found = sorted(self._calls.get(client, ()), key=_beginning)
        contrast = self._contrast(client, found)
        keeps_bytes = _keeps_bytes(found)
        counted: list[Call] = []
        running: list[Call] = []
        shared: list[Call] = []
        for call in found:
            excused = keeps_bytes and OTHER_BODY in (call.followed, call.follows)
            crosses = call.crossed or _crosses(call)
            if (call.shared and not call.crossed) or (
                crosses and not contrast.shows_retries(call.first.method)
            ):
                self._leave_out(client, "shared")
                shared.append(call)
            elif call.cut or (call.follows and not excused):
                self._leave_out(client, "begun earlier")
            elif self._is_habit(call):
                self._leave_out(client, "repeated")
            elif call.followed and not excused:
                self._leave_out(client, "followed")
                running.append(call)
            elif call.closed:
                counted.append(call)
            else:
                self._leave_out(client, "open")
                running.append(call)
        agent = _commonest(self._agents, "") if self._driven else client
        return Evidence(
            hedges=_hedges(found),
            calls=counted,
            open=running,
            clean=self._clean[client],
            turnaround=turnaround,
            driven=self._driven,
            profile=profile or profiles.detect(agent),
            detected=profile is None,
            left_out=dict(self._left_out.get(client, {})),
            shared=shared,
            contrast=contrast,
        )

    def _contrast(self, client: str, calls: Sequence[Call]) -> Contrast:
        """What came again after a success as soon as other things did after a failure, by method."""
        longest: dict[str, float] = {}
        for call in calls:
            method = call.first.method
            longest[method] = max([longest.get(method, SOON), *(2 * (gap or 0.0) for gap in call.gaps)])
        return Contrast(
            {method: self._habits.contrast(client, method, within) for method, within in longest.items()}
        )

    def _is_habit(self, call: Call) -> bool:
        """Whether what looks like a retry comes just so where nothing has failed."""
        return call.inferred and any(
            gap is not None and self._habits.explains(attempt, gap)
            for attempt, gap in zip(call.attempts[1:], call.gaps, strict=True)
        )

    @property
    def left_out(self) -> dict[str, int]:
        """How many calls of all clients count for no check, by reason."""
        return dict(sum(self._left_out.values(), Counter()))

    @property
    def seconds(self) -> float:
        """From the first request to the last, by the clock that saw the longest time."""
        return max((last - first for first, last in self._spans.values()), default=0.0)

    def _leave_out(self, client: str, reason: str, number: int = 1) -> None:
        self._left_out.setdefault(client, Counter())[reason] += number

    def _name(self, attempt: Attempt) -> str:
        """What its client calls itself; when very many do, the later ones are one."""
        name = client_of(attempt.user_agent)
        return name if name in self._agents or len(self._agents) < CLIENTS else FURTHER


def _beginning(call: Call) -> tuple[int, float]:
    return call.first.clock, call.first.arrived


def _keeps_bytes(calls: Sequence[Call]) -> bool:
    """Whether a client is seen to send the same body again when it tries again, so that another body is another call."""
    same = sum(
        call.other_bytes is None
        and len({each.request_digest for each in call.attempts if each.request_digest}) == 1
        and sum(each.request_digest is not None for each in call.attempts) > 1
        and bool(call.first.request_bytes)
        for call in calls
    )
    return same >= SAME_BYTES and all(call.other_bytes is None for call in calls)


def _hedges(calls: Sequence[Call]) -> bool:
    """Whether a client is seen to send copies of what is not answered yet, of two things or more."""
    requests: dict[Hashable, list[Attempt]] = {}
    for call in calls:
        requests.setdefault(fingerprint(call.first), []).extend(call.attempts)
    doubled = 0
    for found in requests.values():
        found.sort(key=lambda each: each.arrived)
        doubled += any(
            before.answered is not None and after.arrived < before.answered
            for before, after in pairwise(found)
        )
    return doubled > 1


def _crosses(call: Call) -> bool:
    """Whether looks alone joined requests of several connections that took turns, as those of several callers do."""
    if not call.inferred:
        return False
    turns = [call.first.connection]
    for each in call.attempts[1:]:
        if each.connection != turns[-1]:
            if each.connection in turns and None not in turns:
                return True
            turns.append(each.connection)
    return False


def _commonest(counts: Counter[str], default: str) -> str:
    return counts.most_common(1)[0][0] if counts else default
