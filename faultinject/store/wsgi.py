"""The store as a WSGI application, whatever the service is that it speaks for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from hashlib import md5
from threading import Condition
from wsgiref.types import StartResponse, WSGIEnvironment

from faultinject import vendors
from faultinject.engine.alterations import STORE, Moved
from faultinject.engine.shown import shown_target
from faultinject.store import stores
from faultinject.store.bodies import drain
from faultinject.store.buckets import Bucket, Buckets, Part, Stored, StoreError, Upload
from faultinject.store.exchange import Exchange, Service
from faultinject.store.uploads import Uploads
from faultinject.vendors.vendor import Addressing

OTHERS = bytes(each ^ 1 for each in range(256))
"""Each byte as another writer has it."""

MAX_BYTES = 256 * 1024 * 1024
"""What a store holds, unless it is told otherwise."""


class ObjectStore:
    """A small object store in memory, as a WSGI application; safe to call from many threads.

    Buckets, objects, listings, multipart uploads, copies, ranges and conditional requests work as the vendor's
    SDK expects; mistakes get the vendor's documented errors. Signatures are not checked.

    Args:
        vendor: whose requests it understands: one of `stores.names()`.
        max_bytes: how many bytes it holds at most: content, keys, stored headers, and 512 bytes for every
            bucket and object, and for every upload under way and its parts. Beyond it, writes get the vendor's "entity too large".
        endpoints: host suffixes, besides the vendor's own, below which the first labels are the bucket.
        clock: unix seconds, for Last-Modified and ids.

    Attributes:
        refused: the last mistake that it answered, such as `404 NoSuchBucket: …`; empty: there was none.

    Raises:
        UnknownVendor: there is no such vendor.
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
        row, found = stores.find(vendor), vendors.get(vendor)
        self.refused = ""
        self._adapter = row.adapter()
        buckets = Buckets(max_bytes, self._adapter.names)
        self._service = Service(
            vendor=found,
            mistakes=row.mistakes,
            reading=Addressing(found, tuple(endpoints)),
            buckets=buckets,
            uploads=Uploads(buckets),
            clock=clock,
        )

    @property
    def buckets(self) -> Buckets:
        """Where it keeps what it holds."""
        return self._service.buckets

    def fill(self, bucket: str, *, objects: Iterable[str], uploads: Iterable[str], content: bytes) -> None:
        """Make the bucket, objects with that content, and multipart uploads whose one part it is.

        Args:
            bucket: the name of a bucket that is not there yet.
            objects: keys.
            uploads: keys; each is its upload's id as well, and its part has the number 1.
            content: of every object and part.
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
            part = Part(adapter.part, (content,), len(content), digest, now)
            service.uploads.put_part(bucket, key, key, part)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        call = self._adapter.read(self._service, environ)
        try:
            if isinstance(asked := environ.get(STORE), Moved):
                asked.undone = "nothing_to_cut"
                asked.done = self._overwrite(call) if asked.did == "overwritten" else _go_back(call)
            answer = self._adapter.perform(call)
        except StoreError as error:
            drain(call.request)
            documented = call.documented(error)
            answer = call.refusal(error)
            said = shown_target(error.message or documented.message)  # which may quote key and query
            self.refused = f"{answer.status_code} {documented.code}: {said}"
        return answer(environ, start_response)

    def _put(self, bucket: str, key: str, content: bytes) -> None:
        """Store an object made of that content."""
        service, now = self._service, self._service.clock()
        etag, headers = self._adapter.describe(content, now)
        stored = Stored(key, (content,), len(content), etag, now, headers)
        service.buckets.put(bucket, stored, lambda _there: None)

    def _overwrite(self, call: Exchange) -> bool:
        """Replace the object that a request names, as another writer does; whether there was one with any content."""
        try:
            found = self.buckets.get(call.bucket, call.key)
        except StoreError:
            return False
        self._put(call.bucket, call.key, b"".join(found.blocks).translate(OTHERS))
        return found.size > 0

    def __repr__(self) -> str:
        return f"<ObjectStore {self._service.vendor.id}>"


def _go_back(call: Exchange) -> bool:
    """Have a read see the buckets as before their last change; whether it is a read, and that is known."""
    older = call.service.buckets.before_last_change(call.bucket, call.key)
    if older is None or call.request.method not in ("GET", "HEAD"):
        return False
    call.service = replace(call.service, buckets=older)
    return True


Place = tuple[str, str, str]
"""The bucket's name; `bucket`, `object` or `upload`; empty, the key or the upload's id."""
Contents = dict[Place, "Bucket | Stored | Upload"]
"""Buckets (without what is in them), objects and uploads under way. Entries are never changed, only replaced."""


def contents_of(store: ObjectStore) -> Contents:
    """What a store holds now."""
    found: Contents = {}
    with store.buckets.lock:
        for bucket in store.buckets.all():
            found[bucket.name, "bucket", ""] = replace(bucket, objects={}, uploads={})
            found |= {(bucket.name, "object", key): each for key, each in bucket.objects.items()}
            found |= {
                (bucket.name, "upload", number): replace(each, parts=dict(each.parts))
                for number, each in bucket.uploads.items()
            }
    return found


def put_into(store: ObjectStore, contents: Contents) -> None:
    """Put contents into a store that is empty; an object whose bucket is not among them stays away."""
    buckets = {
        name: replace(each, objects={}, uploads={})
        for (name, _, _), each in contents.items()
        if isinstance(each, Bucket)
    }
    for (name, _, key), each in contents.items():
        if name not in buckets or isinstance(each, Bucket):
            continue
        if isinstance(each, Upload):
            buckets[name].uploads[key] = replace(each, parts=dict(each.parts))
        else:
            buckets[name].objects[key] = each
    store.buckets.adopt(buckets.values())


def change(contents: Contents, before: Contents, after: Contents) -> None:
    """Do to contents what made `after` of `before`, and leave everything else as it is."""
    for place in before.keys() | after.keys():
        was, became = before.get(place), after.get(place)
        if was == became:
            continue
        if became is None:
            contents.pop(place, None)
        else:
            contents[place] = became


class ResettableStore:
    """A WSGI app: a store whose contents can be put back.

    Each time another `ObjectStore` takes the place of the one before: a request that is still under way then ends in the
    old one, and leaves nothing in the new one.

    Args:
        vendor: as for `ObjectStore`.
        endpoints: as for `ObjectStore`.
        max_bytes: as for `ObjectStore`.

    Attributes:
        kept: what `reset` puts back; empty at first.
    """

    def __init__(self, vendor: str, *, endpoints: Sequence[str] = (), max_bytes: int = MAX_BYTES) -> None:
        self.kept: Contents = {}
        self._empty = partial(ObjectStore, vendor, endpoints=endpoints, max_bytes=max_bytes)
        self._store = self._empty()
        self._under_way = 0
        self._ended = Condition()

    def settle(self, seconds: float) -> bool:
        """Wait at most so long until no request is under way; whether that is so."""
        with self._ended:
            return self._ended.wait_for(lambda: not self._under_way, seconds)

    @property
    def refused(self) -> str:
        """As for `ObjectStore`, since the last `reset`."""
        return self._store.refused

    @property
    def contents(self) -> Contents:
        """What it holds now."""
        return contents_of(self._store)

    def hold(self, contents: Contents) -> None:
        """Hold these contents and nothing else."""
        store = self._empty()
        put_into(store, contents)
        self._store = store

    def reset(self) -> None:
        """Put back what is kept."""
        self.hold(self.kept)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        with self._ended:
            self._under_way += 1
        try:
            return self._store(environ, start_response)
        finally:
            with self._ended:
                self._under_way -= 1
                self._ended.notify_all()
