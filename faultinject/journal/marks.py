"""What a client says itself of its attempt, by the headers of the SDKs."""

from __future__ import annotations

from faultinject.engine.draw import blake2b
from faultinject.http.wire import whole

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def attempt_hint(headers: Mapping[str, str], key: bytes) -> dict[str, object] | None:
    """The call's id, the attempt's number, the most there will be, whether it is a retry; None where nothing is said.

    Args:
        headers: those that the journal keeps for the time being, by their names in lower case.
        key: of the digest that stands for an Idempotency-Key, which is the caller's own text.

    >>> attempt_hint({"amz-sdk-invocation-id": "1-2-3", "amz-sdk-request": "attempt=2; max=5"}, b"")
    {'invocation': '1-2-3', 'attempt': 2, 'max': 5}
    >>> attempt_hint({"x-goog-api-client": "gl-python/3.11 gccl-invocation-id/4-5-6"}, b"")
    {'invocation': '4-5-6'}
    """
    hint: dict[str, object] = {}
    invocation = _invocation(headers, key)
    if invocation:
        hint["invocation"] = invocation
    for part in headers.get("amz-sdk-request", "").split(";"):
        name, _, value = part.strip().partition("=")
        if name in ("attempt", "max") and (number := whole(value)) is not None:
            hint[name] = number
    retries = whole(headers.get("x-sdk-retry-count"))
    if retries is not None:
        hint["attempt"] = retries + 1
    if headers.get("x-cos-sdk-retry", "").lower() == "true":
        hint["retry"] = True
    return hint or None


def _invocation(headers: Mapping[str, str], key: bytes) -> str | None:
    """What all attempts of a call have in common by the client's own word."""
    found = headers.get("amz-sdk-invocation-id")
    if found is not None:
        return found
    for word in headers.get("x-goog-api-client", "").split():
        if word.startswith("gccl-invocation-id/"):
            return word.partition("/")[2]
    token = headers.get("x-goog-gcs-idempotency-token")
    if token is not None:
        return token
    own = headers.get("idempotency-key")
    return own and blake2b(own.encode("utf-8", "replace"), key=key, digest_size=8).hexdigest()
