"""Checks of Retry-After, and of the vendors' headers that ask a client to wait."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf

from faultinject.audit.checks.check import check, failed, passed, too_few, unknown, warned
from faultinject.audit.checks.questions import UNSAFE
from faultinject.audit.checks.retries import ONE_CLIENT, ended_by_form, longest_asked, retries, waits_as_long
from faultinject.audit.checks.words import NAME_THEM, Setting, against_noise, counted, plain, seconds
from faultinject.audit.documents import AWS_SDKS, AZURE, PROMISE, rfc
from faultinject.audit.evidence import FIRST_WAIT, OPENS_A_BREAKER, Evidence
from faultinject.audit.findings import PASS, Finding
from faultinject.audit.grouping import SOON
from faultinject.audit.statistics import FEWEST, grouped, median, p95
from faultinject.audit.waits import KINDS, Wait, hinted, is_near
from faultinject.journal.attempts import Attempt

SLACK = 0.05
"""Seconds by which a wait may be shorter than asked for, as clocks and timers are not exact."""
OTHER_CLOCK = 1.0
"""Additional seconds by which a wait until a date may be shorter on another host's clock."""
VENDORS = {"x-amz-retry-after": AWS_SDKS, "x-ms-retry-after-ms": AZURE, "retry-after-ms": AZURE}
"""The document of each vendor's header that asks for a wait.

A client has to know such a header only if its profile promises that.
"""
FAIL_WITHOUT = "Let the same failure come without Retry-After too, for example http:503,times=1,per=call."
LATE = 4
"""Multiple of a client's usual first wait; its own first retry seldom comes later."""
MISREAD = 0.2
"""Share of a client's usual wait; a wait below it is so short because of Retry-After."""


@check(
    "retry-after",
    documents=(rfc(9110, "10.2.3"), rfc(6585, "4"), AZURE),
    minimum="3 answers with Retry-After that were followed by another attempt",
    more="Send Retry-After to calls that are retried, for example http:503,retry_after=3s,times=1,per=call.",
)
def retry_after(evidence: Evidence) -> Iterator[Finding]:
    """A client waits as long as Retry-After asks.

    There is one finding for each form: seconds, a date, and a vendor's header. A client has to know a vendor's header
    only if its profile promises that. The time from the answer to the next arrival at the same host may be at most
    50 ms shorter than asked for.
    FAIL: two retries are earlier. FAIL as well (a WARN without a driver): of 3 calls or more that got seconds (or a
    date), none is retried, although the client retries the same answer to the same method with a date (or seconds), has
    waited at least as long for an answer, and retries later calls. PASS: no retry is earlier, and without Retry-After
    the client waits less than half as long, and shorter by more than the machine's noise. It is not decided if requests
    came again under another id sooner than asked for.
    """
    waits = list(hinted(evidence.everyone))
    # A vendor's own header is for clients that promise to know it.
    others = VENDORS.keys() - evidence.profile.hints.keys()
    own = [wait for wait in waits if wait.before.hint_form not in others]
    asked = (wait for wait in own if _follows_answer(wait.before, wait.call.attempts[wait.retry], evidence))
    by_form = grouped(asked, lambda wait: wait.before.hint_form or "")
    for form, calls in ended_by_form(evidence).items():
        message = f"{form}: 0 of {len(calls)} retried, though the client waits"
        longest = longest_asked(calls)
        if waits_as_long(evidence, longest):
            yield (failed if evidence.driven else warned)(
                len(calls),
                f"{message} as long where Retry-After has another form",
                calls,
                form,
                action="Read Retry-After in seconds and as a date, and retry without it where it cannot be read.",
            )
        else:
            yield unknown(
                len(calls),
                f"{message} where another form asks for less than {seconds(longest)}",
                calls,
                form,
                action=f"Let another form ask for {seconds(longest)} or more.",
            )
    if waits and not own:
        forms = ", ".join(sorted({wait.before.hint_form or "" for wait in waits}))
        yield unknown(
            len(waits),
            f"{counted(len(waits), 'answer')} asked for a wait by {forms}, which the client does not"
            " promise to know",
            [wait.call for wait in waits],
            action=Setting("Choose a `--vendor` that sends Retry-After, for example cos.")
            if evidence.driven
            else "Give the rules hint=seconds.",
        )
    elif not by_form:
        yield too_few(0, FEWEST, "answer with Retry-After")
    for form, waits in sorted(by_form.items()):
        finding = _one_form(evidence, form, waits)
        if form in VENDORS:
            finding.documents = VENDORS[form], PROMISE
        yield finding


def _follows_answer(before: Attempt, after: Attempt, evidence: Evidence) -> bool:
    """Whether a request goes to the host that asked for the wait, and was sent after that."""
    return before.host == after.host and not evidence.may_be_copy(before, after)


def _one_form(evidence: Evidence, form: str, waits: Sequence[Wait]) -> Finding:
    n = len(waits)
    calls = [wait.call for wait in waits]
    send = f"Send more of them, for example http:503,retry_after=3s,hint={form},times=1,per=call."
    if n < FEWEST:
        return too_few(n, FEWEST, "answer with Retry-After", calls, form, action=send)
    asked = [_asked(wait.before, form, evidence) for wait in waits]
    early = [
        (wait, wanted) for wait, wanted in zip(waits, asked, strict=True) if wait.seconds < wanted - SLACK
    ]
    usual = _usual(evidence, waits)
    if len(early) >= 2:
        middle = median([wait.seconds for wait, _ in early])
        message = (
            f"{form}: {len(early)} of {n} retried after {seconds(middle)}"
            f" instead of {plain(median([wanted for _, wanted in early]))} s"
        )
        if usual and middle < evidence.turnaround.zero < MISREAD * median(usual):
            message += ", sooner than without Retry-After: the client may read it as milliseconds"
        return failed(
            n, message, [wait.call for wait, _ in early], form, action="Wait as long as the answer asks."
        )
    if early:
        return unknown(n, f"{form}: 1 of {n} retried too early", [early[0][0].call], form, action=send)
    above = [
        call for call in evidence.everyone if call.last.hint_form == form and (call.again or 0.0) < -SLACK
    ]
    if above:
        return unknown(
            n,
            f"{form}: {counted(len(above), 'request')} came again under another id sooner than asked, by a"
            " layer above or by the caller",
            above,
            form,
            action=NAME_THEM,
        )
    if len(usual) < FEWEST:
        return unknown(
            n,
            f"{form}: 0 of {n} retried too early, perhaps not because of Retry-After: too few such failures"
            " came without it",
            calls,
            form,
            action=FAIL_WITHOUT,
        )
    longest = p95(usual)
    least = max(2 * longest, longest + evidence.group(waits).noise + SLACK)
    longer = [wait for wait, wanted in zip(waits, asked, strict=True) if wanted > least]
    if len(longer) < FEWEST:
        how = f"Ask for more than {seconds(least)}."
        if 2 * longest < least:
            return unknown(
                n,
                f"{form}: a busy machine may make a wait without Retry-After {seconds(least)} long"
                ", and Retry-After asked for no more than that",
                calls,
                form,
                action=against_noise(evidence.turnaround, how),
            )
        return unknown(
            n,
            f"{form}: the client waits {seconds(longest)} without Retry-After too",
            calls,
            form,
            action=how,
        )
    middle, wanted = median([wait.seconds for wait in longer]), median(asked)
    return passed(
        n,
        f"{form}: {n} of {n} waited: {seconds(middle)} where Retry-After asked for {plain(wanted)} s",
        calls,
        form,
    )


def _asked(before: Attempt, form: str, evidence: Evidence) -> float:
    """The seconds that a client has to wait; its promise may have an upper bound."""
    wanted = min(before.hint or 0.0, evidence.profile.hints.get(form, inf))
    return wanted - OTHER_CLOCK if form == "date" and not is_near(before) else wanted


def _usual(evidence: Evidence, waits: Sequence[Wait]) -> list[float]:
    """The waits of the client before the same retries if no answer asks for one."""
    numbers = {wait.retry for wait in waits}
    kinds = {wait.before.kind for wait in waits}
    return [wait.seconds for wait in evidence.waits if wait.retry in numbers and wait.kind in kinds]


@check(
    "malformed retry-after",
    documents=(rfc(9110, "10.2.3"),),
    minimum="3 malformed values, with failures that the client retries without them",
    more="Send more, for example http:503,set.retry-after=soon,times=1,per=call.",
)
def malformed_retry_after(evidence: Evidence) -> Finding:
    """A malformed Retry-After does not keep a client from retrying.

    Of the calls that got `Retry-After: soon` with a failure that the client otherwise retries, the check counts those
    that were retried. FAIL: none was retried, though the client retries others before and later. Without a driver it
    is a WARN if the client retries others only before. PASS: all were retried.

    It is not decided if the last transient failure before these calls was not retried either, because a retry budget
    may be used up, or if the five requests before them failed, because a circuit breaker may have opened. It is not
    decided either if a fingerprint alone groups the calls, and a call came again after four times the client's usual
    first wait, or after four seconds if that is unknown.
    """
    malformed = []
    for call in evidence.calls:
        for index, attempt in enumerate(call.attempts):
            if attempt.hint_form == "unreadable" and attempt.failed:
                again = index < call.retries
                if again or not (attempt.method in UNSAFE or evidence.held_back(call)):
                    malformed.append((call, attempt.answer, again))
                break
    verdicts = {said.subject: said.verdict for said in retries(evidence)}
    # A retried call shows by itself that the client retries such failures, whatever it does with other methods.
    usable = [case for case in malformed if case[2] or verdicts.get(case[1]) == PASS]
    n = len(usable)
    calls = [call for call, _, _ in usable]
    if n < FEWEST:
        return too_few(
            n,
            FEWEST,
            "answer with a malformed Retry-After",
            calls,
            action=FAIL_WITHOUT if len(malformed) >= FEWEST else "",
        )
    own = [
        wait.seconds for wait in evidence.waits if wait.retry == 1 and wait.before.hint_form != "unreadable"
    ]
    latest = min(SOON, LATE * median(own or [FIRST_WAIT]) + evidence.turnaround.noise)
    if late := [
        call for call, _, again in usable if again and call.inferred and (call.gaps[0] or 0.0) > latest
    ]:
        return unknown(
            n,
            f"{len(late)} of {n} came again more than {seconds(latest)} after a malformed Retry-After, late"
            " for a first retry of this client: the caller may have repeated the call",
            late,
            action=NAME_THEM,
        )
    tried = sum(again for _, _, again in usable)
    message = f"{tried} of {n} calls retried after a malformed Retry-After"
    before = [
        call
        for call in evidence.calls
        if call.first.arrived < calls[0].first.arrived
        # A transport may repeat lost requests by itself, without a budget.
        and call.first.kind in (KINDS if not call.retries else ("server", "throttle"))
        and call.first.method not in UNSAFE
    ]
    lately = [request.failed for request in evidence.requests if request.arrived < calls[0].first.arrived]
    if not (tried or evidence.driven) and (
        (len(lately) >= OPENS_A_BREAKER and all(lately[-OPENS_A_BREAKER:]))
        or (before and not before[-1].retries)
    ):
        message += ": a retry budget or a circuit breaker may be the cause"
        return unknown(n, message, calls, action=ONE_CLIENT)
    if not tried:
        # Only a later retry after the same kind of failure shows a budget: a retry with a new token after a refusal
        # needs none, and another layer may retry other kinds.
        sure = evidence.driven or any(
            call.retries
            and call.first.kind == calls[-1].first.kind
            and call.last.arrived > calls[-1].first.arrived
            for call in evidence.calls
        )
        return (failed if sure else warned)(
            n,
            f"{message}: it stops the retries{'' if sure else ', or a budget was used up'}",
            calls,
            action="Retry as without the header when its value cannot be read.",
        )
    if tried == n:
        return passed(n, message, calls)
    return unknown(n, message, calls)
