"""Comparisons that tell which requests are of one client, and of one call."""

from __future__ import annotations

import re
from collections.abc import Hashable
from functools import lru_cache
from math import inf

from faultinject.journal.attempts import BROKEN, Attempt
from faultinject.journal.calls import Call

UNNAMED = "a client without a User-Agent"
"""Stands for a client that does not say who it is."""

_COMMENT = re.compile(r"\([^()]*\)")
_SPAN = re.compile(r"bytes[= ]([0-9]{1,15})-([0-9]{0,15})")
_PRESIGNED = re.compile(r"(?i)\bsig(nature)?=")
_UPLOAD = re.compile(r"(?i)(?:^|&)(uploads\b|uploadId=|comp=block\b)")
_PRODUCT = re.compile(r"[^\s/]+/[vV]?\d\S*")

CORRECTED = 60
"""Seconds between two offsets of a client's clock that prove a correction.

On a busy machine a request may arrive seconds after it was signed, so a smaller difference proves nothing.
"""
KEY_DIGITS = 16
"""Digits of the digest that stands for an Idempotency-Key."""


@lru_cache(1024)
def client_of(user_agent: str | None) -> str:
    """The client that a user agent names: one name for all its requests.

    It has no comments, and no list of features (`m/…`), which in SDKs of AWS differs between requests.

    >>> client_of("Boto3/1.44.5 md/Botocore#1.44.5 m/E,b cfg/retry-mode#standard")
    'Boto3/1.44.5 md/Botocore#1.44.5 cfg/retry-mode#standard'
    """
    words = _COMMENT.sub(" ", user_agent or "").split()
    return " ".join(word for word in words if not word.startswith("m/")) or UNNAMED


@lru_cache(1024)
def title_of(client: str) -> str:
    """A client's name and version, for people.

    >>> title_of("Boto3/1.44.5 md/Botocore#1.44.5 cfg/retry-mode#standard"), title_of("MinIO minio-py/7.2.20")
    ('Boto3/1.44.5 (standard)', 'minio-py/7.2.20')
    """
    product = _PRODUCT.search(client)
    _, mode, rest = client.partition("cfg/retry-mode#")
    name = product[0] if product else client
    return f"{name} ({rest.split()[0]})" if mode and rest else name


def fingerprint(attempt: Attempt) -> Hashable:
    """The fields that all attempts of a call share, except principal and body.

    Those can only be compared by digests of one seed.
    """
    return (
        attempt.clock,
        attempt.test,
        attempt.client,
        client_of(attempt.user_agent),
        attempt.method,
        attempt.operation,
        attempt.path,
        attempt.query,
    )


def thing_of(call: Call) -> Hashable:
    """The target of a call: the fingerprint of its attempts."""
    return fingerprint(call.first)


def invocation(attempt: Attempt) -> str | None:
    """The id that the client gives to all attempts of a call, or None."""
    return (attempt.attempt_hint or {}).get("invocation")


def marked(attempt: Attempt) -> bool | None:
    """Whether the client says that it is a retry; None where it says nothing."""
    hint = attempt.attempt_hint or {}
    number = hint.get("attempt")
    return hint.get("retry") if number is None else bool(number > 1)


def resumes(part: str | None, after: str | None, came: int | None = None) -> bool:
    """Whether a request for one part of a body goes on where another part broke off.

    Args:
        part: the requested part.
        after: the part that broke off; None: the whole body.
        came: the bytes of the whole body that had come when it broke off, or None. A range that begins exactly at that
            byte may end before the body does.

    >>> resumes("bytes=500-999", None, 500), resumes("bytes=500-999", None, 400), resumes("bytes=500-999", None)
    (True, False, False)
    >>> resumes("bytes=500-", None), resumes("bytes=0-99", None), resumes("bytes=100-199", "bytes=0-99")
    (True, False, False)
    >>> resumes("bytes */900", "bytes 0-899/900"), resumes("bytes 300-899/900", "bytes */900")
    (True, True)
    >>> resumes("bytes 256-511/*", "bytes 0-255/*"), resumes("bytes 600-899/900", "bytes 0-255/900")
    (True, False)
    """
    if part is None:
        return False
    asks = "bytes *"
    if part.startswith(asks) or (after is not None and after.startswith(asks)):
        return True
    now, before = span(part), (0.0, inf) if after is None else span(after)
    if now is None or before is None:
        return False
    if part.startswith("bytes="):
        # A download goes on to the same last byte, or begins exactly at the first missing byte.
        return before[0] < now[0] <= before[1] and (before[1] == now[1] or now[0] == came)
    return before[0] <= now[0] <= before[1] + 1


def goes_on(before: Attempt, attempt: Attempt) -> bool:
    """Whether a request is for the part of a body at which another broke off."""
    whole = before.part is None and before.status == 200 and before.did in BROKEN
    return resumes(attempt.part, before.part, before.response_bytes if whole else None)


def span(part: str) -> tuple[float, float] | None:
    """First and last byte of a part; None if its text has another form."""
    match = _SPAN.match(part)
    return None if match is None else (float(match[1]), float(match[2] or inf))


def alike(one: Attempt, other: Attempt) -> bool:
    """Whether two requests of one fingerprint have one principal and one body, if known.

    A request for a part, and a later one that goes on where it broke off, are alike, too.
    """
    if one.seed == other.seed and one.principal != other.principal:
        return False
    if one.attempt_hint != other.attempt_hint and one.part != other.part:
        return goes_on(one, other)
    if one.seed == other.seed and one.body_complete and other.body_complete:
        return (one.request_bytes, one.request_digest) == (other.request_bytes, other.request_digest)
    size, other_size = one.request_bytes, other.request_bytes
    unknown = None in (size, other_size) or False in (one.body_complete, other.body_complete)
    return unknown or size == other_size


def body_of(attempt: Attempt) -> Hashable:
    """All that `alike` compares of requests.

    For a request that goes on with an earlier one, `alike` also looks at the answer to the earlier one.
    """
    return (
        attempt.seed,
        attempt.principal,
        attempt.part,
        attempt.body_complete,
        attempt.request_bytes,
        attempt.request_digest,
    )


def length_of(attempt: Attempt) -> int | None:
    """The length of its body; None: requests that are `alike` may have bodies of other lengths."""
    return None if attempt.body_complete is False or attempt.part is not None else attempt.request_bytes


def changed(before: Attempt, attempt: Attempt) -> bool:
    """Whether a client changed what it asks with: token, precondition, region, clock or URL."""
    who = (before.credential, before.region) == (attempt.credential, attempt.region)
    # A request for the rest of a download names its version, so that its precondition differs. After a refusal there is
    # no download to go on with.
    rest = before.kind != "client" and goes_on(before, attempt)
    what = rest or before.precondition == attempt.precondition
    if before.seed == attempt.seed and not (who and what):
        return True
    offset, now = before.clock_offset, attempt.clock_offset
    if offset is None or now is None:
        return False
    # After a refusal, a URL that was signed at another time is a new one, which the client asked for.
    signed_anew = before.kind == "client" and _PRESIGNED.search(attempt.query) is not None
    at_another_time = round(before.time + offset) != round(attempt.time + now)
    return abs(now - offset) >= CORRECTED or (signed_anew and at_another_time)


def has_own_key(attempt: Attempt) -> bool:
    """Whether its id is a caller's Idempotency-Key; ids of SDKs have another form."""
    id_ = invocation(attempt)
    return id_ is not None and len(id_) == KEY_DIGITS and id_.isalnum()


def idempotency_key(attempt: Attempt) -> str | None:
    """The digest of its Idempotency-Key, which stands beside the id of an SDK or in its place."""
    return (attempt.attempt_hint or {}).get("key") or (invocation(attempt) if has_own_key(attempt) else None)


def has_same_key(one: Attempt, other: Attempt) -> bool:
    """Whether both have an Idempotency-Key, and it is the same."""
    return idempotency_key(one) is not None and idempotency_key(one) == idempotency_key(other)


def is_of_upload(attempt: Attempt) -> bool:
    """Whether it belongs to a multipart or block upload, and is not the one that completes it."""
    match = _UPLOAD.search(attempt.query)
    return match is not None and (attempt.method != "POST" or match[1].lower() == "uploads")


def shorter(attempt: Attempt, first: Attempt) -> bool:
    """Whether it carries fewer bytes of the same part than the first attempt.

    A body that was read before and not rewound is shorter.
    """
    size, whole = attempt.request_bytes, first.request_bytes
    return (
        size is not None
        and whole is not None
        and attempt.body_complete is not False
        and size < whole
        and attempt.part == first.part
    )
