"""Huawei Cloud OBS: XML on one line, two ids, each in a header and in the body; on HEAD the status is all there is.

Answers seen on the wire have neither the newline behind the declaration nor the Resource of the documents' example, and
what their code carries stands behind the ids.
"""

from __future__ import annotations

from binascii import b2a_base64

from faultinject.vendors import deletes
from faultinject.vendors.vendor import Vendor

NODE = "32AAAUgAIAABAAAQAAEAABAAAQAAEAAB"
"""What half of the published second ids begin with; the others differ in a few letters."""


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    """32 upper-case hex digits, of which the ninth to the twentieth are the time in ms, and a second id of 64 letters."""
    milliseconds = unix_seconds * 1000 + int.from_bytes(entropy[:2]) % 1000
    return {
        "request_id": f"00000{milliseconds & 0xFFFFFFFFFFF:011X}{entropy[2:10].hex().upper()}",
        "id_2": NODE + b2a_base64(entropy[16:40], newline=False).decode(),
    }


VENDOR = Vendor(
    id="obs",
    title="Huawei Cloud OBS",
    content_type="application/xml",
    template="envelope.xml",
    escape="xml",
    child="<%(name)s>%(value)s</%(name)s>",
    extras="extras.csv",
    package=__package__,
    id_headers=(("x-obs-request-id", "request_id"), ("x-obs-id-2", "id_2")),
    make_ids=make_ids,
    # the hosts of the documents' examples; the last is that of the Open Telekom Cloud
    endpoints=("obs.*.myhuaweicloud.com", "obs.*.myhwclouds.com", "obs.*.otc.t-systems.com"),
    prefix="x-obs-",
    operations=("s3/operations.csv", "obs/operations.csv"),
    deletes=deletes.OBS,
    # https://support.huaweicloud.com/intl/en-us/api-obs/obs_04_0115.html and the samples of all operations
    head=("Server", "x-obs-request-id", "x-obs-id-2", "Content-Type", "Date", "Content-Length"),
    server="OBS",
)
