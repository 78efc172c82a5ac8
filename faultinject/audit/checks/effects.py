"""What retries do to the data: other bytes, doubled effects, errors taken for success."""

from __future__ import annotations

from faultinject.audit.checks.check import check, failed, passed, unknown, warned
from faultinject.audit.checks.questions import (
    has_body,
    is_cleared,
    is_done_already,
    is_lost_write,
    is_storage_call,
    lost_write,
    sent_nothing,
    took_effect,
    written_unseen,
)
from faultinject.audit.checks.retries import FEWEST
from faultinject.audit.checks.words import NAME_THEM, counted, few
from faultinject.audit.grouping import OTHER_KEY
from faultinject.journal.calls import FINGERPRINT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultinject.audit.checks.check import Said
    from faultinject.audit.evidence import Evidence
    from faultinject.journal.calls import Call

LET_UPLOADS_FAIL = "Let more uploads be retried, for example http:503,times=1,per=call."
LOSE_ANSWERS = "Lose more answers, for example reset,when=after,times=1,per=call."
"""What gives more to judge."""
REWIND = "Send the whole body again from its beginning, or do not retry."
SEND_KEY = "Send an Idempotency-Key or a precondition, or do not retry."
COMPARE = (
    "Read the object after such a refusal, and compare it with what was sent, before you report a failure."
)
READ_BODY = "Look for an error in the body of a 200 before you report success."
"""What to do."""


@check(
    "same bytes",
    reference="RFC 9110 9.2.2; databricks-sdk-java pull request 872",
    minimum="3 calls with a body and two attempts",
)
def same_bytes(evidence: Evidence) -> Iterator[Said]:
    """Every attempt of a call sends the same bytes.

    Length and digest of the bodies in one call (a multipart boundary may change, and so may the signatures of chunks).
    FAIL: they differ, and more than a fingerprint groups the attempts, or the retry sent nothing at all. WARN: a shorter
    body, where a fingerprint alone groups them. PASS: the same digests; the same length alone proves nothing.
    """
    everyone = [
        call
        for call in evidence.everyone
        if call.same_bytes is not None and has_body(call) and (sent_nothing(call) or not is_cleared(call))
    ]
    calls = [call for call in everyone if not call.same_bytes or call.same_digests]
    n = len(calls)
    other = [call for call in calls if not call.same_bytes]
    empty = [call for call in other if sent_nothing(call)]
    certain = [call for call in other if evidence.driven or call.signal != FINGERPRINT or call in empty]
    if n < FEWEST and not any(_is_told(call, evidence) for call in certain):
        told, how = few(n, FEWEST, "retried upload"), LET_UPLOADS_FAIL
        if lengths := len(everyone) - n:
            told = f"{told}; of {counted(lengths, 'other')} the journal has only the length"
            how = "Record every request, or use times=2,per=call."
        yield unknown(n, told, everyone, action=how)
    elif not other:
        yield passed(n, f"{n} of {n} retried calls sent the same bytes", calls)
    elif certain:
        what = "0 bytes on retry" if len(empty) == len(certain) else "different bytes on retry"
        yield failed(n, f"{len(certain)} of {n} retried calls sent {what}", certain, action=REWIND)
    else:
        yield warned(
            n,
            f"{len(other)} of {n} retried calls sent fewer bytes on retry, or another body to the same key",
            other,
            action=REWIND,
        )


@check(
    "non-idempotent retry",
    reference="RFC 9110 9.2.2; Cloud Storage: retry strategy",
    minimum="3 POST or PATCH requests whose answer was lost after the app had run",
)
def non_idempotent_retry(evidence: Evidence) -> Iterator[Said]:
    """A POST whose answer was lost is not retried without an Idempotency-Key or a precondition.

    POST and PATCH requests that the app has carried out and whose answer was lost (`reset,when=after`). FAIL: a retry has
    neither an Idempotency-Key nor a precondition. WARN: likewise, to a storage service, which allows it.
    """
    lost = [call for call in evidence.everyone if any(map(is_lost_write, call.attempts))]
    again = [call for call in lost if lost_write(call) is not None]
    n = len(lost)
    twice = [call for call in again if sum(map(took_effect, call.attempts)) > 1]
    harmful = [call for call in again if not is_storage_call(call.first)]
    proven = [call for call in twice if call in harmful and _is_told(call, evidence)]
    if n < FEWEST and not proven:
        yield unknown(n, few(n, FEWEST, "lost POST"), lost, action=LOSE_ANSWERS)
    elif again:
        told = f"{len(again)} of {n} lost POSTs were retried, {len(twice)} took effect twice"
        yield (failed if harmful else warned)(n, told, harmful or again, action=SEND_KEY)
    elif any(call.followed == OTHER_KEY for call in lost):
        keyed = [call for call in lost if call.followed == OTHER_KEY]
        told = f"{len(keyed)} of {n} lost POSTs were retried with another Idempotency-Key"
        yield warned(n, told, keyed, action="Send the same Idempotency-Key with every attempt of a call.")
    elif any(call.followed for call in lost):
        unclear = [call for call in lost if call.followed]
        told = f"{len(unclear)} of {n} lost POSTs were followed by a similar but changed request"
        yield unknown(n, told, unclear, action=NAME_THEM)
    else:
        kept = all(is_lost_write(call.last) for call in lost)
        how = "retried" if kept else "retried without an Idempotency-Key or a precondition"
        yield passed(n, f"0 of {n} lost POSTs were {how}", lost)


@check(
    "lost answer",
    reference="RFC 9110 13.1.1",
    minimum="3 writes with a precondition whose answer was lost after the app had run; one that was refused decides",
)
def lost_write_refused(evidence: Evidence) -> Iterator[Said]:
    """A write that was carried out is not reported to the caller as refused, because its answer was lost.

    Writes that the app has carried out and whose answer was lost (`reset,when=after`), if they have a precondition, or
    if the last attempt got 404, 409 or 412 from the app: the client's own write is the reason. FAIL: the caller got an
    error, as a test or a driver says. WARN: nothing says what the caller got. Where no answer of such a write was lost,
    the check says nothing.
    """
    lost = [call for call in evidence.everyone if written_unseen(call) is not None]
    n = len(lost)
    refused = [call for call in lost if is_done_already(call.last) and not call.returned]
    reported = [call for call in refused if call.returned is False]
    inferred = [call for call in refused if call.inferred and not evidence.driven]
    if not lost:
        return
    if refused:
        answers = " or ".join(sorted({str(call.last.status) for call in refused}))
        told = (
            f"{len(refused)} of {counted(n, 'write')} were carried out and then reported to the caller as refused: the answer"
            f" was lost, and its retry got {answers}"
        )
        if reported:
            yield failed(n, told, reported, action=COMPARE)
        elif len(inferred) == len(refused) < FEWEST:
            yield unknown(n, f"{told}, or another caller sent it", refused, action=NAME_THEM)
        else:
            told += "; the journal does not say whether the client then looked at the object"
            yield warned(n, told, refused, action=COMPARE)
    elif n < FEWEST:
        yield unknown(n, few(n, FEWEST, "lost conditional write"), lost, action=LOSE_ANSWERS)
    else:
        yield passed(n, f"0 of {n} lost writes were reported to the caller as refused", lost)


def _is_told(call: Call, evidence: Evidence) -> bool:
    """Whether a test says of a call where it began and ended: then one is proof enough."""
    return not evidence.driven and (call.name is not None or call.returned is not None)


def _hidden_by(evidence: Evidence) -> str:
    """An error that the first vendor seen documents inside of a 200; where it documents none, one of S3."""
    from faultinject import vendors

    rows = (each.documented for call in evidence.calls for each in call.attempts)
    seen = next((vendors.get(row.vendor) for row in rows if row is not None), None)
    return f"{seen.id if seen and seen.errors_in_200 and seen.has('InternalError') else 's3'}:InternalError"


@check(
    "error in 200",
    reference="AWS SDKs: retry behavior; aws-sdk-rust issue 1163",
    minimum="3 answers of 200 with an error in them",
)
def error_in_200(evidence: Evidence) -> Iterator[Said]:
    """An error inside of a 200 is treated as an error.

    Calls that got a 200 whose body is an error. FAIL: the caller got success, as a test or a driver says. WARN: no retry,
    and nothing says what the caller got. PASS: a retry, or an error to the caller. An SDK that asks again under another id
    of its own retries too.
    """
    found = [call for call in evidence.calls if any(each.kind == "hidden" for each in call.attempts)]
    n = len(found)
    last = [call for call in found if call.last.kind == "hidden" and call.again is None]
    swallowed = [call for call in last if call.returned]
    silent = [call for call in last if call.returned is None]
    if n < FEWEST and not any(_is_told(call, evidence) for call in swallowed):
        how = f"Send more, for example {_hidden_by(evidence)},status=200,times=1,per=call."
        yield unknown(n, few(n, FEWEST, "answer of 200 with an error in it"), found, action=how)
    elif swallowed:
        told = f"{len(swallowed)} of {n} errors in a 200 were reported to the caller as success"
        yield failed(n, told, swallowed, action=READ_BODY)
    elif silent:
        told = f"{len(silent)} of {n} calls did not retry, and the journal does not say whether the caller saw an error"
        yield warned(n, told, silent, action=READ_BODY)
    else:
        yield passed(n, f"{n} of {n} calls retried, or reported the error to the caller", found)
