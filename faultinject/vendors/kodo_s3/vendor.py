"""Qiniu Kodo's S3-compatible service: XML like S3's, with Kodo's id and no host id."""

from __future__ import annotations

from faultinject.vendors import multi_delete, resources
from faultinject.vendors.kodo.vendor import make_ids
from faultinject.vendors.vendor import Vendor

VENDOR = Vendor(
    id="kodo-s3",
    title="Qiniu Kodo (S3-compatible)",
    content_type="application/xml",
    template="envelope.xml",
    escape="xml",
    package=__package__,
    id_headers=(("x-amz-request-id", "request_id"), ("X-Reqid", "request_id")),
    make_ids=make_ids,
    resource=resources.decoded_path,
    # https://developer.qiniu.com/kodo/4088/s3-access-domainname; the older names have a hyphen after s3
    endpoints=("s3.*.qiniucs.com", "s3-*.qiniucs.com"),
    deletes=multi_delete.S3,
)
