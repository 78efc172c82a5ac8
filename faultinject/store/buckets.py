"""The store's contents, buckets with objects and uploads, and the limit of their memory.

`StoreError` is here too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from threading import RLock

from faultinject.store.lease import Lease


class StoreError(Exception):
    """A request that the store refuses.

    Attributes:
        mistake: a key of `VendorStore.mistakes`.
        message: the text to send instead of the documented one, or None.
        headers: more headers of the answer.
        label: the label of the documented error to send instead of the mistake's; or None.
        size: the object's size in bytes, if the error may report it; or None.
    """

    def __init__(
        self,
        mistake: str,
        message: str | None = None,
        *,
        headers: Sequence[tuple[str, str]] = (),
        label: str | None = None,
        size: int | None = None,
    ) -> None:
        super().__init__(mistake)
        self.mistake = mistake
        self.label = label
        self.message = message
        self.headers = tuple(headers)
        self.size = size


ENTRY = 512
"""The bytes that a bucket, object, upload or part takes in addition to its content.

So the store's limit also bounds the number of empty buckets and objects.
"""

OLDER, OLDER_BYTES = 64, 1024 * 1024
"""The largest number and size of objects whose state before their last change is kept."""
KEY_BYTES = 1024
"""The longest key, in bytes of UTF-8 (S3's limit)."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """An immutable object, which can be sent while another request replaces it.

    Attributes:
        key: the object's name in the bucket.
        blocks: the content, in order.
        size: the content's size in bytes.
        etag: the entity tag without quotes.
        modified: the time of the last change, unix seconds.
        headers: the headers that are sent back with it: Content-Type, user metadata and so on.
        layout: number and size of each part from which the object was made, if the service remembers them.
        crc: the content's CRC-64, if the service has it.
        checksums: headers with its checksum, if its writer gave one and the service keeps it.
        upload: the id of the multipart upload that made it, and the entity tags of its parts; equality ignores it.
    """

    key: str
    blocks: tuple[bytes, ...]
    size: int
    etag: str
    modified: float
    headers: Headers
    layout: tuple[tuple[int, int], ...] = ()
    crc: int | None = None
    checksums: Headers = ()
    upload: tuple[str | None, ...] = field(default=(), compare=False)

    @property
    def cost(self) -> int:
        """The bytes that the object takes."""
        return entry_cost(self.key, self.headers) + self.size


Judge = Callable[["Stored | None"], None]
"""A function that raises if the present object (or None) forbids a write."""


@dataclass(frozen=True, slots=True)
class UploadedPart:
    """One uploaded part of a multipart upload."""

    number: int
    blocks: tuple[bytes, ...]
    size: int
    etag: str
    modified: float
    crc: int | None = None
    checksums: Headers = ()

    @property
    def cost(self) -> int:
        """The bytes that the part takes."""
        return ENTRY + self.size


@dataclass(slots=True)
class Upload:
    """A multipart upload under way.

    Attributes:
        checksum: the algorithm of its checksum, and whether that covers the whole object; empty if it has none.
        overtaken: whether its object was written or removed since it began.
    """

    id: str
    key: str
    headers: Headers
    started: float
    parts: dict[int, UploadedPart] = field(default_factory=dict)
    checksum: tuple[str, bool] | tuple[()] = ()
    overtaken: bool = False

    @property
    def cost(self) -> int:
        """The bytes that the upload takes, with its parts."""
        return entry_cost(self.key, self.headers) + sum(part.cost for part in self.parts.values())


@dataclass(slots=True)
class Bucket:
    """A bucket with its contents.

    Attributes:
        changed: the time at which its headers were last set, unix seconds.
        headers: the headers that are sent back with it.
        leases: the leases of its objects by key, and its own by an empty key, if the service has leases.
    """

    name: str
    created: float
    changed: float
    headers: Headers = ()
    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)
    leases: dict[str, Lease] = field(default_factory=dict)

    @property
    def cost(self) -> int:
        """The bytes that the bucket takes, with its contents."""
        inside: list[Stored | Upload] = [*self.objects.values(), *self.uploads.values()]
        return ENTRY + header_cost(self.headers) + sum(entry.cost for entry in inside)


class Buckets:
    """All buckets of a store.

    Every method is atomic.

    Args:
        limit: the bytes that everything stored may take.
        names: the pattern of a bucket's name.
    """

    def __init__(self, limit: int, names: re.Pattern[str]) -> None:
        self._limit = limit
        self._names = names
        self.lock = RLock()
        self._bytes_free = 0
        self._buckets: dict[str, Bucket] = {}
        self._older: dict[tuple[str, str], Stored | None] = {}

    @property
    def used(self) -> int:
        """The bytes that everything stored takes now."""
        with self.lock:
            return sum(bucket.cost for bucket in self._buckets.values())

    def take(self, size: int) -> None:
        """Reserve bytes for something new, or raise the `full` error.

        Bytes are never returned one by one: if all are reserved, the contents are counted again.
        """
        with self.lock:
            if size > self._bytes_free:
                self._bytes_free = self._limit - self.used
            if size > self._bytes_free:
                raise StoreError("full", f"the embedded store is full ({self._limit} bytes)")
            self._bytes_free -= size

    def all(self) -> list[Bucket]:
        """List the buckets by name."""
        with self.lock:
            return [self._buckets[name] for name in sorted(self._buckets)]

    def create(self, name: str, now: float, headers: Headers = (), *, again: bool = False) -> None:
        """Make an empty bucket; with `again`, a bucket that exists is not an error."""
        self.check_name(name)
        with self.lock:
            if name in self._buckets:
                if again:
                    return
                raise StoreError("bucket_exists")
            bucket = Bucket(name, now, now, headers)
            self.take(bucket.cost)
            self._buckets[name] = bucket

    def check_name(self, name: str) -> None:
        """Refuse a name that no bucket can have."""
        if not self._names.fullmatch(name):
            raise StoreError("bucket_name")

    def adopt(self, buckets: Iterable[Bucket]) -> None:
        """Add these buckets with their contents."""
        new = list(buckets)
        with self.lock:
            self.take(sum(bucket.cost for bucket in new))
            self._buckets |= {bucket.name: bucket for bucket in new}

    def describe(self, name: str, now: float, headers: Headers) -> None:
        """Replace the headers of a bucket."""
        with self.lock:
            bucket = self.find(name)
            self.take(header_cost(headers))
            bucket.changed, bucket.headers = now, headers

    def delete(self, name: str, *, uploads: bool = False) -> None:
        """Remove a bucket without objects; with `uploads`, uploads may be under way."""
        with self.lock:
            bucket = self.find(name)
            if bucket.objects:
                raise StoreError("bucket_not_empty")
            if bucket.uploads and not uploads:
                raise StoreError("bucket_has_uploads")
            del self._buckets[name]

    def drop(self, name: str) -> None:
        """Remove a bucket with its contents."""
        with self.lock:
            del self._buckets[self.find(name).name]

    def find(self, name: str) -> Bucket:
        """Find a bucket by its name."""
        with self.lock:
            if name not in self._buckets:
                raise StoreError("no_bucket")
            return self._buckets[name]

    def get(self, name: str, key: str) -> Stored:
        """Find an object by its key."""
        with self.lock:
            stored = self.find(name).objects.get(key)
        if stored is None:
            raise StoreError("no_key")
        return stored

    def put(self, name: str, stored: Stored, judge: Judge) -> None:
        """Store an object, or replace the object with its key.

        Args:
            name: the bucket.
            stored: the object.
            judge: raises if the present object forbids the write.
        """
        check_key(stored.key)
        with self.lock:
            objects = self.find(name).objects
            before = objects.get(stored.key)
            judge(before)
            self.take(stored.cost)
            objects[stored.key] = stored
            self.remember(name, stored.key, before)

    def remove(self, name: str, key: str, judge: Judge = lambda _: None) -> None:
        """Delete an object if it exists, unless `judge` refuses."""
        with self.lock:
            bucket = self.find(name)
            judge(bucket.objects.get(key))
            if key in bucket.objects:
                self.remember(name, key, bucket.objects.pop(key))
                bucket.leases.pop(key, None)

    def remember(self, name: str, key: str, before: Stored | None) -> None:
        """Keep the state of an object before its last change, and mark its uploads as overtaken.

        None is the state of an object that was not there.
        """
        for upload in self._buckets[name].uploads.values():
            upload.overtaken = upload.overtaken or upload.key == key
        self._older.pop((name, key), None)
        if before is None or before.size <= OLDER_BYTES:
            self._older[name, key] = before
        if len(self._older) > OLDER:
            del self._older[next(iter(self._older))]

    def before_last_change(self, name: str, key: str) -> Buckets | None:
        """Rebuild the buckets as they were before an object's last change; None if unknown.

        An empty key means any object in the bucket.
        """
        with self.lock:
            changed = [other for bucket, other in self._older if bucket == name and key in ("", other)]
            if not changed or name not in self._buckets:
                return None
            older, bucket = Buckets(self._limit, self._names), self._buckets[name]
            objects = {**bucket.objects, changed[-1]: self._older[name, changed[-1]]}
            objects_left = {key: stored for key, stored in objects.items() if stored is not None}
            older._buckets = {**self._buckets, name: replace(bucket, objects=objects_left)}
            return older

    def objects(self, name: str) -> dict[str, Stored]:
        """Copy the objects of a bucket."""
        with self.lock:
            return dict(self.find(name).objects)


def check_key(key: str) -> None:
    """Refuse a key that is longer than `KEY_BYTES`."""
    if len(key.encode()) > KEY_BYTES:
        raise StoreError("key_length")


def entry_cost(key: str, headers: Headers) -> int:
    """Count the bytes that an object or upload takes besides its content."""
    return ENTRY + len(key.encode()) + header_cost(headers)


def header_cost(headers: Headers) -> int:
    """Count the bytes that stored headers take."""
    return sum(len(name) + len(value) for name, value in headers)
