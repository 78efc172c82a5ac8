"""Tencent Cloud COS: XML, two ids, each in a header and in the body."""

from __future__ import annotations

from binascii import b2a_base64, hexlify
from struct import Struct

from faultinject.vendors import multi_delete
from faultinject.vendors.vendor import Vendor

TRACE_PREFIX = b"8efc6b2d3b069ca89454d10b9ef00187"

_drawn = Struct(">IHHB").unpack_from


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    """A request id that begins with the time, and a trace id of 128 hex digits.

    Every published request id begins with the time. The top bit of each drawn field is set: no field is ever short, so
    that all answers have the same length.
    """
    first, second, high, low = _drawn(entropy)
    fields = unix_seconds & 0xFFFFFFFF, first | 0x80000000, second | 0x8000, high << 8 | low | 0x800000
    return {
        "request_id": b2a_base64(b"%08x_%x_%x_%x" % fields, newline=False).decode(),
        "trace_id": b2a_base64(TRACE_PREFIX + hexlify(entropy[16:64]), newline=False).decode(),
    }


def resource(_bucket: str | None, _key: str | None, raw_path: str) -> str:
    """The path as it was sent, never empty: the SDK drops an error with an empty element."""
    return raw_path or "/"


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
    # https://cloud.tencent.com/document/product/436/6224; `accelerate` takes the place of a region. `cosrapid`:
    # 436/139758, `file`: https://www.tencentcloud.com/document/product/436/42839; `ci` and `pic`, Cloud Infinite:
    # cos-python-sdk-v5 1.9.44, CosConfig
    endpoints=(
        "cos-internal.*.tencentcos.cn",
        "cos.*.tencentcos.cn",
        "cosrapid.*.myqcloud.com",
        "cos.*.myqcloud.com",
        "ci.*.myqcloud.com",
        "pic.*.myqcloud.com",
        "file.myqcloud.com",
    ),
    # the calls of cos-python-sdk-v5 1.9.44; https://cloud.tencent.com/document/product/436/107739 and /107740 (access
    # monitor), tencentyun/cos-java-sdk-v5 (rename). The operations of Cloud Infinite are not distinguished: CIRequest,
    # CIProcess
    operations=("s3/operations.csv", "cos/operations.csv"),
    deletes=multi_delete.COS,
    # the documentation of 2018; error dumps have the standard phrases
    reason=lambda row, _: "Slow Down" if row.code == "SlowDown" else None,
    keeps_slashes=True,
    prefix="x-cos-",
)
