"""OpenStack Swift: an HTML page per status, text from the rate limiter, XML from s3api.

s3api is its S3 dialect. Swift has no error codes: its own rows are named by their status, those of s3api by S3's
code.
"""

from __future__ import annotations

from faultinject.vendors.envelopes import Form
from faultinject.vendors.vendor import Vendor


def make_ids(entropy: bytes, unix_seconds: int) -> dict[str, str]:
    """The transaction id: `tx`, 21 hex digits of a UUID, and unix seconds as ten hex digits.

    The id has no suffix.
    """
    return {"request_id": f"tx{entropy[:11].hex()[:21]}-{unix_seconds & 0xFFFFFFFFFF:010x}"}


SWIFT_IDS = (("X-Trans-Id", "request_id"), ("X-Openstack-Request-Id", "request_id"))
S3_IDS = (("x-amz-request-id", "request_id"), ("x-amz-id-2", "request_id"))
HTML = "text/html; charset=UTF-8"

VENDOR = Vendor(
    id="swift",
    title="OpenStack Swift",
    content_type=HTML,
    template="envelope.html",
    escape="html",
    package=__package__,
    forms={
        # swob sends its default Content-Type with the rate limiter's text as well, and knows its length
        "plain": Form("plain.txt", HTML, "html", bare_head=False),
        # middleware/s3api/s3api.py: the transaction id under Amazon's names as well
        "s3api": Form(
            "s3api.xml",
            "application/xml",
            "xml-text",
            "<%(name)s>%(value)s</%(name)s>",
            (*SWIFT_IDS, *S3_IDS),
        ),
    },
    id_headers=SWIFT_IDS,
    make_ids=make_ids,
    addressing="swift",
    operations=("swift/operations.csv",),
    extras="extras.csv",
    bare_head=True,
    # the answer of the middleware for rate limits
    typical={"throttled": "498/2", "denied": "403", "missing": "404", "bad": "400"},
)
