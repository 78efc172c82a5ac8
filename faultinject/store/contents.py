"""What a store holds, as a value: it is taken, compared, changed and put back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from threading import Condition

from faultinject.store.buckets import Bucket, Stored, Upload
from faultinject.store.wsgi import MAX_BYTES, ObjectStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

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
            for number, each in bucket.uploads.items():
                found[bucket.name, "upload", number] = replace(each, parts=dict(each.parts))
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
