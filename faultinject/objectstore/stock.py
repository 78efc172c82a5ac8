"""What a store holds before the first request comes."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5

from faultinject.objectstore.buckets import Part, Stored, Upload, entry_cost
from faultinject.objectstore.budget import ENTRY
from faultinject.objectstore.call import Service

HEADERS = (("Content-Type", "application/octet-stream"),)


def fill(
    service: Service, bucket: str, *, objects: Iterable[str], uploads: Iterable[str], content: bytes
) -> None:
    """Make the bucket, objects with that content, and multipart uploads whose one part it is.

    Args:
        service: the store's.
        bucket: the name of a bucket that is not there yet.
        objects: keys.
        uploads: keys; each is its upload's id as well, and its part has the number 1.
        content: of every object and part.
    """
    buckets, now = service.buckets, service.clock()
    etag = md5(content, usedforsecurity=False).hexdigest()
    buckets.create(bucket, now)
    for key in objects:
        with buckets.budget.hold() as hold:
            hold.add(entry_cost(key, HEADERS) + len(content))
            stored = Stored(key, (content,), len(content), etag, now, HEADERS, hold.size)
            buckets.put(bucket, stored, hold, lambda _there: None)
    for key in uploads:
        with buckets.budget.hold() as hold:
            hold.add(entry_cost(key, HEADERS))
            buckets.find(bucket).uploads[key] = Upload(key, key, HEADERS, now, hold.size)
            hold.keep()
        with buckets.budget.hold() as hold:
            hold.add(ENTRY + len(content))
            part = Part(1, (content,), len(content), etag, now, hold.size)
            service.uploads.put_part(bucket, key, key, part, hold)
