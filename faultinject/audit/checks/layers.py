"""What retries add up to: layers that multiply them, a budget that ends them, copies that double them."""

from __future__ import annotations

from faultinject.audit.call import SDK_ID, TOLD
from faultinject.audit.checks.again import FEWEST, LAYER, OR_A_CALLER
from faultinject.audit.checks.check import check, failed, passed, unknown, warned
from faultinject.audit.checks.questions import pause
from faultinject.audit.checks.words import counted, ordinal, plain, seconds, too_few
from faultinject.audit.likeness import fingerprint
from faultinject.audit.statistics import median
from faultinject.audit.waits import KINDS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from faultinject.audit.attempts import Attempt
    from faultinject.audit.call import Call
    from faultinject.audit.checks.check import Said
    from faultinject.audit.evidence import Evidence

EXHAUSTED = 5
"""Calls that failed to the end that it takes to tell one layer from several."""
DROPS = 6
"""Times that the wait has to fall, to be taken for a layer that begins anew."""
FALLS, RISES, SHARE = 2.0, 1.5, 0.8
"""By how much the wait falls in the middle, and rises again, and in what share of all cases it does so at all."""
FLOOR = 0.001
"""Seconds; shorter waits are as good as equal."""
SLOW = 0.3
"""Seconds after which an answer counts as slow."""
SAVED, WASTED = 1.1, 0.7
"""Attempts per call in the last third of an outage that a budget leaves at most, and the share of the first third's
that shows that there is none."""


@check(
    "budget",
    reference="Google SRE book: Handling Overload; AWS SDKs: retry behavior",
    minimum="an outage of 100 calls",
)
def budget(evidence: Evidence) -> Iterator[Said]:
    """When everything fails for long, a client stops trying again.

    In an outage (100 calls of one client and one name, all of which fail) the attempts per call in the last third
    against those in the first. PASS: at most 1.1. WARN: more than 70 % of the first third's; FAIL where the profile
    promises a budget.
    """
    if not evidence.outages:
        yield unknown(0, "no outage of 100 calls of one client seen: `faultinject conformance` makes one")
        return
    for calls in evidence.outages.values():
        third = len(calls) // 3
        n, late = len(calls), calls[-third:]
        before, after = (sum(len(call.attempts) for call in part) / third for part in (calls[:third], late))
        again = sum(call.retries for call in calls)
        told = f"requests per call {before:.1f} → {after:.1f}, {counted(again, 'retry')} in {n} calls"
        promised = evidence.profile is not None and evidence.profile.budget
        if any(not call.closed for call in calls):
            yield unknown(n, f"{told} so far: some have not ended", late)
        elif after <= SAVED:
            yield passed(n, told, late)
        elif after > WASTED * before:
            yield (failed if promised else warned)(n, f"{told}: nothing holds them back", late)
        else:
            yield unknown(n, f"{told}: a longer outage would tell", late)


@check(
    "one layer",
    reference="Google SRE book: Handling Overload; Azure: transient fault handling",
    minimum="5 calls that failed to the end",
)
def one_layer(evidence: Evidence) -> Iterator[Said]:
    """Only one layer tries again.

    With an SDK's ids: calls that failed to the end and were followed within 10 s by another one for the same thing,
    at two things or more (FAIL; at one: nothing is said). Else: calls of p × q attempts in which the wait falls after
    every p-th, to less than half in the middle and in 80 % of 6 cases or more, and is longer again before the next
    p-th likewise (WARN).
    """
    ended = [call for call in evidence.calls if call.first.kind in KINDS and call.last.kind in KINDS]
    if len(ended) < EXHAUSTED:
        yield unknown(
            len(ended),
            too_few(len(ended), EXHAUSTED, "failed call", "let calls fail to the end: http:503"),
            ended,
        )
        return
    chains = _chains(evidence)
    if len(chains) > 1:
        longest = max(chains, key=len)
        told = f"{len(chains)} things were asked for by up to {len(longest)} calls of the SDK in a row"
        doubt = "" if evidence.driven else OR_A_CALLER
        yield failed(len(ended), f"{told}: a layer above tries again{doubt}", longest)
        return
    pattern = _pattern([call for call in ended if call.signal != SDK_ID])
    if pattern is not None:
        attempts, part, falls, calls = pattern
        told = f"{attempts} attempts = {attempts // part} × {part}"
        told += f": the wait falls by {plain(min(falls, 1000))} after every {ordinal(part)}"
        yield warned(len(ended), told, calls)
    elif chains:
        yield unknown(
            len(ended), "one thing was asked for again by a layer above: was it the caller?", chains[0]
        )
    else:
        yield passed(len(ended), f"no sign of a second layer in {len(ended)} failed calls", ended)


def _chains(evidence: Evidence) -> list[list[Call]]:
    """The longest row of failed calls of an SDK for each thing that has one: one call after the other, soon."""
    things: dict[Hashable, list[Call]] = {}
    for call in evidence.calls:
        if call.signal == SDK_ID:
            things.setdefault(fingerprint(call.first), []).append(call)
    found = []
    for calls in things.values():
        rows: list[list[Call]] = []
        for call in calls:
            if call.succeeded or call.first.kind not in KINDS:
                rows.append([])
            elif rows and rows[-1] and 0 <= pause(rows[-1][-1], call) <= LAYER:
                rows[-1].append(call)
            else:
                rows.append([call])
        longest = max(rows, key=len)
        if len(longest) > 1:
            found.append(longest)
    return found


def _pattern(calls: Sequence[Call]) -> tuple[int, int, float, list[Call]] | None:
    """The number of attempts, of those in one part, by what the wait falls after it, and the calls."""
    by_length: dict[int, list[Call]] = {}
    for call in calls:
        if not any(each.hint_form for each in call.attempts):
            by_length.setdefault(len(call.attempts), []).append(call)
    best = None
    for attempts, same in by_length.items():
        for part in range(2, attempts // 2 + 1):
            if attempts % part:
                continue
            drops = [each for call in same for each in _drops(call, part)]
            if len(drops) < DROPS:
                continue
            falls, rises = ([each[side] for each in drops] for side in (0, 1))
            deep = all(
                sum(each > 1 for each in ratios) >= SHARE * len(drops) and median(ratios) > least
                for ratios, least in ((falls, FALLS), (rises, RISES))
            )
            if deep and (best is None or median(falls) > best[2]):
                best = attempts, part, median(falls), same
    return best


def _drops(call: Call, part: int) -> Iterator[tuple[float, float]]:
    """How many times longer the waits before every `part`-th attempt and before the next such one were than that between.

    Waits that only become shorter and shorter fall as well, but do not rise again.
    """
    gaps = [None if gap is None else max(gap, FLOOR) for gap in call.gaps]
    for index in range(part - 1, len(gaps), part):
        before, between, later = gaps[index - 1], gaps[index], gaps[index + part - 1]
        if before is not None and between is not None and later is not None:
            yield before / between, later / between


@check(
    "overlap",
    reference="none: a second copy doubles the load",
    minimum="3 slow requests of calls with own keys",
)
def overlap(evidence: Evidence) -> Iterator[Said]:
    """A request that is slow is not sent a second time meanwhile.

    Of the requests that were answered after 300 ms or more by `latency`, how many had a copy before their answer.
    FAIL: any. Only where a driver or a test says which requests belong together.
    """
    if not evidence.driven and not any(call.signal == TOLD for call in evidence.calls):
        yield unknown(
            0, "copies of a request cannot be told from other calls: `faultinject conformance` decides"
        )
        return
    arrivals: dict[Hashable, list[float]] = {}
    slow: list[tuple[Call, Attempt]] = []
    for call in evidence.calls:
        if evidence.driven or call.signal == TOLD:
            arrivals.setdefault(fingerprint(call.first), []).extend(each.arrived for each in call.attempts)
            slow += [(call, each) for each in call.attempts if _is_slow(each)]
    calls = [call for call, _ in slow]
    if len(slow) < FEWEST:
        yield unknown(
            len(slow),
            too_few(len(slow), FEWEST, "slow request", "delay more: latency,delay=400ms,times=1,per=call"),
            calls,
        )
        return
    copies = [
        (other - each.arrived, call)
        for call, each in slow
        for other in arrivals[fingerprint(call.first)]
        if each.arrived < other < (each.answered or 0)
    ]
    if copies:
        doubled = list({id(call): call for _, call in copies}.values())
        soonest = seconds(min(after for after, _ in copies))
        told = f"{len(doubled)} of {counted(len(slow), 'slow request')} were sent twice, the copy after {soonest}"
        yield failed(len(slow), told, doubled)
    else:
        yield passed(len(slow), f"none of {len(slow)} slow requests was sent twice", calls)


def _is_slow(attempt: Attempt) -> bool:
    return (
        attempt.did == "delayed"
        and attempt.answered is not None
        and attempt.answered - attempt.arrived >= SLOW
    )
