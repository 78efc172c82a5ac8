"""What the resource of an error is where several vendors write it alike."""

from __future__ import annotations


def bucket_and_key(bucket: str | None, key: str | None, _raw_path: str) -> str:
    """`/`, `/bucket` or `/bucket/key`, wherever the request names them."""
    if not bucket:
        return "/"
    return f"/{bucket}/{key}" if key else f"/{bucket}"


def decoded_path(_bucket: str | None, _key: str | None, raw_path: str) -> str:
    """The path, decoded, without the bucket of the Host."""
    if raw_path.isascii() and "%" not in raw_path:
        return raw_path or "/"
    from urllib.parse import unquote_to_bytes

    return unquote_to_bytes(raw_path.encode("latin-1", "replace")).decode("utf-8", "replace")
