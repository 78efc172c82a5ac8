"""What a store holds before the first request comes."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import md5

from faultinject.store.buckets import Part, Stored, Upload, entry_cost
from faultinject.store.budget import ENTRY
from faultinject.store.exchange import Service
from faultinject.store.speakers import ServiceAdapter


def fill(
    service: Service,
    speaker: ServiceAdapter,
    bucket: str,
    *,
    objects: Iterable[str],
    uploads: Iterable[str],
    content: bytes,
) -> None:
    """Make the bucket, objects with that content, and multipart uploads whose one part it is.

    Args:
        service: the store's.
        speaker: the store's.
        bucket: the name of a bucket that is not there yet.
        objects: keys.
        uploads: keys; each is its upload's id as well, and its part has the number 1.
        content: of every object and part.
    """
    buckets, now = service.buckets, service.clock()
    digest = md5(content, usedforsecurity=False).hexdigest()
    buckets.create(bucket, now)
    for key in objects:
        etag, headers = speaker.made(content, now)
        with buckets.budget.hold() as hold:
            hold.add(entry_cost(key, headers) + len(content))
            stored = Stored(key, (content,), len(content), etag, now, headers, hold.size)
            buckets.put(bucket, stored, hold, lambda _there: None)
    for key in uploads:
        _, headers = speaker.made(content, now)
        with buckets.budget.hold() as hold:
            hold.add(entry_cost(key, headers))
            buckets.find(bucket).uploads[key] = Upload(key, key, headers, now, hold.size)
            hold.keep()
        with buckets.budget.hold() as hold:
            hold.add(ENTRY + len(content))
            part = Part(speaker.part, (content,), len(content), digest, now, hold.size)
            service.uploads.put_part(bucket, key, key, part, hold)
