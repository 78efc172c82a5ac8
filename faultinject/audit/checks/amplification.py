"""How retries amplify load: a retry budget that ends them, nested retries that multiply them, copies that double requests."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from itertools import pairwise

from faultinject.audit.checks.check import check, failed, passed, unknown, warned
from faultinject.audit.checks.questions import pause
from faultinject.audit.checks.retries import FEWEST, LAYER
from faultinject.audit.checks.words import (
    NAME_THEM,
    TOO_BUSY,
    TOO_MANY,
    counted,
    ordinal,
    plain,
    seconds,
    too_few,
)
from faultinject.audit.grouping import POLL
from faultinject.audit.matching import fingerprint
from faultinject.audit.statistics import median
from faultinject.audit.waits import KINDS, LATEST, lateness
from faultinject.journal.calls import SDK_ID, TOLD

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from faultinject.audit.checks.check import Said
    from faultinject.audit.evidence import Evidence
    from faultinject.journal.attempts import Attempt
    from faultinject.journal.calls import Call

EXHAUSTED = 5
"""Calls that failed to the end that it takes to tell one layer from several."""
DROPS = 8
"""Times that the wait has to fall, to be taken for a layer that begins anew."""
FALLS, RISES, SHARE = 2.0, 1.5, 0.9
"""By how much the wait falls in the middle, and rises again, and in what share of all cases it does so at all."""
ELSEWHERE = 0.2
"""Share of the other waits that may fall as well, where waits do not become shorter within a part."""
READS = frozenset(("GET", "HEAD"))
"""Methods of which a copy does no harm."""
SLOW = 0.3
"""Seconds after which an answer counts as slow."""
SAVED, WASTED = 1.1, 0.7
"""Attempts per call in the last third of an outage that a budget leaves at most, and the share of the first third's
that shows that there is none."""


@check(
    "retry budget",
    reference="Google SRE book: Handling Overload; AWS SDKs: retry behavior",
    minimum="an outage of 100 calls",
)
def retry_budget(evidence: Evidence) -> Iterator[Said]:
    """In a long outage, a retry budget limits the retries.

    In an outage (100 calls of one client and one name, all of which fail) the attempts per call in the last third
    against those in the first. PASS: at most 1.1. WARN: more than 70 % of the first third's; FAIL where the profile
    promises a budget. Not judged where the answers had Retry-After, which a client may have followed instead.
    """
    if not evidence.outages:
        yield unknown(
            0,
            "Not enough data: no outage of 100 calls by one client. Run `faultinject conformance`, which causes one",
        )
        return
    for calls in evidence.outages.values():
        third = len(calls) // 3
        n, late = len(calls), calls[-third:]
        before, after = (sum(len(call.attempts) for call in part) / third for part in (calls[:third], late))
        again = sum(call.retries for call in calls)
        told = f"attempts per call {before:.1f} → {after:.1f}, {counted(again, 'retry')} in {n} calls"
        promised = evidence.profile is not None and evidence.profile.budget
        if any(call.last.hint_form is not None for call in calls):
            yield unknown(n, f"{told}, but the answers had Retry-After. Cause an outage without it", late)
        elif any(not call.closed for call in calls):
            yield unknown(n, f"{told} so far. Some calls have not ended", late)
        elif after <= SAVED:
            yield passed(n, told, late)
        elif after > WASTED * before:
            yield (failed if promised else warned)(n, f"{told}: no retry budget limits the retries", late)
        else:
            yield unknown(n, f"{told}. Cause a longer outage", late)


@check(
    "nested retries",
    reference="Google SRE book: Handling Overload; Azure: transient fault handling",
    minimum="5 calls that failed to the end",
)
def nested_retries(evidence: Evidence) -> Iterator[Said]:
    """Only one layer retries: retries are not nested.

    With an SDK's ids: calls that failed on every attempt and were followed within 10 s by another one for the same
    object, at two objects or more. FAIL where a driver made them, or where the client does not repeat successful calls;
    else WARN; one object alone is not judged. Where the other call succeeded: FAIL where a driver made them, or where it
    came within a second and the client does not repeat successful calls. Without ids: calls in which the wait falls at
    the beginning of each part of p attempts and rises again in it, in the median to less than half and to more than 1.5
    times, in 90 % of 8 cases or more, and elsewhere in less than 20 % (WARN).
    """
    ended = [call for call in evidence.calls if call.first.kind in KINDS and call.last.kind in KINDS]
    if len(ended) < EXHAUSTED:
        yield unknown(
            len(ended),
            too_few(
                len(ended), EXHAUSTED, "failed call", "Let calls fail on every attempt, for example http:503"
            ),
            ended,
        )
        return
    chains = _chains(evidence)
    if len(chains) > 1:
        longest = max(chains, key=len)
        told = f"{len(chains)} objects were requested by up to {len(longest)} SDK calls in a row"
        methods = {call.first.method for chain in chains for call in chain}
        if evidence.driven:
            yield failed(len(ended), f"{told}: a layer above the SDK retries", longest)
        elif all(map(evidence.contrast.shows_retries, methods)):
            why = evidence.contrast.said(methods)
            yield failed(len(ended), f"{told}: a layer above the SDK retries, as {why}", longest)
        else:
            yield warned(
                len(ended), f"{told}: a layer above the SDK retries, or the caller repeats its call", longest
            )
        return
    zero = evidence.turnaround.zero
    pattern = _pattern([call for call in ended if call.signal != SDK_ID], zero)
    if pattern is not None:
        attempts, part, falls, calls = pattern
        told = f"{attempts} attempts = {attempts // part} × {part}"
        told += (
            f": the wait falls by a factor of {plain(min(falls, 1000))} after every {ordinal(part)} attempt"
        )
        yield warned(len(ended), told, calls)
    elif chains:
        yield unknown(
            len(ended),
            f"one object was requested again, by a layer above the SDK or by the caller. {NAME_THEM}",
            chains[0],
        )
    elif again := _asked_for_again(ended):
        told = f"{counted(len(again), 'SDK call')} failed and were soon repeated"
        methods = {call.first.method for call in again}
        if evidence.driven:
            yield failed(len(ended), f"{told}: a layer above the SDK retries", again)
        elif all(map(evidence.contrast.shows_retries, methods)) and all(
            (call.again or 0) < POLL for call in again
        ):
            why = evidence.contrast.said(methods)
            yield failed(len(ended), f"{told}: a layer above the SDK retries, as {why}", again)
        else:
            yield unknown(
                len(ended), f"{told}, by a layer above the SDK or by the caller. {NAME_THEM}", again
            )
    else:
        yield passed(len(ended), f"no second retry layer in {len(ended)} failed calls", ended)


def _asked_for_again(calls: Sequence[Call]) -> list[Call]:
    """The failed calls of an SDK after which the same was asked for again, for two things or more; else none."""
    found = [call for call in calls if call.signal == SDK_ID and call.again is not None]
    return found if len({fingerprint(call.first) for call in found}) > 1 else []


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


def _pattern(calls: Sequence[Call], zero: float) -> tuple[int, int, float, list[Call]] | None:
    """The number of attempts, of those in one part, by what the wait falls where a part begins, and the calls.

    Waits that cannot be told from none are as good as equal.
    """
    by_length: dict[int, list[list[float]]] = {}
    whose: dict[int, list[Call]] = {}
    for call in calls:
        gaps = [max(gap, zero) for gap in call.gaps if gap is not None]
        if len(gaps) == call.retries and not any(each.hint_form for each in call.attempts):
            by_length.setdefault(len(call.attempts), []).append(gaps)
            whose.setdefault(len(call.attempts), []).append(call)
    best = None
    for attempts, same in by_length.items():
        for part in range(2, attempts // 2 + 1):
            # Between two parts the outer layer waits not at all, or longer than the inner one ever does.
            for first in (part - 1, part) if attempts % part == 0 else ():
                falls = _falls(same, part, first)
                if falls is not None and (best is None or falls > best[2]):
                    best = attempts, part, falls, whose[attempts]
    return best


def _falls(same: Sequence[Sequence[float]], part: int, first: int) -> float | None:
    """By what the wait falls in the middle at every `part`-th one from `first` on; None where that is no pattern."""
    falls, rises, elsewhere = [], [], []
    for gaps in same:
        for index in range(1, len(gaps)):
            ratio = gaps[index - 1] / gaps[index]
            if index < first or (index - first) % part:
                elsewhere.append(ratio > RISES)
                continue
            # Waits that only become shorter fall as well, but rise neither before nor behind.
            before = gaps[index - 1] / gaps[index - 2] if index > 1 else 0.0
            behind = max(gaps[index + 1 : index + part], default=0.0) / gaps[index]
            falls.append(ratio)
            rises.append(max(before, behind))
    if len(falls) < DROPS:
        return None
    deep = all(
        sum(each > 1 for each in ratios) >= SHARE * len(ratios) and median(ratios) > least
        for ratios, least in ((falls, FALLS), (rises, RISES))
    )
    return median(falls) if deep and sum(elsewhere) < ELSEWHERE * len(elsewhere) else None


@check(
    "overlap",
    reference="none: a second copy doubles the load",
    minimum="3 slow requests of calls with keys of their own",
)
def overlap(evidence: Evidence) -> Iterator[Said]:
    """A slow request is not sent a second time before it is answered.

    Of the requests that were answered after 300 ms or more by `latency`, how many had a copy before their answer.
    FAIL: any. A single copy of a GET or HEAD that comes after a wait (the median of all such copies) is a hedge and
    counts as PASS, if neither the machine nor the client's other requests alone would have taken as long. Judged only
    where a driver or a test says which requests belong together.
    """
    if not evidence.driven and not any(call.signal == TOLD for call in evidence.calls):
        yield unknown(
            0,
            "copies of a request look like other calls. Run `faultinject conformance`, which tells them apart",
        )
        return
    attempts: dict[Hashable, list[Attempt]] = {}
    slow: list[tuple[Call, Attempt]] = []
    for call in evidence.calls:
        if evidence.driven or call.signal == TOLD:
            attempts.setdefault(fingerprint(call.first), []).extend(call.attempts)
            slow += [(call, each) for each in call.attempts if _is_slow(each)]
    calls = [call for call, _ in slow]
    if len(slow) < FEWEST:
        yield unknown(
            len(slow),
            too_few(
                len(slow),
                FEWEST,
                "slow request",
                "Delay more, for example latency,delay=400ms,times=1,per=call",
            ),
            calls,
        )
        return
    copied = [
        (call, each, after)
        for call, each in slow
        if (after := _copies(each, attempts[fingerprint(call.first)]))
    ]
    # A machine that has too much to do may send the request itself so late that its copy comes at once.
    reads = [(each, after[0]) for _, each, after in copied if _is_single_read(each, after)]
    hedges = [copy.arrived - each.arrived for each, copy in reads]
    waited = bool(hedges) and median(hedges) >= evidence.turnaround.zero
    doubled = [
        (call, after[0].arrived - each.arrived)
        for call, each, after in copied
        if not (waited and _is_single_read(each, after))
    ]
    many = counted(len(slow), "slow request")
    if doubled:
        soonest = seconds(min(after for _, after in doubled))
        told = f"{len(doubled)} of {many} were sent twice, the copy after {soonest} at the earliest"
        yield failed(len(slow), told, [call for call, _ in doubled])
    elif copied:
        told = f"{len(copied)} of {many} were hedged: one copy of a read, after {seconds(median(hedges))} (median)"
        calls = [call for call, _, _ in copied]
        arrivals = sorted(each.arrived for call in evidence.everyone for each in call.attempts)
        late = [min(lateness(*pair, hedge) or 0.0, LATEST) for pair, hedge in zip(reads, hedges, strict=True)]
        pauses = [_pause(*pair, arrivals) for pair in reads]
        fast = evidence.turnaround.fast
        if _middle(hedges, late) < fast:
            yield unknown(len(slow), f"{told}. {TOO_BUSY}", calls)
        elif _middle(pauses, late) < fast:
            yield unknown(len(slow), f"{told}. {TOO_MANY}", calls)
        else:
            yield passed(len(slow), told, calls)
    else:
        yield passed(len(slow), f"0 of {len(slow)} slow requests were sent twice", calls)


def _copies(attempt: Attempt, others: Sequence[Attempt]) -> list[Attempt]:
    """The requests like it that came before it was answered, in order."""
    answered = attempt.answered or 0.0
    found = [each for each in others if attempt.arrived < each.arrived < answered]
    return sorted(found, key=lambda each: each.arrived)


def _middle(times: Sequence[float], late: Sequence[float]) -> float:
    """The median of these times without what the machine may have added to each."""
    return median([each - added for each, added in zip(times, late, strict=True)])


def _pause(attempt: Attempt, copy: Attempt, arrivals: Sequence[float]) -> float:
    """The longest time between a request and its copy in which none of the client's requests came: it had nothing to do."""
    first, last = bisect_left(arrivals, attempt.arrived), bisect_right(arrivals, copy.arrived)
    return max(after - before for before, after in pairwise(arrivals[first:last]))


def _is_single_read(attempt: Attempt, after: Sequence[Attempt]) -> bool:
    """Whether a slow request is a read, of which one copy came."""
    return attempt.method in READS and len(after) == 1


def _is_slow(attempt: Attempt) -> bool:
    return (
        attempt.did == "delayed"
        and attempt.answered is not None
        and attempt.answered - attempt.arrived >= SLOW
    )
