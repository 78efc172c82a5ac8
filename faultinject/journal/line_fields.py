"""Makes the outcome of a request, field by field, when its line is written or read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from hashlib import blake2b

from faultinject.engine.entry import LONGEST_TEXT, QUERY_GUARDS, Entry, checksum_of_version
from faultinject.engine.request import GUARDS, PARTS
from faultinject.http.wire import moment_of, number_of
from faultinject.journal.outcome import AttemptHint, Outcome
from faultinject.vendors.addressing import Addressing

LONGEST_PART = 100
"""The most characters of the header that names the part of a body."""
REMEMBERED = 1_000
"""The most digests of key ids and checksums, and operations of requests, that are cached."""
_operations: dict[tuple[Addressing, str, str, str], str | None] = {}
_UNKNOWN = ""


def outcome_of(entry: Entry, reading: Addressing | None) -> Outcome:
    """Make the outcome of an entry.

    Args:
        entry: the request's entry in the journal.
        reading: the way to read bucket and key from the address; None: the entry's own.
    """
    generation, seed, seed_key = entry.origin
    addressing = reading or entry.reading
    level, bucket, key, _ = addressing.read_place(entry)
    query, headers = entry.query, entry.headers
    # Without a query and recorded headers the operation depends on method, level and host alone, and is cached.
    form = None if query or headers else (addressing, entry.method, level, entry.host)
    # Looked up in one step, as another thread may clear the dict.
    operation = _UNKNOWN if form is None else _operations.get(form, _UNKNOWN)
    if operation is _UNKNOWN:
        operation = addressing.operation(entry)
        if form is not None:
            if len(_operations) >= REMEMBERED:
                _operations.clear()
            _operations[form] = operation
    arrived, answered, test = entry.arrived, entry.answered, entry.test
    # Most fields are set below: for more than fifteen arguments Python makes a dict first, which would take half of
    # the time of a line.
    outcome = Outcome(
        time=entry.time,
        arrived=arrived,
        answered=answered,
        pid=os.getpid(),
        seq=entry.seq,
        generation=generation,
        method=entry.method,
        path=entry.path,
        query=query,
        host=entry.host,
        operation=operation,
        applied=entry.applied,
        guarded=bool(headers or query) and _is_guarded(headers, query),
        did=entry.did,  # type: ignore[arg-type]  # a fault of another package may have its own
        seed=seed,
    )
    outcome.bucket = bucket
    outcome.key = key
    outcome.client = entry.client or None
    outcome.connection = number_of(entry.port)
    outcome.user_agent = entry.user_agent
    outcome.test = test and test[:LONGEST_TEXT]
    size, digest, complete = entry.body or (_size(entry), None, None)
    # The last of AWS's chunks takes bytes, even if no other comes before it.
    outcome.request_bytes = 0 if size and headers.get("x-amz-decoded-content-length") == "0" else size
    outcome.request_digest = digest
    outcome.body_complete = complete
    outcome.rule = entry.rule
    outcome.matched = entry.matched
    outcome.n = entry.n
    outcome.fault = entry.fault
    outcome.when = entry.when  # type: ignore[assignment]  # the rule has checked it
    outcome.hint = entry.hint
    outcome.hint_form = entry.hint_form
    outcome.final = entry.final
    outcome.status = entry.status
    outcome.app_status = entry.app_status
    outcome.response_bytes = entry.response_bytes
    outcome.checksum = entry.checksum
    outcome.request_id = entry.request_id
    outcome.left = entry.left
    if answered is not None:
        outcome.elapsed = answered - arrived
    if entry.signed_at is not None and (moment := moment_of(entry.signed_at)) is not None:
        outcome.clock_offset = round(moment - entry.time)
    if entry.key_id is not None:
        outcome.principal = _key_digest(entry.key_id, seed_key)
    outcome.credential = _digest_of(entry.credential, seed_key)
    outcome.precondition = _digest_of(entry.precondition, seed_key)
    outcome.region = _digest_of(entry.region, seed_key)
    # An object's version gets the same digest in requests and answers.
    outcome.etag = _digest_of(checksum_of_version(entry.etag) if entry.etag else None, seed_key)
    if headers:
        outcome.attempt_hint = attempt_hint(headers, seed_key)
        outcome.range = (headers.get("range") or headers.get("x-ms-range") or "")[:LONGEST_PART] or None
        outcome.if_range = _digest_of(headers.get("if-range"), seed_key)
        outcome.if_match = _digest_of(headers.get("if-match"), seed_key)
    return outcome


def _size(entry: Entry) -> int | None:
    """The announced size of a body that was not read to its end, or None.

    It is None if the client may not have sent the whole body: it left before the body's end, or waits for `100
    Continue`, which the server sends at the latest when the app begins to read.
    """
    announced, seen = number_of(entry.content_length), entry.seen
    was_requested = entry.applied if seen is None else seen.size > 0
    broke_off = entry.left and (not entry.applied if seen is None else seen.size < (announced or 0))
    return None if broke_off or ("expect" in entry.headers and not was_requested) else announced


RESENT = "http.request.resend_count"
"""OpenTelemetry's attribute for the number of times that a client has sent a request before.

It is not a header, but is kept among the headers if a client in this process gives it.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""


def _is_guarded(headers: Mapping[str, str], query: str) -> bool:
    return not GUARDS.isdisjoint(headers) or any(guard in query for guard in QUERY_GUARDS)


@lru_cache(REMEMBERED)
def _digest_of(checksum: int | str | None, key: bytes) -> str | None:
    """Two bytes of a digest, in hexadecimal; None for None.

    They are enough to see a change, and too few to confirm a guess of the secret.
    """
    return None if checksum is None else blake2b(f"{checksum}".encode(), key=key, digest_size=2).hexdigest()


def attempt_hint(headers: Mapping[str, str], key: bytes) -> AttemptHint | None:
    """The client's own marks of an attempt: call id, number, maximum, retry, part, key.

    None if the request has none of them.

    Args:
        headers: the recorded headers, by their names in lower case.
        key: the key of the digest that replaces an Idempotency-Key, which is the caller's own text.

    >>> attempt_hint({"amz-sdk-invocation-id": "1-2-3", "amz-sdk-request": "attempt=2; max=5"}, b"")
    {'invocation': '1-2-3', 'attempt': 2, 'max': 5}
    >>> attempt_hint({"x-goog-api-client": "gl-python/3.11 gccl-invocation-id/4-5-6"}, b"")
    {'invocation': '4-5-6'}
    >>> attempt_hint({"range": "bytes=500-"}, b"")
    {'part': 'bytes=500-'}
    >>> attempt_hint({"http.request.resend_count": "1"}, b"")
    {'attempt': 2}
    """
    hint: AttemptHint = {}
    sdk_id, key_text = _id_of_sdk(headers), headers.get("idempotency-key")
    if sdk_id or key_text:
        hint["invocation"] = sdk_id or _key_digest(key_text or "", key)
    if sdk_id and key_text:
        hint["key"] = _key_digest(key_text, key)
    for part in headers.get("amz-sdk-request", "").split(";"):
        name, _, value = part.strip().partition("=")
        number = number_of(value)
        if name == "attempt" and number is not None:
            hint["attempt"] = number
        elif name == "max" and number is not None:
            hint["max"] = number
    retries = number_of(headers.get("x-sdk-retry-count") or headers.get(RESENT))
    if retries is not None:
        hint["attempt"] = retries + 1
    if headers.get("x-cos-sdk-retry", "").lower() == "true":
        hint["retry"] = True
    for name in PARTS:
        if headers.get(name):
            hint["part"] = headers[name][:LONGEST_PART]
            break
    return hint or None


@lru_cache(REMEMBERED)
def _key_digest(text: str, key: bytes) -> str:
    return blake2b(text.encode("utf-8", "replace"), key=key, digest_size=8).hexdigest()


def _id_of_sdk(headers: Mapping[str, str]) -> str | None:
    """The id that an SDK gives to all attempts of a call."""
    invocation = headers.get("amz-sdk-invocation-id")
    if invocation is not None:
        return invocation
    for word in headers.get("x-goog-api-client", "").split():
        if word.startswith("gccl-invocation-id/"):
            return word.partition("/")[2]
    return headers.get("x-goog-gcs-idempotency-token")
