"""The store as a WSGI application, whatever the service is that it speaks for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

from faultinject import vendors
from faultinject.exceptions import ConfigurationError
from faultinject.store import seed_data as stock
from faultinject.store.bodies import drain
from faultinject.store.buckets import Buckets
from faultinject.store.budget import Budget
from faultinject.store.error_codes import ERROR_CODES
from faultinject.store.exchange import Service
from faultinject.store.mistakes import StoreError
from faultinject.store.speakers import speaker
from faultinject.store.uploads import Uploads
from faultinject.vendors.addressing import Addressing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment


class ObjectStore:
    """A small object store in memory, as a WSGI application; safe to call from many threads.

    Buckets, objects, listings, multipart uploads, copies, ranges and conditional requests work as the vendor's
    SDK expects; mistakes get the vendor's documented errors. Signatures are not checked.

    Args:
        vendor: whose requests it understands: a key of `labels.ERROR_CODES`.
        max_bytes: how many bytes it holds at most: content, keys, stored headers, and 512 bytes for every
            bucket, object, upload and part. Beyond it, writes get the vendor's "entity too large".
        min_part_bytes: the least size of every part of a multipart upload but the last; 0 for no limit, so that
            demos can use small parts. COS and S3 take 1 and 5 MiB at least, QingStor 4 MiB.
        endpoints: host suffixes, besides the vendor's own, below which the first labels are the bucket.
        clock: unix seconds, for Last-Modified and ids.

    Raises:
        UnknownVendor: there is no such vendor.
        ConfigurationError: the store does not speak that vendor's dialect.
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
        if vendor not in ERROR_CODES:
            known = ", ".join(sorted(ERROR_CODES))
            raise ConfigurationError(f"the embedded store does not speak {vendor}; it speaks {known}")
        self._speaker = speaker(vendor)
        self._budget = Budget(max_bytes)
        buckets = Buckets(self._budget, self._speaker.names)
        self._service = Service(
            vendor=found,
            reading=Addressing(found, tuple(endpoints)),
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
        stock.fill(self._service, self._speaker, bucket, objects=objects, uploads=uploads, content=content)

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        """Answer one request."""
        call = self._speaker.read(self._service, environ)
        try:
            answer = self._speaker.perform(call)
        except StoreError as error:
            drain(call.request)
            answer = call.refusal(error)
        return answer(environ, start_response)

    def __repr__(self) -> str:
        return f"<ObjectStore {self._service.vendor.id}>"
