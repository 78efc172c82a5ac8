"""What the checks ask of one request, or of one call."""

from __future__ import annotations

import re
from itertools import pairwise
from math import inf

from faultinject.audit.evidence import Evidence
from faultinject.audit.grouping import POLL
from faultinject.audit.matching import has_own_key, invocation, shorter
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
DONE_ALREADY = frozenset((404, 409, 412))
"""Answers to a write that was carried out before: what was there is gone, it is there already, it is another one by now."""
UPLOADS = ("/upload/storage/v1/", "/resumable/upload/storage/v1/")
"""Where Google Cloud Storage takes uploads."""
BATCH = re.compile(
    r"/batch(/storage/v1)?\?|.*/(\$batch\?|actions/batch)|.*[?&]((bulk-)?delete(=|&|$)|comp=batch)"
)
"""Path and query of a request for many things, whose answer tells of each: as S3 and its kin, Swift, Azure, Google, Kodo and OCI have it."""
HARMLESS = re.compile(r"(?i)(^|&)(upload_?id=|delete(=|&|$))")
"""Query of a POST to a storage service that has the same effect twice: the end of an upload has its id and parts, and what is deleted stays so."""
STORAGE_CLIENTS = (
    "alibabacloud aliyun-sdk aws-sdk azsdk backblaze-b2 bce-sdk boto cos- gcloud- gccl/ minio obs-sdk qingstor qiniu"
    " swiftclient tos-sdk tos-python-sdk"
).split()
"""What the user agents of storage SDKs hold: a plain POST of theirs is the upload of a form."""


def should_be_tried_again(attempt: Attempt) -> bool:
    """Whether the vendor says that what failed is worth another try, or, where it says nothing, everybody does.

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
    """Whether a server error is one that no retry changes: by the vendor's word, or, where it says nothing, by its status."""
    documented = attempt.documented
    said = "unstated" if documented is None else documented.retryable
    return attempt.kind == "server" and (said == "no" or (said == "unstated" and attempt.status in NEVER))


def may_be_sent_again(attempt: Attempt) -> bool:
    """Whether the vendor allows the same request again once something was done, such as getting a new token.

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
    """Whether an answer asks for a new token first, and the retry has the old one: of a request without a token nobody can tell."""
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


def lost_write(call: Call) -> Attempt | None:
    """The POST or PATCH of a call whose answer was lost after the app had run, and that was sent again just so.

    None where there is none, or where the next attempt carried an Idempotency-Key, or was kept off by its precondition.
    """
    for attempt, following in pairwise(call.attempts):
        if is_lost_write(attempt) and not (
            has_own_key(following) or (following.guarded and not took_effect(following))
        ):
            return attempt
    return None


def is_kept_off(call: Call) -> bool:
    """Whether a lost POST or PATCH was sent again with a precondition, which kept it from taking effect."""
    return any(
        is_lost_write(one) and other.guarded and is_done_already(other)
        for one, other in pairwise(call.attempts)
    )


def is_lost_write(attempt: Attempt) -> bool:
    """Whether it is a POST or PATCH that the app has carried out and whose answer was lost, and a repeat does something else."""
    lost = attempt.method in UNSAFE and attempt.applied and attempt.kind in LOST
    return lost and not (is_storage_call(attempt) and HARMLESS.search(attempt.query))


def is_done_already(attempt: Attempt) -> bool:
    """Whether the app itself refused it as it refuses what has been done: it is there, it is gone, it has changed."""
    return not attempt.injected and attempt.status in DONE_ALREADY


def meets_its_own_effect(call: Call) -> bool:
    """Whether its first attempt was carried out, and the last refused for that."""
    return call.first.applied and is_done_already(call.last)


def took_effect(attempt: Attempt) -> bool:
    """Whether the app did what it was asked."""
    ran = attempt.applied or not attempt.injected
    return ran and (attempt.kind in LOST or attempt.status is None or attempt.status < 400)


def may_poll(call: Call, evidence: Evidence) -> bool:
    """Whether a client that was refused may have asked again to see whether something has changed, which no mark of its own denies.

    Whoever asks the app itself, or whether an object is there, may do so as soon as it has waited longer than the machine may make it; what is injected
    otherwise is asked for again a second or more later, and not in one named call.
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
    """Whether a client that may have polled met nothing but refusals: of the app itself, which may be over, or each a second or more before the next.

    An object is there later, and so a lock that another holds is free, which is taken with If-None-Match; the version that
    If-Match names does not come back.
    """
    waits = call.first.method in ("GET", "HEAD") or (call.first.guarded and not call.first.if_match)
    own = waits and all(is_done_already(each) or not each.failed for each in call.attempts)
    slow = call.inferred and all(gap is not None and gap >= POLL for gap in call.gaps)
    refused = all(each.kind in ("client", None) for each in call.attempts)
    return may_poll(call, evidence) and refused and (own or slow)


def has_body(call: Call) -> bool:
    """Whether there are bytes to compare."""
    return any(each.request_bytes for each in call.attempts)


def sent_nothing(call: Call) -> bool:
    """Whether a later attempt of a call that had a body at first carried none."""
    return any(each.request_bytes == 0 and shorter(each, call.first) for each in call.attempts[1:])


def is_cleared(call: Call) -> bool:
    """Whether its last attempt got through and its caller saw an error all the same: then that was no retry."""
    return call.returned is False and call.succeeded


def is_rest(call: Call) -> bool:
    """Whether it is a batch that has another body only after a 200 with errors in it, as a deletion has the keys that are left."""
    if not BATCH.match(f"{call.first.path}?{call.first.query or ''}"):
        return False
    ends = [number for number, each in enumerate(call.attempts, 1) if each.kind == "hidden"]
    return all(
        Call(call.attempts[start:end], call.signal).other_bytes is None
        for start, end in pairwise((0, *ends, len(call.attempts)))
        if start < end
    )


def own_limit(call: Call) -> int | None:
    """How many attempts the client itself says that it makes at most (`amz-sdk-request: max=3`); None: it does not.

    An SDK says so of what has one id: of a call that a layer above it made under several it says nothing.
    """
    if len(set(map(invocation, call.attempts))) > 1:
        return None
    limits = [(each.attempt_hint or {}).get("max") for each in call.attempts]
    return max((each for each in limits if isinstance(each, int)), default=None)
