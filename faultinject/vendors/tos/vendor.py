"""Volcengine TOS: JSON on one line, and an id that names the time and the front end."""

from __future__ import annotations

from faultinject.vendors import multi_delete, resources
from faultinject.vendors.envelopes import Form
from faultinject.vendors.vendor import Vendor

LETTERS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
FRONT = "PuO-cs-tos-front-azc-2"
CHILD = ',"%(name)s":"%(value)s"'


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    """A request id of 24 hex digits and more, as in recorded answers, and a host id.

    The digits have the time in them twice; an address, six letters and the front end follow. The id of the host is 32
    letters and digits (https://github.com/coze-dev/coze-studio/issues/2272).
    """
    time = f"{unix_seconds & 0xFFFFFFFF:08x}"
    letters = "".join(LETTERS[byte % len(LETTERS)] for byte in entropy[8:13])
    first, second, address = entropy[:2].hex(), entropy[2:4].hex(), entropy[4:7].hex()
    return {
        "request_id": f"{first}07{time[2:]}{second}{time}-0a{address}-1{letters}-{FRONT}",
        "host_id": "".join(LETTERS[byte % len(LETTERS)] for byte in entropy[16:48]),
    }


VENDOR = Vendor(
    id="tos",
    title="Volcengine TOS",
    content_type="application/json",
    template="envelope.json",
    escape="json",
    child=CHILD,
    # as they were recorded, without the resource that the document's example has:
    # https://github.com/coze-dev/coze-studio/issues/2272, https://github.com/bytedance/Protenix/issues/296
    forms={
        "access": Form("envelope-access.json", "application/json", "json", CHILD),
        "signature": Form("envelope-signature.json", "application/json", "json", CHILD),
    },
    package=__package__,
    # the two ids are equal in nearly all of the document's samples
    id_headers=(("x-tos-request-id", "request_id"), ("x-tos-id-2", "request_id")),
    make_ids=make_ids,
    resource=resources.bucket_and_key,
    # volcengine/ve-storage-uni-cli, docs/bucket_api_reference.md; `tos-s3-`: the S3-compatible endpoint;
    # BytePlus: the international service
    endpoints=(
        "tos-s3-*.volces.com",
        "tos-*.volces.com",
        "tos-s3-*.ivolces.com",
        "tos-*.ivolces.com",
        "tos-*.bytepluses.com",
        "tos-*.ibytepluses.com",
    ),
    prefix="x-tos-",
    operations=("s3/operations.csv", "tos/operations.csv"),
    extras="extras.csv",
    deletes=multi_delete.TOS,
    # the vendor's own Python SDK (tos/http.py) refuses an answer to HEAD whose Content-Length is above 0
    bare_head=True,
)
