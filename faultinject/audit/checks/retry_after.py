"""What a client makes of Retry-After, and of the vendors' headers that ask it to wait."""

from __future__ import annotations

from faultinject.audit.checks.check import check, failed, passed, unknown
from faultinject.audit.checks.questions import UNSAFE, may_be_copy
from faultinject.audit.checks.retries import FEWEST, retries
from faultinject.audit.checks.words import plain, seconds, too_few
from faultinject.audit.findings import PASS
from faultinject.audit.statistics import median, p95
from faultinject.audit.waits import hinted, is_near

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from faultinject.audit.checks.check import Said
    from faultinject.audit.evidence import Evidence
    from faultinject.audit.waits import Hinted
    from faultinject.journal.attempts import Attempt

SLACK = 0.05
"""Seconds that a wait may be shorter than asked for: clocks and timers."""
OTHER_CLOCK = 1.0
"""Seconds more, where a date is read by the clock of another host."""
MISREAD = 0.2
"""Share of the usual wait below which Retry-After has made the client faster."""


@check(
    "retry-after",
    reference="RFC 9110 10.2.3; RFC 6585 4; Azure: transient fault handling",
    minimum="3 answers with Retry-After that were followed by another attempt",
)
def retry_after(evidence: Evidence) -> Iterator[Said]:
    """A client that is asked to wait by Retry-After waits that long.

    One finding for each way of asking (seconds, a date, a vendor's header): from the answer to the next arrival, 50 ms
    less than asked at most. FAIL: two are earlier, or all. PASS: none, and without Retry-After the client waits
    less than half as long.
    """
    by_form: dict[str, list[Hinted]] = {}
    for wait in hinted(evidence.everyone):
        if may_be_copy(evidence, wait.before, wait.call.attempts[wait.retry]):
            continue
        by_form.setdefault(wait.before.hint_form or "", []).append(wait)
    if not by_form:
        yield unknown(
            0,
            too_few(
                0,
                FEWEST,
                "answer with Retry-After",
                "ask calls that are tried again to wait: http:503,retry_after=3s,times=1,per=call",
            ),
        )
    for form, waits in sorted(by_form.items()):
        yield _one_form(evidence, form, waits)


def _one_form(evidence: Evidence, form: str, waits: Sequence[Hinted]) -> Said:
    n = len(waits)
    calls = [wait.call for wait in waits]
    if n < FEWEST:
        return unknown(
            n,
            f"{form}: {too_few(n, FEWEST, 'answer with Retry-After', 'ask more: retry_after=3s,times=1,per=call')}",
            calls,
            form,
        )
    asked = [_asked(wait.before, form, evidence) for wait in waits]
    early = [
        (wait, wanted) for wait, wanted in zip(waits, asked, strict=True) if wait.seconds < wanted - SLACK
    ]
    usual = _usual(evidence, waits)
    if len(early) >= 2 or len(early) == n:
        middle = median([wait.seconds for wait, _ in early])
        told = f"{form}: {len(early)} of {n} came after {seconds(middle)}"
        told += f" instead of {plain(median([wanted for _, wanted in early]))} s"
        if usual and middle < evidence.turnaround.zero and middle < MISREAD * median(usual):
            told += ", shorter than without Retry-After: read as milliseconds?"
        return failed(n, told, [wait.call for wait, _ in early], form)
    if early:
        return unknown(
            n,
            f"{form}: 1 of {n} was early: more answers with Retry-After would decide",
            [early[0][0].call],
            form,
        )
    if len(usual) < FEWEST:
        return unknown(
            n,
            f"{form}: none was early, but is that due to Retry-After? waits without it would tell",
            calls,
            form,
        )
    longest = p95(usual)
    told_by = [wait for wait, wanted in zip(waits, asked, strict=True) if longest < wanted / 2]
    if len(told_by) < FEWEST:
        more = seconds(2 * longest)
        return unknown(
            n, f"{form}: the client waits {seconds(longest)} anyhow: ask for more than {more}", calls, form
        )
    middle, wanted = median([wait.seconds for wait in told_by]), median(asked)
    told = f"{form}: {n} of {n} waited, {seconds(middle)} where {plain(wanted)} s were asked for"
    return passed(n, told, calls, form)


def _asked(before: Attempt, form: str, evidence: Evidence) -> float:
    """The seconds that a client has to wait; it may promise to heed no more than some."""
    wanted = before.hint or 0.0
    if evidence.profile is not None:
        wanted = min(wanted, evidence.profile.hints.get(form, wanted))
    if form == "date" and not is_near(before):
        wanted -= OTHER_CLOCK
    return wanted


def _usual(evidence: Evidence, waits: Sequence[Hinted]) -> list[float]:
    """The waits of the same client before the same retries when nobody asks for any."""
    numbers = {wait.retry for wait in waits}
    kinds = {wait.before.kind for wait in waits}
    return [wait.seconds for wait in evidence.waits if wait.retry in numbers and wait.kind in kinds]


@check(
    "malformed retry-after",
    reference="RFC 9110 10.2.3",
    minimum="3 malformed values with failures that are retried without",
)
def malformed_retry_after(evidence: Evidence) -> Iterator[Said]:
    """A malformed Retry-After does not keep a client from retrying.

    Of the calls that got `Retry-After: soon` with a failure that the client tries again otherwise, how many were tried
    again. FAIL: none. PASS: all.
    """
    found = []
    for call in evidence.calls:
        for index, attempt in enumerate(call.attempts):
            if attempt.hint_form == "unreadable" and attempt.failed:
                again = index < call.retries
                if again or attempt.method not in UNSAFE:
                    found.append((call, attempt.answer, again))
                break
    verdicts = {said.subject: said.verdict for said in retries(evidence)}
    usable = [each for each in found if verdicts.get(each[1]) == PASS]
    n = len(usable)
    calls = [call for call, _, _ in usable]
    if n < FEWEST:
        what = "give more: http:503,set.retry-after=soon,times=1,per=call"
        if len(found) >= FEWEST:
            what = "is the same failure tried again without Retry-After?"
        yield unknown(n, too_few(n, FEWEST, "answer with a malformed Retry-After", what), calls)
        return
    tried = sum(again for _, _, again in usable)
    if not tried:
        yield failed(n, f"a malformed Retry-After stops the client: 0 of {n} calls tried again", calls)
    elif tried == n:
        yield passed(n, f"{tried} of {n} calls tried again after a malformed Retry-After", calls)
    else:
        yield unknown(
            n, f"{tried} of {n} calls tried again after a malformed Retry-After: more would decide", calls
        )
