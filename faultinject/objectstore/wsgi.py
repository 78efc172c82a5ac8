"""The store as a WSGI application: which request is which operation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from faultinject import vendors
from faultinject.exceptions import ConfigurationError
from faultinject.objectstore import multipart, operations, stock
from faultinject.objectstore.bodies import drain
from faultinject.objectstore.buckets import Buckets
from faultinject.objectstore.budget import Budget
from faultinject.objectstore.call import Answer, Call, Service
from faultinject.objectstore.dialects import DIALECTS
from faultinject.objectstore.mistakes import StoreError
from faultinject.objectstore.uploads import Uploads

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment

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


class ObjectStore:
    """A small object store in memory, as a WSGI application; safe to call from many threads.

    Buckets, objects, listings, multipart uploads, copies, ranges and conditional requests work as the vendor's
    SDK expects; mistakes get the vendor's documented errors. Signatures are not checked.

    Args:
        vendor: the dialect: `cos`, `jss`, `qingstor` or `qiniu-mix`.
        max_bytes: how many bytes it holds at most: content, keys, stored headers, and 512 bytes for every
            bucket, object, upload and part. Beyond it, writes get the vendor's "entity too large".
        min_part_bytes: the least size of every part of a multipart upload but the last; 0 for no limit, so that
            demos can use small parts. COS and S3 take 1 and 5 MiB at least, QingStor 4 MiB.
        endpoints: host suffixes, besides the vendor's own, below which the first labels are the bucket.
        clock: unix seconds, for Last-Modified and ids.

    Raises:
        UnknownVendor: there is no such vendor.
        ConfigurationError: the vendor is no object storage.
    """

    def __init__(
        self,
        vendor: str = "cos",
        *,
        max_bytes: int = 256 * 1024 * 1024,
        min_part_bytes: int = 0,
        endpoints: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        found = vendors.get(vendor)
        if vendor not in DIALECTS:
            known = ", ".join(sorted(DIALECTS))
            raise ConfigurationError(f"{vendor} is no object storage; the embedded store speaks {known}")
        self._budget = Budget(max_bytes)
        buckets = Buckets(self._budget)
        self._service = Service(
            vendor=found,
            dialect=DIALECTS[vendor],
            endpoints=(*found.endpoints, *endpoints),
            buckets=buckets,
            uploads=Uploads(buckets, min_part_bytes),
            clock=clock,
        )

    @property
    def used_bytes(self) -> int:
        """The bytes held now, counted as for `max_bytes`."""
        return self._budget.used

    def fill(self, bucket: str, *, objects: Iterable[str], uploads: Iterable[str], content: bytes) -> None:
        """Make the bucket, objects with that content, and multipart uploads whose one part it is.

        Args:
            bucket: the name of a bucket that is not there yet.
            objects: keys.
            uploads: keys; each is its upload's id as well, and its part has the number 1.
            content: of every object and part.
        """
        stock.fill(self._service, bucket, objects=objects, uploads=uploads, content=content)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        call = Call(self._service, environ)
        try:
            answer = _operation(call)(call)
        except StoreError as error:
            drain(call.request)
            answer = call.refusal(error)
        return answer(environ, start_response)

    def __repr__(self) -> str:
        return f"<ObjectStore {self._service.vendor.id}>"


def _operation(call: Call) -> Operation:
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
    return operation
