"""How a rule reads requests: as which vendor, below which hosts."""

from __future__ import annotations

from faultinject.vendors import endpoints as known_endpoints
from faultinject.vendors.identity import exact_identity, with_placeholders, without_new_ids
from faultinject.vendors.operations import operations_of
from faultinject.vendors.targets import reader

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from faultinject.vendors.operations import Operations
    from faultinject.vendors.types import Address, Readable, StorageRequest, Target
    from faultinject.vendors.vendor import Vendor


def common(vendors: Iterable[Vendor | None]) -> Vendor | None:
    """The vendor that all of these are, or None: how requests are read that no rule matches."""
    found = set(vendors)
    return found.pop() if len(found) == 1 else None


class Addressing:
    """One way to read bucket, key and operation out of a request.

    Args:
        vendor: whose endpoints, addresses and operations count; None for the S3 way.
        endpoints: the user's own host suffixes (`FAULTINJECT_ENDPOINT`), which come first.

    Attributes:
        s3: whether bucket and key are where S3 has them: in the path, or the bucket in the Host.
    """

    __slots__ = ("_addressing", "_hosts", "_operations", "_read", "endpoints", "s3", "vendor")

    def __init__(self, vendor: Vendor | None = None, endpoints: tuple[str, ...] = ()) -> None:
        self.vendor = vendor if vendor is not None and vendor.addressing else None
        self.endpoints = endpoints + (self.vendor.endpoints if self.vendor else known_endpoints.S3)
        self._addressing = None if self.vendor is None else self.vendor.addressing
        self.s3 = self.vendor is None or self.vendor.addressing == "s3"
        self._hosts: dict[str, str | None] = {}
        self._operations: Operations | None = None
        self._read = reader(self.vendor, self.endpoints, lambda: self.operations)

    @property
    def operations(self) -> Operations:
        """The operations that this vendor has."""
        found = self._operations
        if found is None:
            found = self._operations = operations_of(self.vendor)
        return found

    def read_place(self, request: Readable) -> Target:
        """Level, bucket, key and the rest of the address; kept for the next that asks the same."""
        if request.read_by is self:
            return request.place
        named = self._hosts.get(request.host, "")
        if named == "":
            named = self._host(request.host)
        found = request.place = self._read(request, named)
        request.read_by = self
        return found

    def level(self, request: Readable) -> str:
        """What the address names: `service`, `bucket` and `object` for S3 and its relatives."""
        return self.read_place(request)[0]

    def read_address(self, request: Readable) -> Address:
        """Bucket and key, each None when the request does not name it."""
        _, bucket, key, _ = request.place if request.read_by is self else self.read_place(request)
        return bucket, key

    def identify(self, request: StorageRequest) -> tuple[str, str]:
        """The identity letter for letter, and with placeholders; kept for the next that asks the same."""
        if request.identified_by is self:
            return request.identities
        _, bucket, key, rest = self.read_place(request)
        exact = exact_identity(request, bucket, key, rest)
        drawn = exact if self.s3 else without_new_ids(exact, self._addressing)
        found = request.identities = exact, with_placeholders(drawn)
        request.identified_by = self
        return found

    def _host(self, host: str) -> str | None:
        bucket = host_bucket(host, self.endpoints)
        if len(host) <= LONGEST_HOST:
            if len(self._hosts) >= HOSTS_REMEMBERED:
                self._hosts.clear()
            self._hosts[host] = bucket
        return bucket

    def operation(self, request: Readable) -> str | None:
        """The operation by the vendor's name, or None when the request has the form of none; kept likewise."""
        if request.named_by is self:
            return request.operation
        found = request.operation = self.operations.find(request, self.read_place(request)[0])
        request.named_by = self
        return found


HOSTS_REMEMBERED = 1024
"""How many Host headers are remembered, with what was worked out of each."""
LONGEST_HOST = 255
"""Characters of a Host header that is remembered."""
HOSTS: dict[str, str] = {}
"""The names of the Host headers remembered."""


def without_port(host: str) -> str:
    """A Host header's name in lower case, without the dot of the DNS root: `Photos.Example.:8080` is `photos.example`."""
    found = HOSTS.get(host)
    if found is None:
        own = host.rpartition("@")[2]  # a name and a password before it are nobody's business
        name = own.partition("]")[0] + "]" if own[:1] == "[" else own.partition(":")[0]
        found = name.lower().removesuffix(".")
        if len(host) <= LONGEST_HOST:
            if len(HOSTS) >= HOSTS_REMEMBERED:
                HOSTS.clear()
            HOSTS[host] = found
    return found


def read_address(host: str, below: str, endpoints: Sequence[str]) -> Address:
    """Bucket and key of a request; None for what it does not name.

    A host below one of `endpoints` names the bucket (virtual-host style); else the first segment of the path
    does (path style).

    Args:
        host: the Host without port, in lower case.
        below: the path below the mount point, decoded.
        endpoints: host suffixes such as `cos.*.myqcloud.com`, the most specific first; `*` stands for one label, at the end
            of a label for its rest.

    >>> read_address("photos-1250000000.cos.ap-x.myqcloud.com", "/a/b.jpg", ["cos.*.myqcloud.com"])
    ('photos-1250000000', 'a/b.jpg')
    >>> read_address("127.0.0.1", "/photos/a/b.jpg", ["cos.*.myqcloud.com"])
    ('photos', 'a/b.jpg')
    """
    return address(host_bucket(host, endpoints), below)


def address(bucket: str | None, below: str) -> Address:
    """Bucket and key of a path, given the bucket that the host names, if any."""
    path = below.removeprefix("/")
    if bucket is not None:
        return bucket, path or None
    bucket, _, key = path.partition("/")
    return (bucket, key or None) if bucket else (None, None)


def split_mount(root_path: str, path: str) -> tuple[str, str]:
    """Mount point and path below it; ASGI servers differ in whether the path begins with the mount point.

    >>> split_mount("/app", "/app/a/b"), split_mount("/app", "/a/b"), split_mount("/app", "/apple")
    (('/app', '/a/b'), ('/app', '/a/b'), ('/app', '/apple'))
    """
    mount = root_path.rstrip("/")
    end = len(mount)
    return mount, path[end:] if path.startswith(mount) and path[end : end + 1] in ("", "/") else path


def host_bucket(host: str, endpoints: Sequence[str]) -> str | None:
    """The bucket that a Host names, or None when it names an endpoint itself or is not below one."""
    labels: list[str] = []
    for endpoint in endpoints:
        if "*" not in endpoint:
            if host.endswith(endpoint) and host != endpoint:
                head = host[: -len(endpoint)]
                if head[-1:] == "." and head != ".":
                    return head[:-1]
            elif host == endpoint:
                return None
            continue
        # Most patterns end otherwise, and are done with here.
        if not host.endswith(endpoint.rpartition("*")[2]):
            continue
        pattern = endpoint.split(".")
        labels = labels or host.split(".")
        if len(labels) < len(pattern) or not _fits(labels[-len(pattern) :], pattern):
            continue
        return ".".join(labels[: -len(pattern)]) or None
    return None


def _fits(labels: Sequence[str], pattern: Sequence[str]) -> bool:
    return all(
        label and label.startswith(want[:-1]) if want[-1:] == "*" else label == want
        for label, want in zip(labels, pattern, strict=True)
    )
