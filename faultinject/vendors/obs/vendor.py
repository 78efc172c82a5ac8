"""Huawei Cloud OBS: XML on one line, and two ids, each in a header and in the body.

An answer to HEAD has only the status. Answers seen on the wire have neither the newline after the declaration nor
the Resource of the documents' example; the additions for their code come after the ids.
"""

from __future__ import annotations

from binascii import b2a_base64

from faultinject.vendors import multi_delete
from faultinject.vendors.envelopes import Form
from faultinject.vendors.vendor import Vendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.types import StorageRequest

CHILD = "<%(name)s>%(value)s</%(name)s>"
NODE = "32AAAUgAIAABAAAQAAEAABAAAQAAEAAB"
"""Beginning of half of the published second ids; the others differ in a few letters."""


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    """32 upper-case hex digits with the time in them, and a second id of 64 letters.

    The sixth to the sixteenth digit are the time in ms.
    """
    milliseconds = unix_seconds * 1000 + int.from_bytes(entropy[:2]) % 1000
    return {
        "request_id": f"00000{milliseconds & 0xFFFFFFFFFFF:011X}{entropy[2:10].hex().upper()}",
        "id_2": NODE + b2a_base64(entropy[16:40], newline=False).decode(),
    }


def form_for(_row: DocumentedError, request: StorageRequest, _status: int) -> str:
    """S3's headers for a request with a signature of S3.

    Open Telekom Cloud, OBS S3 API, common response headers (en-us_topic_0125560484).
    """
    authorization = request.header("authorization")
    if authorization:
        return "s3" if authorization[0].startswith(("AWS ", "AWS4-")) else ""
    presigned = "X-Amz-Signature=" in request.query or "AWSAccessKeyId=" in request.query
    return "s3" if presigned else ""


VENDOR = Vendor(
    id="obs",
    title="Huawei Cloud OBS",
    content_type="application/xml",
    template="envelope.xml",
    escape="xml",
    child=CHILD,
    extras="extras.csv",
    package=__package__,
    id_headers=(("x-obs-request-id", "request_id"), ("x-obs-id-2", "id_2")),
    forms={
        "s3": Form(
            "envelope.xml",
            "application/xml",
            "xml",
            child=CHILD,
            id_headers=(("x-amz-request-id", "request_id"), ("x-amz-id-2", "id_2")),
        )
    },
    form_for=form_for,
    make_ids=make_ids,
    # the hosts of the documents' examples; t-systems: the Open Telekom Cloud; other operators:
    # https://support.huaweicloud.com/intl/en-us/tr-central-201-api-obs/obs_04_0003.html (Vodafone) and
    # https://support.huaweicloud.com/intl/en-us/eu-west-0-usermanual-obs/obs_03_0152.html (Orange); `.eu`:
    # https://support.huaweicloud.com/eu/productdesc-obs/obs_03_0152.html
    endpoints=(
        "obs.*.myhuaweicloud.com",
        "obs.*.myhuaweicloud.eu",
        "obs.*.myhwclouds.com",
        "obs.*.otc.t-systems.com",
        "obs.*.hc.vodafone.com.tr",
        "oss.*.prod-cloud-ocb.orange-business.com",
        "obs.myhuaweicloud.com",
    ),
    prefix="x-obs-",
    operations=("s3/operations.csv", "obs/operations.csv"),
    deletes=multi_delete.OBS,
)
