"""Ceph RGW: S3's XML with a message that is mostly empty, and a Swift dialect in plain text."""

from __future__ import annotations

from faultinject.vendors import multi_delete
from faultinject.vendors.envelopes import Form
from faultinject.vendors.vendor import Vendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.types import StorageRequest

INSTANCE, ZONE, ZONEGROUP = "4d3f", "default", "default"
"""The gateway that answers: its instance, its zone and its zone group."""
SWIFT_IDS = (("X-Trans-Id", "request_id"), ("X-Openstack-Request-Id", "request_id"))
# src/rgw/rgw_rest.cc, http_codes: one phrase a status, in both dialects
REASONS = {498: "Rate Limited", 503: "Slow Down"}


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    """A transaction id, and the name of the gateway.

    The transaction id has a number of 21 hex digits, the time, the gateway and its zone.
    """
    number, now = entropy[:8].hex(), unix_seconds & 0xFFFFFFFFFF
    return {
        "request_id": f"tx00000{number}-{now:010x}-{INSTANCE}-{ZONE}",
        "host_id": f"{INSTANCE}-{ZONE}-{ZONEGROUP}",
    }


def form_for(row: DocumentedError, request: StorageRequest, status: int) -> str:
    """The form of an error: no body for a redirect, JSON if the client asks for it, else XML.

    src/rgw/rgw_rest.cc, end_header and allocate_formatter.
    """
    if row.form or (status == 200 and request.method == "POST" and request.query_values("delete")):
        return ""
    if 300 <= status < 400:
        return "none"
    format_ = next(iter(request.query_values("format")), "")
    if format_ not in ("xml", "html", "json"):
        accepted = next(iter(request.header("accept")), "")
        format_ = "json" if accepted.partition(";")[0] == "application/json" else ""
    return format_ if format_ == "json" else ""


VENDOR = Vendor(
    id="rgw",
    title="Ceph Object Gateway (RGW)",
    content_type="application/xml",
    template="envelope.xml",
    escape="xml",
    child="<%(name)s>%(value)s</%(name)s>",
    # src/rgw/rgw_formats.cc: the plain formatter writes only the first value, which is the code; rgw_rest.cc,
    # dump_trans_id: the id in Swift's headers instead of Amazon's
    forms={
        "swift": Form("envelope.txt", "text/plain; charset=utf-8", "text", id_headers=SWIFT_IDS),
        "json": Form("envelope.json", "application/json", "json", '"%(name)s":"%(value)s",'),
        # dump_content_length writes Accept-Ranges with the length of an error's body; this form has no body
        "none": Form("envelope-none.txt", "", "text", without=("Accept-Ranges",)),
    },
    form_for=form_for,
    extras="extras.csv",
    package=__package__,
    id_headers=(("x-amz-request-id", "request_id"),),
    make_ids=make_ids,
    reason=lambda row, _: REASONS.get(row.status or 0),
    # https://docs.ceph.com/en/latest/radosgw/s3/objectops/#append-object
    operations=("s3/operations.csv", "rgw/operations.csv"),
    # src/rgw/rgw_appmain.cc, cond_init_apis; by default, https://docs.ceph.com/en/latest/radosgw/adminops/ and
    # config-ref/
    reserved=frozenset(("admin", "auth", "swift")),
    deletes=multi_delete.RGW,
    # src/rgw/rgw_op.cc, RGWCompleteMultipart::check_previously_completed
    completes_again=True,
)
