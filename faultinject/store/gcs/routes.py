"""Google's JSON API: which request is which operation."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from faultinject.store.buckets import StoreError
from faultinject.store.exchange import Answer
from faultinject.store.gcs import listings, objects, uploads
from faultinject.store.gcs.call import ABSENT
from faultinject.store.gcs.call import GcsCall as GcsCall

Operation = Callable[[GcsCall], Answer]

ROUTES: Mapping[tuple[str, str], Operation] = {
    ("buckets", "GET"): listings.list_buckets,
    ("buckets", "POST"): listings.insert_bucket,
    ("bucket", "GET"): listings.get_bucket,
    ("bucket", "DELETE"): listings.delete_bucket,
    ("bucket", "PATCH"): listings.change_bucket,
    ("bucket", "PUT"): listings.change_bucket,
    ("objects", "GET"): listings.list_objects,
    ("object", "GET"): objects.get_object,
    ("object", "PATCH"): objects.update_object,
    ("object", "PUT"): objects.update_object,
    ("object", "DELETE"): objects.delete_object,
    ("rewriteTo", "POST"): objects.rewrite_object,
    ("copyTo", "POST"): objects.copy_object,
    ("compose", "POST"): objects.compose_object,
    ("download object", "GET"): objects.get_object,
}
"""By what the path names and method: https://cloud.google.com/storage/docs/json_api/v1."""

UPLOADS: Mapping[tuple[str, str], Operation] = {
    ("media", "POST"): uploads.insert_media,
    ("multipart", "POST"): uploads.insert_multipart,
    ("resumable", "POST"): uploads.start_upload,
    ("session", "PUT"): uploads.continue_upload,
    ("session", "POST"): uploads.continue_upload,
    ("session", "DELETE"): uploads.cancel_upload,
}
"""By `uploadType`, or `session` for what goes to a resumable upload under way, and method.

Pieces come by PUT, and gcsfs, whose tests run against Google, sends them by POST.
"""


def perform(call: GcsCall) -> Answer:
    """Do what the request asks for.

    Raises:
        StoreError: it asks for something that cannot be, or that the store has not.
    """
    if not call.valid:
        raise StoreError("uri")
    if call.kind in ABSENT:
        raise StoreError("not_implemented", f"the embedded store does not support {ABSENT[call.kind]}")
    method = call.request.method
    if call.kind == "upload objects":
        kind = "session" if call.argument("upload_id") else call.argument("uploadType") or "multipart"
        if kind not in ("session", "media", "multipart", "resumable"):
            raise StoreError("argument")
        operation = UPLOADS.get((kind, method))
    else:
        operation = ROUTES.get((call.kind, method))
        if not any(call.kind == kind for kind, _ in ROUTES):
            raise StoreError("no_route")
    if operation is None:
        raise StoreError("method")
    return operation(call)
