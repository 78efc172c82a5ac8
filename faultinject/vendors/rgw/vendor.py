"""Ceph RGW: S3's XML with a message that is mostly empty; its Swift dialect answers in plain text."""

from __future__ import annotations

from faultinject.vendors import deletes
from faultinject.vendors.envelope import Form
from faultinject.vendors.vendor import Vendor

INSTANCE, ZONE, ZONEGROUP = "4d3f", "default", "default"
"""Which gateway answers."""
SWIFT_IDS = (("X-Trans-Id", "request_id"), ("X-Openstack-Request-Id", "request_id"))
# src/rgw/rgw_rest.cc, http_codes: one phrase a status, in both dialects
REASONS = {498: "Rate Limited", 503: "Slow Down"}


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    """A transaction id: a number of 21 hex digits, the time, the gateway and its zone; and the gateway."""
    number, now = entropy[:8].hex(), unix_seconds & 0xFFFFFFFFFF
    return {
        "request_id": f"tx00000{number}-{now:010x}-{INSTANCE}-{ZONE}",
        "host_id": f"{INSTANCE}-{ZONE}-{ZONEGROUP}",
    }


VENDOR = Vendor(
    id="rgw",
    title="Ceph Object Gateway (RGW)",
    content_type="application/xml",
    template="envelope.xml",
    escape="xml",
    child="<%(name)s>%(value)s</%(name)s>",
    # src/rgw/rgw_formats.cc: the plain formatter writes the first value alone, which is the code; rgw_rest.cc,
    # dump_trans_id: the id in Swift's headers instead of Amazon's
    forms={"swift": Form("envelope.txt", "text/plain; charset=utf-8", "text", id_headers=SWIFT_IDS)},
    extras="extras.csv",
    package=__package__,
    id_headers=(("x-amz-request-id", "request_id"),),
    make_ids=make_ids,
    reason=lambda row, _: REASONS.get(row.status or 0),
    # https://docs.ceph.com/en/latest/radosgw/s3/objectops/#append-object
    operations=("s3/operations.csv", "rgw/operations.csv"),
    deletes=deletes.RGW,
    # https://github.com/s3gw-tech/s3gw/issues/689
    head=(
        "Content-Length",
        "x-amz-request-id",
        "X-Trans-Id",
        "X-Openstack-Request-Id",
        "Accept-Ranges",
        "Content-Type",
        "Server",
        "Date",
        "Connection",
    ),
    server="Ceph Object Gateway (reef)",
)
