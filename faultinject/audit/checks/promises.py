"""Checks of a profile's promises: attempts, backoff, its distribution, retries in an outage.

If the profile was found by the user agent alone, it has the client's defaults, which the user may have changed.
Differences from it are measured and not judged.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from faultinject.audit.checks.check import check, failed, passed, too_few, unknown
from faultinject.audit.checks.questions import UNSAFE, own_limit
from faultinject.audit.checks.retries import JUDGED, ONE_CLIENT
from faultinject.audit.checks.words import (
    CAUSE_OUTAGE,
    IDLE,
    MORE_FAILURES,
    NO_OUTAGE,
    REAL_TIME,
    Setting,
    against_noise,
    counted,
    few,
    percent,
    seconds,
)
from faultinject.audit.documents import PROMISE
from faultinject.audit.evidence import Evidence
from faultinject.audit.findings import Finding
from faultinject.audit.statistics import FEWEST, MANY, chance, median, uneven
from faultinject.audit.waits import KINDS, Wait, calls_of
from faultinject.journal.calls import Call

LATE, OFTEN = 0.02, 1 / 3
"""Shares of late waits: up to `LATE` may be the machine's fault, above `OFTEN` is not."""
ROOM = 1.25
"""The factor by which a wait without jitter may be longer than promised."""
DRAWN = 30
"""The number of waits that shows their distribution."""
LONG = 0.5
"""The shortest bound, in seconds, for which the client's own time is negligible."""
FAR = 0.25
"""The distance from a uniform distribution that no machine causes."""
LIKELY, UNLIKELY, NEVER = 0.01, 1e-4, 1e-9
"""Probabilities that uneven waits are uniform: likely, unlikely, and the smallest shown."""
BODILESS = "HEAD"
"""The method whose answers have no body, so that the client cannot see the code of an error.

The bound may depend on the code.
"""


@check(
    "attempts",
    documents=(PROMISE,),
    minimum="3 calls that failed to the end, with retries",
    more="Let calls fail on every attempt, for example http:503.",
)
def attempts(evidence: Evidence) -> Finding | None:
    """A call that never succeeds makes exactly as many attempts as the client promises.

    The client's own header (`amz-sdk-request: max=5`) overrides the profile. A repeat by the transport, when a
    kept-alive connection breaks before an answer, is no attempt; the client's own numbers show it, or else the time.
    If the client also promises a quota, the quota may explain fewer attempts. Then only these are a FAIL: a call makes
    more attempts; or all of the first 10 calls make fewer. The latter is undecided if the numbers of attempts differ
    and these calls may have used up the quota.
    """
    promised = evidence.profile.attempts
    if promised is None:
        return None
    calls = [
        call
        for call in evidence.calls
        if call.retries
        and call.name not in evidence.outages
        and all(attempt.kind in KINDS for attempt in call.attempts)
        and call.first.method not in UNSAFE
    ]
    n = len(calls)
    if n < FEWEST:
        return too_few(n, FEWEST, "failed call", calls)
    more = [call for call in calls if evidence.fewest_attempts(call) > (own_limit(call) or promised)]
    fewer = [call for call in calls if len(call.attempts) < (own_limit(call) or promised)]
    wrong = more or fewer
    numbers = sorted({evidence.fewest_attempts(call) for call in wrong or calls})
    made = f"{' or '.join(map(str, numbers))} attempts in {len(wrong or calls)} of {n} calls"
    said = next(filter(None, map(own_limit, wrong)), None)
    if not wrong:
        return passed(n, made, calls)
    if not more and evidence.profile.quota and not _fewer_before_the_quota(evidence, calls[:JUDGED], fewer):
        return unknown(
            n, f"{made}, fewer than {said or promised}; its quota may be used up", fewer, action=ONE_CLIENT
        )
    if said is not None:
        return failed(
            n,
            f"{made}; the client itself says {said}",
            wrong,
            action="Make as many attempts as the client says.",
        )
    return _broken(evidence, n, made, wrong, f"{promised} attempts", f"`attempts = {numbers[-1]}`")


def _fewer_before_the_quota(evidence: Evidence, first: Sequence[Call], fewer: Sequence[Call]) -> bool:
    """Whether all these calls made fewer attempts, and the quota cannot be the reason.

    An empty quota ends calls after various numbers of attempts; one and the same number is the client's limit.
    """
    end = max(call.attempts[-1].arrived for call in first)
    # A success returns its retries to the quota.
    retries = sum(call.retries for call in evidence.calls if call.first.arrived <= end and not call.succeeded)
    quota = evidence.profile.outage_retries(first[0].first.kind or "")
    various = len({len(call.attempts) for call in fewer}) > 1
    return all(call in fewer for call in first) and not (various and retries >= min(quota, default=inf))


@check("backoff bound", documents=(PROMISE,), minimum="20 waits", more=MORE_FAILURES)
def backoff_bound(evidence: Evidence) -> Finding | None:
    """No backoff is longer than the client promises.

    The check counts the waits that are longer than min(cap, base × 2^i) by more than the machine's noise. PASS: at most
    2 % of the waits are longer, and also if 20 ms or twice the turnaround (the larger) is taken as the noise; for this
    second count only waits with a bound above that value count. FAIL: more than a third of all waits, or of the waits
    before one retry, are longer. In between, the machine may be the reason, as it makes some waits seconds longer. A
    wait without jitter may be a quarter longer. The check does not judge a promise not to wait, or a HEAD, whose answer
    has no code.
    """
    profile = evidence.profile
    if not profile.waits:
        return None
    groups: list[list[tuple[Wait, float]]] = []
    for (kind, retry), group in evidence.waits_by_number.items():
        low, high = profile.bounds(kind, retry) or (0.0, 0.0)
        most = high * ROOM if low == high else high
        groups.append([(wait, most) for wait in group.waits if most and wait.call.first.method != BODILESS])
    held = [bounded for group in groups for bounded in group]
    n = len(held)
    if n < MANY:
        return too_few(n, MANY, "wait")
    noise = max(group.noise for group in evidence.waits_by_number.values()) / evidence.turnaround.speed
    late = [(wait, most) for wait, most in held if wait.seconds > most + noise]
    often = [
        group
        for group in (held, *groups)
        if len(group) >= MANY
        and sum(wait.seconds > most + noise for wait, most in group) > OFTEN * len(group)
    ]
    if len(late) <= LATE * n:
        message = f"{n - len(late)} of {n} waits are within the bounds of {profile.name}"
        calls = calls_of(wait for wait, _ in held)
        zero = evidence.turnaround.zero
        clear = [wait.seconds > most + zero for wait, most in held if most > zero]
        if len(clear) >= MANY and sum(clear) <= LATE * n:
            return passed(n, message, calls)
        return unknown(
            n,
            f"{message}, if a busy machine has added up to {seconds(noise)}",
            calls,
            action=against_noise(evidence.turnaround),
        )
    wait, most = max(late, key=lambda bounded: bounded[0].seconds - bounded[1])
    message = (
        f"{len(late)} of {n} waits are longer than their bound, by up to {seconds(wait.seconds - most)}:"
        f" {seconds(wait.seconds)} before the retry after a {wait.kind} failure"
    )
    if often and evidence.turnaround.exact:
        return _broken(
            evidence, n, message, calls_of(wait for wait, _ in late), f"at most {seconds(most)} there"
        )
    message += f", where {profile.name} has at most {seconds(most)}; a busy machine may be late as often"
    return unknown(
        n,
        message,
        calls_of(wait for wait, _ in late),
        action=IDLE if evidence.turnaround.exact else REAL_TIME,
    )


@check(
    "full jitter",
    documents=(PROMISE,),
    minimum="30 waits with a bound of 0.5 s or more, and of twice the machine's noise",
    more="Let more calls fail, with the kind of failure that has the longest waits.",
)
def full_jitter(evidence: Evidence) -> Finding | None:
    """Waits are uniform between 0 and their bound, if the client promises full jitter.

    The check is a Kolmogorov-Smirnov test of (wait − turnaround) / bound. PASS: p is above 0.01. FAIL: p is below
    0.0001, and the distance from the uniform distribution is above 0.25; the machine's noise is subtracted from waits
    that are too long. Waits with a bound below twice the noise do not count, and waits of a HEAD do not either, because
    its answer has no code.
    """
    profile = evidence.profile
    if profile.distribution is None:
        return None
    bounded = [
        (wait, low, high)
        for wait in evidence.waits
        for low, high in [profile.bounds(wait.kind, wait.retry) or (0.0, 0.0)]
        if high >= LONG and high > low and wait.call.first.method != BODILESS
    ]
    # Calls that begin late only make waits longer; they cannot make them uniform.
    least = max(LONG, 2 * evidence.turnaround.machine_delay)
    held = [wait for wait in bounded if wait[2] >= least]
    n, calls = len(held), calls_of(wait for wait, _, _ in held)
    if n < DRAWN:
        return unknown(
            len(bounded),
            f"{few(n, DRAWN, 'wait')} with a bound of {seconds(least)} or more",
            action=against_noise(evidence.turnaround) if n < len(bounded) else "",
        )
    usual, noise = evidence.turnaround.median or 0, evidence.group([wait for wait, _, _ in held]).noise
    shares = [max(0.0, (wait.seconds - usual - low) / (high - low)) for wait, low, high in held]
    shorter = [(wait.seconds - noise - low) / (high - low) for wait, low, high in held]
    (short, long), (_, late) = uneven(shares), uneven(shorter)
    probability = chance(n, max(short, long))
    message = (
        f"the median of {n} waits is {percent(median(shares))} of their bound; of evenly drawn waits it is"
        " 50 %, and they are as uneven"
    )
    if probability > LIKELY:
        return passed(n, f"{message} in {percent(probability)} of all cases", calls)
    message += f" once in {round(1 / max(probability, NEVER)):,} cases"
    if probability < UNLIKELY and max(short, late) > FAR and evidence.turnaround.exact:
        return _broken(evidence, n, message, calls, "full jitter")
    return unknown(n, message, calls, action="" if evidence.turnaround.exact else REAL_TIME)


@check("retry quota", documents=(PROMISE,), minimum="an outage of 100 calls", more=CAUSE_OUTAGE)
def retry_quota(evidence: Evidence) -> Iterator[Finding]:
    """In an outage, all calls of a client make exactly as many retries as its quota promises."""
    profile = evidence.profile
    if not profile.quota:
        return
    if not evidence.outages:
        yield unknown(0, NO_OUTAGE)
    for calls in evidence.outages.values():
        n, made = len(calls), sum(call.retries for call in calls)
        promised = profile.outage_retries(calls[0].first.kind or "")
        message = f"{counted(made, 'retry')} in {n} calls"
        blind = any(call.first.method == BODILESS for call in calls)
        if not promised or blind or len({call.first.kind for call in calls}) > 1:
            yield unknown(
                n,
                f"{message}; {profile.name} promises no number for these failures",
                calls,
                action="Let every call fail in the same way, such as http:500.",
            )
        elif made <= promised[-1] and any(not call.closed for call in calls):
            yield unknown(n, f"{message} so far", calls, action="Read the journal when all calls have ended.")
        elif made in promised:
            yield passed(n, message, calls)
        else:
            yield _broken(
                evidence, n, message, calls, f"{' or '.join(map(str, promised))} retries", "its quota"
            )


def _broken(
    evidence: Evidence,
    n: int,
    message: str,
    calls: Sequence[Call],
    promised: str,
    setting: str = "",
) -> Finding:
    """Make the finding on a broken promise: FAIL if the user chose the profile.

    Args:
        evidence: the evidence on the client.
        n: the number of calls or waits.
        message: the measurement in words.
        calls: the calls that show it.
        promised: the promise in words.
        setting: the setting to put into a profile of the user's own; empty: the measurement is of waits, which a busy
            machine may have made longer.
    """
    profile = evidence.profile
    if evidence.detected:
        message += (
            f". The default of {profile.title} is {promised}: this client is configured otherwise,"
            " or breaks it"
        )
        how = f"To judge the client's own settings, give `--profile FILE` with {setting}."
        if not setting:
            message += ", or its machine was busy"
            how = "Repeat it on an idle machine, or give `--profile FILE` with its waits."
        return unknown(n, message, calls, action=Setting(how))
    return failed(
        n,
        f"{message}; {profile.name} promises {promised}",
        calls,
        action="Keep to what the profile promises.",
    )
