"""Checks of backoff: waits, their jitter, their growth, and clients that retry together."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import ceil, exp, inf, log, sqrt

from faultinject.audit.checks.amplification import nested_retries
from faultinject.audit.checks.check import check, failed, passed, too_few, unknown, warned
from faultinject.audit.checks.words import (
    FEWER,
    MORE_FAILURES,
    NAME_THEM,
    REAL_TIME,
    Setting,
    against_noise,
    few,
    in_real_time,
    ordinal,
    percent,
    seconds,
    without_doubt,
)
from faultinject.audit.documents import AWS_BLOG, AWS_SDKS, AZURE, CLOUD_STORAGE, SRE
from faultinject.audit.evidence import Evidence
from faultinject.audit.findings import INCONCLUSIVE, PASS, WARN, Finding
from faultinject.audit.statistics import FEWEST, MANY, median, most_in_beat, most_within, slope
from faultinject.audit.waits import LATE_STEPS, WORK, Group, Wait, calls_of

LATER, ONCE = 10, 5
"""The minimum of waits before later retries, and of failed calls with one retry each."""
ALIKE = 8
"""The number of waits before the same retry that shows whether they have jitter."""
MOST = 0.75
"""The share of many waits that is compared: the shortest, as a machine makes some longer."""
LONG_ENOUGH = 0.1
"""Seconds; the machine causes the spread of shorter waits."""
RIGID, RANDOM = 0.05, 0.12
"""Spread by median: the most without jitter, and the least with jitter."""
MANY_TOGETHER = 0.5
"""Share of the first retries in one tenth of their wait."""
BEATS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)
"""Seconds of the beats at which clients may come back."""
GROWING, STANDING = 1.15, 1.25
"""The factors per retry: waits grow above the first, and do not grow below the second."""
STEEP = 3.0
"""The largest usual factor per retry: a client's own waits seldom grow faster."""
STEP = 1.1
"""The factor below which two waits count as equal; the second may have reached the cap."""
COUNTED = 4
"""Retries beyond this one have reached the longest wait."""
GROUPS, GROWN = 2, 6
"""The number of retries, and of waits before them, that shows whether waits grow."""
SURE = 2.6
"""Standard errors to both sides of an estimate that contain the truth in 99 % of cases."""
CHANGE = "the waits change"
"""The beginning of a finding on waits whose growth the machine may hide."""
JITTER = (SRE, AWS_BLOG, AWS_SDKS, CLOUD_STORAGE, AZURE)
"""The documents that ask for jitter."""
ADD_JITTER = "Add a random part to each wait."


@check(
    "backoff",
    documents=(AZURE, AWS_SDKS, CLOUD_STORAGE),
    minimum="10 waits before a second or later retry",
    more="Let calls fail three times or more, for example http:503.",
)
def backoff(evidence: Evidence) -> Finding:
    """A client backs off before its second retry and all later ones.

    The check judges the median of all waits before a second or later retry. FAIL: it is below 20 ms or twice the
    turnaround's median; with a driver, twice the turnaround's p95. A machine only makes waits longer. WARN: there is
    only one retry, in 5 failed calls or more, and its wait is as short. PASS: the median is above the machine's noise
    and above the client's work for its other requests. If the noise was not measured, it is above their sum.
    """
    later = [wait for wait in evidence.waits if wait.retry >= 2]
    last = [
        wait
        for wait in evidence.waits
        if wait.call.closed and not wait.call.succeeded and wait.retry == wait.call.retries
    ]
    once = [wait for wait in last if wait.retry == 1]
    if len(later) >= LATER:
        waits, retries, make_finding = later, "the second and later retries", failed
    elif len(once) >= ONCE and len(once) == len(last):
        waits, retries, make_finding = once, "the only retry", warned
    else:
        return too_few(len(later), LATER, "wait")
    group = evidence.group(waits)
    n, middle, calls = len(group), group.median, calls_of(group.waits)
    message = f"{retries} {'come' if make_finding is failed else 'comes'} after {seconds(middle)} (median)"
    # If the journal's clock is faster than the machine's, only a wait that is short by both clocks is certainly none.
    turnaround = evidence.turnaround
    zero = (turnaround.zero if evidence.driven else turnaround.certainly_zero) / turnaround.speed
    if middle < zero:
        message, action = f"no backoff: {message}", "Wait before each retry, longer each time."
        if middle > WORK:  # a test may have shortened the waits
            message += f", and less than {seconds(zero)} is taken for none"
            action = (
                f"Wait for more than {seconds(zero)} before each retry, also where a test shortens the waits."
            )
        return make_finding(n, message, calls, action=action)
    if middle < group.doubt:
        return unknown(
            n,
            f"{message}, which a busy machine and the client's other requests alone may take",
            calls,
            action=without_doubt([group]),
        )
    return passed(n, message, calls)


@check(
    "jitter",
    documents=JITTER,
    minimum="8 waits before the same retry, of 100 ms or more",
    more=MORE_FAILURES,
)
def jitter(evidence: Evidence) -> Finding:
    """The backoff has jitter: waits differ from call to call.

    For each kind of failure and each retry, the check compares the spread of the waits with their median. It leaves
    out the longest wait; of 20 waits or more, the longest quarter.

    The waits are rigid if their spread is at most 5 % of the median, or half the turnaround's noise. They have jitter
    if it is above 12 %, and if the shortest wait is below the median by more than each of these: the machine's noise;
    four times the delay with which a driver's calls began; the client's work for its other requests; the time for
    which the client had been sending requests without a pause. FAIL: the waits before more than half of the retries
    are rigid. PASS: before more than half of them they have jitter, and before none they are rigid.
    """
    groups = [
        group
        for group in evidence.waits_by_number.values()
        if len(group) >= ALIKE and group.median >= max(LONG_ENOUGH, 5 * evidence.turnaround.zero)
    ]
    n = sum(map(len, groups))
    if not groups:
        return _none_long_enough(
            evidence,
            evidence.waits_by_number.values(),
            ALIKE,
            "wait before the same retry",
            "the waits are too short to measure their jitter",
        )
    rigid = list(filter(_is_rigid, groups))
    if len(rigid) > len(groups) / 2:
        group = max(rigid, key=len)
        share = percent(max(_spread(group) / group.median / 2, 0.001))
        return failed(
            n,
            f"no jitter: {len(group)} waits before the {ordinal(group.waits[0].retry)} retry were"
            f" {seconds(group.median)} ± {share}",
            calls_of(wait for group in rigid for wait in group.waits),
            action=ADD_JITTER,
        )
    shares = [percent(_spread(group) / group.median) for group in groups[:6]]
    message = f"the waits vary by {', '.join(shares)} of their median"
    calls = calls_of(wait for group in groups for wait in group.waits)
    if sum(map(_is_loose, groups)) > len(groups) / 2 and not rigid:
        return passed(n, message, calls)
    return unknown(n, message, calls, action=without_doubt(groups, MORE_FAILURES))


def _spread(group: Group) -> float:
    """Calculate the spread of waits without the longest; of many, of the shortest three in four."""
    ordered, many = group.seconds, len(group) >= MANY
    compared = ordered[: ceil(MOST * len(ordered))] if many else ordered[:-1]
    return (compared[-1] - compared[0]) / (MOST if many else 1.0)


def _is_rigid(group: Group) -> bool:
    """Whether waits are equal, apart from the delay that a machine adds."""
    turnaround = group.turnaround
    return _spread(group) < max(turnaround.zero / turnaround.speed / 2, RIGID * group.median)


def _is_loose(group: Group) -> bool:
    """Whether waits have jitter."""
    # The machine and the client's other work make some waits longer, but never shorter.
    middle = group.median
    least = max(RIGID * middle, group.doubt, group.busy)
    return _spread(group) > RANDOM * middle and middle - group.seconds[0] > least


def _none_long_enough(
    evidence: Evidence, groups: Collection[Group], needed: int, what: str, message: str
) -> Finding:
    """Make the finding on too few waits before one retry, or on waits that are too short."""
    seen = max(map(len, groups), default=0)
    if seen < needed:
        return too_few(seen, needed, what)
    return unknown(
        seen,
        message,
        action=in_real_time(
            evidence.turnaround, Setting("Configure waits of 100 ms or more, or run it on an idle machine.")
        ),
    )


@check(
    "thundering herd",
    documents=JITTER,
    minimum="20 waits before the first retry, of 100 ms or more",
    more=MORE_FAILURES,
)
def thundering_herd(evidence: Evidence) -> Finding:
    """Clients that fail together do not retry together.

    The check finds the largest share of all first waits that lies within one tenth of their median. It also finds the
    largest share of first retries in the same tenth of every second, five seconds, minute and the like, if the failures
    themselves did not come on that beat. WARN: the share is more than half, by 2.6 standard errors of it, because some
    waits with jitter come together by chance. PASS: the share is at most half, and that tenth is twice the machine's
    noise and the client's work for its other requests, or `jitter` passes and these waits have jitter.
    """
    on_a_beat = _on_a_beat(evidence)
    if on_a_beat is not None:
        return on_a_beat
    first = [group for (_, retry), group in evidence.waits_by_number.items() if retry == 1]
    # By a faster clock, calls with quick answers are under way together for longer.
    long_enough = LONG_ENOUGH if evidence.turnaround.exact else 5 * evidence.turnaround.zero
    groups = [
        (most_within(group.seconds, group.median / 10) / len(group), group)
        for group in first
        if len(group) >= MANY and group.median >= long_enough
    ]
    if not groups:
        return _none_long_enough(
            evidence, first, MANY, "first wait", "the first waits are too short to judge"
        )
    share, group = max(groups, key=lambda pair: pair[0])
    n, tenth, calls = len(group), group.median / 10, calls_of(group.waits)
    [of_jitter] = jitter(evidence)
    message = f"if all calls fail together, {percent(share)} of them retry within the same {seconds(tenth)}"
    if share - SURE * sqrt(share * (1 - share) / n) > MANY_TOGETHER:
        finding = warned(n, message, calls, action=ADD_JITTER)
        finding.said_by = "jitter" if of_jitter.wrong else None
        return finding
    if share > MANY_TOGETHER:
        return unknown(n, f"{message}; that may be chance", calls, action=MORE_FAILURES)
    if (of_jitter.verdict == PASS and _is_loose(group)) or tenth >= 2 * group.doubt:
        return passed(n, message, calls)
    return unknown(n, f"{message}; a busy machine may have spread them", calls, action=without_doubt([group]))


def _on_a_beat(evidence: Evidence) -> Finding | None:
    """Make the finding on the largest share of first retries at one point of a beat.

    None if it is less than half, or if the failures had the same beat.
    """
    waits = [wait for wait in evidence.waits if wait.retry == 1 and wait.call.first.answered is not None]
    if len(waits) < MANY:
        return None
    failures = [wait.call.first.answered or 0.0 for wait in waits]
    retries = [wait.arrived for wait in waits]
    shares: dict[float, float] = {}
    for period in BEATS:
        share = most_in_beat(retries, period) / len(waits)
        beats = len({round(retry / period) for retry in retries})
        failed_apart = most_in_beat(failures, period) / len(waits) <= MANY_TOGETHER / 2
        if share > MANY_TOGETHER and beats >= FEWEST and failed_apart:
            shares[period] = share
    if not shares:
        return None
    period = max(shares, key=shares.__getitem__)
    return warned(
        len(waits),
        f"{percent(shares[period])} of {len(waits)} first retries came at the same moment of every"
        f" {seconds(period)}, within {seconds(period / 10)}, whenever their call had failed: the client waits"
        " until a time of the clock",
        calls_of(waits),
        action="Wait for a random while, not until a time of the clock.",
    )


@check(
    "backoff grows",
    documents=(AWS_BLOG, CLOUD_STORAGE),
    minimum="6 waits before two retries, of 50 ms or more",
    more="Let calls fail three times or more, for example http:503.",
)
def backoff_grows(evidence: Evidence) -> Finding:
    """The backoff becomes longer from retry to retry.

    The check estimates the growth per retry from the slope of the logarithm of the waits (retries 1 to 4), with 2.6
    standard errors on both sides. WARN: the factor is certainly below 1.25, and the machine cannot have hidden the
    growth. It cannot if the first wait is at least four times the delay with which a driver's calls began, and if
    this wait is also twice the machine's noise, or the shortest waits before each retry are equal. PASS: the factor
    is certainly above 1.15, and the median grows by more than the machine's noise from the first retry to the last.

    INCONCLUSIVE: a fingerprint alone groups the attempts and the factor is above 3, so that callers may have repeated
    the request. INCONCLUSIVE as well: only the first wait is shorter, by a tenth or more, and the others may be at
    their cap. The check does not judge if retries are nested, or if the client may need as long for its other
    requests.
    """
    if any(finding.wrong for finding in nested_retries(evidence)):
        return unknown(
            0,
            "nested retries mix the waits of two layers",
            action=Setting("Switch one of the two layers off to judge the other."),
        )
    kinds: dict[str, list[Group]] = {}
    work: list[Wait] = []
    long_enough = max(LONG_ENOUGH / 2, 2.5 * evidence.turnaround.zero)
    for (kind, retry), group in evidence.waits_by_number.items():
        if retry <= COUNTED and group.median >= long_enough:
            if 2 * group.work >= group.median:
                work += group.waits
            else:
                kinds.setdefault(kind, []).append(group)
    growth = [
        _growth(kind, groups)
        for kind, groups in kinds.items()
        if len(groups) >= GROUPS and sum(map(len, groups)) >= GROWN
    ]
    if growth:
        # Waits that grow after one kind of failure must not hide waits that may not grow after another.
        order = (WARN, CHANGE, PASS, INCONCLUSIVE)
        return min(
            growth, key=lambda finding: order.index(CHANGE if CHANGE in finding.message else finding.verdict)
        )
    if work:
        return unknown(
            len(work),
            f"the client may need {seconds(median([wait.seconds for wait in work]))} (median) for its"
            " other requests alone",
            calls_of(work),
            action=FEWER,
        )
    groups = max(kinds.values(), key=len, default=[])
    n = sum(map(len, groups))
    short = sum(len(group) for group in evidence.waits_by_number.values() if group.median < long_enough)
    return unknown(
        n + short,
        f"{few(min(n, GROWN), GROWN, 'wait')} of {seconds(long_enough)} or more, before {len(groups)}"
        f" of {GROUPS} retries",
        action=in_real_time(evidence.turnaround, "") if short else "",
    )


def _growth(kind: str, groups: Sequence[Group]) -> Finding:
    """Make the finding on the growth of the waits after one kind of failure."""
    waits = [wait for group in groups for wait in group.waits]
    log_growth, error = slope([(wait.retry, log(max(wait.seconds, 1e-4))) for wait in waits])
    margin = SURE * max(error, 0.01)
    low, high = exp(log_growth - margin), exp(log_growth + margin)
    n, calls = len(waits), calls_of(waits)
    message = f"by a factor of {exp(log_growth):.2f} per retry [{low:.2f}, {high:.2f}] after {kind} failures"
    first, second, *_, last = *groups, groups[-1]
    if high < STANDING and not first.turnaround.exact:
        return unknown(
            n,
            f"{CHANGE} {message}; at this speed that may be the client's work",
            calls,
            action=REAL_TIME,
        )
    late = max(first.turnaround.late, *(group.late for group in groups))
    delay = inf if first.turnaround.unmeasured else first.turnaround.machine_delay
    # A delay that is added to every wait hides growth; if the shortest waits are equal, nothing was added.
    shortest = [group.seconds[0] for group in groups]
    fixed = max(shortest) <= STEP * min(shortest)
    hidden = max(LATE_STEPS * late, 0.0 if fixed else 2 * delay)
    if high < STANDING and first.median < hidden:
        return unknown(
            n,
            f"{CHANGE} {message}; a busy machine may have added more than"
            f" {seconds(first.turnaround.noise)} to each of them",
            calls,
            action=against_noise(first.turnaround),
        )
    stands = len(groups) > 2 and second.median / STEP <= last.median <= STEP * second.median
    if high < STANDING and stands and second.seconds[0] >= STEP * first.median:
        return unknown(
            n,
            f"{CHANGE} {message}; before the second retry and later ones they are {seconds(last.median)}:"
            " the longest wait, or always the same one",
            calls,
            action=Setting("Raise the longest wait to judge the growth."),
        )
    if high < STANDING:
        return warned(
            n, f"the waits do not grow: {message}", calls, action="Double the wait from retry to retry."
        )
    if low > GROWING and last.median - first.median < last.doubt:
        return unknown(
            n,
            f"the waits grow {message}, by {seconds(last.median - first.median)} in all, which a busy machine"
            " alone may add",
            calls,
            action=without_doubt(groups),
        )
    if exp(log_growth) > STEEP and all(call.inferred for call in calls):
        return unknown(
            n,
            f"the waits grow {message}; callers who ask again may have made the longer ones",
            calls,
            action=NAME_THEM,
        )
    if low > GROWING:
        return passed(n, f"the waits grow {message}", calls)
    return unknown(n, f"the waits grow {message}", calls, action="Add calls, or attempts per call.")
