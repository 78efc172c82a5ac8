"""Baidu AI Cloud BOS: JSON on one line, a GUID as id, and a debug id of 88 characters."""

from __future__ import annotations

from binascii import b2a_base64

from faultinject.vendors import multi_delete
from faultinject.vendors.vendor import Vendor


def make_ids(entropy: bytes, _unix_seconds: int) -> dict[str, str]:
    """A random GUID, and base64 of 64 bytes as in recorded answers."""
    digits = bytearray(entropy[:16])
    digits[6] = digits[6] & 0x0F | 0x40
    digits[8] = digits[8] & 0x3F | 0x80
    text = digits.hex()
    return {
        "request_id": f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}",
        "debug_id": b2a_base64(entropy[16:64] + entropy[:16], newline=False).decode(),
    }


VENDOR = Vendor(
    id="bos",
    title="Baidu AI Cloud BOS",
    content_type="application/json; charset=utf-8",
    template="envelope.json",
    escape="json",
    package=__package__,
    id_headers=(("x-bce-request-id", "request_id"), ("x-bce-debug-id", "debug_id")),
    make_ids=make_ids,
    # bce-python-sdk 0.9.79, services/bos and region; `s3.`: the S3-compatible endpoint
    endpoints=("s3.*.bcebos.com", "*.bcebos.com"),
    prefix="x-bce-",
    operations=("s3/operations.csv", "bos/operations.csv"),
    deletes=multi_delete.BOS,
)
