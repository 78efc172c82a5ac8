"""QingStor: JSON with a link to the documentation instead of a resource."""

from __future__ import annotations

from faultinject.vendors import multi_delete
from faultinject.vendors.vendor import Vendor


def make_ids(entropy: bytes, _unix_seconds: int) -> dict[str, str]:
    """16 lower-case hex digits."""
    return {"request_id": entropy[:8].hex()}


VENDOR = Vendor(
    id="qingstor",
    title="QingStor",
    content_type="application/json",
    template="envelope.json",
    escape="json",
    package=__package__,
    id_headers=(("x-qs-request-id", "request_id"),),
    make_ids=make_ids,
    # https://docsv3.qingcloud.com/storage/object-storage/intro/object-storage/#zone
    endpoints=("s3.*.qingstor.com", "*.qingstor.com"),
    # the calls of qingstor-sdk 2.6.0; the S3-compatible API has S3's parameters
    operations=("s3/operations.csv", "qingstor/operations.csv"),
    deletes=multi_delete.QINGSTOR,
    keeps_slashes=True,
    prefix="x-qs-",
    # max_requests_exceeded is only for creating and deleting buckets, fetch_throttled only for fetches
    typical={"throttled": "service_unavailable", "limited": ""},
)
