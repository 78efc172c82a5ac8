"""Multipart uploads in memory: started, filled part by part, then finished or aborted."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from hashlib import md5
from itertools import count, pairwise

from faultinject.store.buckets import (
    Buckets,
    Headers,
    Judge,
    Stored,
    StoreError,
    Upload,
    UploadedPart,
    check_key,
)
from faultinject.store.checksums import check_given, ecma, of_upload

Wanted = Sequence[tuple[int, str | None]]
"""The parts of a finished upload, as the client lists them: number and ETag, or None."""


class Uploads:
    """The multipart uploads of all buckets.

    Every method is atomic.

    Args:
        buckets: the store's buckets.
    """

    def __init__(self, buckets: Buckets) -> None:
        self._buckets = buckets
        self._numbers = count(1)

    def start(
        self,
        bucket: str,
        key: str,
        headers: Headers,
        now: float,
        checksum: tuple[str, bool] | tuple[()] = (),
        identity: str = "",
    ) -> Upload:
        """Begin an upload; its id, unless one is given, sorts after earlier ids."""
        check_key(key)
        identity = identity or f"{next(self._numbers):08x}{secrets.token_hex(28)}"
        upload = Upload(identity, key, headers, now, checksum=checksum)
        with self._buckets.lock:
            uploads = self._buckets.find(bucket).uploads
            self._buckets.take(upload.cost)
            uploads[identity] = upload
        return upload

    def find(self, bucket: str, key: str, identity: str) -> Upload:
        """Find an upload by its id, if it is for this key."""
        with self._buckets.lock:
            upload = self._buckets.find(bucket).uploads.get(identity)
        if upload is None or upload.key != key:
            raise StoreError("no_upload")
        return upload

    def all(self, bucket: str) -> dict[tuple[str, str], Upload]:
        """Copy the uploads of a bucket, by key and id."""
        with self._buckets.lock:
            uploads = self._buckets.find(bucket).uploads
            return {(upload.key, upload.id): upload for upload in uploads.values()}

    def parts(self, bucket: str, key: str, identity: str) -> tuple[Upload, list[UploadedPart]]:
        """Find an upload and its parts, sorted by number."""
        with self._buckets.lock:
            upload = self.find(bucket, key, identity)
            return upload, [upload.parts[number] for number in sorted(upload.parts)]

    def put_part(self, bucket: str, key: str, identity: str, part: UploadedPart) -> None:
        """Store a part, or replace the part with its number."""
        with self._buckets.lock:
            parts = self.find(bucket, key, identity).parts
            self._buckets.take(part.cost)
            parts[part.number] = part

    def finish(
        self,
        bucket: str,
        key: str,
        identity: str,
        *,
        wanted: Wanted,
        now: float,
        judge: Judge,
        checksum_headers: Headers = (),
    ) -> Stored:
        """Make the object out of the wanted parts, and drop the other parts.

        Args:
            bucket: the bucket's name.
            key: the object's key.
            identity: the upload's id.
            wanted: the parts.
            now: unix seconds.
            judge: raises if the present object forbids it.
            checksum_headers: the request's headers with the object's checksum.

        Raises:
            StoreError: `no_upload`, `part_order`, `part` (unknown, or another ETag), `bad_digest`.
        """
        with self._buckets.lock:
            upload = self.find(bucket, key, identity)
            chosen = _choose(upload, wanted)
            digest = md5(b"".join(bytes.fromhex(part.etag) for part in chosen), usedforsecurity=False)
            checksums = of_upload(upload, chosen)
            check_given(checksum_headers, checksums)
            blocks = tuple(block for part in chosen for block in part.blocks)
            stored = Stored(
                key=key,
                blocks=blocks,
                size=sum(part.size for part in chosen),
                etag=f"{digest.hexdigest()}-{len(chosen)}",
                modified=now,
                headers=upload.headers,
                layout=tuple((part.number, part.size) for part in chosen),
                crc=None if any(part.crc is None for part in chosen) else ecma(blocks),
                checksums=checksums,
                upload=(identity, *(part.etag for part in chosen)),
            )
            self.become(bucket, identity, stored, judge)
        return stored

    def finished(self, bucket: str, key: str, identity: str, wanted: Wanted) -> Stored:
        """Find the object that was made of an upload with these parts, if it still exists.

        Raises:
            StoreError: `no_bucket`, `no_upload`.
        """
        with self._buckets.lock:
            stored = self._buckets.find(bucket).objects.get(key)
        if stored is None or stored.upload != (identity, *(etag for _, etag in wanted)):
            raise StoreError("no_upload")
        return stored

    def become(self, bucket: str, identity: str, stored: Stored, judge: Judge) -> None:
        """Replace an upload by its object.

        Raises:
            StoreError: `no_upload`.
        """
        with self._buckets.lock:
            self.find(bucket, stored.key, identity)
            target = self._buckets.find(bucket)
            before = target.objects.get(stored.key)
            judge(before)
            target.objects[stored.key] = stored
            del target.uploads[identity]
            self._buckets.remember(bucket, stored.key, before)

    def abort(self, bucket: str, key: str, identity: str) -> None:
        """Abort an upload, and drop its parts."""
        with self._buckets.lock:
            del self._buckets.find(bucket).uploads[self.find(bucket, key, identity).id]


def _choose(upload: Upload, wanted: Wanted) -> list[UploadedPart]:
    numbers = [number for number, _ in wanted]
    if any(number >= after for number, after in pairwise(numbers)):
        raise StoreError("part_order")
    chosen = []
    for number, etag in wanted:
        part = upload.parts.get(number)
        if part is None or etag not in (None, part.etag):
            raise StoreError("part")
        chosen.append(part)
    return chosen
