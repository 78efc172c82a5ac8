"""Checks of the data: changed bytes, repeated effects, and failures reported as success."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from math import inf

from faultinject.audit.app_under_test import is_below
from faultinject.audit.checks.check import check, failed, passed, seen_by_callers, too_few, unknown, warned
from faultinject.audit.checks.lost_answers import (
    ACTIONS,
    CONFLICT,
    ERROR,
    KNEW,
    REMOVED,
    TWICE,
    UNCLEAR,
    UNDID,
    Reaction,
    Requests,
    has_second_effect,
    is_lost,
    is_write,
    reaction,
)
from faultinject.audit.checks.questions import (
    UNSAFE,
    has_prevented_repeat,
    is_batch_remainder,
    is_lost_write,
    is_storage_call,
    lost_its_body,
    lost_write,
    may_be_sent_again,
    may_be_waited_out,
    succeeded_after_error,
    took_effect,
)
from faultinject.audit.checks.words import (
    DRIVE_IT,
    NAME_THEM,
    NONE_DOCUMENTED,
    READ_BODY,
    REWIND,
    SEND_KEY,
    SEND_PRECONDITION,
    Setting,
    counted,
)
from faultinject.audit.documents import AWS_SDKS, CLOUD_STORAGE, LOST_RETRIES, EvidenceKind, rfc
from faultinject.audit.evidence import Evidence, answered_at
from faultinject.audit.findings import Finding
from faultinject.audit.grouping import LOCKED_OUT, OTHER_KEY, READING, SOON
from faultinject.audit.matching import fingerprint, has_same_key, invocation, is_of_upload, shorter
from faultinject.audit.statistics import FEWEST, grouped
from faultinject.audit.waits import KINDS
from faultinject.engine.shown import quoted
from faultinject.journal.attempts import TIMEOUT, Attempt
from faultinject.journal.calls import FINGERPRINT, SDK_ID, TOLD, Call

LOSE_ANSWERS = "Lose more answers, for example reset,when=after,times=1,per=call."
"""The advice for more lost answers."""
ELSEWHERE = (301, 302, 307, 308)
"""Answers that redirect the same request to another address."""
OF_UPLOAD = re.compile(r"(?i)(?<![^&])(uploadId|partNumber)=([^&]*)")
"""The parameters by which a request names its multipart upload and the part."""


HEARD = "answers"
"""The name of the check on the results that callers got."""
RAISE = "Raise the last error to the caller, and in a test out of `faults.call()` as well."
SAID = (
    (failed, "had a request that never succeeded: the last answer was", RAISE),
    (
        warned,
        "had lost the answer, and nothing was read after",
        "Read the object before you report that it was written.",
    ),
    (warned, "had a write fail for good, and perhaps another in its place: the last answer was", RAISE),
    (warned, "had a read fail for good, and perhaps the content from elsewhere: the last answer was", RAISE),
)
"""Verdict, sentence and advice for calls that were wrongly reported as success, worst first."""


def _may_be_wanted(last: Attempt, same: Sequence[Attempt]) -> bool:
    """Whether the refusal of a write may mean that its aim is reached already."""
    if last.method == "DELETE":
        return last.status in (404, 410)
    there = last.status == 409 or (last.status == 412 and last.guarded and not last.if_match)
    # A bucket has one owner. After a failure a client cannot know whether an object is its own or another client's.
    return there and (last.key is None or all(attempt.kind == "client" for attempt in same))


@check(
    HEARD,
    documents=(rfc(9110, "15.5"), rfc(9110, "15.6"), rfc(9112, "8")),
    minimum="1 call whose caller heard of success, although its requests failed",
)
def answers(evidence: Evidence) -> Finding | None:
    """A caller hears of success only where a request succeeded.

    The check compares the answers with the result that the caller of a named call, or of a call of `conformance`, got.
    FAIL: the result was success, although the last write and all its repeats failed or were refused; or although a
    part of a completed multipart upload failed. A DELETE may find nothing, and a write with If-None-Match may find the
    object at once; after a failure the client has to read the object, as another client may have written it.

    WARN: only the answer of the write was lost, and the client reported success after an error or a refusal, without
    reading the object. WARN as well: an earlier write failed, and no later write has its object or its bytes. WARN as
    well: the last write failed, while writes to another bucket or host succeeded. WARN as well: there were only reads,
    the last one failed, and the caller may have got the content elsewhere; it is a FAIL in `conformance`, whose client
    has no other source.

    If named calls overlap, a request counts if all callers that may have sent it got success. Other calls are not
    judged. In `conformance` any other breach of the contract is a FAIL of this check.
    """
    # A client may do anything with a download whose object was replaced meanwhile, but it cannot take half of one.
    replaced = {attempt for call in evidence.replaced if call.retries for attempt in call.attempts}
    heard = [call for call in evidence.named_calls if call.returned and replaced.isdisjoint(call.attempts)]
    heard += (
        Call(call.attempts, TOLD, windows=call.windows)
        for call in evidence.everyone
        if call.last.failed
        and call.windows
        and all(window.returned and window in evidence.overlapping for window in call.windows)
    )
    wrong = grouped(filter(None, (_wrong(call, evidence) for call in heard)), lambda entry: entry[0])
    if not wrong:
        return None
    why, n = min(wrong), len({window for call in heard for window in call.windows})
    calls, answers_of = zip(*((call, quoted(last.answer)) for _, call, last in wrong[why]), strict=True)
    # Of calls at the same time it is not always known which of them a request was for.
    sure = {call.windows for call in calls if len(call.windows) == 1}
    at_least = "" if all(len(call.windows) == 1 for call in calls) else "at least "
    make_finding, sentence, advice = SAID[why]
    return make_finding(
        n,
        f"{at_least}{len(sure) or 1} of {counted(n, 'call')} that the client reported as success {sentence}"
        f" {' or '.join(sorted({*answers_of}))}",
        calls,
        action=advice,
        evidence=(EvidenceKind.WIRE, EvidenceKind.TOLD),
    )


def _wrong(call: Call, evidence: Evidence) -> tuple[int, Call, Attempt] | None:
    """The index in `SAID` for a wrongly reported call, the call, and the request that failed.

    The writes decide; without a write, the last read. If an object is there already, or is gone already, the caller
    may have all it wanted; but after a failure and a refusal the client has to read whether the object is its own.
    """
    succeeded = (
        attempt for window in call.windows for attempt in evidence.overlapping[window] if not attempt.failed
    )
    attempts = (
        call.attempts
        if call.window
        else sorted({*call.attempts, *succeeded}, key=lambda attempt: attempt.arrived)
    )
    writes = list(filter(is_write, attempts))
    asked = (
        [write for write in writes if write.method != "DELETE"]
        or writes
        or [attempt for attempt in attempts if fingerprint(attempt) == fingerprint(attempts[-1])]
    )
    for same in reversed(grouped(asked, fingerprint).values()):
        last, earlier = same[-1], same[-1] is not asked[-1]
        # A client that leaves a download may have read enough of it.
        stands = earlier or (last.left and not writes)
        if last.kind == "hidden" or any(
            not attempt.failed or (attempt.applied and stands) for attempt in same
        ):
            continue
        looked = any(
            attempt.method in READING
            and not attempt.failed
            and attempt.arrived > same[0].arrived
            and (last.key is None or attempt.key in (None, last.key))
            for attempt in attempts
        )
        wanted = last.kind == "client" and (earlier or not writes or _may_be_wanted(last, same))
        if not (looked or wanted or _is_replaced(last, asked[asked.index(last) + 1 :])):
            lost, read = any(map(is_lost, same)), not (writes or evidence.driven)
            succeeded_writes = [write for write in writes if not (write.failed or is_below(last, write))]
            # A failed request to another service, such as a metric, need not make the call fail.
            beside = succeeded_writes and not any(
                _may_be_of_one_place(last, write) for write in succeeded_writes
            )
            elsewhere = (earlier or beside) and "partnumber" not in _of_upload(last)
            return 1 if lost else 3 if read else 2 if elsewhere else 0, call, last
    return None


def _may_be_of_one_place(one: Attempt, other: Attempt) -> bool:
    """Whether two requests may be for one bucket, or without buckets for one host."""
    buckets = {one.bucket, other.bucket}
    return one.host == other.host if buckets == {None} else len(buckets - {None}) == 1


def _of_upload(attempt: Attempt) -> dict[str, str]:
    """The multipart upload and the part that a request names.

    The request that ends an upload names no part.
    """
    return {name.lower(): value for name, value in OF_UPLOAD.findall(attempt.query)}


def _is_replaced(write: Attempt, later: Sequence[Attempt]) -> bool:
    """Whether a later write may replace one that failed.

    It has the same object, or the same bytes as far as known. A part of a completed upload is replaced only by the
    same part.
    """
    part, well = _of_upload(write), [other for other in later if not other.failed]
    parts = list(map(_of_upload, well))
    if "partnumber" in part and {"uploadid": part.get("uploadid")} in parts:
        return part in parts
    return any(
        write.key in (None, other.key)
        # Two digests differ only where both are known.
        or (
            write.request_bytes == other.request_bytes
            and len({write.request_digest, other.request_digest, None}) < 3
        )
        for other in well
    )


@check(
    "same bytes",
    documents=(rfc(9110, "9.2.2"),),
    minimum="3 calls with a body and two attempts",
    more="Let more uploads be retried, for example http:503,times=1,per=call.",
    planned="Let the client make uploads and retry them, and repeat the whole plan.",
    pairs=(lambda attempt: may_be_waited_out(attempt) and bool(attempt.request_bytes), 2),
)
def same_bytes(evidence: Evidence) -> Finding:
    """Every attempt of a call sends the same bytes.

    The check compares the length and the digest of the bodies in one call; a multipart boundary may change, and so may
    the signatures of chunks. FAIL: the bodies differ, and more than a fingerprint groups the attempts, such as the part
    of one upload. FAIL as well: the retry sent nothing at all. WARN: a retry sent a shorter body, and a fingerprint
    alone groups the attempts. PASS: the digests are the same; the same length alone proves nothing.

    A batch, such as DeleteObjects, may have another body after a 200 with errors in it, which says which keys are left.
    Other checks count a repeat with another token, region, date or host as a call of its own. This check compares such
    a repeat in a named call, or under one id of an SDK, and elsewhere only if it sends nothing. After a refusal a
    client may correct its body, unless the answer only asked for a new token, signature or address. With another
    precondition it may send another body, which it has made for another version of the object.
    """
    everyone = [
        call
        for call in (*evidence.everyone, *_goes_on_elsewhere(evidence))
        if call.same_bytes is not None
        and any(attempt.request_bytes for attempt in call.attempts)
        and (lost_its_body(call) or not (succeeded_after_error(call) or is_batch_remainder(call)))
    ]
    calls = [call for call in everyone if not call.same_bytes or call.same_digests]
    n = len(calls)
    other = [call for call in calls if not call.same_bytes]
    empty = [call for call in other if lost_its_body(call)]
    # Calls grouped by fingerprint alone are left out: with them the proven failure would be a warning.
    certain = [call for call in other if not call.inferred or call in empty]
    certain = certain or [call for call in other if is_of_upload(call.first)]
    if n < FEWEST and not any(_is_told(call, evidence) for call in certain):
        finding = too_few(n, FEWEST, "retried upload", everyone)
        if lengths := len(everyone) - n:
            finding.message += f"; of {counted(lengths, 'other')} the journal has only the length"
            finding.action = "Record every request, or use times=2,per=call."
        return finding
    if not other:
        return passed(n, f"{n} of {n} retried calls sent the same bytes", calls)
    if certain:
        what = "0 bytes on retry" if len(empty) == len(certain) else "different bytes on retry"
        cut = any(shorter(attempt, call.first) for call in certain for attempt in call.attempts)
        return failed(
            n,
            f"{len(certain)} of {n} retried calls sent {what}",
            certain,
            action=REWIND
            if cut
            else "Make the body once, before the first attempt, and send it with every attempt.",
        )
    return warned(
        n,
        f"{len(other)} of {n} retried calls sent fewer bytes on retry, or another body to the same key",
        other,
        action=REWIND,
    )


def _goes_on_elsewhere(evidence: Evidence) -> Iterator[Call]:
    """Find pairs of requests for one target that differ in token, host or date."""
    call_of = {id(attempt): call for call in evidence.everyone for attempt in call.attempts}
    named_calls = {id(attempt): call for call in evidence.named_calls for attempt in call.attempts}
    place = {id(request): number for number, request in enumerate(evidence.requests)}
    bodies = (request for request in evidence.requests if request.method in ("PUT", "POST", "PATCH"))
    for same in grouped(bodies, _place).values():
        for before, after in pairwise(same):
            named = named_calls.get(id(before))
            own = invocation(before) is not None and invocation(before) == invocation(after)
            wait = after.arrived - answered_at(before)
            if (
                wait < 0
                or call_of.get(id(before)) is call_of.get(id(after), after)
                or named_calls.get(id(after)) is not named
                or not (named or own or wait <= SOON + (before.hint or 0.0))
                or not (before.status in ELSEWHERE or (before.failed and id(before) in call_of))
            ):
                continue
            pair = Call(
                (before, after),
                TOLD if named else SDK_ID if own else FINGERPRINT,
                name=None if named is None else named.name,
                returned=None if named is None else named.returned,
                window=None if named is None else named.window,
                alone=place[id(after)] - place[id(before)] == 1,
            )
            # The body of a form holds its token, so a POST may change; so may a body that was refused for its
            # content, or one that was made anew for another version of the object.
            asked_for_others = may_be_sent_again(before) or before.status in (*ELSEWHERE, *LOCKED_OUT)
            kept = before.precondition == after.precondition and (
                before.kind in (*KINDS, TIMEOUT) or (asked_for_others and before.method != "POST")
            )
            if lost_its_body(pair) or ((named or own) and (kept or pair.same_bytes)):
                yield pair


def _place(attempt: Attempt) -> Hashable:
    """The target of a request's body, without host and credentials."""
    return (
        attempt.clock,
        attempt.test,
        attempt.client,
        attempt.method,
        attempt.operation,
        (attempt.bucket, attempt.key) if attempt.key else attempt.path,
        attempt.query,
        attempt.part,
    )


@check(
    "non-idempotent retry",
    documents=(rfc(9110, "9.2.2"), CLOUD_STORAGE),
    minimum="3 POST or PATCH requests whose answer was lost after the app had run",
    more=LOSE_ANSWERS,
    pairs=(is_lost_write, 1),
)
def non_idempotent_retry(evidence: Evidence) -> Finding:
    """A POST whose answer was lost is not retried without an Idempotency-Key.

    The check judges POST and PATCH requests that the app has carried out and whose answer was lost
    (`reset,when=after`). Of storage services it leaves out the end of a multipart upload and the deletion of many
    objects, because their repeats change nothing. FAIL: a retry has no Idempotency-Key. FAIL as well: in a named call,
    a retry has another key and took effect, too. WARN: a retry without a key went to a storage service, which allows
    it. WARN as well: outside of a named call, a retry has another key. A retry whose precondition kept it from taking
    effect does not count: `lost answer` judges how the client took the refusal. It is not decided whether there was a
    retry if the same request comes again in another call, at any time, unless a test says that the first call had
    ended.
    """
    lost = [
        call
        for call in evidence.everyone
        if any(map(is_lost_write, call.attempts)) and not has_prevented_repeat(call)
    ]
    again = [call for call in lost if lost_write(call) is not None]
    n = len(lost)
    twice = [
        call for call in again if sum(map(took_effect, call.attempts)) > 1 and has_second_effect(call.first)
    ]
    harmful = [call for call in again if not is_storage_call(call.first)]
    proven = [call for call in twice if call in harmful and _is_told(call, evidence)]
    if n < FEWEST and not proven:
        return too_few(n, FEWEST, "lost POST", lost)
    if again:
        which, how, key = (
            (failed, SEND_KEY, "an Idempotency-Key")
            if harmful
            else (warned, SEND_PRECONDITION, "a precondition")
        )
        harm = f", {len(twice)} took effect twice" if twice else f" without {key}"
        return which(
            n,
            f"{len(again)} of {n} lost POSTs were retried{harm}",
            harmful or again,
            action=how,
            evidence=(EvidenceKind.WIRE, EvidenceKind.STORE) if twice else (EvidenceKind.WIRE,),
        )
    if keyed := [call for call in lost if call.followed == OTHER_KEY]:
        message = f"{len(keyed)} of {n} lost POSTs were retried with another Idempotency-Key"
        sent = grouped(evidence.requests, fingerprint)
        sure = [call for call in keyed if call.window is not None and _took_effect_again(call, sent)]
        return (failed if sure else warned)(
            n, message, sure or keyed, action="Send the same Idempotency-Key with every attempt of a call."
        )
    if repeated := list(_sent_again(lost, evidence.requests)):
        return unknown(
            n,
            f"{len(repeated)} of {n} lost POSTs came again in another call: a layer above the client"
            " retries them, or the caller asks again",
            repeated,
            action=DRIVE_IT,
        )
    if unclear := [call for call in lost if call.followed]:
        return unknown(
            n,
            f"{len(unclear)} of {n} lost POSTs were followed by a similar but changed request",
            unclear,
            action=NAME_THEM,
        )
    without = "" if all(is_lost_write(call.last) for call in lost) else " without an Idempotency-Key"
    return passed(n, f"0 of {n} lost POSTs were retried{without}", lost)


def _sent_again(lost: Sequence[Call], requests: Iterable[Attempt]) -> Iterator[Call]:
    """Find calls that ended with a lost POST or PATCH, which came again in another call.

    If a test or a driver says when a call ended, the caller made the later request.
    """
    same = grouped((request for request in requests if request.method in UNSAFE), _asked)
    for call in filter(lambda call: is_lost_write(call.last), lost):
        again = _next_of(same[_asked(call.last)], call.last)
        until = inf if call.window is None or call.window.ended is None else call.window.ended
        if again is not None and again.arrived <= until and not has_same_key(call.last, again):
            yield call


def _next_of(same: Sequence[Attempt], before: Attempt) -> Attempt | None:
    """Find the first of these requests after another one."""
    number = bisect_right(same, before.arrived, key=lambda attempt: attempt.arrived)
    return same[number] if number < len(same) else None


def _asked(attempt: Attempt) -> Hashable:
    """The identity of a request: target, principal and body."""
    return fingerprint(attempt), attempt.principal, attempt.request_bytes, attempt.request_digest


def _took_effect_again(call: Call, sent: Mapping[Hashable, Sequence[Attempt]]) -> bool:
    """Whether the app carried out the next request for the same target."""
    again = _next_of(sent[fingerprint(call.last)], call.last)
    return again is not None and took_effect(again)


@check(
    "lost answer",
    documents=(LOST_RETRIES,),
    minimum="3 writes whose answer was lost after the app had run; for a FAIL or WARN one",
    more=LOSE_ANSWERS,
    pairs=(is_lost, 1),
)
def lost_answer(evidence: Evidence) -> Iterator[Finding]:
    """After a lost answer, a client finds its write, or repeats it without harm.

    The check judges writes that the app has carried out and whose answer was lost, as by `reset,when=after`, an
    injected error or a client that left. In named calls the client's report to its caller is known; elsewhere the last
    answer stands for it. If no answer of a write was lost, the check reports nothing.

    The reactions of a client, the worst first:

    - `undid its own write`, a FAIL: after a refusal, the client's next write removed or overwrote the object, or
      removed what the client had written before it.
    - `wrote twice`, a FAIL: a POST, PATCH or append took effect again; or in a named call the object was written
      again, longer.
    - `false conflict`, a FAIL: the last answer was 404, 409 or 412 from the app, caused by the client's own write. A
      removal that got 404 has reached its aim.
    - `told an error`, a WARN: a test or a driver says that the caller got an error, though the write is there, or the
      object is gone. It is also a WARN if the client read the object after a refusal, and this read failed.

    The FAILs are a WARN if a fingerprint alone groups the attempts. A false conflict is also a WARN if the caller's
    result is unknown. PASS: the client knew of all its writes, or repeated them with the same effect.

    A client that read the object after a refusal, or whose last answer was an error, may know of its write. Without a
    named call that is not decided. It is not decided either if the same bytes were written under another name beside
    the first, because a table ignores files that its commit does not name.
    """
    requests = Requests(evidence.requests)
    reactions = [
        reaction_ for call in evidence.everyone if (reaction_ := reaction(call, requests)) is not None
    ]
    n = len(reactions)
    for answer in ACTIONS:
        same = [reaction_ for reaction_ in reactions if reaction_.answer == answer]
        if same:
            yield _of_answer(answer, same, n, evidence)
    if unclear := [reaction_.call for reaction_ in reactions if reaction_.answer == UNCLEAR]:
        yield unknown(
            len(unclear),
            f"for {len(unclear)} of {n} lost writes the journal does not show "
            + (
                "what the client reported to its caller, "
                if any(call.returned is None for call in unclear)
                else ""
            )
            + "whose write a refusal was for, or why it wrote the object again",
            unclear,
            action=NAME_THEM
            if any(call.window is None for call in unclear)
            else "To decide, run `faultinject explore`, which compares what is stored.",
        )
    elif reactions and all(reaction_.answer not in ACTIONS for reaction_ in reactions):
        calls = [reaction_.call for reaction_ in reactions]
        known = sum(reaction_.answer == KNEW for reaction_ in reactions)
        if n < FEWEST:
            yield too_few(n, FEWEST, "lost write", calls)
        else:
            yield passed(
                n,
                {
                    0: f"{n} of {n} lost writes were repeated without harm",
                    n: f"the callers of {n} of {n} lost writes heard the truth",
                }.get(
                    known,
                    f"{n - known} of {n} lost writes were repeated without harm, and the callers of the"
                    f" other {known} heard the truth",
                ),
                calls,
            )


def _of_answer(answer: str, reactions: Sequence[Reaction], n: int, evidence: Evidence) -> Finding:
    """Make the finding on calls in which the client had one wrong reaction."""
    sure = [reaction for reaction in reactions if reaction.sure or evidence.driven]
    first = (sure or reactions)[0]
    calls = [reaction.call for reaction in sure or reactions]
    removals = all(reaction.lost.method == "DELETE" for reaction in reactions)
    many = f"{len(reactions)} of {n} writes{' (removals)' if removals else ''}"
    answers = " or ".join(sorted({quoted(reaction.last.answer) for reaction in reactions}))
    heard = seen_by_callers(calls, returned=False)
    heard_of = "; the caller saw an error" if EvidenceKind.TOLD in heard else ""
    example = (
        ""
        if first.later_write is None
        else f", for example by {quoted(f'{first.later_write.method} {first.later_write.path}')}"
    )
    said = {
        UNDID: (
            f"after {many} whose answer was lost the client removed or overwrote what it had written"
            f" itself{example}"
        ),
        TWICE: f"{many} whose answer was lost took effect twice{example}",
        CONFLICT: f"{many} were carried out, the answer was lost, and the retry got {answers}{heard_of}",
        ERROR: f"{many} were carried out, and the last answer was {answers}{heard_of}",
    }[answer]
    # A retry without its body overwrites the object, too.
    actions = {**ACTIONS, UNDID: REWIND} if all(map(lost_its_body, calls)) else ACTIONS
    said, action = f"{answer}: {said}", REMOVED if removals else actions[answer]
    if answer == ERROR:
        return warned(len(reactions), said, calls, answer, action=action, evidence=heard)
    if sure:
        seen = heard if answer == CONFLICT else (EvidenceKind.WIRE, EvidenceKind.STORE)
        return failed(len(reactions), said, calls, answer, action=action, evidence=seen)
    if len(reactions) < FEWEST and not all(call.alone for call in calls):
        return unknown(len(reactions), f"{said}, or another caller sent it", calls, answer, action=NAME_THEM)
    return warned(len(reactions), f"{said} (grouped by fingerprint)", calls, answer, action=action)


def _is_told(call: Call, evidence: Evidence) -> bool:
    """Whether a test says when a call began and ended, so that one such call is proof enough."""
    return not evidence.driven and (call.name is not None or call.returned is not None)


def _few_hidden(n: int, hidden: Sequence[Call], evidence: Evidence) -> Finding:
    """Say that too few answers had an error in them, or that the service documents none."""
    from faultinject import vendors

    seen = next(
        (vendors.get(request.documented.vendor) for request in evidence.requests if request.documented),
        vendors.get("s3"),
    )
    return (
        unknown(
            n,
            f"{seen.title} {NONE_DOCUMENTED}",
            action=Setting("Judge a client of a service that documents one, for example s3."),
        )
        if evidence.driven and not seen.errors_in_200
        else too_few(
            n,
            FEWEST,
            "answer of 200 with an error in it",
            hidden,
            action=f"Send more, for example {seen.id if seen.errors_in_200 and seen.has('InternalError') else 's3'}"
            ":InternalError,status=200,times=1,per=call.",
        )
    )


@check(
    "error in 200",
    documents=(AWS_SDKS,),
    minimum="3 answers of 200 with an error in them; for a FAIL one, in a named call",
    pairs=(lambda attempt: attempt.kind == "hidden", 1),
)
def error_in_200(evidence: Evidence) -> Finding:
    """An error inside of a 200 is treated as an error.

    The check judges calls that got a 200 whose body is an error. FAIL: the caller got success, as a test or a driver
    says. WARN: there was no retry, and nothing says what the caller got. PASS: there was a retry, or the caller got an
    error. A repeat under another id of the SDK counts as a retry. Not every service documents such errors: with a plan
    for one that documents none, such as MinIO, the check says so.
    """
    hidden = [call for call in evidence.calls if any(attempt.kind == "hidden" for attempt in call.attempts)]
    n = len(hidden)
    last = [call for call in hidden if call.last.kind == "hidden" and call.again is None]
    swallowed = [call for call in last if call.returned]
    silent = [call for call in last if call.returned is None]
    if n < FEWEST and not any(_is_told(call, evidence) for call in swallowed):
        return _few_hidden(n, hidden, evidence)
    if swallowed:
        return failed(
            n,
            f"{len(swallowed)} of {n} errors in a 200 were reported to the caller as success",
            swallowed,
            action=READ_BODY,
            evidence=seen_by_callers(swallowed, returned=True),
        )
    if silent:
        return warned(
            n,
            f"{len(silent)} of {n} calls did not retry, and the journal does not say whether the"
            " caller saw an error",
            silent,
            action=READ_BODY,
        )
    return passed(n, f"{n} of {n} calls retried, or reported the error to the caller", hidden)
