"""Qiniu MIX Service: JSON, an id of 24 hex digits that begins with the time."""

from __future__ import annotations

from faultinject.vendors.vendor import Vendor


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    """24 lower-case hex digits, of which the first eight are unix seconds.

    They are a MongoDB ObjectId, as in the document's example.
    """
    return {"request_id": f"{unix_seconds & 0xFFFFFFFF:08x}{entropy[:8].hex()}"}


def resource(bucket: str | None, key: str | None, _raw_path: str) -> str:
    """`/bucket/key`, or the bucket alone without a slash as in the document's example, or `/`."""
    if not bucket:
        return "/"
    return f"/{bucket}/{key}" if key else bucket


VENDOR = Vendor(
    id="qiniu-mix",
    title="Qiniu MIX Service",
    content_type="application/json",
    template="envelope.json",
    escape="json",
    package=__package__,
    id_headers=(("X-Request-Id", "request_id"),),
    make_ids=make_ids,
    resource=resource,
    # the introduction of the MIX documents lists these three
    endpoints=("mix-api.qiniu.com", "cn-south-1-mix.qiniu.com", "cn-north-1-mix.qiniu.com"),
    keeps_slashes=True,
    prefix="x-qiniu-",
)
