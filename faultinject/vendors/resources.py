"""Forms of an error's resource that several vendors share."""

from __future__ import annotations

from faultinject.http.target import decode


def bucket_and_key(bucket: str | None, key: str | None, _raw_path: str) -> str:
    """`/`, `/bucket` or `/bucket/key`, as far as the request names them."""
    if not bucket:
        return "/"
    return f"/{bucket}/{key}" if key else f"/{bucket}"


def decoded_path(_bucket: str | None, _key: str | None, raw_path: str) -> str:
    """The path, decoded, without the bucket of the Host."""
    return decode(raw_path) or "/"
