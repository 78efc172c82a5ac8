"""Tencent Cloud COS: XML, two ids, each in a header and in the body."""

from __future__ import annotations

from binascii import b2a_base64

from faultinject.vendors.vendor import Vendor

TRACE_PREFIX = "8efc6b2d3b069ca89454d10b9ef00187"


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    """A request id that begins with the time, as every published one does, and a trace id of 128 hex digits.

    The top bit of each drawn field is set: no field is ever short, so that all answers have the same length.
    """
    number = int.from_bytes(entropy[:9])
    first = number >> 40 | 0x80000000
    second = number >> 24 & 0xFFFF | 0x8000
    third = number & 0xFFFFFF | 0x800000
    return {
        "request_id": _base64(f"{unix_seconds & 0xFFFFFFFF:08x}_{first:x}_{second:x}_{third:x}"),
        "trace_id": _base64(TRACE_PREFIX + entropy[16:64].hex()),
    }


def resource(_bucket: str | None, _key: str | None, raw_path: str) -> str:
    """The path as it was sent, never empty: the SDK drops the whole error when one element is."""
    return raw_path or "/"


def _base64(text: str) -> str:
    return b2a_base64(text.encode(), newline=False).decode()


VENDOR = Vendor(
    id="cos",
    title="Tencent Cloud COS",
    content_type="application/xml",
    template="envelope.xml",
    escape="xml",
    package=__package__,
    id_headers=(("x-cos-request-id", "request_id"), ("x-cos-trace-id", "trace_id")),
    make_ids=make_ids,
    resource=resource,
    # https://cloud.tencent.com/document/product/436/6224; `accelerate` stands where a region does
    endpoints=("cos-internal.*.tencentcos.cn", "cos.*.tencentcos.cn", "cos.*.myqcloud.com"),
)
