"""Cloudflare R2: S3's XML with only code and message.

Only the error of a wrong signature has more.
"""

from __future__ import annotations

from faultinject.vendors import multi_delete
from faultinject.vendors.vendor import Vendor


def make_ids(entropy: bytes, _unix_seconds: int) -> dict[str, str]:
    """The ray of Cloudflare: 16 hex digits and the place that answered."""
    return {"request_id": f"{entropy[:8].hex()}-IAD"}


VENDOR = Vendor(
    id="r2",
    title="Cloudflare R2",
    content_type="application/xml",
    template="envelope.xml",
    escape="xml",
    child="<%(name)s>%(value)s</%(name)s>",
    extras="extras.csv",
    package=__package__,
    id_headers=(("cf-ray", "request_id"),),
    make_ids=make_ids,
    # https://developers.cloudflare.com/r2/api/s3/api/, r2/reference/data-location/: an account, perhaps a
    # jurisdiction
    endpoints=(
        "*.eu.r2.cloudflarestorage.com",
        "*.fedramp.r2.cloudflarestorage.com",
        "*.r2.cloudflarestorage.com",
    ),
    deletes=multi_delete.S3,
    typical={"bad": "InvalidObjectName"},
)
