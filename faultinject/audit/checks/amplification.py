"""Checks of load: retry budgets, nested retries, and copies of requests."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import filterfalse, pairwise

from faultinject.audit.checks.check import check, failed, passed, too_few, unknown, warned
from faultinject.audit.checks.questions import UNSAFE, may_be_waited_out, should_be_tried_again
from faultinject.audit.checks.words import (
    CAUSE_OUTAGE,
    DRIVE_IT,
    NAME_THEM,
    NO_OUTAGE,
    OTHER_IDS,
    REAL_TIME,
    counted,
    ordinal,
    plain,
    seconds,
    without_doubt,
)
from faultinject.audit.documents import AZURE, PROMISE, SRE, TAIL_AT_SCALE, rfc
from faultinject.audit.evidence import RARE, Evidence, answered_at
from faultinject.audit.findings import Finding
from faultinject.audit.grouping import AT_ONCE, POLL, READING
from faultinject.audit.matching import alike, fingerprint, invocation, marked, thing_of
from faultinject.audit.statistics import FEWEST, grouped, median
from faultinject.audit.waits import KINDS, Wait
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import SDK_ID, Call

EXHAUSTED = 5
"""The number of failed calls that distinguishes one retrying layer from several."""
DROPS = 8
"""The number of falls of the wait that prove a second layer of retries."""
FALLS, RISES, SHARE = 2.0, 1.5, 0.9
"""The median ratios by which a wait falls and rises, and the share of cases with either."""
ELSEWHERE = 0.2
"""The share of waits that may fall inside of a part, where one layer's waits only grow."""
OPEN = 60.0
"""Seconds for which an open circuit breaker of common libraries lets nothing through."""
NEVER_AGAIN = 10
"""The number of calls without a retry that prove a budget which is never refilled.

The same number of calls without a request proves a circuit breaker which never closes.
"""
ONE_LAYER = "Let one layer retry: switch the others off."
SLOW = 0.3
"""Seconds after which an answer counts as slow."""
SAVED, WASTED = 1.1, 0.7
"""Attempts per call in an outage's last third: the most with a budget, the least without.

The second number is a share of the attempts per call in the first third.
"""


@check(
    "retry budget",
    documents=(SRE,),
    minimum="an outage of 100 calls",
    more=CAUSE_OUTAGE,
)
def retry_budget(evidence: Evidence) -> Iterator[Finding]:
    """In a long outage, a retry budget limits the retries.

    In an outage (100 calls of one client and one name, all of which fail) the check compares the attempts per call
    of the last third with those of the first. PASS: at most 1.1 in the last third; the finding says that this does
    not show whether the budget is refilled. WARN: more than 70 % of the first third's; FAIL where the profile
    promises a budget. Not judged if the answers had Retry-After, which a client may have followed instead. WARN as
    well: outside of an outage, 3 calls or more with one answer were retried and most of them succeeded, and none of
    10 or more behind them were; or the last 10 named calls or more made no request for 60 s, and failed.
    """
    silence, spent_ones = evidence.silence, list(_not_refilled(evidence))
    # If no call made a request, there need not be a breaker.
    never_closed = silence.calls > silence.silent and silence.last >= NEVER_AGAIN and silence.seconds >= OPEN
    if never_closed:
        yield warned(
            silence.calls,
            f"{silence.silent} of {silence.calls} calls failed without a request, and all of the last"
            f" {silence.last}, for {seconds(silence.seconds)}, as behind a circuit breaker that does not close",
            action="Let the breaker try a request again after some seconds.",
        )
    for spent, behind in spent_ones:
        yield warned(
            len(spent) + len(behind),
            f"{len(spent)} of the first {len(spent)} calls were retried, none of the {len(behind)}"
            " behind them, as of a budget that is used up and not refilled",
            behind,
            action="Refill the budget with each success, or with time.",
        )
    if not evidence.outages and not (never_closed or spent_ones):
        yield unknown(0, NO_OUTAGE)
    for calls in evidence.outages.values():
        third = len(calls) // 3
        n, late = len(calls), calls[-third:]
        before, after = (sum(len(call.attempts) for call in part) / third for part in (calls[:third], late))
        again = sum(call.retries for call in calls)
        message = f"attempts per call {before:.1f} → {after:.1f}, {counted(again, 'retry')} in {n} calls"
        if any(call.last.hint_form is not None for call in calls):
            yield unknown(
                n,
                f"{message}, but the answers had Retry-After",
                late,
                action="Cause an outage without Retry-After.",
            )
        elif any(not call.closed for call in calls):
            yield unknown(n, f"{message} so far", late, action="Read the journal when all calls have ended.")
        elif not again and any(call.retries for call in evidence.calls):
            yield unknown(
                n,
                f"{message}: a budget was used up before, or other calls alone are retried",
                late,
                action="Cause an outage after calls that succeed.",
            )
        elif after <= SAVED:
            refilled = "; this does not show whether the budget is refilled" if again else ""
            yield passed(n, f"{message}{refilled}", late)
        elif after > WASTED * before:
            yield failed(
                n,
                f"{message}: no budget limits the retries",
                late,
                action="Give all calls of the client one budget of retries.",
                documents=(SRE, PROMISE) if evidence.profile.budget and not evidence.detected else (),
            )
        else:
            yield unknown(n, message, late, action="Cause a longer outage.")


def _not_refilled(evidence: Evidence) -> Iterator[tuple[list[Call], list[Call]]]:
    """Find calls that were retried and mostly succeeded, and later calls that were not retried."""
    same = grouped(
        [
            call
            for call in evidence.calls
            if call.first.kind in KINDS
            and call.first.method not in UNSAFE
            and call.first.hint is None
            and should_be_tried_again(call.first)
            and call.name not in evidence.outages
        ],
        lambda call: (call.first.method, call.first.answer, call.name if evidence.driven else None),
    )
    for calls in same.values():
        number = next((number for number, call in enumerate(calls) if not call.retries), len(calls))
        spent, behind = calls[:number], calls[number:]
        refilled = 2 * sum(call.succeeded for call in spent) > len(spent)
        given_up = len(behind) >= NEVER_AGAIN and not any(call.retries for call in behind)
        if len(spent) >= FEWEST and refilled and given_up:
            yield spent, behind


@check(
    "nested retries",
    documents=(rfc(9110, "9.2.2"), SRE, AZURE),
    minimum="5 calls that failed to the end",
    more="Let calls fail on every attempt, for example http:503.",
    pairs=(may_be_waited_out, 2),
)
def nested_retries(evidence: Evidence) -> Finding:
    """Only one layer retries: retries are not nested.

    With an SDK's ids, the check looks for calls that failed on every attempt and were followed within 10 s by another
    call for the same object, at two objects or more. Calls with HEAD do not count, because different calls begin
    with it. FAIL: these calls are of a driver or have names; or the second call came within a second, and the client
    does not repeat successful calls. Otherwise it is a WARN. It is no FAIL if one of these calls had no retry of its
    own, as behind an empty budget: then nothing is multiplied. The check does not judge a single object, or a
    second call that succeeded. A call with a failure that the SDK itself never retries, such as a cut answer, does
    not count, because only one layer can have retried it.

    Without ids, the waits show two layers (WARN) if the attempts of a call fall into equal parts. At the beginning of
    each part the wait falls, in the median to less than half. Within the part it rises again, in the median to more
    than 1.5 times. Both must happen in 90 % of 8 cases or more; elsewhere the wait may fall in less than 20 %.

    PASS: 5 calls or more failed to the end. Without ids they must be enough to show 8 such cases, by waits that no
    answer asked for, and the waits must differ between the parts, because two layers with jitter look like one. Calls
    that ended sooner than others, by a deadline or a budget, prove nothing, and neither do waits that grow only after
    the second wait. If an SDK repeats no id, repeats under another id are not judged without a driver.

    WARN as well: in 3 named calls or more, two requests or more came that no failure explains, as if one failure
    started two retries. A client may repeat a GET or HEAD that has succeeded, so these count only if the repeat came
    at once, while the first was not answered.
    """
    branching = [call for call in evidence.named_calls if _branches(call)]
    if len(branching) >= FEWEST:
        requests = [attempt for call in branching for attempt in call.attempts]
        return warned(
            len(branching),
            f"{len(requests)} requests in {len(branching)} calls, of which {_failures(requests)}"
            " failed: one failure starts several retries",
            branching,
            action="Start one retry for each failure.",
        )
    retried = {
        _failure(before)
        for call in evidence.everyone
        for before, after in pairwise(call.attempts)
        if (marked(after) or invocation(before) == invocation(after) is not None)
        and not evidence.may_be_resent(before, after)
    }
    calls = [call for call in evidence.calls if call.again is None or _failure(call.last) in retried]
    # Kinds of failure that the client never retries say nothing of its layers.
    kinds = {call.first.kind for call in evidence.everyone if call.retries and call.first.kind in KINDS}
    ended = [call for call in calls if _is_exhausted(call) and call.first.kind in (kinds or KINDS)]
    n = len(ended)
    if n < EXHAUSTED:
        return too_few(n, EXHAUSTED, "failed call", ended)
    known = list(filterfalse(evidence.may_be_under_other_ids, calls))
    again = [call for call in known if call.again is not None and _is_exhausted(call)]
    repeated = [call for calls in evidence.under_other_ids.values() for call in calls]
    chains = [row for row in map(_longest_row, grouped(known, thing_of).values()) if len(row) > 1]
    zero = evidence.turnaround.zero
    without_id = [call for call in ended if call.signal != SDK_ID]
    pattern = _pattern(without_id, zero) if evidence.turnaround.exact else None
    if len(chains) > 1:
        shown = max(chains, key=len)
        return _layers(
            evidence,
            n,
            f"{len(chains)} objects were requested by up to {len(shown)} SDK calls in a row",
            shown,
            warned,
        )
    if pattern is not None:
        attempts, part, falls, calls = pattern
        return warned(
            n,
            f"{attempts} attempts = {attempts // part} × {part}"
            f": the wait falls by a factor of {plain(min(falls, 1000))} after every {ordinal(part)} attempt",
            calls,
            action=ONE_LAYER,
        )
    if chains:
        return unknown(
            n,
            "one object was requested again, by a layer above the SDK or by the caller",
            chains[0],
            action=NAME_THEM,
        )
    if len(set(map(thing_of, again))) > 1:
        return _layers(
            evidence, n, f"{counted(len(again), 'SDK call')} failed and were soon repeated", again, unknown
        )
    if len(repeated) > RARE * n:
        return unknown(
            n,
            f"{counted(len(repeated), 'failed request')} came again under another id of {OTHER_IDS}",
            repeated,
            action=DRIVE_IT,
        )
    if without_id and not evidence.turnaround.exact:
        return unknown(
            n,
            "by a faster clock it is not known whether the waits of a call fall and rise again",
            without_id,
            action=REAL_TIME,
        )
    blind = _too_few_to_tell(without_id, zero)
    # Calls with an id, such as a POST's key, prove nothing about calls without.
    if n - len(blind) < EXHAUSTED or len(without_id) - len(blind) < EXHAUSTED <= len(blind):
        return unknown(
            n,
            f"{counted(len(blind), 'failed call')} without an id: too few, cut short, or with waits"
            " too short or too much alike, to show a second layer",
            blind,
            action=(
                "Let more calls fail on every attempt, without Retry-After, or compare the attempts with"
                " one layer's retries switched off."
            ),
        )
    return passed(n, f"no second retry layer in {n} failed calls", ended)


def _failure(attempt: Attempt) -> Hashable:
    """The properties of a failure by which a layer may decide whether to retry."""
    return attempt.method, attempt.kind, attempt.status is None


def _branches(call: Call) -> bool:
    """Whether a named call made two requests more than its failures explain."""
    return any(
        1 < _failures(same) < len(same) - 2
        and (
            same[0].method not in READING
            or any(
                other.arrived < min(answered_at(one), one.arrived + AT_ONCE) for one, other in pairwise(same)
            )
        )
        for same in grouped(
            call.attempts,
            lambda attempt: (attempt.method, attempt.path, attempt.query, attempt.request_digest),
        ).values()
    )


def _failures(attempts: Iterable[Attempt]) -> int:
    return sum(attempt.kind in KINDS for attempt in attempts)


def _is_exhausted(call: Call) -> bool:
    """Whether a call failed on every attempt, or its client retried a refusal; not for a HEAD."""
    # Different calls may begin with a HEAD of one object, so a row of these need not be a repeat.
    return call.first.method != "HEAD" and (
        (call.first.kind in KINDS and call.last.kind in KINDS)
        or (call.first.kind == "client" and call.first.answer == call.last.answer and call.retries > 0)
    )


def _longest_row(calls: Iterable[Call]) -> list[Call]:
    """Find the longest row of failed calls for one target, each soon after the one before."""
    rows: list[list[Call]] = [[]]
    for call in calls:
        if not _is_exhausted(call):
            rows.append([])
        elif rows[-1] and rows[-1][-1].again is not None:
            rows[-1].append(call)
        else:
            rows.append([call])
    return max(rows, key=len)


def _layers(
    evidence: Evidence,
    n: int,
    message: str,
    calls: Sequence[Call],
    otherwise: Callable[..., Finding],
) -> Finding:
    """Make the finding on SDK calls that were repeated.

    Args:
        evidence: the evidence on the client.
        n: the number of calls that failed.
        message: the observation in words.
        calls: the calls that were repeated.
        otherwise: makes the finding if the caller may have repeated its call.
    """
    methods = {call.first.method for call in calls}
    # If the SDK itself did not retry, as with an empty budget, a second layer multiplies nothing.
    nested = all(call.retries for call in calls)
    if nested and all(call.window is not None for call in calls):
        return failed(n, f"{message}: a layer above the SDK retries", calls, action=ONE_LAYER)
    soon = all((call.again or 0) < POLL for call in calls)
    if nested and soon and all(map(evidence.contrast.shows_retries, methods)):
        message += f": a layer above the SDK retries, as {evidence.contrast.in_words(methods)}"
        return failed(n, message, calls, action=ONE_LAYER)
    message += ": a layer above the SDK retries, or the caller repeats its call"
    return otherwise(n, message, calls, action=NAME_THEM)


def _too_few_to_tell(calls: Sequence[Call], zero: float) -> list[Call]:
    """Find calls without an id whose waits would not show two layers.

    Waits of about the same length in the first and the last part may be of two layers. A call that ended sooner than
    others shows nothing either: a deadline or a budget may have ended its second layer in any part.
    """
    blind = []
    most = max((len(call.attempts) for call in calls), default=0)
    cut = any(call.retries and len(call.attempts) < most for call in calls)
    for (attempts, tell), same in grouped(
        calls, lambda call: (len(call.attempts), max(_own_gaps(call, zero), default=0.0) > zero)
    ).items():
        parts = [part for part in range(2, attempts // 2 + 1) if cut or attempts % part == 0]
        few = not tell or len(same) * (min(parts, default=1) - 1) < DROPS
        if (
            attempts < most
            or _begins_to_grow(same, zero)
            or (parts and (few or any(_repeats(same, part, zero) for part in parts)))
        ):
            blind += same
    return blind


def _begins_to_grow(calls: Sequence[Call], zero: float) -> bool:
    """Whether a median wait is hardly longer than the one before, and the next much longer.

    At that wait an outer layer may begin to retry, after the inner layer has spent its budget.
    """
    waits = [median(column) for column in zip(*(_own_gaps(call, zero) for call in calls), strict=False)]
    return any(
        min(RISES * before, behind / RISES) >= wait
        for before, wait, behind in zip(waits, waits[1:], waits[2:], strict=False)
    )


def _repeats(calls: Sequence[Call], part: int, zero: float) -> bool:
    """Whether calls wait about as long in their first part as in their last."""
    waits = [_own_gaps(call, zero) for call in calls]
    last = (len(calls[0].attempts) // part - 1) * part
    first, later = (median([sum(wait[begin : begin + part - 1]) for wait in waits]) for begin in (0, last))
    return max(first, later) < FALLS * min(first, later)


def _own_gaps(call: Call, zero: float) -> list[float]:
    """The waits of a call, at least `zero`; empty if one is unknown, or an answer asked for one."""
    gaps = [max(gap, zero) for gap in call.gaps if gap is not None]
    own = len(gaps) == call.retries and not any(attempt.hint_form for attempt in call.attempts)
    return gaps if own else []


def _pattern(calls: Sequence[Call], zero: float) -> tuple[int, int, float, list[Call]] | None:
    """Find two layers by waits: attempts, attempts in a part, the fall between parts, calls."""
    own = [call for call in calls if _own_gaps(call, zero)]
    patterns = [
        (attempts, part, falls, same)
        for attempts, same in grouped(own, lambda call: len(call.attempts)).items()
        for part in range(2, attempts // 2 + 1)
        if attempts % part == 0
        # The first fall is at the end of a part if the outer layer does not wait, and one wait later if it
        # waits longer than the inner one.
        for first in (part - 1, part)
        if (falls := _falls([_own_gaps(call, zero) for call in same], part, first)) is not None
    ]
    return max(patterns, key=lambda pattern: pattern[2], default=None)


def _falls(same: Sequence[Sequence[float]], part: int, first: int) -> float | None:
    """Calculate the median fall of every `part`-th wait from `first` on; None: no pattern."""
    falls, rises, elsewhere = [], [], []
    for gaps in same:
        for index in range(1, len(gaps)):
            ratio = gaps[index - 1] / gaps[index]
            if index < first or (index - first) % part:
                elsewhere.append(ratio > RISES)
                continue
            # A wait that only becomes shorter also falls, but it does not rise before or after.
            before = gaps[index - 1] / gaps[index - 2] if index > 1 else 0.0
            behind = max(gaps[index + 1 : index + part], default=0.0) / gaps[index]
            falls.append(ratio)
            rises.append(max(before, behind))
    if len(falls) < DROPS:
        return None
    deep = all(
        sum(ratio > 1 for ratio in ratios) >= SHARE * len(ratios) and median(ratios) > least
        for ratios, least in ((falls, FALLS), (rises, RISES))
    )
    return median(falls) if deep and sum(elsewhere) < ELSEWHERE * len(elsewhere) else None


@check(
    "overlap",
    documents=(TAIL_AT_SCALE,),
    minimum="3 slow requests of calls with keys of their own",
    more="Delay more, for example latency,delay=400ms,times=1,per=call.",
)
def overlap(evidence: Evidence) -> Finding:
    """A slow request is not sent a second time before it is answered.

    The check looks at the requests that `latency` delayed by 300 ms or more. It counts those with a copy before their
    answer: the same request with the same body, under any id. FAIL: there is a copy. A single copy of a GET or HEAD is
    a hedge and counts as PASS if it comes late: the median delay of all such copies must exceed the machine's noise
    and the client's work for other requests. WARN: the client left three requests or more before they were answered,
    and then sent them again. WARN as well: it sent three writes or more a second time, and then left the first one
    before it was slow. All this is judged only if a driver or a test says which requests belong together.
    """
    # A server may notice late that a client has left, so that the repeat seems to come first.
    left = [
        (call, before, after)
        for call in evidence.calls
        for before, after in pairwise(call.attempts)
        if before.left and before.answered is not None
    ]
    behind = [repeat for repeat in left if repeat[2].arrived >= (repeat[1].answered or 0.0)]
    writes_left = [
        (call, before, after)
        for call, before, after in left
        if before.method not in READING and after.arrived < (before.answered or 0.0)
    ]
    # A client that hedges sends most copies before it leaves the first: then only requests that were left
    # first count.
    gone = left if 2 * len(behind) >= len(left) else behind
    if len(gone) >= FEWEST:
        soon = median([(before.answered or 0.0) - before.arrived for _, before, _ in gone])
        n = sum(
            attempt.left or attempt.did == "delayed" for call in evidence.calls for attempt in call.attempts
        )
        return warned(
            n,
            f"the client gave up after {seconds(soon)} (median) while the server was still at work,"
            " and sent the request"
            f" again: {len(gone)} of {n} requests",
            [call for call, _, _ in gone],
            action="Make the client's time-out longer than its slowest answers take.",
        )
    told_calls = [call for call in evidence.calls if call.window is not None]
    requests = [
        (call, number, attempt) for call in told_calls for number, attempt in enumerate(call.attempts)
    ]
    slow = [(call, attempt) for call, _, attempt in requests if _is_slow(attempt)]
    n = len(slow)
    requests.sort(key=lambda request: request[2].arrived)
    same = grouped(requests, lambda request: _asked_once(request[0], request[2]))
    copied = [
        (call, copies)
        for call, attempt in slow
        if (
            copies := [
                Wait(of, attempt, number, copy.arrived - attempt.arrived)
                for of, number, copy in same[_asked_once(call, attempt)]
                if attempt.arrived < copy.arrived < (attempt.answered or 0.0) and alike(attempt, copy)
            ]
        )
    ]
    if len(writes_left) >= FEWEST and (n < FEWEST or not copied):
        soon = median([after.arrived - before.arrived for _, before, after in writes_left])
        return warned(
            len(writes_left),
            f"the client sent {len(writes_left)} writes a second time after {seconds(soon)} (median),"
            " and then left the first:"
            " a hedge whose loser is cancelled, or a time-out that is too short",
            [call for call, _, _ in writes_left],
            action="Send a copy of reads only, and wait longer for the answer to a write.",
        )
    if not told_calls and not evidence.driven:
        return unknown(
            sum(map(_is_slow, evidence.requests)),
            "copies of a request look like other calls",
            action=NAME_THEM,
        )
    if n < FEWEST:
        return too_few(n, FEWEST, "slow request", [call for call, _ in slow])
    if not copied:
        return passed(n, f"0 of {n} slow requests were sent twice", [call for call, _ in slow])
    # Some copies of reads may come at once, so the median decides.
    group = evidence.group([first for _, [first, *_] in copied])
    after = group.median
    calls = sorted((call for call, _ in copied), key=lambda call: call.first.method in READING)
    writes = [call for call in calls if call.first.method not in READING]
    message = (
        f"a second copy of {len(copied)} of {n} slow requests came {seconds(after)} (median) after the first,"
        " before the answer"
    )
    if writes:
        message += f"; {counted(len(writes), 'write')} among them"
    if writes or any(len(copies) > 1 for _, copies in copied) or after < evidence.turnaround.zero:
        return failed(
            n,
            message,
            calls,
            action="Send a copy of reads only, one of each, and only when the answer takes longer than"
            " nearly all do.",
            documents=(
                (rfc(9110, "9.2.2"), TAIL_AT_SCALE)
                if any(call.first.method in UNSAFE for call in writes)
                else ()
            ),
        )
    if after < group.doubt:
        return unknown(
            n,
            f"{message}: too soon to tell a hedge from a copy at once",
            calls,
            action=without_doubt([group]),
        )
    return passed(n, f"{message}: these reads are hedged", calls)


def _asked_once(call: Call, attempt: Attempt) -> Hashable:
    """The identity of a request and its copies; a copy may have its own id and call."""
    return call.window, fingerprint(attempt)


def _is_slow(attempt: Attempt) -> bool:
    return (
        attempt.did == "delayed"
        and attempt.answered is not None
        and attempt.answered - attempt.arrived >= SLOW
    )
