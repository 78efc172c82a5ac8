"""Whether a client retries: what is transient, not what is permanent, and not for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from itertools import filterfalse, pairwise
from math import inf

from faultinject.audit.checks.check import check, failed, passed, seen_by_callers, too_few, unknown, warned
from faultinject.audit.checks.lost_answers import Requests, is_lost
from faultinject.audit.checks.questions import (
    DONE_ALREADY,
    LOST,
    UNSAFE,
    is_done_already,
    is_permanent,
    is_storage_call,
    may_be_sent_again,
    may_be_waited_out,
    may_poll,
    may_wait,
    own_limit,
    sends_refused_token,
    should_be_tried_again,
    stays_the_same,
)
from faultinject.audit.checks.words import DRIVE_IT, IDLE, NAME_THEM, NO_BREAKER, OTHER_IDS, counted, seconds
from faultinject.audit.documents import AWS_SDKS, AZURE, CLOUD_STORAGE, TABLE, rfc
from faultinject.audit.evidence import RARE, Evidence, answered_at
from faultinject.audit.findings import FAIL, WARN, Finding
from faultinject.audit.grouping import POLL, READING, WINDOW
from faultinject.audit.matching import alike, changed, fingerprint, thing_of
from faultinject.audit.statistics import FEWEST, grouped
from faultinject.audit.waits import KINDS
from faultinject.engine.shown import quoted
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import TOLD, Call

JUDGED = 10
"""The number of first calls that are judged: later ones may meet an empty retry budget."""
PATIENCE = 5.0
"""Seconds; a client that is asked to wait longer may rather give up."""
DATE_ROUNDS = 1.0
"""Seconds by which a date may exceed the journal's hint, because a date has no fractions."""
UNCLEAR = ("shared", "repeated", "followed", "begun earlier")
"""Reasons for leaving out calls that may hold retries."""
PASSES = (*KINDS, "timeout", "hidden")
"""Kinds of failure that may pass."""
BY_STATE = frozenset((404, 409, 410, 412, 416))
"""Answers of an app that depend on what is stored, so that a retry need not be their reason."""
ONE_CLIENT = "Use a separate client for these calls."
STOP = "Do not retry this answer."
END = "End a call after a few attempts, or after some seconds."
AT_ONE_TIME = 0.9
"""Calls that end at one deadline last at least this share of the longest call's time.

If they do, two different numbers of attempts prove the deadline; otherwise three are needed.
"""
DEADLINE = 120.0
"""The longest usual deadline, seconds: that of Cloud Storage's Python client."""
MANY, TOO_MANY = 10, 20
"""Attempts in one call that are many, and that are too many."""


@check(
    "retries",
    documents=(TABLE, AWS_SDKS, CLOUD_STORAGE),
    minimum="3 calls that first got this answer",
    more="Let calls fail with a transient error, for example http:503,times=1,per=call.",
)
def retries(evidence: Evidence) -> Iterator[Finding]:
    """A transient failure is retried.

    FAIL: the client never retries, though 3 calls or more got a transient failure. FAIL as well: calls that met one
    transient failure were then refused by the app with a 4xx that calls without a fault do not get. It is a WARN if
    only a fingerprint groups their attempts.

    Otherwise there is one finding for each answer: of the calls that first got it, how many were retried, by method.
    PASS: of each method with 3 calls or more, all of the first 10 calls were retried, or 90 % of all. WARN: no call
    was retried; or calls were retried, but none of one method, none with Retry-After, or none without it.

    This WARN is a FAIL if (1) the vendor documents the answer as retryable; (2) three of these calls came before the
    client's last retry; (3) none of them came again under another id, or is a deletion or a conditional write. Without
    a driver also: (4) three of them came before the first retried call, or alternate with retried calls; (5) none of
    them is a POST or HEAD, was answered after more than 5 s, ended in success for its caller, or failed just before a
    circuit breaker opened; (6) no other call may have retried.

    WARN as well: the client retries after a 501 or 505, which no retry changes. WARN as well: it retries with the
    same token after an answer that asks for a new one, if the calls with that answer have several tokens.

    A POST without a retry counts only if a storage SDK sent it and retries other POSTs. An answer whose Retry-After
    exceeds 5 s does not count. No retry is expected after an answer that no documentation calls transient, or if the
    documentation asks for another step first, such as a new token or a look at the present state.

    INCONCLUSIVE: a circuit breaker may have ended the calls, as other calls (in a driven run: of the same name) failed
    without a request during the client's first wait. INCONCLUSIVE without a driver: the same requests came again under
    other ids of an SDK that repeats no id for that method. INCONCLUSIVE as well: the client retries nothing, and the
    same requests came again minutes later, as a queue sends them, while those that had succeeded did not.

    Without a driver, a FAIL needs three calls without two doubts. The first: a circuit breaker may have opened,
    because five requests or more had failed in a row, and none followed for 5 s when the first wait was over. The
    second: the callers got a result, perhaps because the client asked another server.
    """
    yield from _refused_retries(evidence)
    by_answer = _by_answer(evidence)
    if not by_answer:
        yield too_few(0, FEWEST, "call")
    given_up = _with_status(by_answer)
    if len(given_up) >= FEWEST and not any(_is_retried(evidence, call) for call in evidence.everyone):
        known = {
            answer: some
            for answer, calls in by_answer.items()
            if (some := list(filterfalse(evidence.may_be_under_other_ids, calls)))
        }
        decided = len(_with_status(known)) >= FEWEST
        reported = known if decided else by_answer
        given_up = _with_status(reported)
        answers = ", ".join(f"{answer} ({len(calls)})" for answer, calls in reported.items())
        n = sum(map(len, reported.values()))
        message = f"0 of {n} calls retried after {answers}"
        if not decided:
            yield _reported_with_other_ids(evidence, message, given_up)
            return
        why, how = _other_reason(evidence, given_up)
        if why:
            yield unknown(n, f"{message}, but {why}", given_up, action=how)
            return
        if sum(map(len, evidence.under_other_ids.values())) < FEWEST:
            every = [call for calls in reported.values() for call in calls]
            held = sum(map(evidence.may_be_held_back, given_up))
            saved = sum(map(_heard_of_success, given_up))
            sure = evidence.driven or len(given_up) - held - saved >= FEWEST
            doubts = {
                f"; a circuit breaker may have ended {held} of them, as no request followed": held,
                f"; the callers of {saved} heard of success, perhaps from another place": saved,
            }
            unsure = "" if sure else "".join(doubt for doubt, calls in doubts.items() if calls)
            yield (failed if sure else warned)(
                n,
                f"the client never retries: {message}, although {_why(every)}{unsure}",
                given_up,
                action="Retry transient failures.",
                evidence=seen_by_callers(given_up, returned=False),
            )
            return
        # The client retries elsewhere, perhaps in a layer above the SDK, so it is judged answer by answer.
    for answer, calls in by_answer.items():
        yield _on_answer_or_breaker(evidence, answer, calls)


def _on_answer_or_breaker(evidence: Evidence, answer: str, calls: Sequence[Call]) -> Finding:
    """The finding on one answer, which is no PASS if a circuit breaker may have ended calls."""
    held_back = list(filter(evidence.held_back, calls))
    finding = _one_answer(evidence, answer, [call for call in calls if not evidence.held_back(call)])
    if not held_back or finding.verdict in (FAIL, WARN):
        return finding
    methods = " and ".join(grouped(held_back, lambda call: call.first.method))
    return unknown(
        len(calls),
        f"{answer}: an open circuit breaker may have ended {len(held_back)} of {len(calls)} calls,"
        f" {methods}, before a retry",
        held_back,
        answer,
        action=NO_BREAKER,
    )


def _with_status(by_answer: dict[str, list[Call]]) -> list[Call]:
    """Find the calls whose first failure was an answer."""
    return [call for calls in by_answer.values() for call in calls if call.first.status is not None]


def _one_answer(evidence: Evidence, answer: str, calls: Sequence[Call]) -> Finding:
    n, again = len(calls), [call for call in calls if call.retries]
    by_method = grouped(calls, lambda call: call.first.method)
    tried = [f"{_number_retried(some)} of {len(some)} {name}" for name, some in by_method.items()]
    message = f"{answer}: {', '.join(tried) if len(tried) > 1 else f'{len(again)} of {n} calls'} retried"
    if n < FEWEST:
        return too_few(n, FEWEST, "call", calls, answer)
    if stays_the_same(calls[0].first):
        return warned(n, f"{message}, although a retry cannot succeed", again, answer, action=STOP)
    tokens = {attempt.credential for call in calls for attempt in call.attempts} - {None}
    in_vain = list(filter(sends_refused_token, again))
    # If all calls have one token, the service may hand out the same one again, as a test's does.
    if in_vain and len(tokens) > 1:
        return warned(
            n,
            f"{answer}: {len(in_vain)} of {n} calls retried with the token that was refused",
            in_vain,
            answer,
            action="Get a new token before you retry.",
        )
    comes_again = any(map(evidence.may_be_under_other_ids, calls))
    if not comes_again and (finding := _split_by_hint(evidence, answer, calls)):
        return finding
    enough = [some for some in by_method.values() if len(some) >= FEWEST] or [list(calls)]
    if all(
        all(call.retries for call in some[:JUDGED]) or _number_retried(some) >= 0.9 * len(some)
        for some in enough
    ):
        return passed(n, message, again, answer)
    if comes_again:
        return _reported_with_other_ids(evidence, message, calls, answer)
    if not again:
        if _budget_may_be_empty(evidence, calls):
            return unknown(
                n,
                f"{message}: other calls may have used up the retry budget",
                calls,
                answer,
                action=ONE_CLIENT,
            )
        return (failed if _is_promised(evidence, calls) else warned)(
            n, f"{message}, although {_why(calls)}", calls, answer, action="Retry such a failure."
        )
    # Some clients retry only after Retry-After, so these calls are compared with others that got none either.
    bare = [call for call in again if call.first.hint_form is None]
    never = {
        method: some
        for method, some in by_method.items()
        if bare and not _number_retried(some) and _had_a_budget(evidence, some, bare)
    }
    if never:
        names = " and ".join(never)
        unsure = [call for some in never.values() for call in some]
        return (failed if _is_promised(evidence, unsure) else warned)(
            n,
            f"{message}: {names} {'is' if len(never) == 1 else 'are'} never retried",
            unsure,
            answer,
            action=f"Retry {names} as the other methods, if a repeat does no harm.",
        )
    first = next(number for number, call in enumerate(calls) if not call.retries)
    if not any(call.retries for call in calls[first:]):
        message = f"{answer}: {first} of the first {first} calls retried, 0 of the {n - first} after them"
    return unknown(
        n, f"{message}: a retry budget or a deadline may be the cause", again, answer, action=ONE_CLIENT
    )


def _is_promised(evidence: Evidence, calls: Sequence[Call]) -> bool:
    """Whether the vendor calls this answer retryable, and only the client prevented retries.

    A client may leave a deletion to its next run, and may read the object before it repeats a conditional write.
    """
    documented = calls[0].first.documented
    retried = [call for call in evidence.calls if _is_retried(evidence, call)]
    return (
        documented is not None
        and documented.retryable == "yes"
        and all(call.first.method != "DELETE" and call.again is None for call in calls)
        and all(call.first.method in ("GET", "HEAD") or call.first.precondition is None for call in calls)
        and _had_a_budget(evidence, calls, retried)
        and (
            evidence.driven
            or (
                not any(_may_end_unretried(evidence, call) for call in calls)
                and _came_before_a_budget_was_spent(calls, retried)
                and not _other_reason(evidence, calls)[0]
                and len(calls) - sum(map(evidence.may_be_held_back, calls)) >= FEWEST
            )
        )
    )


def _is_retried(evidence: Evidence, call: Call) -> bool:
    """Whether a request was sent again because it had failed, not as a copy of a slow one."""
    return (call.retries > 0 and not _may_be_copies(evidence, call)) or any(
        before.failed and (before.left or answered_at(before) <= after.arrived)
        for before, after in pairwise(call.attempts)
    )


def _may_end_unretried(evidence: Evidence, call: Call) -> bool:
    """Whether a correct client may have a reason to end this call without a retry.

    A POST may do something twice, and a HEAD only asks whether something is there. A caller that heard of success
    may have got the result elsewhere, or keep the request for later. The deadline of a slow call may be over. A
    circuit breaker may have opened, whichever error its callers heard.
    """
    first = call.first
    return (
        first.method in (*UNSAFE, "HEAD")
        or _heard_of_success(call)
        or answered_at(first) - first.arrived > PATIENCE
        or evidence.held_back(call, alike=False)
    )


def _heard_of_success(call: Call) -> bool:
    """Whether a call's caller got a result, perhaps by a later request in one named call."""
    return call.returned is True or (call.window is not None and call.window.returned is True)


def _had_a_budget(evidence: Evidence, calls: Sequence[Call], retried: Sequence[Call]) -> bool:
    """Whether three of these calls came while a budget was left: before the last retried one.

    Each client of a driver has its own budget, which is full before its first retry. A call before this retry also
    counts, unless the client has a circuit breaker or an answer asked for a wait.
    """
    last = max((call.first.arrived for call in retried), default=-inf)
    again = grouped((call for call in evidence.calls if call.retries), lambda call: call.name)
    began = {name: same[0].first.arrived for name, same in again.items()}
    return (
        sum(
            call.first.arrived < last
            or (
                evidence.driven
                and call.first.hint_form is None
                and not evidence.has_a_breaker
                and call.first.arrived <= began.get(call.name, inf)
            )
            for call in calls
        )
        >= FEWEST
    )


def _other_reason(evidence: Evidence, calls: Sequence[Call]) -> tuple[str, str]:
    """Find another reason for calls without a retry, and the advice for it; both may be empty."""
    if len(calls) - sum(evidence.held_back(call, alike=False) for call in calls) < FEWEST:
        return "an open circuit breaker may have ended them before a retry", NO_BREAKER
    if unclear := sum(evidence.left_out.get(reason, 0) for reason in UNCLEAR):
        return f"{counted(unclear, 'other call')} may have retried", NAME_THEM
    if later := _came_again_after(evidence, calls):
        return (
            f"the same requests came again {seconds(later)} later or more, unlike those that"
            " succeeded: a queue may send them"
        ), NAME_THEM
    return "", ""


def _split_by_hint(evidence: Evidence, answer: str, calls: Sequence[Call]) -> Finding | None:
    """The finding on calls retried only with Retry-After, or only without; None: neither."""
    by_method = grouped(calls, lambda call: call.first.method).values()
    both = [same for same in by_method if len({call.first.hint_form is None for call in same}) > 1]
    calls = sorted((call for same in both for call in same), key=lambda call: call.first.arrived)
    asked = [call for call in calls if call.first.hint_form is not None]
    unasked = [call for call in calls if call.first.hint_form is None]
    if evidence.has_a_breaker:
        return None
    n = len(calls)
    retried = [call for call in asked if call.retries]
    if (
        retried
        and not _number_retried(unasked)
        and _came_before_a_budget_was_spent(unasked, retried)
        and not _budget_may_be_empty(evidence, unasked)
    ):
        return (failed if _is_promised(evidence, unasked) else warned)(
            n,
            f"{answer}: {len(retried)} of {len(asked)} calls with Retry-After retried, 0 of"
            f" {len(unasked)} without it",
            unasked,
            answer,
            action="Retry this answer also where it has no Retry-After.",
        )
    asked_names = {call.name for call in asked}
    of_client = [call for call in evidence.calls if call.name in asked_names or not evidence.driven]
    # A later retry shows that a budget was left. A call that lasted as long as the wait shows that the
    # deadline allows it.
    last = max((call.first.arrived for call in of_client if call.retries), default=0.0)
    longest = max((call.last.arrived - call.first.arrived for call in evidence.everyone), default=0.0)
    held = [call for call in asked if call.first.arrived < last and (call.first.hint or 0.0) <= longest]
    if (
        len(held) >= FEWEST
        and not _number_retried(asked)
        and _number_retried(unasked) >= max(FEWEST, 0.9 * len(unasked))
    ):
        return warned(
            n,
            f"{answer}: 0 of {len(asked)} calls with Retry-After retried, {_number_retried(unasked)} of"
            f" {len(unasked)} without it",
            asked,
            answer,
            action="Retry after the wait that Retry-After asks for.",
        )
    return None


def _came_before_a_budget_was_spent(calls: Sequence[Call], retried: Sequence[Call]) -> bool:
    """Whether three calls came before the first retried call, or alternate with retried calls."""
    in_order = sorted((*calls, *retried), key=lambda call: call.first.arrived)
    first = next(number for number, call in enumerate(in_order) if call.retries)
    turns = sum(after.retries > before.retries == 0 for before, after in pairwise(in_order))
    return max(first, turns) >= FEWEST


def _came_again_after(evidence: Evidence, calls: Sequence[Call]) -> float | None:
    """Seconds after which half of these requests or more came again, as calls of their own.

    None if fewer did, or if requests that had succeeded came again too: then the failure is not the reason.
    """
    # The last request of each fingerprint stays.
    latest = {fingerprint(request): request for request in evidence.requests}
    again = [
        latest[thing_of(call)].arrived - call.last.arrived
        for call in calls
        if latest[thing_of(call)].arrived > call.last.arrived and alike(latest[thing_of(call)], call.last)
    ]
    got = [request for request in evidence.requests if not request.failed]
    got_again = sum(latest[fingerprint(attempt)] is not attempt for attempt in got)
    seen = len(got) >= FEWEST and got_again <= RARE * len(got)
    return min(again) if 2 * len(again) >= len(calls) and seen else None


def _reported_with_other_ids(
    evidence: Evidence, message: str, calls: Sequence[Call], answer: str | None = None
) -> Finding:
    """The finding on requests that come again under other ids of an SDK."""
    got = {(call.first.method, call.first.answer) for call in calls}
    again = sum(len(evidence.under_other_ids.get(key, ())) for key in got)
    return unknown(
        len(calls),
        f"{message}, but {counted(again, 'request')} came again under another id of {OTHER_IDS}",
        calls,
        answer,
        action=DRIVE_IT,
    )


def _number_retried(calls: Sequence[Call]) -> int:
    return sum(call.retries > 0 for call in calls)


def _refused_retries(evidence: Evidence) -> Iterator[Finding]:
    """The finding on calls that failed transiently, and whose retry the app then refused.

    The retry is not to blame if calls without a fault get the same refusal, or if the state of the storage may
    explain it. A driver's client must have succeeded with that method once: else all its requests may be wrong.
    """
    usual = {(call.first.method, call.first.status) for call in evidence.everyone if not call.first.injected}
    # Open calls of a driver count too: they may hang to the end of the run.
    ended = evidence.everyone if evidence.driven else evidence.calls
    met = [call for call in ended if call.retries and call.first.injected and call.first.kind in PASSES]
    taken = {call.last.method for call in evidence.calls if call.succeeded}
    refused = [
        call
        for call in met
        if not _heard_of_success(call)
        and call.last.kind == "client"
        and not call.last.injected
        and call.last.status not in BY_STATE
        and (call.last.method, call.last.status) not in usual
        # The app may have refused the first attempt in the same way, in the answer that was lost.
        and call.last.status != call.first.app_status
        and (call.last.method in taken or not evidence.driven)
    ]
    sure = [call for call in refused if evidence.driven or call.signal == TOLD]
    if not sure and len(refused) < FEWEST:
        return
    n = len(met)
    answers, statuses = (
        " or ".join(sorted({quoted(attempt.answer) for attempt in some}))
        for some in (map(_retried_in_vain, refused), [call.last for call in refused])
    )
    yield (failed if sure else warned)(
        n,
        f"{len(refused)} of {n} calls failed after one {answers}: the app refused the retry with {statuses}",
        sure or refused,
        action="Make the body, its digest and the signature anew for each attempt.",
        evidence=seen_by_callers(sure, returned=False),
    )


def _retried_in_vain(call: Call) -> Attempt:
    """The last attempt of a call before those that the app refused."""
    return [attempt for attempt in call.attempts if attempt.kind != "client"][-1]


def _why(calls: Sequence[Call]) -> str:
    """The reason to retry calls, in words."""
    documented = {call.first.answer: call.first.documented for call in calls}
    retryable = [
        quoted(answer) for answer, row in documented.items() if row is not None and row.retryable == "yes"
    ]
    names = "it" if len(documented) == 1 else " and ".join(retryable)
    if retryable:
        return f"the vendor documents {names} as retryable"
    silent = any(row is not None for row in documented.values())
    return f"such failures {'usually pass; the vendor does not state it' if silent else 'are transient'}"


def _by_answer(evidence: Evidence) -> dict[str, list[Call]]:
    """The calls that should have been retried, or were retried, by their first answer.

    A call that is still open counts only if it was retried.
    """
    calls_by_answer: dict[str, list[Call]] = {}
    tried = [call for call in evidence.open if call.retries]
    calls = sorted((*evidence.calls, *tried), key=lambda call: call.first.arrived)
    unread = [
        form
        for form, calls in ended_by_form(evidence).items()
        if waits_as_long(evidence, longest_asked(calls))
    ]
    requests = Requests(evidence.requests)
    uploads = any(
        call.retries and call.first.method in UNSAFE and is_storage_call(call.first) for call in calls
    )
    for call in calls:
        first = call.first
        repeat_may_harm = first.method in UNSAFE and not (
            uploads and is_storage_call(first) and first.kind not in LOST
        )
        may_be = first.kind in KINDS or may_be_sent_again(first)
        if (
            first.hint_form == "unreadable"
            or first.hint_form in unread
            or not (may_be or should_be_tried_again(first))
            or (not call.retries and _has_looked(call, requests))
        ):
            continue
        if call.retries or not (repeat_may_harm or first.kind == "timeout" or (first.hint or 0) > PATIENCE):
            calls_by_answer.setdefault(quoted(first.answer), []).append(call)
    return {
        answer: calls
        for answer, calls in calls_by_answer.items()
        if should_be_tried_again(calls[0].first) or any(call.retries for call in calls)
    }


def _has_looked(call: Call, requests: Requests) -> bool:
    """Whether the caller of a lost write found it by reading, and heard of success.

    Such a client need not write again.
    """
    lost = call.first
    return (
        _heard_of_success(call)
        and is_lost(lost)
        and any(
            attempt.method in READING
            and (is_done_already(attempt) if lost.method == "DELETE" else not attempt.failed)
            for attempt in requests.of(call, lost)
        )
    )


def _budget_may_be_empty(evidence: Evidence, calls: Sequence[Call]) -> bool:
    """Whether other calls may have used up the client's retry budget, or half of its quota.

    In a driven run a client is known by the name of its calls. A call that was asked to wait does not count, because
    it may have ended for that reason.
    """
    since, until = calls[0].first.arrived - WINDOW, calls[-1].first.arrived
    before = [
        call
        for call in evidence.calls
        if since <= call.first.arrived <= until and (not evidence.driven or call.name == calls[0].name)
    ]
    others = [
        call
        for call in before
        if call.first.method not in UNSAFE and call.first.answer != calls[0].first.answer
    ]
    most = {
        key: max(call.retries for call in same)
        for key, same in grouped(others, lambda call: (call.first.method, call.first.answer)).items()
    }
    short = [
        call
        for call in others
        if call.last.kind in KINDS
        and call.last.hint_form is None
        and call.last.answer != calls[0].first.answer
        and call.retries < most[call.first.method, call.first.answer]
    ]
    # The budget did not end calls that came while others were still retried.
    last = max((call.first.arrived for call in others if call.retries), default=0.0)
    spent = short and sum(call.first.arrived < min(last, short[0].first.arrived) for call in calls) < FEWEST
    return bool(spent) or any(
        sum(call.retries for call in before) >= numbers[0] / 2 for numbers in evidence.profile.quota.values()
    )


def ended_by_form(evidence: Evidence) -> dict[str, list[Call]]:
    """Find, by form of Retry-After, calls that ended although the client waits for another form.

    No budget ended these calls: the client retries later calls too. Calls that a circuit breaker may have ended are
    left out.
    """
    asked = grouped(_asked_to_wait(evidence), lambda call: (call.first.method, call.first.answer))
    waited = [call for calls in asked.values() if any(call.retries for call in calls) for call in calls]
    behind = max((call.first.arrived for call in evidence.calls if call.retries), default=0.0)
    return {
        form: calls
        for form, calls in grouped(waited, lambda call: call.first.hint_form or "").items()
        if len(calls) >= FEWEST
        and not any(
            call.retries or evidence.held_back(call) or evidence.held_back(call, alike=False)
            for call in calls
        )
        and behind > max(call.first.arrived for call in calls)
    }


def waits_as_long(evidence: Evidence, seconds: float) -> bool:
    """Whether the client waited this long after some answer that asked for a wait."""
    return any((call.gaps[0] or 0.0) >= seconds for call in _asked_to_wait(evidence) if call.retries)


def longest_asked(calls: Sequence[Call]) -> float:
    """The longest wait that answers of one form asked for, seconds."""
    return max(
        (call.first.hint or 0.0) + (DATE_ROUNDS if call.first.hint_form == "date" else 0.0) for call in calls
    )


def _asked_to_wait(evidence: Evidence) -> list[Call]:
    return [
        call
        for call in evidence.calls
        if call.first.hint_form in ("seconds", "date")  # every client has to know these
        and (call.first.hint or 0.0) <= PATIENCE
    ]


@check(
    "permanent",
    documents=(rfc(9110, "15.5"),),
    minimum="3 calls that first got such an answer",
    more="Let calls fail permanently, for example http:403.",
    pairs=(lambda attempt: attempt.kind == "client", 2),
)
def permanent(evidence: Evidence) -> Finding:
    """A permanent failure is not retried.

    The check judges calls whose first answer was an injected 400, 401, 403, 404, 405, 409 or 412 that no
    documentation calls retryable, not even with a new token or with care. FAIL: one of them has two attempts. FAIL
    as well: the same SDK repeats the call within a second, so that a layer above the SDK retries; it is a WARN
    without a driver. Not decided: only one call has two attempts, and it has a token, as one in 65,536 new tokens
    looks like the old one.

    A request with another token, precondition, region or clock, or after a write to that place, may get another
    answer and is no retry. A request that is refused because the first attempt took effect (`when=after`) is no retry
    either. If fingerprints alone group the attempts, several callers may get the same refusal: WARN for three objects
    or more, FAIL if no other request came in between. If requests come a second or more later, the client may wait
    for a change: WARN after 400, 401, 403 or 405, for three objects or more; requests that came sooner count, too.

    INCONCLUSIVE: a HEAD that finds nothing may wait for the object, in a named call too, if it waits longer than the
    machine's own delay (0.5 s if unmeasured). INCONCLUSIVE as well: the client sends copies of requests that are not
    answered yet, and these repeats are no more and no later than its copies. On a busy machine it may not have read
    the refusal.
    """
    copied = [call for call in evidence.everyone if _may_be_copies(evidence, call)]
    # The last attempt may have been refused because the first one took effect.
    aside = {
        *(id(call) for call in evidence.everyone if call.first.applied and is_done_already(call.last)),
        *map(id, copied),
    }
    calls = [call for call in evidence.calls if is_permanent(call.first) and id(call) not in aside]
    everyone = [call for call in evidence.everyone if is_permanent(call.first) and id(call) not in aside]
    again = [call for call in everyone if _asked_again(call) and not may_poll(call, evidence)]
    polling = [call for call in everyone if _asked_again(call) and may_poll(call, evidence)]
    repeated = [call for call in everyone if not call.retries and call.again is not None]
    above = [call for call in repeated if call.window is not None or (call.again or 0.0) < POLL]
    later = [call for call in repeated if call not in above]
    n = len({id(call) for call in (*calls, *again, *polling, *above)})
    unread = [call for call in copied if is_permanent(call.first)]
    if unread and (n < FEWEST or not (again or above or polling)):
        return unknown(
            len(unread),
            f"{counted(len(unread), 'refused call')} sent the same request again at the time when the"
            " client sends copies"
            " of slow requests: it may not have read the refusal",
            unread,
            action=IDLE,
        )
    if n < FEWEST:
        return too_few(n, FEWEST, "call", calls)
    times = Counter(map(thing_of, repeated))
    unclear = sum(thing_of(call) in times for call in everyone)
    slow = polling or (later if len(times) >= FEWEST or n - unclear < FEWEST else [])
    repeats_successes = not polling and any(
        map(evidence.contrast.repeats, {call.first.method for call in later})
    )
    refusals = (_asked_again(call) or call.first for call in again or above or slow or calls)
    answers = ", ".join(sorted({quoted(refusal.answer) for refusal in refusals}))
    proven = [call for call in again if not call.inferred]
    quick = again or above
    enough = len(set(map(thing_of, quick))) >= FEWEST
    things = set(map(thing_of, [*quick, *slow]))
    # The digest of a token is short: one in 65,536 new tokens looks like the old one.
    if len(proven) > 1 or (proven and proven[0].first.credential is None):
        return failed(n, f"{len(proven)} of {n} calls retried after {answers}", proven, action=STOP)
    if quick and (enough or not slow):
        sure = enough and all(call.alone for call in again) if again else all(call.window for call in above)
        retried = f"a layer above the SDK retried {counted(len(above), 'call')}"
        message = f"{f'{len(again)} of {n} calls retried' if again else retried} after {answers}"
        if sure:
            return failed(n, message, quick, action=STOP)
        message += ", or with a new token" if proven else ", or several callers sent the request"
        return (warned if enough else unknown)(
            n, message, quick, action=STOP if enough or proven else NAME_THEM
        )
    if slow:
        slow = [*quick, *slow]
        most = max(call.retries or times[thing_of(call)] for call in slow)
        gaps = [gap for call in slow for gap in (call.gaps or (call.again,)) if gap is not None]
        message = (
            f"after {answers} the same request came again up to {counted(most, 'time')},"
            f" {seconds(min(gaps))} later or more, for {len(things)} of"
            f" {counted(len(set(map(thing_of, everyone))), 'object')}: the client retries, or waits"
            " for a change"
        )
        sure = (
            not repeats_successes
            and len(things) >= FEWEST
            and all(call.first.status not in DONE_ALREADY for call in slow)
        )
        read = "Let a GET get this answer: a HEAD may wait for the object."
        how = STOP if sure else NAME_THEM if later or slow[0].inferred else read
        return (warned if sure else unknown)(n, message, slow, action=how)
    return passed(n, f"0 of {n} calls retried after {answers}", calls)


def _may_be_copies(evidence: Evidence, call: Call) -> bool:
    """Whether all repeats in a call may be copies that were sent before the answer was read."""
    copies = evidence.copies.get(call.first.method)
    return 0 < call.retries <= (0 if copies is None else copies.most) and all(
        any(evidence.may_be_copy(before, after) for before in call.attempts[:number])
        for number, after in enumerate(call.attempts[1:], 1)
    )


def _asked_again(call: Call) -> Attempt | None:
    """The first refused attempt that was sent again with nothing corrected, if there is one."""
    return next(
        (
            before
            for before, after in pairwise(call.attempts)
            if before.kind == "client" and not changed(before, after)
        ),
        None,
    )


@check(
    "gives up",
    documents=(rfc(9110, "9.2.2"), AZURE),
    minimum="3 calls that failed to the end",
    more="Let calls fail on every attempt, for example http:503.",
    pairs=(may_be_waited_out, 2),
)
def gives_up(evidence: Evidence) -> Finding:
    """A call that never succeeds gives up after a few attempts.

    The check judges the largest number of attempts of a call; a call with more than 20 is judged before it ends. FAIL:
    the number is more than the profile allows, or more than 20; a profile that was found by the user agent alone
    allows 20. WARN: it is more than 10. WARN as well: the same request came more than 20 times under other ids of an
    SDK that repeats none, without a success, for three objects or more.

    PASS all the same: a deadline ends the calls. They have various numbers of attempts, and all end at the same time,
    within two minutes; if it takes longer, more than 10 attempts are a WARN.

    A client that waits for a change is not counted. It repeats, after a wait, a GET or HEAD that the app itself answers
    with 404, 409 or 412, or a write with If-None-Match; or its refusals, grouped by fingerprint, come a second or more
    apart. INCONCLUSIVE: failed calls for one object ran at the same time, or came again under other ids of an SDK that
    repeats none.
    """
    ended = [call for call in evidence.calls if _failed_to_the_end(call) and not may_wait(call, evidence)]
    endless = [
        call
        for call in evidence.everyone
        if evidence.fewest_attempts(call) > _limit(call, evidence) and not may_wait(call, evidence)
    ]
    other_ids = list(filter(evidence.may_be_under_other_ids, ended))
    n = len({id(call) for call in (*ended, *endless)})
    longest = sorted((*endless, *ended), key=lambda call: -len(call.attempts))
    most = len(longest[0].attempts) if longest else 0
    limit = _limit(longest[0], evidence) if longest else 0
    deadline = _deadline(evidence, longest) if limit == TOO_MANY else None
    if endless and n >= FEWEST and deadline is None:
        allowed = "" if limit == TOO_MANY else f"; {evidence.profile.name} allows {limit}"
        return failed(
            n,
            f"up to {most} attempts per call{allowed}",
            sorted(endless, key=lambda call: -len(call.attempts)),
            action=END,
        )
    if n >= FEWEST and most > MANY and (deadline is None or deadline > DEADLINE):
        message = "" if deadline is None else f" in {seconds(deadline)}"
        return warned(n, f"up to {most} attempts per call{message}", longest, action=END)
    if len(often := _endless_targets(evidence, other_ids)) >= FEWEST:
        return warned(
            n,
            f"the same request came up to {max(often.values())} times under other ids of the SDK for"
            f" {len(often)} objects, and never succeeded: a layer above it, or the caller, does not give up",
            [call for call in other_ids if thing_of(call) in often],
            action=END,
        )
    if other_ids and n - len(other_ids) < FEWEST:
        return _reported_with_other_ids(
            evidence, f"no id came more than {counted(max(most, 1), 'time')}", other_ids
        )
    if n < FEWEST:
        return too_few(n, FEWEST, "failed call", ended)
    known = [call for call in longest if call not in other_ids]
    took = max(call.last.arrived - call.first.arrived for call in known)
    return passed(
        len(known),
        f"each of {len(known)} failed calls ended after at most {counted(len(known[0].attempts), 'attempt')},"
        f" within {seconds(took)}",
        known,
    )


def _endless_targets(evidence: Evidence, calls: Sequence[Call]) -> dict[Hashable, int]:
    """Count the requests for targets that never succeeded, if they are more than in any call."""
    got = {fingerprint(request) for request in evidence.requests if not request.failed}
    times = Counter(thing for thing in map(thing_of, calls) if thing not in got)
    return {thing: number for thing, number in times.items() if number > TOO_MANY}


def _deadline(evidence: Evidence, calls: Sequence[Call]) -> float | None:
    """Find the deadline of these calls in seconds; None if a number of attempts may end them."""
    took = {call: call.last.arrived - call.first.arrived for call in calls}
    longest = max(took.values(), default=0.0)
    wait = max((call.gaps[-1] or 0.0 for call in calls if call.retries), default=0.0)
    # A client gives up before a wait that would cross its deadline.
    same = [call for call in calls if took[call] >= longest - 2 * wait]
    at_one_time = all(took[call] >= min(AT_ONE_TIME * longest, longest - wait) for call in same)
    ended = all(call.closed and (call in same or len(call.attempts) <= MANY) for call in calls)
    # Count the different numbers of attempts with and without copies and repeats by the transport, and take the
    # smaller count.
    numbers = min(
        len({len(call.attempts) for call in same}),
        len({evidence.fewest_attempts(call) - sum((gap or 0.0) < 0 for gap in call.gaps) for call in same}),
    )
    by_time = ended and len(same) >= FEWEST and numbers >= (2 if at_one_time else FEWEST)
    return longest if by_time else None


def _failed_to_the_end(call: Call) -> bool:
    """Whether only the client ended the call, after failures that it could have retried."""
    rightly = call.last.kind == "client" and (not call.retries or call.first.kind != "client")
    return not (call.succeeded or rightly or (call.first.left and not call.retries))


def _limit(call: Call, evidence: Evidence) -> int:
    """Find the largest number of attempts that a call may make.

    A default of the profile is not a limit, and the client's own header may allow more.
    """
    profile = evidence.profile
    if profile.most is None or evidence.detected:
        return TOO_MANY
    return profile.most_attempts or max(profile.most, min(own_limit(call) or 0, TOO_MANY))
