"""Amazon S3: XML on one line, two ids, and additions for the code between message and ids."""

from __future__ import annotations

from binascii import b2a_base64

from faultinject.vendors import endpoints, multi_delete
from faultinject.vendors.envelopes import Form, escape_xml_text
from faultinject.vendors.vendor import Vendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.types import StorageRequest

CHILD = "<%(name)s>%(value)s</%(name)s>"

_digits = bytes(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[byte % 36] for byte in range(256))


def make_ids(entropy: bytes, _unix_seconds: int) -> dict[str, str]:
    """A request id of 16 digits and capitals, and a host id of 76 characters in base64."""
    return {
        "request_id": entropy[:16].translate(_digits).decode(),
        "host_id": b2a_base64(entropy[8:], newline=False).decode(),
    }


def escape(text: str) -> str:
    """Escape text as S3 does: apostrophes stay, quotes become entities as in an ETag.

    https://github.com/jsoma/flatware/issues/10
    """
    return escape_xml_text(text).replace('"', "&quot;")


def form_for(_row: DocumentedError, request: StorageRequest, status: int) -> str:
    """The form without a declaration for mistakes at the end of a multipart upload.

    https://github.com/basho/riak_cs/issues/1100, https://github.com/versity/versitygw/issues/2040
    """
    ends_upload = request.method == "POST" and bool(request.query_values("uploadId"))
    return "bare" if ends_upload and 400 <= status < 500 else ""


VENDOR = Vendor(
    id="s3",
    title="Amazon S3",
    content_type="application/xml",
    template="envelope.xml",
    escape=escape,
    child=CHILD,
    forms={"bare": Form("envelope-bare.xml", "application/xml", escape, CHILD)},
    form_for=form_for,
    extras="extras.csv",
    package=__package__,
    id_headers=(("x-amz-request-id", "request_id"), ("x-amz-id-2", "host_id")),
    make_ids=make_ids,
    endpoints=endpoints.S3,
    deletes=multi_delete.S3,
    # https://github.com/minio/minio/issues/13318, https://github.com/adobe/S3Mock/issues/2586
    completes_again=True,
    hint="x-amz-retry-after",
)
