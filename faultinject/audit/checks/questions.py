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
"""Statuses that a retry does not change."""
TEMPORARY = frozenset((408, 429, 500, 502, 503, 504))
"""Statuses that a retry may change, whatever the service."""
PERMANENT_SERVER_ERRORS = frozenset((501, 505))
"""Statuses of server errors that a retry does not change."""
UNSAFE = frozenset(("POST", "PATCH"))
"""Methods whose retry may repeat their effect."""
LOST = frozenset(("transport", "timeout"))
"""Kinds of failure after which a client cannot know whether the app did the request."""
NOT_FOUND = 404
"""The status of the second removal of an object."""
DONE_ALREADY = frozenset((NOT_FOUND, 409, 412))
"""Statuses of a repeated write: the object is gone, exists already or has changed."""
UPLOADS = ("/upload/storage/v1/", "/resumable/upload/storage/v1/")
"""Paths at which Google Cloud Storage takes uploads."""
BATCH = re.compile(
    r"/batch(/storage/v1)?\?|.*/(\$batch\?|actions/batch)|.*[?&]((bulk-)?delete(=|&|$)|comp=batch)"
)
"""Path and query of a batch request, whose answer reports each part.

These are the batches of S3 and its relatives, Swift, Azure, Google, Kodo and OCI.
"""
REPEATABLE_QUERY = re.compile(r"(?i)(^|&)(upload_?id=|delete(=|&|$))")
"""The query of a POST to a storage service that can be repeated without harm.

It ends an upload, with its id and parts, or deletes objects.
"""
SESSION_QUERY = re.compile(r"(?i)(^|&)uploadtype=resumable(&|$)")
"""The query of a request for a resumable upload in Google's JSON API."""
STORAGE_CLIENTS = (
    "alibabacloud aliyun-sdk aws-sdk azsdk backblaze-b2 bce-sdk boto cos- gcloud- gccl/ minio"
    " obs-sdk qingstor qiniu"
    " swiftclient tos-sdk tos-python-sdk"
).split()
"""Words in the user agents of storage SDKs.

A POST of a form by such a client is an upload to object storage.
"""


def should_be_tried_again(attempt: Attempt) -> bool:
    """Whether the failure should be retried, by the vendor's document or else by its status.

    If the document asks for another step before the retry, no retry is demanded.
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
    return (
        kind == "throttle"
        or attempt.status in TEMPORARY
        or (documented is None and attempt.status not in PERMANENT_SERVER_ERRORS)
    )


def stays_the_same(attempt: Attempt) -> bool:
    """Whether no retry changes a server error, by the vendor's document or else by its status."""
    documented = attempt.documented
    said = "unstated" if documented is None else documented.retryable
    return attempt.kind == "server" and (
        said == "no" or (said == "unstated" and attempt.status in PERMANENT_SERVER_ERRORS)
    )


def may_be_sent_again(attempt: Attempt) -> bool:
    """Whether the vendor allows the same request after a step, such as getting a new token."""
    # After a look at the state, or in a new session, it would be another request.
    documented = attempt.documented
    return documented is not None and documented.again in (
        "after-authorize",
        "after-refresh",
        "after-signing",
        "with-care",
    )


def sends_refused_token(call: Call) -> bool:
    """Whether an answer asks for a new token, and the retry has the old one."""
    documented, token = call.first.documented, call.first.credential
    return (
        documented is not None
        and documented.again in ("after-authorize", "after-refresh")
        and token is not None
        and call.attempts[1].credential == token
    )


def may_be_waited_out(attempt: Attempt) -> bool:
    """Whether a request failed with an error that may end while the client waits."""
    return attempt.kind in KINDS


def is_permanent(attempt: Attempt) -> bool:
    """Whether a request got an injected answer that a retry does not change."""
    return (
        attempt.answered_by_fault
        and attempt.status in PERMANENT
        and not should_be_tried_again(attempt)
        and not may_be_sent_again(attempt)
    )


def is_storage_call(attempt: Attempt) -> bool:
    """Whether it is a request to object storage, whose SDKs are known to repeat it."""
    if attempt.operation not in (None, "PostObject") or attempt.path.startswith(UPLOADS):
        return True
    agent = (attempt.user_agent or "").lower()
    return any(client in agent for client in STORAGE_CLIENTS)


def begins_session(attempt: Attempt) -> bool:
    """Whether a request begins a resumable upload of Google Cloud Storage, and writes nothing."""
    return attempt.method == "POST" and (
        attempt.operation == "InitiateResumableUpload" or SESSION_QUERY.search(attempt.query) is not None
    )


def lost_write(call: Call) -> Attempt | None:
    """Find a call's lost POST or PATCH that was retried without key and precondition."""
    return next(
        (
            one
            for one, other in pairwise(call.attempts)
            if is_lost_write(one)
            and not has_same_key(one, other)
            and (took_effect(other) or not other.guarded)
        ),
        None,
    )


def has_prevented_repeat(call: Call) -> bool:
    """Whether a precondition prevented the second effect of a lost POST or PATCH."""
    return any(
        is_lost_write(one) and other.guarded and is_done_already(other)
        for one, other in pairwise(call.attempts)
    )


def is_lost_write(attempt: Attempt) -> bool:
    """Whether it is a POST or PATCH that took effect, lost its answer, and harms if repeated."""
    lost = attempt.method in UNSAFE and attempt.applied and attempt.kind in LOST
    harmless = begins_session(attempt) or (
        is_storage_call(attempt) and REPEATABLE_QUERY.search(attempt.query)
    )
    return lost and not harmless


def is_done_already(attempt: Attempt) -> bool:
    """Whether the app refused a write that it may have done before."""
    return not attempt.injected and attempt.status in DONE_ALREADY


def took_effect(attempt: Attempt) -> bool:
    """Whether the app did the request, by the status of the app's own answer if it is known."""
    return (attempt.applied or not attempt.injected) and app_status(attempt) < 400


def app_status(attempt: Attempt) -> int:
    """The status of the app's own answer; 200 if it is not known."""
    return attempt.app_status or (None if attempt.answered_by_fault else attempt.status) or 200


def may_poll(call: Call, evidence: Evidence) -> bool:
    """Whether the requests of a refused client may be polls: none is marked as a retry.

    After an answer of the app, or a HEAD that found no object, the wait must be longer than the machine's own delays.
    After another injected answer it must be a second or more, and the test must not have named the call.
    """

    def shortest_wait(before: Attempt) -> float:
        if (before.method == "HEAD" and before.status == 404) or not before.injected:
            return evidence.turnaround.noise
        return POLL if call.inferred else inf

    return (
        call.signal in (FINGERPRINT, TOLD)
        and not evidence.driven
        and all(
            gap is not None and gap >= shortest_wait(before)
            for before, gap in zip(call.attempts, call.gaps, strict=False)
            if before.kind == "client"
        )
    )


def may_wait(call: Call, evidence: Evidence) -> bool:
    """Whether a client may have polled, and got only refusals that may end.

    The refusals are the app's own, or a second or more lies between two requests. An object may exist later, and a
    lock, taken with If-None-Match, may become free; but the version that If-Match names does not come back.
    """
    waits_for_change = call.first.method in ("GET", "HEAD") or (
        call.first.guarded and not call.first.if_match
    )
    own_refusals = waits_for_change and all(
        is_done_already(attempt) or not attempt.failed for attempt in call.attempts
    )
    slow = call.inferred and all(gap is not None and gap >= POLL for gap in call.gaps)
    return (
        may_poll(call, evidence)
        and all(attempt.kind in ("client", None) for attempt in call.attempts)
        and (own_refusals or slow)
    )


def lost_its_body(call: Call) -> bool:
    """Whether the first attempt of a call had a body, and a later one has none."""
    return any(attempt.request_bytes == 0 and shorter(attempt, call.first) for attempt in call.attempts[1:])


def succeeded_after_error(call: Call) -> bool:
    """Whether the last attempt succeeded after the caller saw an error: it was no retry."""
    return call.returned is False and call.succeeded


def is_batch_remainder(call: Call) -> bool:
    """Whether the body of a batch changes only after a 200 with errors.

    The client then sends the failed keys again.
    """
    if not BATCH.match(f"{call.first.path}?{call.first.query or ''}"):
        return False
    ends = [number for number, attempt in enumerate(call.attempts, 1) if attempt.kind == "hidden"]
    return all(
        Call(call.attempts[start:end], call.signal).other_bytes is None
        for start, end in pairwise((0, *ends, len(call.attempts)))
        if start < end
    )


def own_limit(call: Call) -> int | None:
    """Read the limit of attempts from the client's header (`amz-sdk-request: max=3`), or None.

    The limit is for the attempts with one id, so it says nothing about a call with several ids.
    """
    if len(set(map(invocation, call.attempts))) > 1:
        return None
    limits = [(attempt.attempt_hint or {}).get("max") for attempt in call.attempts]
    return max((limit for limit in limits if isinstance(limit, int)), default=None)
