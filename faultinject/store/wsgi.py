"""The object store as a WSGI application, for every vendor."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from hashlib import md5
from threading import Condition

from faultinject import vendors
from faultinject.engine.filters import ObjectChange
from faultinject.engine.shown import shown_target
from faultinject.store import stores
from faultinject.store.app import StoreApp
from faultinject.store.bodies import drain
from faultinject.store.buckets import Bucket, Buckets, Stored, StoreError, Upload, UploadedPart
from faultinject.store.exchange import Service, StoreExchange
from faultinject.store.messages import StoreAnswer, StoreRequest
from faultinject.store.uploads import Uploads
from faultinject.vendors.addressing import Addressing

FLIPPED_BYTES = bytes(byte ^ 1 for byte in range(256))
"""Maps each byte to the byte that another writer writes instead."""

MAX_BYTES = 256 * 1024 * 1024
"""The default size of a store in bytes."""


class ObjectStore(StoreApp):
    """A small object store in memory, as a WSGI application; safe to call from many threads.

    Buckets, objects, listings, multipart uploads, copies, ranges and conditional requests work as the vendor's
    SDK expects; mistakes get the vendor's documented errors. Signatures are not checked.

    Args:
        vendor: the vendor whose requests it understands: one of `stores.names()`.
        max_bytes: the most bytes that it holds: content, keys, stored headers, and 512 bytes for every
            bucket and object, and for every upload under way and its parts. Beyond this, writes get the vendor's
            "entity too large".
        endpoints: host suffixes, in addition to the vendor's own, below which the first labels are the bucket.
        clock: unix seconds, for Last-Modified and ids.

    Attributes:
        refused: the last mistake that it answered, such as `404 NoSuchBucket: …`; empty if there was none.

    Raises:
        UnknownVendorError: there is no such vendor.
        ConfigurationError: the store does not speak that vendor's dialect.
    """

    def __init__(
        self,
        vendor: str = "cos",
        *,
        max_bytes: int = MAX_BYTES,
        endpoints: Sequence[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        row, vendor_data = stores.find(vendor), vendors.get(vendor)
        self.refused = ""
        self._adapter = row.adapter()
        buckets = Buckets(max_bytes, self._adapter.names)
        self._service = Service(
            vendor=vendor_data,
            mistakes=row.mistakes,
            reading=Addressing(vendor_data, tuple(endpoints)),
            buckets=buckets,
            uploads=Uploads(buckets),
            clock=clock,
        )

    @property
    def buckets(self) -> Buckets:
        """The buckets with all contents."""
        return self._service.buckets

    def fill(self, bucket: str, *, objects: Iterable[str], uploads: Iterable[str], content: bytes) -> None:
        """Make a bucket, objects with this content, and uploads with it as their only part.

        Args:
            bucket: the name of a bucket that does not exist yet.
            objects: the objects' keys.
            uploads: the uploads' keys, which are also their ids; their part has the number 1.
            content: the content of every object and part.
        """
        service, adapter = self._service, self._adapter
        buckets, now = service.buckets, service.clock()
        digest = md5(content, usedforsecurity=False).hexdigest()
        buckets.create(bucket, now)
        for key in objects:
            self._put(bucket, key, content)
        for key in uploads:
            _, headers = adapter.describe(content, now)
            service.uploads.start(bucket, key, headers, now, identity=key)
            part = UploadedPart(adapter.part, (content,), len(content), digest, now)
            service.uploads.put_part(bucket, key, key, part)

    def answer(self, request: StoreRequest) -> StoreAnswer:
        """Answer a request."""
        call = self._adapter.read(self._service, request)
        try:
            if isinstance(change_of_object := request.alteration, ObjectChange):
                change_of_object.undone = "nothing_to_cut"
                change_of_object.touched = (
                    self._overwrite(call) if change_of_object.did == "overwritten" else _go_back(call)
                )
            answer = self._adapter.perform(call)
        except StoreError as error:
            drain(call.request)
            documented = call.documented(error)
            answer = call.refusal(error)
            text = shown_target(error.message or documented.message)  # the message may quote key and query
            self.refused = f"{answer.status_code} {documented.code}: {text}"
        return answer

    def delete(self, request: StoreRequest, keys: Iterable[str]) -> None:
        """Delete objects of a request's bucket, for a fault that answers the request itself."""
        call = self._adapter.read(self._service, request)
        with suppress(StoreError):  # the bucket does not exist
            for key in keys:
                self.buckets.remove(call.bucket, key)

    def _put(self, bucket: str, key: str, content: bytes) -> None:
        """Store an object with this content."""
        service, now = self._service, self._service.clock()
        etag, headers = self._adapter.describe(content, now)
        stored = Stored(key, (content,), len(content), etag, now, headers)
        service.buckets.put(bucket, stored, lambda _present: None)

    def _overwrite(self, call: StoreExchange) -> bool:
        """Replace the content of a request's object, as another writer would.

        Returns:
            Whether there was an object that is not empty.
        """
        try:
            stored = self.buckets.get(call.bucket, call.key)
        except StoreError:
            return False
        self._put(call.bucket, call.key, b"".join(stored.blocks).translate(FLIPPED_BYTES))
        return stored.size > 0

    def __repr__(self) -> str:
        return f"<ObjectStore {self._service.vendor.id}>"


def _go_back(call: StoreExchange) -> bool:
    """Let a read see the buckets as they were before their last change.

    Returns:
        Whether the request is a read, and the state before is known.
    """
    older = call.service.buckets.before_last_change(call.bucket, call.key)
    if older is None or call.request.method not in ("GET", "HEAD"):
        return False
    call.service = replace(call.service, buckets=older)
    return True


Place = tuple[str, str, str]
"""A bucket's name; `bucket`, `object` or `upload`; the key, the upload's id, or empty."""
Contents = dict[Place, "Bucket | Stored | Upload"]
"""Buckets without their contents, objects, and uploads under way; all of them immutable."""


def contents_of(store: ObjectStore) -> Contents:
    """Copy the present contents of a store."""
    contents: Contents = {}
    with store.buckets.lock:
        for bucket in store.buckets.all():
            contents[bucket.name, "bucket", ""] = replace(bucket, objects={}, uploads={})
            contents |= {(bucket.name, "object", key): stored for key, stored in bucket.objects.items()}
            contents |= {
                (bucket.name, "upload", number): replace(upload, parts=dict(upload.parts))
                for number, upload in bucket.uploads.items()
            }
    return contents


def put_into(store: ObjectStore, contents: Contents) -> None:
    """Fill an empty store with contents; an object without its bucket is left out."""
    buckets = {
        name: replace(entry, objects={}, uploads={})
        for (name, _, _), entry in contents.items()
        if isinstance(entry, Bucket)
    }
    for (name, _, key), entry in contents.items():
        if name not in buckets or isinstance(entry, Bucket):
            continue
        if isinstance(entry, Upload):
            buckets[name].uploads[key] = replace(entry, parts=dict(entry.parts))
        else:
            buckets[name].objects[key] = entry
    store.buckets.adopt(buckets.values())


def change(contents: Contents, before: Contents, after: Contents) -> None:
    """Apply the changes from `before` to `after` to the contents."""
    for place in before.keys() | after.keys():
        before_change, after_change = before.get(place), after.get(place)
        if before_change == after_change:
            continue
        if after_change is None:
            contents.pop(place, None)
        else:
            contents[place] = after_change


class ResettableStore(StoreApp):
    """A store whose contents can be restored, as a WSGI app.

    Restoring makes another `ObjectStore`: a request that is still under way ends in the old one, and changes nothing
    in the new one.

    Args:
        vendor: as for `ObjectStore`.
        endpoints: as for `ObjectStore`.
        max_bytes: as for `ObjectStore`.

    Attributes:
        saved_contents: the contents that `reset` restores; empty at first.
    """

    def __init__(self, vendor: str, *, endpoints: Sequence[str] = (), max_bytes: int = MAX_BYTES) -> None:
        self.saved_contents: Contents = {}
        self._empty = partial(ObjectStore, vendor, endpoints=endpoints, max_bytes=max_bytes)
        self._store = self._empty()
        self._under_way = 0
        self._ended = Condition()

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until no request is under way; returns False if the time is too short."""
        with self._ended:
            return self._ended.wait_for(lambda: not self._under_way, seconds)

    def delete(self, request: StoreRequest, keys: Iterable[str]) -> None:
        """Delete objects as `ObjectStore` does."""
        self._store.delete(request, keys)

    @property
    def refused(self) -> str:
        """The last mistake since the last `reset`, as for `ObjectStore`."""
        return self._store.refused

    @property
    def contents(self) -> Contents:
        """Copy the present contents."""
        return contents_of(self._store)

    def replace_contents(self, contents: Contents) -> None:
        """Replace all contents."""
        store = self._empty()
        put_into(store, contents)
        self._store = store

    def reset(self) -> None:
        """Restore the saved contents."""
        self.replace_contents(self.saved_contents)

    def answer(self, request: StoreRequest) -> StoreAnswer:
        """Answer a request."""
        with self._ended:
            self._under_way += 1
        try:
            return self._store.answer(request)
        finally:
            with self._ended:
                self._under_way -= 1
                self._ended.notify_all()
