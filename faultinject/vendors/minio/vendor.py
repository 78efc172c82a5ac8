"""MinIO: XML as Go writes it.

An error always has the resource; it has the key and the bucket if the request names them.
"""

from __future__ import annotations

from faultinject.vendors import multi_delete, resources
from faultinject.vendors.envelopes import Form, escape_json, escape_xml_text
from faultinject.vendors.vendor import Vendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.types import StorageRequest

CHILD = "<%(name)s>%(value)s</%(name)s>"
HOST_ID = "dd9025bab4ad464b049177c95eb6ebf374d3b3fd1af9251148b658df7ac2e3e8"
"""The SHA-256 of the node's address; this one is of 127.0.0.1:9000, the default."""


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    """The time in nanoseconds, 16 upper-case hex digits, and the node."""
    nanoseconds = unix_seconds * 10**9 + int.from_bytes(entropy[:8], "big") % 10**9
    return {"request_id": f"{nanoseconds % 2**64:016X}", "host_id": HOST_ID}


def escape(text: str) -> str:
    """Escape text as Go's encoding/xml does."""
    text = escape_xml_text(text).replace("'", "&#39;").replace('"', "&#34;")
    if text.isprintable():
        return text
    return text.replace("\t", "&#x9;").replace("\n", "&#xA;").replace("&#13;", "&#xD;")


def escape_in_json(text: str) -> str:
    """Escape text as Go's encoding/json does, which is safe within HTML."""
    return escape_json(text).replace("<", r"\u003c").replace(">", r"\u003e").replace("&", r"\u0026")


def form_for(_row: DocumentedError, request: StorageRequest, status: int) -> str:
    """JSON without Retry-After for the admin API; GET's form for some answers to HEAD.

    In cmd/api-response.go, writeErrorResponseJSON answers the admin API, and writeErrorResponse answers HEAD like GET
    if a condition or a range fails (cmd/object-handlers-common.go, checkPreconditions) or the queue is full
    (cmd/handler-api.go).
    """
    if request.below.startswith("/minio/admin/"):
        return "admin"
    return "as-get" if request.method == "HEAD" and status in (412, 416, 429) else ""


VENDOR = Vendor(
    id="minio",
    title="MinIO",
    content_type="application/xml",
    template="envelope.xml",
    escape=escape,
    child=CHILD,
    forms={
        "admin": Form("envelope-admin.json", "application/json", escape_in_json, without=("Retry-After",)),
        "as-get": Form(
            "envelope.xml",
            "application/xml",
            escape,
            CHILD,
            bare_head=False,
            without=("X-Minio-Error-Code", "X-Minio-Error-Desc"),
        ),
    },
    form_for=form_for,
    extras="extras.csv",
    package=__package__,
    id_headers=(("X-Amz-Request-Id", "request_id"),),
    make_ids=make_ids,
    # net/http of Go, for a status that it has no phrase for
    reason=lambda row, _: "status code 499" if row.status == 499 else None,
    # cmd/api-router.go: requests for events as they happen
    operations=("s3/operations.csv", "minio/operations.csv"),
    # cmd/generic-handlers.go, minioReservedBucket: health, metrics, administration
    reserved=frozenset(("minio",)),
    resource=resources.decoded_path,
    deletes=multi_delete.MINIO,
    # cmd/api-response.go, writeErrorResponseHeadersOnly
    bare_head=True,
    typical={"throttled": "SlowDownRead", "writing": "SlowDownWrite"},
)
