"""Whether a client retries: what is transient, not what is permanent, and not for ever."""

from __future__ import annotations

from itertools import pairwise

from faultinject.audit.checks.check import check, failed, passed, unknown, warned
from faultinject.audit.checks.questions import (
    LOST,
    UNSAFE,
    is_permanent,
    is_storage_call,
    may_be_copy,
    may_be_sent_again,
    own_limit,
    pause,
    should_be_tried_again,
)
from faultinject.audit.checks.words import NAME_THEM, counted, seconds, too_few
from faultinject.audit.grouping import COPIES, POLL
from faultinject.audit.matching import changed, fingerprint
from faultinject.audit.waits import KINDS
from faultinject.engine.journal_entry import quoted
from faultinject.journal.calls import SDK_ID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from faultinject.audit.checks.check import Said
    from faultinject.audit.evidence import Evidence
    from faultinject.audit.profiles.profile import Profile
    from faultinject.journal.attempts import Attempt
    from faultinject.journal.calls import Call

FEWEST = 3
"""Calls that it takes to say anything."""
JUDGED = 10
"""Later calls may be held back by a budget: the first ones tell what the client does with a code."""
RECENT = 60.0
"""Seconds within which other calls may have used up what a client spends on retries."""
PATIENCE = 5.0
"""Seconds; a client that is asked to wait longer may rather give up."""
UNCLEAR = ("shared", "repeated", "followed", "begun earlier")
"""Why calls are left out that may hold retries."""
LAYER = 10.0
"""Seconds within which a call on the same thing is taken for one of a layer above."""
MANY, TOO_MANY = 10, 20
"""Attempts in one call that are many, and that are too many."""


@check(
    "retries",
    reference="the vendor's table of errors; AWS SDKs: retry behavior; Cloud Storage: retry strategy",
    minimum="3 calls that first got this answer",
)
def retries(evidence: Evidence) -> Iterator[Said]:
    """A transient failure is retried.

    FAIL: the client never retries, though 3 calls or more got a transient failure. Else one finding for each such
    answer: of the calls that first got it, how many have two attempts or more. PASS: all of the first 10, or 90 %.
    WARN: none. A POST without a retry does not count, unless a storage SDK that retries other POSTs sent it; nor does an
    answer whose Retry-After exceeds 5 s. No retry is expected after an answer that no documentation calls transient, nor
    after one whose documentation asks for another step first: a new token, a look at the present state.
    """
    by_answer = _by_answer(evidence)
    if not by_answer:
        how = "Let calls fail with a transient error, for example http:503,times=1,per=call"
        yield unknown(0, too_few(0, FEWEST, "call", how))
    given_up = [call for calls in by_answer.values() for call in calls if call.first.status is not None]
    if len(given_up) >= FEWEST and not any(call.retries for call in evidence.everyone):
        answers = ", ".join(f"{answer} ({len(calls)})" for answer, calls in by_answer.items())
        n, told = len(given_up), f"0 of {len(given_up)} calls retried after {answers}"
        unclear = sum(evidence.left_out.get(reason, 0) for reason in UNCLEAR)
        if unclear:
            why = f"{counted(unclear, 'other call')} may have retried"
            yield unknown(n, f"{told}, but {why}. {NAME_THEM}", given_up)
        else:
            told = f"the client never retries: {told}, although {_why(given_up[0])}"
            yield failed(n, told, given_up)._replace(whatever=True)
        return
    for answer, calls in by_answer.items():
        n, again = len(calls), [call for call in calls if call.retries]
        told = f"{answer}: {len(again)} of {n} calls retried"
        if n < FEWEST:
            missing = too_few(n, FEWEST, "call", "Let more calls get this answer")
            yield unknown(n, f"{answer}: {missing}", calls, answer)
        elif all(call.retries for call in calls[:JUDGED]) or len(again) >= 0.9 * n:
            yield passed(n, told, again, answer)
        elif not again and _may_be_spent(evidence, calls):
            why = "Other calls may have used up the retry budget: use a separate client for these"
            yield unknown(n, f"{told}. {why}", calls, answer)
        elif not again:
            yield warned(n, f"{told}, although {_why(calls[0])}", calls, answer)
        else:
            why = "A retry budget or a deadline may be the cause: use a separate client for these"
            yield unknown(n, f"{told}. {why}", again, answer)


def _why(call: Call) -> str:
    """Why a client ought to have tried a call again."""
    documented = call.first.documented
    said = documented is not None and documented.retryable == "yes"
    return "the vendor documents it as retryable" if said else "such failures are transient"


def _by_answer(evidence: Evidence) -> dict[str, list[Call]]:
    """The calls that ought to be tried again, or are, by their first answer; of those that go on, those that were."""
    found: dict[str, list[Call]] = {}
    tried = [call for call in evidence.open if call.retries]
    calls = sorted((*evidence.calls, *tried), key=lambda call: call.first.arrived)
    uploads = any(call.retries and _is_upload(call.first) for call in calls)
    for call in calls:
        first = call.first
        careful = first.method in UNSAFE and not (uploads and _is_upload(first) and first.kind not in LOST)
        may_be = first.kind in KINDS or may_be_sent_again(first)
        if first.hint_form == "unreadable" or not (may_be or should_be_tried_again(first)):
            continue
        if call.retries or not (careful or first.kind == "timeout" or (first.hint or 0) > PATIENCE):
            found.setdefault(quoted(first.answer), []).append(call)
    return {
        answer: calls
        for answer, calls in found.items()
        if should_be_tried_again(calls[0].first) or any(call.retries for call in calls)
    }


def _may_be_spent(evidence: Evidence, calls: Sequence[Call]) -> bool:
    """Whether calls of the same client had just used up what it spends on retries, or half of what it promises to.

    Those of a driver are of one client when they have one name. One that was asked to wait may have ended for that.
    """
    since, until = calls[0].first.arrived - RECENT, calls[-1].first.arrived
    before = [
        call
        for call in evidence.calls
        if since <= call.first.arrived <= until and (not evidence.driven or call.name == calls[0].name)
    ]
    ended = [
        call
        for call in before
        if call.last.kind in KINDS
        and call.last.hint_form is None
        and call.first.method not in UNSAFE
        and call.first.answer != calls[0].first.answer
    ]
    tried = {call.first.answer: call.retries for call in sorted(ended, key=lambda call: call.retries)}
    quota = evidence.profile.quota.values() if evidence.profile is not None else ()
    return any(call.retries < tried[call.first.answer] for call in ended) or any(
        sum(call.retries for call in before) >= each / 2 for each in quota
    )


def _is_upload(attempt: Attempt) -> bool:
    return attempt.method in UNSAFE and is_storage_call(attempt)


@check("permanent", reference="RFC 9110 15.5", minimum="3 calls that first got such an answer")
def permanent(evidence: Evidence) -> Iterator[Said]:
    """A permanent failure is not retried.

    Of the calls whose first answer was an injected 400, 401, 403, 404, 405, 409 or 412 that no documentation calls
    retryable, not even with a new token or with care: FAIL when any has two attempts, or when the same SDK repeats the
    call within a second (then a layer above the SDK retries; WARN without a driver). A request that comes later, with
    another token or precondition, or after a write to that place, may get another answer and is no retry. Where
    fingerprints alone group the attempts, several callers may get the same refusal: WARN for three objects or more, FAIL
    where no other request came in between.
    """
    copied = {id(call) for call in evidence.everyone if _is_copied(evidence, call)}
    calls = [call for call in evidence.calls if is_permanent(call.first) and id(call) not in copied]
    everyone = [call for call in evidence.everyone if is_permanent(call.first) and id(call) not in copied]
    again = [call for call in everyone if _asked_again(call)]
    above, later = _repeated_above([call for call in everyone if not call.retries], driven=evidence.driven)
    known = {fingerprint(call.first) for call in above}
    above += [call for call in everyone if _is_asked_for_above(call) and fingerprint(call.first) not in known]
    n = len({id(call) for call in (*calls, *again, *above)})
    if n < FEWEST:
        yield unknown(
            n, too_few(n, FEWEST, "call", "Let calls fail permanently, for example http:403"), calls
        )
        return
    answers = ", ".join(sorted({quoted(call.first.answer) for call in again or above or calls}))
    proven = [call for call in again if evidence.driven or not call.inferred]
    things = {fingerprint(call.first) for call in again or above}
    if proven:
        yield failed(n, f"{len(proven)} of {n} calls retried after {answers}", proven)
    elif again:
        told = f"{len(again)} of {n} calls retried after {answers}"
        if len(things) < FEWEST:
            yield unknown(n, f"{told}, or several callers sent the request. {NAME_THEM}", again)
        elif all(call.alone for call in again):
            yield failed(n, told, again)
        else:
            yield warned(n, f"{told}, or several callers sent the request", again)
    elif above:
        told = f"a layer above the SDK retried {counted(len(above), 'call')} after {answers}"
        if evidence.driven:
            yield failed(n, told, above)
        elif len(things) >= FEWEST:
            yield warned(n, f"{told}, or several callers sent the request", above)
        else:
            yield unknown(n, f"{told}, or several callers sent the request. {NAME_THEM}", above)
    elif n - len(unclear := _of_the_same_things(later, everyone)) < FEWEST:
        told = (
            f"after {answers} the same request came a second or more later: a retry, or polling for a change."
        )
        yield unknown(n, f"{told} {NAME_THEM}", unclear)
    else:
        yield passed(n, f"0 of {n} calls retried after {answers}", calls)


def _of_the_same_things(some: Sequence[Call], calls: Sequence[Call]) -> list[Call]:
    """The calls that ask for what some of them ask for."""
    things = {fingerprint(call.first) for call in some}
    return [call for call in calls if fingerprint(call.first) in things]


def _is_copied(evidence: Evidence, call: Call) -> bool:
    """Whether what came again in a call may all have been sent before the answer was read."""
    return call.retries > 0 and all(
        any(
            may_be_copy(evidence, before, after) for before in call.attempts[max(0, number - COPIES) : number]
        )
        for number, after in enumerate(call.attempts[1:], 1)
    )


def _asked_again(call: Call) -> bool:
    """Whether the same request was sent again, with the same credential and precondition."""
    return any(not changed(before, after) for before, after in pairwise(call.attempts))


def _is_asked_for_above(call: Call) -> bool:
    """Whether what an SDK was refused was asked for again at once by a layer above it, whatever came of that."""
    return call.signal == SDK_ID and not call.retries and call.again is not None and call.again < POLL


def _repeated_above(calls: Sequence[Call], *, driven: bool) -> tuple[list[Call], list[Call]]:
    """Calls of an SDK that repeat the one before them, for things that were never asked for twice at once.

    Returns:
        Those that come at once, and those that come so late that they may as well wait for a change.
    """
    things: dict[Hashable, list[Call]] = {}
    for call in calls:
        if call.signal == SDK_ID:
            things.setdefault(fingerprint(call.first), []).append(call)
    soon: list[Call] = []
    later: list[Call] = []
    for same in things.values():
        pauses = [pause(one, other) for one, other in pairwise(same)]
        if any(each < 0 for each in pauses):
            continue
        for (one, other), wait in zip(pairwise(same), pauses, strict=True):
            if wait <= LAYER and not changed(one.last, other.first):
                (soon if driven or wait < POLL else later).append(other)
    return soon, later


@check(
    "gives up",
    reference="RFC 9110 9.2.2; Azure: transient fault handling",
    minimum="3 calls that failed to the end",
)
def gives_up(evidence: Evidence) -> Iterator[Said]:
    """A call that never succeeds gives up after a few attempts.

    The most attempts of a call. FAIL: more than the profile allows, or than 20. WARN: more than 10. A call with more
    than 20 is judged before it ends.
    """
    ended = [call for call in evidence.calls if _failed_to_the_end(call)]
    endless = [call for call in evidence.everyone if len(call.attempts) > _limit(call, evidence.profile)]
    n = len({id(call) for call in (*ended, *endless)})
    if n < FEWEST:
        yield unknown(
            n,
            too_few(n, FEWEST, "failed call", "Let calls fail on every attempt, for example http:503"),
            ended,
        )
        return
    longest = sorted((*endless, *ended), key=lambda call: -len(call.attempts))
    most = len(longest[0].attempts)
    if endless:
        profile, limit = evidence.profile, _limit(longest[0], evidence.profile)
        allowed = "" if profile is None or limit == TOO_MANY else f"; {profile.name} allows {limit}"
        told = f"up to {most} attempts per call{allowed}"
        yield failed(n, told, sorted(endless, key=lambda call: -len(call.attempts)))
    elif most > MANY:
        yield warned(n, f"up to {most} attempts per call", longest)
    else:
        took = max(call.last.arrived - call.first.arrived for call in ended)
        yield passed(n, f"at most {counted(most, 'attempt')} per call, within {seconds(took)}", longest)


def _failed_to_the_end(call: Call) -> bool:
    """Whether nothing but the client ended the call: no success, and no answer that nobody asks again after."""
    rightly = call.last.kind == "client" and (not call.retries or call.first.kind != "client")
    return not call.succeeded and not rightly


def _limit(call: Call, profile: Profile | None) -> int:
    """How many attempts a call may make; a client may say itself that it is set to more than it promises."""
    if profile is None or profile.most is None:
        return TOO_MANY
    if profile.most_attempts is not None:
        return profile.most_attempts
    return max(profile.most, min(own_limit(call) or 0, TOO_MANY))
