"""How a client backs off: whether it waits, with jitter, longer each time, and not all clients together."""

from __future__ import annotations

from math import ceil, exp, log

from faultinject.audit.checks.amplification import nested_retries
from faultinject.audit.checks.check import check, failed, passed, unknown, warned
from faultinject.audit.checks.words import TOO_BUSY, TOO_MANY, plain, seconds, too_few
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN
from faultinject.audit.statistics import median, most_in_beat, most_within, slope
from faultinject.audit.waits import LATEST, by_number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from faultinject.audit.checks.check import Said
    from faultinject.audit.evidence import Evidence
    from faultinject.audit.waits import Wait
    from faultinject.journal.calls import Call

LATER = 10
"""Waits before a second or later retry that it takes to say whether there are any."""
ONCE = 5
"""Failed calls with two attempts that show that there is only one retry."""
ALIKE = 8
"""Waits before the same retry that it takes to say whether they have jitter."""
STUMBLES, STEADY = 0.25, 20
"""The share of the waits that a machine may have made longer, and the waits that it takes to see through that."""
HERD = 20
"""First waits that it takes to say whether they bunch."""
LONG_ENOUGH = 0.1
"""Seconds; the spread of shorter waits is the machine's doing."""
RIGID, RANDOM = 0.05, 0.12
"""Spread by median: at most that of a client without jitter, at least that of one with it."""
MOST_TOGETHER, MANY_TOGETHER = 0.9, 0.5
"""Shares of the first retries in one tenth of their wait."""
BEATS = (0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0)
"""Seconds of the beats at which clients may come back."""
BEATS_SEEN = 3
"""Beats that it takes to tell one from a single crowd."""
GROWING, STANDING = 1.15, 1.25
"""By what waits grow at least from retry to retry when they grow, and at most when they do not."""
COUNTED = 4
"""Retries beyond this one have reached the longest wait."""
SURE = 2.6
"""Standard errors to both sides that hold the truth in 99 of 100 cases."""


@check(
    "backoff",
    reference="Azure: transient fault handling (at most one immediate retry)",
    minimum="10 waits before a second or later retry",
)
def backoff(evidence: Evidence) -> Iterator[Said]:
    """A client backs off before its second retry and all later ones.

    The median of all waits from the second on. FAIL: it is as short as without backoff (a busy machine only makes waits
    longer). WARN: there is only one retry, in 5 failed calls or more, and it has no backoff. PASS: it is longer, even
    without what a busy machine may have added, half a second where nothing in the journal measures that, and without the
    work for the calls that the client has under way.
    """
    later = [wait for wait in evidence.waits if wait.retry >= 2]
    zero = evidence.turnaround.zero
    if len(later) >= LATER:
        middle = median([wait.seconds for wait in later])
        told = f"the second and later retries wait {seconds(middle)} (median)"
        if zero <= middle and not _is_long(later, evidence):
            yield unknown(len(later), f"{told}. {_excuse(later, evidence)}", _calls(later))
        else:
            yield (failed if middle < zero else passed)(len(later), told, _calls(later))
        return
    ended = [
        wait
        for wait in evidence.waits
        if wait.call.closed and not wait.call.succeeded and wait.retry == wait.call.retries
    ]
    once = [wait for wait in ended if wait.retry == 1]
    if len(once) < ONCE or len(once) < len(ended):
        yield unknown(
            len(later),
            too_few(len(later), LATER, "wait", "Let calls fail three times or more, for example http:503"),
        )
        return
    middle = median([wait.seconds for wait in once])
    if middle < zero:
        yield warned(
            len(once), f"the only retry has no backoff: it waits {seconds(middle)} (median)", _calls(once)
        )
    elif not _is_long(once, evidence):
        told = f"the only retry waits {seconds(middle)} (median)"
        yield unknown(len(once), f"{told}. {_excuse(once, evidence)}", _calls(once))
    else:
        yield passed(len(once), f"the only retry waits {seconds(middle)} (median)", _calls(once))


def _excuse(found: Sequence[Wait], evidence: Evidence) -> str:
    """What may explain such waits, and what to do about it."""
    return TOO_MANY if _may_be_work(found, evidence) else TOO_BUSY


def _is_long(found: Sequence[Wait], evidence: Evidence) -> bool:
    """Whether waits are long even without what the machine may have added to them."""
    turnaround = evidence.turnaround
    fast = turnaround.fast
    own = [wait.seconds - evidence.crowding(wait) for wait in found]
    if turnaround.busy is None and evidence.late is not None:
        machines = [wait.latest or 0 for wait in found]
        return median([wait - machine for wait, machine in zip(own, machines, strict=True)]) >= fast
    least = max(fast, turnaround.busy) if turnaround.busy is not None else turnaround.worst or LATEST
    # A driver has seen how late its machine is now and then; the machine tells it of each wait.
    known = [wait.seconds - min(wait.late or 0, LATEST) for wait in found]
    return median(own) >= least and median(known) >= fast


@check(
    "jitter",
    reference="Google SRE book: Handling Overload; AWS: exponential backoff and jitter",
    minimum="8 waits before the same retry, of 100 ms or more",
)
def jitter(evidence: Evidence) -> Iterator[Said]:
    """The backoff has jitter: waits differ from call to call.

    For each kind of failure and each retry the spread of the waits, from the shortest to the second longest (of many
    the longest twentieth goes), against their median. Rigid: below 5 % of it and below the machine's own noise;
    with jitter: above 12 % and three times that noise, and also below the median, as a machine only adds. FAIL: more than
    half are rigid; or of 20 waits or more the shortest three in four before each retry are as close, and none has jitter.
    PASS: more than half have jitter and none is rigid.
    """
    groups = []
    seen = 0
    for all_of_them in evidence.waits_by_number.values():
        group = evidence.undisturbed(all_of_them, ALIKE)
        found = [wait.seconds for wait in group]
        middle = median(found)
        seen = max(seen, len(found))
        if len(found) >= ALIKE and middle >= LONG_ENOUGH:
            ordered = sorted(found)
            groups.append((ordered[-1 - max(1, len(ordered) // 20)] - ordered[0], middle, group))
    spreads = [each for each in groups if each[1] >= 10 * evidence.turnaround.noise]
    n = sum(len(group) for _, _, group in spreads)
    if not spreads:
        if seen < ALIKE:
            yield unknown(n, too_few(seen, ALIKE, "wait", "Let more calls fail, for example http:503"))
        else:
            yield unknown(
                n,
                "the waits are too short to measure their jitter. Configure longer waits, or reduce the machine's load",
            )
        return
    noise = evidence.turnaround.noise
    spread_by_itself = max(3 * evidence.doubt, evidence.turnaround.busy or 0)
    rigid = [each for each in spreads if each[0] < max(noise, RIGID * each[1])]
    loose = [
        (spread, middle, group)
        for spread, middle, group in groups
        if spread > max(spread_by_itself, RANDOM * middle, _crowding(group, evidence))
        and not _may_be_work(group, evidence)
        and middle - min(wait.seconds for wait in group)
        > max(RIGID * middle, (evidence.turnaround.busy or 0) / 2)
    ]
    close = [(_closest(group), middle, group) for _, middle, group in spreads]
    if (
        len(rigid) <= len(spreads) / 2
        and n >= STEADY
        and not loose
        and all(spread < (1 - STUMBLES) * RIGID * middle for spread, middle, _ in close)
    ):
        most, rigid = f"{1 - STUMBLES:.0%} of the waits".replace("%", " %"), close
    else:
        most = "the waits"
    calls = _calls([wait for _, _, group in rigid or spreads for wait in group])
    if len(rigid) > len(spreads) / 2:
        share = max(spread / middle for spread, middle, _ in rigid)
        middles = ", ".join(f"{middle:.2f}" for _, middle, _ in rigid[:6])
        yield failed(
            n,
            f"no jitter: {most} repeat to within {plain(max(share * 100, 0.1))} % (medians {middles} s)",
            calls,
        )
        return
    shares = ", ".join(f"{100 * spread / middle:.0f} %" for spread, middle, _ in spreads[:6])
    told = f"the waits vary by {shares} of their median"
    # Of all: it may be the machine that made those that are long enough as long.
    if len(loose) > len(groups) / 2 and not rigid:
        yield passed(n, told, calls)
    else:
        work = any(_may_be_work(group, evidence) for _, _, group in groups)
        yield unknown(n, f"{told}. {TOO_MANY if work else 'Let more calls fail'}", calls)


def _closest(group: Sequence[Wait]) -> float:
    """The spread of the waits but the longest quarter, seconds: a machine makes some of those that are alike longer."""
    ordered = sorted(wait.seconds for wait in group)
    return ordered[ceil((1 - STUMBLES) * len(ordered)) - 1] - ordered[0]


def _herd(evidence: Evidence) -> tuple[float, str, Sequence[Wait]] | None:
    """The largest share of first waits within one tenth of their median, in words, and the waits; None: too few."""
    worst: tuple[float, str, Sequence[Wait]] | None = None
    for (_, retry), all_of_them in evidence.waits_by_number.items():
        group = evidence.undisturbed(all_of_them, HERD)
        found = [wait.seconds for wait in group]
        if retry == 1 and len(found) >= HERD and (middle := median(found)) >= LONG_ENOUGH:
            share = most_within(found, middle / 10) / len(found)
            told = f"if all calls fail together, {share:.0%} of them retry within the same {seconds(middle / 10)}"
            if worst is None or share > worst[0]:
                worst = share, told.replace("%", " %"), group
    return worst


def _beat(evidence: Evidence) -> tuple[float, str, list[Wait]] | None:
    """The largest share of first retries that come at the same point of a beat, in words, and their waits.

    None where less than half of them do, or where what they retry had failed in that beat.
    """
    group = [wait for wait in evidence.waits if wait.retry == 1 and wait.call.first.answered is not None]
    if len(group) < HERD:
        return None
    failures = [wait.call.first.answered or 0.0 for wait in group]
    retries = [wait.call.attempts[1].arrived for wait in group]
    worst: tuple[float, str, list[Wait]] | None = None
    for period in BEATS:
        share = most_in_beat(retries, period) / len(group)
        beats = len({round(each / period) for each in retries})
        if share <= MANY_TOGETHER or beats < BEATS_SEEN or (worst is not None and share <= worst[0]):
            continue
        if most_in_beat(failures, period) / len(group) <= MANY_TOGETHER / 2:
            told = f"{share:.0%} of the first retries fall in the same tenth of every {seconds(period)}"
            told = told.replace("%", " %")
            worst = share, f"{told}, although the failures do not", group
    return worst


@check(
    "thundering herd",
    reference="Google SRE book: Handling Overload; AWS: exponential backoff and jitter",
    minimum="20 waits before the first retry, of 100 ms or more",
)
def thundering_herd(evidence: Evidence) -> Iterator[Said]:
    """Clients that fail together do not retry together.

    The largest share of all first waits that lies within one tenth of their median; or of the first retries that come
    in the same tenth of a second, of five seconds, of a minute and the like, though the failures came at other times.
    FAIL: 90 % or more. WARN: more than half. Below 90 % that tenth has to be twice the machine's own noise.
    """
    beat = _beat(evidence)
    if beat is not None:
        share, told, waits = beat
        yield (failed if share >= MOST_TOGETHER else warned)(len(waits), told, _calls(waits))
        return
    herd = _herd(evidence)
    if herd is None:
        first = [group for (_, retry), group in evidence.waits_by_number.items() if retry == 1]
        n = max(map(len, first), default=0)
        if n < HERD:
            yield unknown(n, too_few(n, HERD, "first wait", "Let more calls fail, for example http:503"))
        else:
            yield unknown(n, "the first waits are too short to judge. Configure waits of 100 ms or more")
        return
    share, told, group = herd
    n, calls = len(group), _calls(group)
    rule = {said.verdict for said in jitter(evidence)}
    if share >= MOST_TOGETHER:
        said = failed(n, told, calls)
    elif _may_be_work(group, evidence):
        said = unknown(n, f"{told}. {TOO_MANY}", calls)
    elif median([wait.seconds for wait in group]) / 10 < 2 * evidence.doubt and not (
        share <= MANY_TOGETHER and PASS in rule
    ):
        said = unknown(n, f"{told}. More of them may: reduce the machine's load to measure it", calls)
    else:
        said = (warned if share > MANY_TOGETHER else passed)(n, told, calls)
    yield said._replace(said_by="jitter") if said.verdict in (FAIL, WARN) and FAIL in rule else said


@check(
    "backoff grows",
    reference="AWS: exponential backoff and jitter; Cloud Storage: retry strategy",
    minimum="6 waits before two retries, of 50 ms or more",
)
def backoff_grows(evidence: Evidence) -> Iterator[Said]:
    """The backoff becomes longer from retry to retry.

    The slope of the logarithm of the waits over the number of the retry (1 to 4), with 2.6 standard errors on both
    sides. WARN: certainly a factor below 1.25 per retry. PASS: certainly above 1.15. Not judged where retries are nested.
    """
    if any(said.verdict in (FAIL, WARN) for said in nested_retries(evidence)):
        yield unknown(
            0, "nested retries mix the waits of two layers. Switch one layer off to judge the other"
        )
        return
    usable: dict[str, list[list[Wait]]] = {}
    work: list[Wait] = []
    for (kind, retry), group in evidence.waits_by_number.items():
        middle = median([wait.seconds for wait in group])
        long_enough = middle >= max(LONG_ENOUGH / 2, 5 * evidence.turnaround.noise)
        if retry > COUNTED or not long_enough:
            continue
        if _may_be_work(group, evidence):
            work += group
        else:
            usable.setdefault(kind, []).append(group)
    said = [
        _growth(kind, [wait for group in groups for wait in group], 5 * evidence.doubt)
        for kind, groups in usable.items()
        if len(groups) > 1 and sum(map(len, groups)) >= 6
    ]
    if not said:
        kind = max(usable, key=lambda each: len(usable[each]), default="")
        n = sum(map(len, usable.get(kind, ())))
        if work:
            told = f"the waits are of {seconds(median([wait.seconds for wait in work]))} (median)"
            yield unknown(n, f"{told}. {TOO_MANY}", _calls(work))
            return
        told = f"Not enough data: {n} of 6 waits of 50 ms or more, before {len(usable.get(kind, ()))} of 2 retries"
        yield unknown(n, f"{told}. Let calls fail three times or more, for example http:503")
        return
    yield min(said, key=lambda each: (WARN, PASS, INCONCLUSIVE).index(each.verdict))


def _growth(kind: str, found: Sequence[Wait], certain: float) -> Said:
    """Whether the waits after one kind of failure grow; that they do not is certain of those that are long enough."""
    by, error = slope([(wait.retry, log(max(wait.seconds, 1e-4))) for wait in found])
    margin = SURE * max(error, 0.01)
    low, high = exp(by - margin), exp(by + margin)
    n = len(found)
    told = (
        f"the waits grow by a factor of {exp(by):.1f} per retry [{low:.1f}, {high:.1f}] after {kind} failures"
    )
    if (
        high < STANDING
        and min(median([wait.seconds for wait in group]) for group in by_number(found).values()) < certain
    ):
        return unknown(
            n,
            f"{told}. A busy machine may be the cause: add requests without faults",
            _calls(found),
        )
    if high < STANDING:
        return warned(
            n,
            f"the waits do not grow: by a factor of {exp(by):.2f} per retry [{low:.2f}, {high:.2f}]",
            _calls(found),
        )
    if low > GROWING:
        return passed(n, told, _calls(found))
    return unknown(n, f"{told}. Add calls, or attempts per call", _calls(found))


def _crowding(found: Sequence[Wait], evidence: Evidence) -> float:
    """Seconds of such waits that the client may have spent on its other calls, in the middle of them."""
    return median([evidence.crowding(wait) for wait in found])


def _may_be_work(found: Sequence[Wait], evidence: Evidence) -> bool:
    """Whether half of such waits, or more, may be what the client does for its other calls."""
    return 2 * _crowding(found, evidence) > median([wait.seconds for wait in found])


def _calls(found: Sequence[Wait]) -> list[Call]:
    """The calls of waits, those with the most retries first."""
    return sorted({id(wait.call): wait.call for wait in found}.values(), key=lambda call: -call.retries)
