"""JD Cloud Object Storage Service, S3-compatible: XML that begins with the status.

An id has 16 upper-case hex digits.
"""

from __future__ import annotations

from faultinject.vendors import multi_delete, resources
from faultinject.vendors.jss.vendor import make_ids
from faultinject.vendors.vendor import Vendor

VENDOR = Vendor(
    id="jdcloud",
    title="JD Cloud OSS (S3-compatible)",
    content_type="application/xml",
    template="envelope.xml",
    escape="xml",
    package=__package__,
    id_headers=(("x-req-id", "request_id"), ("x-amz-request-id", "request_id")),
    # as in the document's answers
    make_ids=make_ids,
    resource=resources.bucket_and_key,
    # the first and the last: the document's newer and older examples; those for internal access and for IPv6: its
    # table of regions
    endpoints=(
        "s3.*.jdcloud-oss.com",
        "s3-internal.*.jdcloud-oss.com",
        "s3-ipv6.*.jdcloud-oss.com",
        "s3.*.jcloudcs.com",
    ),
    deletes=multi_delete.S3,
)
