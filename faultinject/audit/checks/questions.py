"""Questions of the checks about one request, or one call."""

from __future__ import annotations

import re
from itertools import pairwise
from math import inf

from faultinject.audit.evidence import Evidence
from faultinject.audit.grouping import POLL
from faultinject.audit.matching import has_same_key, invocation, shorter
from faultinject.audit.waits import KINDS
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import FINGERPRINT, TOLD, Call

PERMANENT = frozenset((400, 401, 403, 404, 405, 409, 412))
"""Answers that stay the same however often one asks."""
PASSING = frozenset((408, 429, 500, 502, 503, 504))
"""Answers that may be better the next time, whoever gives them."""
NEVER = frozenset((501, 505))
"""Errors of a server that stay the same."""
UNSAFE = frozenset(("POST", "PATCH"))
"""Methods that are not tried again without more ado."""
LOST = frozenset(("transport", "timeout"))
"""Kinds of failure in which a client cannot know whether the app did what it was asked."""
GONE = 404
"""The answer to a removal that was carried out before."""
DONE_ALREADY = frozenset((GONE, 409, 412))
"""Answers to a write that was carried out before: it is gone, there already, or changed."""
UPLOADS = ("/upload/storage/v1/", "/resumable/upload/storage/v1/")
"""Paths at which Google Cloud Storage takes uploads."""
BATCH = re.compile(
    r"/batch(/storage/v1)?\?|.*/(\$batch\?|actions/batch)|.*[?&]((bulk-)?delete(=|&|$)|comp=batch)"
)
"""Path and query of a batch request, whose answer tells of each part.

As S3 and its kin, Swift, Azure, Google, Kodo and OCI have it.
"""
HARMLESS = re.compile(r"(?i)(^|&)(upload_?id=|delete(=|&|$))")
"""Query of a POST to a storage service whose repeat does no more.

The end of an upload has its id and parts, and what is deleted stays so.
"""
SESSION = re.compile(r"(?i)(^|&)uploadtype=resumable(&|$)")
"""Query of a request of Google's JSON API that is about an upload in pieces."""
STORAGE_CLIENTS = (
    "alibabacloud aliyun-sdk aws-sdk azsdk backblaze-b2 bce-sdk boto cos- gcloud- gccl/ minio"
    " obs-sdk qingstor qiniu"
    " swiftclient tos-sdk tos-python-sdk"
).split()
"""Words in the user agents of storage SDKs, whose plain POST is the upload of a form."""


def should_be_tried_again(attempt: Attempt) -> bool:
    """Whether the failure is worth a retry: by the vendor's word, else by common rule.

    Nobody has to do what a document asks for before it is sent again.
    """
    kind, documented = attempt.kind, attempt.documented
    if kind in ("transport", "timeout"):
        return True
    if documented is not None and documented.again:
        return False
    if kind not in KINDS:
        return kind == "client" and documented is not None and documented.retryable == "yes"
    if documented is not None and documented.retryable != "unstated":
        return documented.retryable == "yes"
    if kind == "throttle" or attempt.status in PASSING:
        return True
    return documented is None and attempt.status not in NEVER


def stays_the_same(attempt: Attempt) -> bool:
    """Whether no retry changes a server error: by the vendor's word, else by its status."""
    documented = attempt.documented
    said = "unstated" if documented is None else documented.retryable
    return attempt.kind == "server" and (said == "no" or (said == "unstated" and attempt.status in NEVER))


def may_be_sent_again(attempt: Attempt) -> bool:
    """Whether the vendor allows the same request again after a step, such as a new token.

    Where the state is to be asked for or a session begun, what follows is another request.
    """
    documented = attempt.documented
    return documented is not None and documented.again in (
        "after-authorize",
        "after-refresh",
        "after-signing",
        "with-care",
    )


def sends_refused_token(call: Call) -> bool:
    """Whether an answer asks for a new token first, and the retry has the old one.

    Of a request without a token nobody can tell.
    """
    documented, token = call.first.documented, call.first.credential
    asks = documented is not None and documented.again in ("after-authorize", "after-refresh")
    return asks and token is not None and call.attempts[1].credential == token


def is_permanent(attempt: Attempt) -> bool:
    """Whether it got an injected answer that stays the same however often one asks."""
    return (
        attempt.answered_by_fault
        and attempt.status in PERMANENT
        and not should_be_tried_again(attempt)
        and not may_be_sent_again(attempt)
    )


def is_storage_call(attempt: Attempt) -> bool:
    """Whether it is a request of object storage that SDKs are known to repeat."""
    if attempt.operation not in (None, "PostObject") or attempt.path.startswith(UPLOADS):
        return True
    agent = (attempt.user_agent or "").lower()
    return any(each in agent for each in STORAGE_CLIENTS)


def begins_session(attempt: Attempt) -> bool:
    """Whether it begins an upload in pieces of Google Cloud Storage, and writes nothing yet."""
    return attempt.method == "POST" and (
        attempt.operation == "InitiateResumableUpload" or SESSION.search(attempt.query) is not None
    )


def lost_write(call: Call) -> Attempt | None:
    """The lost POST or PATCH of a call that came again with no key and no precondition, if any."""
    unsafe = (
        one
        for one, other in pairwise(call.attempts)
        if is_lost_write(one) and not has_same_key(one, other) and (took_effect(other) or not other.guarded)
    )
    return next(unsafe, None)


def is_kept_off(call: Call) -> bool:
    """Whether a precondition kept the repeat of a lost POST or PATCH from taking effect."""
    return any(
        is_lost_write(one) and other.guarded and is_done_already(other)
        for one, other in pairwise(call.attempts)
    )


def is_lost_write(attempt: Attempt) -> bool:
    """Whether it is a POST or PATCH that took effect, lost its answer, and harms if repeated."""
    lost = attempt.method in UNSAFE and attempt.applied and attempt.kind in LOST
    harmless = begins_session(attempt) or (is_storage_call(attempt) and HARMLESS.search(attempt.query))
    return lost and not harmless


def is_done_already(attempt: Attempt) -> bool:
    """Whether the app refused it as it refuses what was done before."""
    return not attempt.injected and attempt.status in DONE_ALREADY


def meets_its_own_effect(call: Call) -> bool:
    """Whether its first attempt was carried out, and the last refused for that."""
    return call.first.applied and is_done_already(call.last)


def took_effect(attempt: Attempt) -> bool:
    """Whether the app did what it was asked, by the status of its own answer where there is one."""
    return (attempt.applied or not attempt.injected) and app_status(attempt) < 400


def app_status(attempt: Attempt) -> int:
    """The status of the app's own answer; 200 where that is not known."""
    return attempt.app_status or (None if attempt.answered_by_fault else attempt.status) or 200


def may_poll(call: Call, evidence: Evidence) -> bool:
    """Whether a refused client may have polled for a change, and no mark of its own denies it.

    Whoever asks the app itself, or whether an object is there, may do so as soon as it has waited longer than the
    machine may make it; what is injected otherwise is asked for again a second or more later, and not in one named
    call.
    """

    def least(before: Attempt) -> float:
        is_waiter = before.method == "HEAD" and before.status == 404
        if is_waiter or not before.injected:
            return evidence.turnaround.noise
        return POLL if call.inferred else inf

    return (
        call.signal in (FINGERPRINT, TOLD)
        and not evidence.driven
        and all(
            gap is not None and gap >= least(before)
            for before, gap in zip(call.attempts, call.gaps, strict=False)
            if before.kind == "client"
        )
    )


def may_wait(call: Call, evidence: Evidence) -> bool:
    """Whether a client that may have polled got only refusals that may end.

    They are the app's own, or each came a second or more before the next.

    An object is there later, and so a lock that another holds is free, which is taken with If-None-Match; the
    version that If-Match names does not come back.
    """
    waits = call.first.method in ("GET", "HEAD") or (call.first.guarded and not call.first.if_match)
    own = waits and all(is_done_already(each) or not each.failed for each in call.attempts)
    slow = call.inferred and all(gap is not None and gap >= POLL for gap in call.gaps)
    refused = all(each.kind in ("client", None) for each in call.attempts)
    return may_poll(call, evidence) and refused and (own or slow)


def sent_nothing(call: Call) -> bool:
    """Whether a later attempt of a call that had a body at first carried none."""
    return any(each.request_bytes == 0 and shorter(each, call.first) for each in call.attempts[1:])


def is_cleared(call: Call) -> bool:
    """Whether the last attempt succeeded though the caller saw an error: it was no retry."""
    return call.returned is False and call.succeeded


def is_rest(call: Call) -> bool:
    """Whether it is a batch whose body changes only after a 200 with errors in it.

    A deletion then has the keys that are left.
    """
    if not BATCH.match(f"{call.first.path}?{call.first.query or ''}"):
        return False
    ends = [number for number, each in enumerate(call.attempts, 1) if each.kind == "hidden"]
    return all(
        Call(call.attempts[start:end], call.signal).other_bytes is None
        for start, end in pairwise((0, *ends, len(call.attempts)))
        if start < end
    )


def own_limit(call: Call) -> int | None:
    """The most attempts by the client's own header (`amz-sdk-request: max=3`); None: unsaid.

    An SDK says so of what has one id: of a call that a layer above it made under several it says nothing.
    """
    if len(set(map(invocation, call.attempts))) > 1:
        return None
    limits = [(each.attempt_hint or {}).get("max") for each in call.attempts]
    return max((each for each in limits if isinstance(each, int)), default=None)
