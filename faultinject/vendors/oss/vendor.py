"""Alibaba Cloud OSS: XML with an indentation of two spaces, and an id of 24 digits.

An answer to HEAD has the whole error in a header.
"""

from __future__ import annotations

from faultinject.vendors.vendor import Vendor


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    """24 upper-case hex digits; the first eight are the time, as in every published one."""
    return {"request_id": f"{unix_seconds & 0xFFFFFFFF:08X}{entropy[:8].hex().upper()}"}


VENDOR = Vendor(
    id="oss",
    title="Alibaba Cloud OSS",
    content_type="application/xml",
    template="envelope.xml",
    escape="xml-text",
    child="  <%(name)s>%(value)s</%(name)s>\n",
    package=__package__,
    id_headers=(("x-oss-request-id", "request_id"),),
    make_ids=make_ids,
    # https://www.alibabacloud.com/help/en/oss/user-guide/regions-and-endpoints; `s3.`, the S3-compatible endpoint:
    # https://www.alibabacloud.com/help/en/oss/developer-reference/use-amazon-s3-sdks-to-access-oss; the last is
    # dual-stack
    endpoints=(
        "s3.oss-*.aliyuncs.com",
        "oss-accelerate.aliyuncs.com",
        "oss-accelerate-overseas.aliyuncs.com",
        "oss-*.aliyuncs.com",
        "*.oss.aliyuncs.com",
    ),
    prefix="x-oss-",
    operations=("s3/operations.csv", "oss/operations.csv"),
    extras="extras.csv",
)
