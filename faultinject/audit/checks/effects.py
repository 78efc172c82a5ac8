"""What retries do to the data: other bytes, doubled effects, errors taken for success."""

from __future__ import annotations

from faultinject.audit.checks.check import check, failed, passed, unknown, warned
from faultinject.audit.checks.questions import (
    has_body,
    is_cleared,
    is_lost_write,
    is_storage_call,
    lost_write,
    sent_nothing,
    took_effect,
)
from faultinject.audit.checks.retries import FEWEST
from faultinject.audit.checks.words import NAME_THEM, counted, too_few
from faultinject.audit.grouping import OTHER_KEY
from faultinject.journal.calls import FINGERPRINT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultinject.audit.checks.check import Said
    from faultinject.audit.evidence import Evidence
    from faultinject.journal.calls import Call


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
        yield unknown(
            n,
            _few_bodies(n, len(everyone) - n),
            everyone,
        )
    elif not other:
        yield passed(n, f"{n} of {n} retried calls sent the same bytes", calls)
    elif certain:
        what = "0 bytes on retry" if len(empty) == len(certain) else "different bytes on retry"
        yield failed(n, f"{len(certain)} of {n} retried calls sent {what}", certain)
    else:
        yield warned(
            n,
            f"{len(other)} of {n} retried calls sent fewer bytes on retry, or another body to the same key",
            other,
        )


def _few_bodies(seen: int, lengths: int) -> str:
    """Why nothing can be said, and what would decide it."""
    how = "Let more uploads be retried, for example http:503,times=1,per=call"
    if lengths:
        how = f"Of {counted(lengths, 'other')} the journal has only the length: record every request, or use times=2,per=call"
    return too_few(seen, FEWEST, "retried upload", how)


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
        yield unknown(
            n,
            too_few(
                n, FEWEST, "lost POST", "Lose more answers, for example reset,when=after,times=1,per=call"
            ),
            lost,
        )
    elif again:
        told = f"{len(again)} of {n} lost POSTs were retried, {len(twice)} took effect twice"
        yield failed(n, told, harmful) if harmful else warned(n, told, again)
    elif any(call.followed == OTHER_KEY for call in lost):
        keyed = [call for call in lost if call.followed == OTHER_KEY]
        yield warned(n, f"{len(keyed)} of {n} lost POSTs were retried with another Idempotency-Key", keyed)
    elif any(call.followed for call in lost):
        unclear = [call for call in lost if call.followed]
        told = f"{len(unclear)} of {n} lost POSTs were followed by a similar but changed request"
        yield unknown(n, f"{told}. {NAME_THEM}", unclear)
    else:
        kept = all(is_lost_write(call.last) for call in lost)
        how = "retried" if kept else "retried without an Idempotency-Key or a precondition"
        yield passed(n, f"0 of {n} lost POSTs were {how}", lost)


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
        yield unknown(
            n,
            too_few(
                n,
                FEWEST,
                "answer of 200 with an error in it",
                f"Send more, for example {_hidden_by(evidence)},status=200,times=1,per=call",
            ),
            found,
        )
    elif swallowed:
        told = f"{len(swallowed)} of {n} errors in a 200 were reported to the caller as success"
        yield failed(n, told, swallowed)
    elif silent:
        told = f"{len(silent)} of {n} calls did not retry, and the journal does not say whether the caller saw an error"
        yield warned(n, told, silent)
    else:
        yield passed(n, f"{n} of {n} calls retried, or reported the error to the caller", found)
