"""Buckets and objects in memory. Knows no HTTP; what a client did wrong is raised as a `StoreError`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import RLock

from faultinject.objectstore.budget import ENTRY, Budget, Hold
from faultinject.objectstore.mistakes import StoreError

BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
KEY_BYTES = 1024
"""The longest key, in bytes of UTF-8 (S3's limit)."""

Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Stored:
    """An object. Never changed, only replaced; so it may be sent while another request replaces it.

    Attributes:
        key: its name in the bucket.
        blocks: the content, in order.
        size: bytes of content.
        etag: without quotes.
        modified: unix seconds.
        headers: what is sent back with it: Content-Type, user metadata and so on.
        cost: bytes of the budget that it holds.
    """

    key: str
    blocks: tuple[bytes, ...]
    size: int
    etag: str
    modified: float
    headers: Headers
    cost: int


Judge = Callable[["Stored | None"], None]
"""Raises when the object that is there (or None) forbids a write."""


@dataclass(frozen=True, slots=True)
class Part:
    """One uploaded part of a multipart upload."""

    number: int
    blocks: tuple[bytes, ...]
    size: int
    etag: str
    modified: float
    cost: int


@dataclass(slots=True)
class Upload:
    """A multipart upload under way."""

    id: str
    key: str
    headers: Headers
    started: float
    cost: int
    parts: dict[int, Part] = field(default_factory=dict)


@dataclass(slots=True)
class Bucket:
    """A bucket with what is in it."""

    name: str
    created: float
    objects: dict[str, Stored] = field(default_factory=dict)
    uploads: dict[str, Upload] = field(default_factory=dict)


class Buckets:
    """All buckets of a store. Every method is atomic.

    Args:
        budget: where the bytes of everything stored are accounted.
    """

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self.lock = RLock()
        self._buckets: dict[str, Bucket] = {}

    def all(self) -> list[Bucket]:
        """The buckets by name."""
        with self.lock:
            return [self._buckets[name] for name in sorted(self._buckets)]

    def create(self, name: str, now: float) -> None:
        """Make an empty bucket."""
        if not BUCKET_NAME.fullmatch(name):
            raise StoreError("bucket_name")
        with self.lock:
            if name in self._buckets:
                raise StoreError("bucket_exists")
            self.budget.take(ENTRY)
            self._buckets[name] = Bucket(name, now)

    def delete(self, name: str) -> None:
        """Remove a bucket, which must be empty."""
        with self.lock:
            bucket = self.find(name)
            if bucket.objects:
                raise StoreError("bucket_not_empty")
            if bucket.uploads:
                raise StoreError("bucket_has_uploads")
            del self._buckets[name]
            self.budget.give_back(ENTRY)

    def find(self, name: str) -> Bucket:
        """The bucket of that name."""
        with self.lock:
            if name not in self._buckets:
                raise StoreError("no_bucket")
            return self._buckets[name]

    def get(self, name: str, key: str) -> Stored:
        """The object of that key."""
        with self.lock:
            found = self.find(name).objects.get(key)
        if found is None:
            raise StoreError("no_key")
        return found

    def put(self, name: str, stored: Stored, hold: Hold, judge: Judge) -> None:
        """Store an object in place of the one with its key.

        Args:
            name: the bucket.
            stored: the object.
            hold: the bytes taken for it, as many as its `cost`.
            judge: raises when the object that is there now forbids the write.
        """
        with self.lock:
            objects = self.find(name).objects
            before = objects.get(stored.key)
            judge(before)
            objects[stored.key] = stored
            hold.keep()
            if before is not None:
                self.budget.give_back(before.cost)

    def remove(self, name: str, key: str) -> None:
        """Delete an object; one that is not there is deleted already."""
        with self.lock:
            gone = self.find(name).objects.pop(key, None)
            if gone is not None:
                self.budget.give_back(gone.cost)

    def objects(self, name: str) -> dict[str, Stored]:
        """The objects of a bucket as they are now."""
        with self.lock:
            return dict(self.find(name).objects)


def entry_cost(key: str, headers: Headers) -> int:
    """Bytes of the budget that an object or upload takes besides its content.

    Raises:
        StoreError: the key is longer than `KEY_BYTES`.
    """
    length = len(key.encode())
    if length > KEY_BYTES:
        raise StoreError("key_length")
    return ENTRY + length + sum(len(name) + len(value) for name, value in headers)
