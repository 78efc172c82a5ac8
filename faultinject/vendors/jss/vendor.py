"""JD Cloud JSS: JSON, 16 upper-case hex digits as id."""

from __future__ import annotations

from faultinject.vendors import resources
from faultinject.vendors.vendor import Vendor


def make_ids(entropy: bytes, _unix_seconds: int) -> dict[str, str]:
    """16 upper-case hex digits, as on the wire; the document's example shows a UUID."""
    return {"request_id": entropy[:8].hex().upper()}


VENDOR = Vendor(
    id="jss",
    title="JD Cloud JSS",
    content_type="application/json;charset=UTF-8",
    template="envelope.json",
    escape="json",
    package=__package__,
    id_headers=(("x-jss-request-id", "request_id"),),
    make_ids=make_ids,
    resource=resources.bucket_and_key,
    # storage.jd.com: PyPI jss-upload; the others: https://docs.jdcloud.com/en/object-storage-service (API, Java SDK)
    endpoints=("storage.jd.com", "storage.jcloud.com", "s-*.jcloud.com", "oss.*.jcloudcs.com"),
    keeps_slashes=True,
    prefix="x-jss-",
)
