"""How a rule reads requests: as which vendor, below which hosts."""

from __future__ import annotations

from faultinject.core.address import HOSTS_REMEMBERED, LONGEST_HOST, address, host_bucket
from faultinject.core.identity import exact_identity, with_placeholders
from faultinject.core.operations import operation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from faultinject.core.address import Address
    from faultinject.core.request import Request
    from faultinject.vendors.vendor import Vendor

    class Readable(Protocol):
        """What reading needs to know of a request."""

        method: str
        query: str
        read_by: Reading | None
        address: Address

        @property
        def host(self) -> str: ...
        @property
        def below(self) -> str: ...
        def header(self, name: str) -> tuple[str, ...]: ...


# What a fault of no storage vendor goes by; the vendors' own suffixes stand in their folders.
S3_ENDPOINTS = ("s3.amazonaws.com", "s3.*.amazonaws.com", "s3-*.amazonaws.com")


class Reading:
    """One way to read bucket, key and operation out of a request.

    Args:
        vendor: whose endpoints count; None for the S3 way.
        endpoints: the user's own host suffixes (`FAULTINJECT_ENDPOINT`), which come first.
    """

    __slots__ = ("_buckets", "endpoints", "vendor")

    def __init__(self, vendor: Vendor | None = None, endpoints: tuple[str, ...] = ()) -> None:
        self.vendor = vendor if vendor is not None and vendor.addressing else None
        self.endpoints = endpoints + (self.vendor.endpoints if self.vendor else S3_ENDPOINTS)
        self._buckets: dict[str, str | None] = {}

    def read_address(self, request: Readable) -> Address:
        """Bucket and key, each None when the request does not name it; kept for the next that asks the same."""
        if request.read_by is self:
            return request.address
        bucket = self._buckets.get(request.host, "")
        if bucket == "":
            bucket = self._bucket(request.host)
        found = request.address = address(bucket, request.below)
        request.read_by = self
        return found

    def identify(self, request: Request) -> tuple[str, str]:
        """The identity letter for letter, and with placeholders; kept for the next that asks the same."""
        if request.identified_by is self:
            return request.identities
        bucket, key = self.read_address(request)
        exact = exact_identity(request, bucket, key)
        found = request.identities = exact, with_placeholders(exact)
        request.identified_by = self
        return found

    def _bucket(self, host: str) -> str | None:
        bucket = host_bucket(host, self.endpoints)
        if len(host) <= LONGEST_HOST:
            if len(self._buckets) >= HOSTS_REMEMBERED:
                self._buckets.clear()
            self._buckets[host] = bucket
        return bucket

    def operation(self, request: Readable) -> str | None:
        """The operation by S3's name, or None when the request has the form of none."""
        bucket, key = self.read_address(request)
        return operation(request, bucket, key)
