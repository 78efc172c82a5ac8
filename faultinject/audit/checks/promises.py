"""What only a profile promises: how many attempts, how long and how random the backoff, how many retries in an outage."""

from __future__ import annotations

from faultinject.audit.checks.check import PROFILE, check, failed, passed, unknown
from faultinject.audit.checks.questions import UNSAFE, own_limit
from faultinject.audit.checks.retries import FEWEST, JUDGED
from faultinject.audit.checks.words import counted, seconds, too_few
from faultinject.audit.evidence import UNKNOWN
from faultinject.audit.lateness import together
from faultinject.audit.statistics import median, uneven, uniform
from faultinject.audit.waits import KINDS, LATEST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultinject.audit.checks.check import Said
    from faultinject.audit.evidence import Evidence
    from faultinject.audit.profiles.profile import Profile
    from faultinject.audit.waits import Wait
    from faultinject.journal.calls import Call

BOUNDED = 20
"""Waits that it takes to hold them against their bounds."""
LATE = 0.02
"""Share of the waits that may be longer than promised."""
OVERHEAD = 0.025
"""Seconds that a client may take beside its wait, and twice its turn-around."""
OFTEN = 0.25
"""Share of the waits that no machine delays which has been seen to be quick."""
CERTAIN = 0.05
"""Seconds more, by which nothing is late that a busy machine alone delays."""
ROOM = 1.25
"""By how much a wait without jitter may be longer than promised."""
DRAWN = 30
"""Waits that it takes to say how they were drawn."""
LONG = 0.5
"""Seconds of a bound within which the client's own time does not show."""
FAR = 0.15
"""Distance from an even draw at which a busy machine alone does not put the waits."""
LIKELY, UNLIKELY = 0.01, 1e-4
"""Probabilities that waits as uneven as these were drawn evenly."""


@check("attempts", reference=PROFILE, minimum="3 calls that failed to the end, with retries")
def attempts(evidence: Evidence) -> Iterator[Said]:
    """A call that never succeeds makes exactly as many attempts as the client promises.

    The client's own header (`amz-sdk-request: max=5`) overrides the profile. Where the client also promises a quota, the
    quota may explain fewer attempts: FAIL is then more attempts, or fewer in all of the first 10 calls.
    """
    profile = evidence.profile
    if profile is None or profile.attempts is None:
        return
    calls = [
        call
        for call in evidence.calls
        if not call.succeeded
        and call.retries
        and call.name not in evidence.outages
        and all(each.kind in KINDS for each in call.attempts)
        and call.first.method not in UNSAFE
    ]
    n = len(calls)
    if n < FEWEST:
        yield unknown(
            n,
            too_few(n, FEWEST, "failed call", "Let calls fail on every attempt, for example http:503"),
            calls,
        )
        return
    promised = own_limit(calls[0]) or profile.attempts
    more = [call for call in calls if len(call.attempts) > (own_limit(call) or profile.attempts)]
    fewer = [call for call in calls if len(call.attempts) < (own_limit(call) or profile.attempts)]
    what = f"{profile.name} promises {promised}{', unless configured otherwise' if evidence.detected else ''}"
    if more:
        made = max(len(call.attempts) for call in more)
        yield failed(n, f"{made} attempts in {len(more)} of {n} calls; {what}", more)
    elif not fewer:
        yield passed(n, f"{promised} attempts in {n} of {n} calls", calls)
    elif not profile.quota or all(call in fewer for call in calls[:JUDGED]):
        made = min(len(call.attempts) for call in fewer)
        yield failed(n, f"{made} attempts in {len(fewer)} of {n} calls; {what}", fewer)
    else:
        yield unknown(
            n,
            f"fewer than {promised} attempts in {len(fewer)} of {n} calls. Its quota may be used up: use a new client",
            fewer,
        )


@check("backoff bound", reference=PROFILE, minimum="20 waits")
def backoff_bound(evidence: Evidence) -> Iterator[Said]:
    """No backoff is longer than the client promises.

    The share of waits longer than min(cap, base × 2^i), 25 ms and twice the turnaround's p95. PASS: 2 % at most. FAIL:
    more, even without what a busy machine may have added: in a driven run the delay of its first requests, elsewhere what
    the server measures itself, or 500 ms where it does not, and the work for the calls that the client has under way. A
    smaller excess may be the machine's, unless a quarter of all waits have it and the machine is seen to be quick. In a
    driven run a wait does not count that ends while the driver or the client's first requests are late; nor do three
    within a quarter of a second, if less than half of the waits before that retry are too long. Half a second of excess is
    explained so, more where first requests are late by more. A wait without jitter may be a quarter longer; a promise not
    to wait is not judged.
    """
    profile = evidence.profile
    if profile is None or not profile.waits:
        return
    turnaround = evidence.turnaround
    overhead = OVERHEAD + 2 * (UNKNOWN if turnaround.p95 is None else turnaround.p95)
    held = [(wait, most) for wait in evidence.waits if (most := _longest(profile, wait))]
    n = len(held)
    late = [(wait, most) for wait, most in held if wait.seconds > most + overhead]
    excused = _excused(late, held, overhead, evidence)
    own = [each for each, is_excused in zip(late, excused, strict=True) if not is_excused]
    later = [(wait, most) for wait, most in own if wait.seconds > most + overhead + _added(wait, evidence)]
    if n < BOUNDED:
        yield unknown(n, too_few(n, BOUNDED, "wait", "Let more calls fail, for example http:503"))
        return
    told = f"{len(late)} of {n} waits are longer than {profile.name} promises"
    if len(late) <= LATE * n:
        yield passed(n, f"{n - len(late)} of {n} waits are within the bounds of {profile.name}", _calls(held))
    elif len(later) > max(1, LATE * n) or _often(late, overhead, n, evidence):
        wait, most = max(late, key=lambda each: each[0].seconds - each[1])
        told += f": {seconds(wait.seconds)} before retry {wait.retry}, at most {seconds(most)}"
        yield failed(n, told, _calls(late))
    elif (calm := _calm(late, held, evidence)) is not None:
        told = f"{calm} of {calm} waits are within the bounds of {profile.name}"
        yield passed(calm, f"{told}; {n - calm} others ended while the machine was late", _calls(held))
    elif len(own) < len(late):
        told += f", {len(late) - len(own)} of them while others were late too"
        yield unknown(n, f"{told}. Reduce the machine's load", _calls(late))
    else:
        yield unknown(n, f"{told}, but not by much. Reduce the machine's load", _calls(late))


def _calm(late: list[tuple[Wait, float]], held: list[tuple[Wait, float]], evidence: Evidence) -> int | None:
    """How many waits ended while nothing was late, if they are enough and none of them is too long; else None."""
    calm = [wait for wait, _ in held if not evidence.late_times.disturb(wait)]
    too_long = any(not evidence.late_times.disturb(wait) for wait, _ in late)
    return None if too_long or len(calm) < BOUNDED else len(calm)


def _excused(
    late: list[tuple[Wait, float]], held: list[tuple[Wait, float]], overhead: float, evidence: Evidence
) -> list[bool]:
    """Of each wait that is too long whether the machine explains it, as far as a driven run shows that.

    It does where something else was late at the same time; and where several come late together although most waits
    before the same retry are not too long: a client that waits too long does so at any time.
    """
    if not evidence.driven:
        return [False] * len(late)
    numbers = [(wait.kind, wait.retry) for wait, _ in late]
    all_numbers = [(wait.kind, wait.retry) for wait, _ in held]
    times = evidence.late_times
    little = [wait.seconds - most - overhead <= times.room for wait, most in late]
    seldom = [2 * numbers.count(each) < all_numbers.count(each) for each in numbers]
    candidates = [by_little and rare for by_little, rare in zip(little, seldom, strict=True)]
    ends = [wait.call.attempts[wait.retry].arrived for wait, _ in late]
    crowded = iter(together([end for end, fits in zip(ends, candidates, strict=True) if fits]))
    return [
        (fits and next(crowded)) or ((by_little or rare) and times.disturb(wait))
        for (wait, _), by_little, rare, fits in zip(late, little, seldom, candidates, strict=True)
    ]


def _added(wait: Wait, evidence: Evidence) -> float:
    """Seconds that the machine may have added to a wait, for all that is known."""
    busy = evidence.turnaround.busy
    if busy is not None:
        return max(CERTAIN, busy)
    machine = LATEST if wait.latest is None else max(CERTAIN, wait.latest)
    return machine + evidence.crowding(wait)


def _often(late: list[tuple[Wait, float]], overhead: float, n: int, evidence: Evidence) -> bool:
    """Whether so many waits are too long that a machine would have to be slow all the time, and it is seen not to be."""
    turnaround = evidence.turnaround
    if turnaround.worst is None or turnaround.busy is not None:
        return False
    certain = overhead + max(CERTAIN, turnaround.worst)
    long = sum(wait.seconds > most + certain + evidence.crowding(wait) for wait, most in late)
    return long > OFTEN * n


@check("full jitter", reference=PROFILE, minimum="30 waits with a bound of 0.5 s or more")
def full_jitter(evidence: Evidence) -> Iterator[Said]:
    """Where the client promises full jitter, waits are uniform between 0 and their bound.

    A Kolmogorov-Smirnov test of (wait − turnaround) / bound. PASS: p above 0.01. FAIL: p below 0.0001, and a distance
    from the uniform distribution that no busy machine explains (0.15, and what it may have added to each): waits are too
    short as they are, or too long without what the server's machine says of each, those left out that end while the driver
    or the client's first requests are late.
    """
    profile = evidence.profile
    if profile is None or profile.distribution is None:
        return
    turnaround = evidence.turnaround.median or 0
    shares, held, ranges = [], [], []
    for wait in evidence.waits:
        low, high = profile.bounds(wait.kind, wait.retry) or (0.0, 0.0)
        if high >= LONG and high > low:
            shares.append((wait.seconds - turnaround - low) / (high - low))
            held.append((wait, high))
            ranges.append((wait, low, high))
    n = len(shares)
    if n < DRAWN:
        yield unknown(
            n, too_few(n, DRAWN, "wait", "Let more calls fail, in the way that has the longer waits")
        )
        return
    distance, probability = uniform(shares)
    told = f"{n} waits compared with a uniform distribution: p = {probability:.2g}"
    if probability > LIKELY:
        yield passed(n, told, _calls(held))
    elif probability >= UNLIKELY or distance <= (far := FAR + _share_added(evidence, held)):
        yield unknown(n, f"{told}. Let more calls fail", _calls(held))
    elif _is_uneven_itself(ranges, turnaround, far, evidence):
        yield failed(n, f"{told}; {profile.name} promises full jitter", _calls(held))
    else:
        yield unknown(n, f"{told}, but the machine was late. Reduce its load", _calls(held))


def _is_uneven_itself(
    ranges: list[tuple[Wait, float, float]], turnaround: float, far: float, evidence: Evidence
) -> bool:
    """Whether waits between their bounds are uneven in a way that no machine explains: it only makes them longer."""
    too_short, _ = uneven([(wait.seconds - low) / (high - low) for wait, low, high in ranges], UNLIKELY)
    calm = [each for each in ranges if not evidence.late_times.disturb(each[0])]
    own = [
        (wait.seconds - turnaround - (wait.latest or 0.0) - low) / (high - low) for wait, low, high in calm
    ]
    _, too_long = uneven(own, UNLIKELY)
    return too_short > far or (len(own) >= DRAWN and too_long > far)


def _share_added(evidence: Evidence, held: list[tuple[Wait, float]]) -> float:
    """By what share of its bound the machine may have moved a wait, where nobody saw how fast the client is."""
    known = evidence.turnaround.busy is not None or evidence.turnaround.p95 is not None
    crowding = median([evidence.crowding(wait) for wait, _ in held])
    return (crowding + (0.0 if known else evidence.doubt)) / min(bound for _, bound in held)


@check("retry quota", reference=PROFILE, minimum="an outage of 100 calls")
def retry_quota(evidence: Evidence) -> Iterator[Said]:
    """In an outage the calls of one client together make exactly as many retries as its quota promises."""
    profile = evidence.profile
    if profile is None or not profile.quota:
        return
    if not evidence.outages:
        yield unknown(
            0,
            "Not enough data: no outage of 100 calls by one client. Run `faultinject conformance`, which causes one",
        )
    for calls in evidence.outages.values():
        n, made = len(calls), sum(call.retries for call in calls)
        promised = profile.outage_retries(calls[0].first.kind or "")
        if promised is None or len({call.first.kind for call in calls}) > 1:
            yield unknown(
                n,
                f"{counted(made, 'retry')} in {n} calls; {profile.name} promises nothing for these failures",
                calls,
            )
        elif made > promised:
            yield failed(n, f"{made} retries in {n} calls; {profile.name} promises {promised}", calls)
        elif any(not call.closed for call in calls):
            yield unknown(n, f"{made} retries in {n} calls so far. Some calls have not ended", calls)
        elif made == promised:
            yield passed(n, f"{made} retries in {n} calls", calls)
        else:
            yield failed(n, f"{made} retries in {n} calls; {profile.name} promises {promised}", calls)


def _longest(profile: Profile, wait: Wait) -> float:
    """The longest wait promised; where there is no jitter every wait is at its bound, and has to have some room."""
    low, high = profile.bounds(wait.kind, wait.retry) or (0.0, 0.0)
    return high * ROOM if low == high else high


def _calls(held: list[tuple[Wait, float]]) -> list[Call]:
    return list({id(wait.call): wait.call for wait, _ in held}.values())
