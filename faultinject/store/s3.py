"""S3 and its dialects: which request is which operation."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from faultinject.engine.request import WSGIRequest
from faultinject.store import multipart, operations
from faultinject.store.call import Call, is_set
from faultinject.store.exchange import Answer
from faultinject.store.refusal import StoreError

Operation = Callable[[Call], Answer]

ROUTES: Mapping[tuple[str, str, str], Operation] = {
    ("service", "GET", ""): operations.list_buckets,
    ("bucket", "PUT", ""): operations.create_bucket,
    ("bucket", "HEAD", ""): operations.head_bucket,
    ("bucket", "DELETE", ""): operations.delete_bucket,
    ("bucket", "GET", ""): operations.list_objects,
    ("bucket", "GET", "location"): operations.get_location,
    ("bucket", "GET", "versioning"): operations.get_versioning,
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

SUBRESOURCES = ("uploads", "uploadId", "delete", "location", "versioning")
HANDLED: Mapping[str, Operation] = {
    "AbortMultipartUpload": multipart.abort_upload,
    "CompleteMultipartUpload": multipart.finish_upload,
    "CopyObject": operations.put_object,
    "CreateBucket": operations.create_bucket,
    "CreateMultipartUpload": multipart.start_upload,
    "DeleteBucket": operations.delete_bucket,
    "DeleteObject": operations.delete_object,
    "DeleteObjects": operations.delete_objects,
    "GetApiVersion": operations.head_bucket,
    "GetBucketLocation": operations.get_location,
    "GetBucketVersioning": operations.get_versioning,
    "GetObject": operations.get_object,
    "GetObjectMeta": operations.get_object,
    "HeadBucket": operations.head_bucket,
    "HeadObject": operations.get_object,
    "ListBuckets": operations.list_buckets,
    "ListMultipartUploads": multipart.list_uploads,
    "ListObjects": operations.list_objects,
    "ListObjectsV2": operations.list_objects,
    "ListParts": multipart.list_parts,
    "PutObject": operations.put_object,
    "UploadPart": multipart.upload_part,
    "UploadPartCopy": multipart.upload_part,
}
"""What the store does, as the vendors name it; OBS's GetApiVersion and OSS's GetObjectMeta are HEADs."""
NEVER_SET: Mapping[str, str] = {
    "GetBucketCors": "NoSuchCORSConfiguration",
    "GetBucketLifecycle": "NoSuchLifecycleConfiguration",
    "GetBucketLifecycleConfiguration": "NoSuchLifecycleConfiguration",
    "GetBucketPolicy": "NoSuchBucketPolicy",
    "GetBucketReplication": "ReplicationConfigurationNotFoundError",
    "GetBucketTagging": "NoSuchTagSet",
    "GetBucketWebsite": "NoSuchWebsiteConfiguration",
    "GetObjectLockConfiguration": "ObjectLockConfigurationNotFoundError",
}
"""What reads a setting that no bucket of the store has, and the error by which S3 says so."""
PARAMETERS = frozenset(
    """
    apiversion continuation-token delete delimiter encoding-type fetch-owner generation key-marker list-type
    location marker max-buckets max-keys max-parts max-uploads objectMeta part-number-marker partNumber prefix start-after
    upload-id-marker uploadId uploads versionId versioning
    """.split()
)
"""By S3's names: parameters of what the store does, which may be empty."""
CHANGING = frozenset(
    """
    ci-process recursive reverse skipTrash x-bce-process x-image-process x-oss-async-process x-oss-process x-tos-process
    """.split()
)
"""Parameters whose value makes the request another one, of any vendor."""
PREFIXES = ("response-", "q-", "x-")
"""What further parameters begin with that may be empty: headers of the answer, and what signatures are made of."""


def perform(call: Call) -> Answer:
    """Do what the request asks for.

    Raises:
        StoreError: it asks for something that cannot be, or that the store has not.
    """
    if not call.valid:
        raise StoreError("uri")
    name = call.service.reading.operation(WSGIRequest(call.request.environ))
    if name is not None and name not in HANDLED:
        _refuse_unset(call, name)
        raise StoreError("not_implemented", f"the embedded store does not support {name}")
    level = "object" if call.key else "bucket" if call.bucket else "service"
    subresource = next((name for name in SUBRESOURCES if call.has(name)), "")
    operation = ROUTES.get((level, call.request.method, subresource))
    if operation is None:
        raise StoreError("method")
    if name is not None and not subresource and HANDLED[name] is not operation:
        raise StoreError("not_implemented", f"the embedded store does not support {name} of this form")
    for absent in _absent(call, level, subresource):
        raise StoreError("not_implemented", f"the embedded store does not support ?{absent}")
    if level == "object":
        call.check_version()
    return operation(call)


def _refuse_unset(call: Call, name: str) -> None:
    """Say that a setting was never made, where the vendor documents an error for that."""
    label = NEVER_SET.get(name)
    if label is not None and any(each.label == label for each in call.service.vendor.errors):
        call.service.buckets.find(call.bucket)
        raise StoreError("not_implemented", label=label)


def _absent(call: Call, level: str, subresource: str) -> Iterator[str]:
    """Parameters that would make the request another one: its name alone says that it is about something else."""
    if level == "object" and subresource != "uploadId" and call.has("partNumber"):
        yield "partNumber"
    known = {call.dialect.parameters.get(name, name) for name in PARAMETERS}
    for name, value in call.request.args.items(multi=True):
        without = not value and name not in known and not name.lower().startswith(PREFIXES)
        if without or (name in CHANGING and is_set(value)):
            yield name
