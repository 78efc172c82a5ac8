"""S3 and its dialects: which request is which operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from faultinject.objectstore import multipart, operations
from faultinject.objectstore.call import Call
from faultinject.objectstore.exchange import Answer
from faultinject.objectstore.mistakes import StoreError

Operation = Callable[[Call], Answer]

ROUTES: Mapping[tuple[str, str, str], Operation] = {
    ("service", "GET", ""): operations.list_buckets,
    ("bucket", "PUT", ""): operations.create_bucket,
    ("bucket", "HEAD", ""): operations.head_bucket,
    ("bucket", "DELETE", ""): operations.delete_bucket,
    ("bucket", "GET", ""): operations.list_objects,
    ("bucket", "GET", "location"): operations.get_location,
    ("bucket", "GET", "uploads"): multipart.list_uploads,
    ("bucket", "POST", "delete"): operations.delete_objects,
    ("object", "PUT", ""): operations.put_object,
    ("object", "GET", ""): operations.get_object,
    ("object", "HEAD", ""): operations.get_object,
    ("object", "DELETE", ""): operations.delete_object,
    ("object", "POST", "uploads"): multipart.start_upload,
    ("object", "PUT", "uploadId"): multipart.upload_part,
    ("object", "GET", "uploadId"): multipart.list_parts,
    ("object", "POST", "uploadId"): multipart.finish_upload,
    ("object", "DELETE", "uploadId"): multipart.abort_upload,
}
"""By what the request names (service, bucket or object), method and subresource."""

SUBRESOURCES = ("uploads", "uploadId", "delete", "location")
ABSENT = frozenset(
    [
        "accelerate",
        "acl",
        "analytics",
        "append",
        "attributes",
        "bucketInfo",
        "cname",
        "cors",
        "encryption",
        "image",
        "intelligent-tiering",
        "inventory",
        "legal-hold",
        "lifecycle",
        "logging",
        "metrics",
        "mirror",
        "notification",
        "object-lock",
        "origin",
        "ownershipControls",
        "policy",
        "policyStatus",
        "publicAccessBlock",
        "referer",
        "replication",
        "requestPayment",
        "restore",
        "retention",
        "select",
        "stats",
        "symlink",
        "tagging",
        "torrent",
        "versioning",
        "versions",
        "website",
    ]
)
"""Subresources that services have and this store has not."""


def perform(call: Call) -> Answer:
    """Do what the request asks for.

    Raises:
        StoreError: it asks for something that cannot be, or that the store has not.
    """
    if not call.valid:
        raise StoreError("uri")
    absent = sorted(ABSENT.intersection(call.request.args))
    if absent:
        raise StoreError("not_implemented", f"the embedded store has no ?{absent[0]}")
    level = "object" if call.key else "bucket" if call.bucket else "service"
    subresource = next((name for name in SUBRESOURCES if call.has(name)), "")
    operation = ROUTES.get((level, call.request.method, subresource))
    if operation is None:
        raise StoreError("method")
    return operation(call)
