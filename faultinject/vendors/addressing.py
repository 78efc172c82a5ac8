"""Reads a request's address: its bucket, key and identity, below known hosts."""

from __future__ import annotations

from functools import cache

from faultinject.http.target import decode, decode_form
from faultinject.vendors import endpoints as known_endpoints
from faultinject.vendors.vendor import read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from re import Pattern

    from faultinject.vendors.operations import Operations
    from faultinject.vendors.types import Address, Readable, StorageRequest, Target, TargetReader
    from faultinject.vendors.vendor import Vendor


def common(vendors: Iterable[Vendor | None]) -> Vendor | None:
    """The vendor that reads requests that no rule matches: the only one among these, or None."""
    distinct = set(vendors)
    return distinct.pop() if len(distinct) == 1 else None


class Addressing:
    """One way to read bucket, key and operation from a request.

    Args:
        vendor: the vendor of the endpoints, addresses and operations; None: requests are read as S3 requests.
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
        self._read: TargetReader = s3_decoding
        if self.vendor is not None:
            if not self.s3:
                from faultinject.vendors.targets import reader

                self._read = reader(self.vendor, self.endpoints, lambda: self.operations)
            elif self.vendor.keeps_slashes:
                self._read = s3
            elif reserved := self.vendor.reserved:
                self._read = _without_reserved(s3_decoding, reserved)

    @property
    def operations(self) -> Operations:
        """The operations that this vendor has."""
        operations = self._operations
        if operations is None:
            # Slow to load, and not needed if only a table of errors is read.
            from faultinject.vendors.operations import operations_of

            operations = self._operations = operations_of(self.vendor)
        return operations

    def read_place(self, request: Readable) -> Target:
        """Level, bucket, key and the rest of the address; cached for the next call."""
        if request.read_by is self:
            return request.place
        place = OTHER  # such as `OPTIONS *`
        if request.below[:1] in ("/", ""):
            name_in_host = self._hosts.get(request.host, "")
            if name_in_host == "":  # not cached; None: the Host names no bucket
                name_in_host = self.bucket_of(request.host)
            place = self._read(request, name_in_host)
        request.place = place
        request.read_by = self
        return place

    def keys(self, texts: Sequence[str]) -> tuple[str, ...]:
        """The patterns of keys as this vendor reads them: for some, `%2F` is an ordinary slash."""
        keeps_slashes = self.vendor is not None and self.vendor.keeps_slashes
        return tuple(texts) if keeps_slashes else tuple(text.replace("%2F", "/") for text in texts)

    def level(self, request: Readable) -> str:
        """The level of the address: `service`, `bucket` and `object` for S3 and its relatives."""
        return self.read_place(request)[0]

    def read_address(self, request: Readable) -> Address:
        """Bucket and key, each None when the request does not name it."""
        _, bucket, key, _ = request.place if request.read_by is self else self.read_place(request)
        return bucket, key

    def identify(self, request: StorageRequest) -> tuple[str, str]:
        """The exact identity, and the identity with placeholders; cached for the next call."""
        if request.identified_by is self:
            return request.identities
        _, bucket, key, rest = request.place if request.read_by is self else self.read_place(request)
        exact = exact_identity(request, bucket, key, rest)
        lasting = exact if self.s3 else without_new_ids(exact, self._addressing)
        identities = request.identities = exact, with_placeholders(lasting)
        request.identified_by = self
        return identities

    def bucket_of(self, host: str) -> str | None:
        """The bucket that a Host names, as `host_bucket` finds it.

        The result is cached, as clients use few hosts, and S3 has 160 endpoints.
        """
        bucket = self._hosts.get(host, "")  # in one step, as another thread may clear the dict
        if bucket != "":
            return bucket
        bucket = host_bucket(host, self.endpoints)
        if len(host) <= LONGEST_HOST:
            if len(self._hosts) >= HOSTS_REMEMBERED:
                self._hosts.clear()
            self._hosts[host] = bucket
        return bucket

    def operation(self, request: Readable) -> str | None:
        """The operation by the vendor's name; None if the request does not look like any.

        The result is cached with the request.
        """
        if request.named_by is self:
            return request.operation
        operation = request.operation = self.operations.find(request, self.read_place(request)[0])
        request.named_by = self
        return operation


SERVICE: Target = ("service", None, None, "")
OTHER: Target = ("other", None, None, "")


def s3(request: Readable, name_in_host: str | None) -> Target:
    """Bucket and key of an S3 request, exactly as in its path or Host."""
    path = request.below[1:]
    if name_in_host is None:
        name_in_host, slash, path = path.partition("/")
        if not name_in_host:
            return OTHER if slash else SERVICE
    return ("object", name_in_host, path, "") if path else ("bucket", name_in_host, None, "")


def s3_decoding(request: Readable, name_in_host: str | None) -> Target:
    """Bucket and key of an S3 request, with `%2F` in the key read as `/`, as S3 does."""
    level, bucket, key, rest = s3(request, name_in_host)
    return (
        (level, bucket, key.replace("%2F", "/"), rest) if key and "%2F" in key else (level, bucket, key, rest)
    )


def _without_reserved(read: TargetReader, reserved: frozenset[str]) -> TargetReader:
    """Make a reader that ignores buckets with a reserved name, in the path or in the Host."""

    def reading(request: Readable, name_in_host: str | None) -> Target:
        place = read(request, name_in_host)
        return OTHER if place[1] and place[1].partition("%2F")[0] in reserved else place

    return reading


HOSTS_REMEMBERED = 1024
"""The number of Host headers whose bucket or name is cached."""
LONGEST_HOST = 255
"""The most characters of a Host header that is cached."""
HOSTS: dict[str, str] = {}
"""The names of the cached Host headers."""


def without_port(host: str) -> str:
    """A Host's name in lower case, without port: `Photos.Example.:8080` is `photos.example`.

    The dot of the DNS root is left out, too.
    """
    name = HOSTS.get(host)
    if name is None:
        authority = host.rpartition("@")[2]  # without a user's name and password
        name = authority.partition("]")[0] + "]" if authority[:1] == "[" else authority.partition(":")[0]
        name = name.lower().removesuffix(".")
        if len(host) <= LONGEST_HOST:
            if len(HOSTS) >= HOSTS_REMEMBERED:
                HOSTS.clear()
            HOSTS[host] = name
    return name


def split_mount(root_path: str, path: str) -> tuple[str, str]:
    """Mount point and path below it.

    ASGI servers differ in whether the path begins with the mount point.

    >>> split_mount("/app", "/app/a/b"), split_mount("/app", "/a/b"), split_mount("/app", "/apple")
    (('/app', '/a/b'), ('/app', '/a/b'), ('/app', '/apple'))
    """
    mount = root_path.rstrip("/")
    end = len(mount)
    return mount, path[end:] if path.startswith(mount) and path[end : end + 1] in ("", "/") else path


def host_bucket(host: str, endpoints: tuple[str, ...]) -> str | None:
    """The bucket that a Host names; None for an endpoint itself or a Host that is not below one."""
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
        # Most patterns have another end, so the end is compared first.
        if not host.endswith(endpoint.rpartition("*")[2]):
            continue
        pattern = endpoint.split(".")
        labels = labels or host.split(".")
        if len(labels) < len(pattern) or not _label_fits(labels[-len(pattern) :], pattern):
            continue
        return ".".join(labels[: -len(pattern)]) or None
    return None


def _label_fits(labels: Sequence[str], pattern: Sequence[str]) -> bool:
    return all(
        (label and label.startswith(want[:-1])) if want[-1:] == "*" else label == want
        for label, want in zip(labels, pattern, strict=True)
    )


# Each text that becomes a placeholder, also a UUID, has ten hexadecimal digits in a row. `_SHAPE` turns these digits
# into "0", so that a plain search finds them, many times faster than regular expressions; most identities have none.
_SHAPE = bytes(ord("0") if chr(byte) in "0123456789ABCDEFabcdef" else byte for byte in range(256))
_LONG = b"0" * 10
# The parameters of a shared access signature. They are short words, so they count only beside the two that every such
# signature has (https://learn.microsoft.com/rest/api/storageservices/create-service-sas).
_SIGNED = frozenset(("sig", "sv"))
_SHARED_ACCESS = _SIGNED.union("se st sp sr skoid sktid skt ske sks skv".split())


@cache
def volatile_parameters() -> frozenset[str]:
    """The query parameters that differ from attempt to attempt, in lower case (a data file)."""
    lines = read("faultinject.vendors", "volatile-parameters.txt").decode().splitlines()
    return frozenset(line for line in lines if line and line[0] != "#")


def exact_identity(request: StorageRequest, bucket: str | None, key: str | None, rest: str = "") -> str:
    """The identity without placeholders, by which `per=call` counts.

    Args:
        request: the request.
        bucket: its bucket, or None.
        key: its key, or None.
        rest: the rest of its address, such as the `iam` of `/storage/v1/b/photos/iam`; it is written among the
            parameters, where S3 has it. If there is no bucket and it begins with `/`, it replaces the path.
    """
    if bucket is None:
        path, rest = (rest, "") if rest[:1] == "/" else (request.path, "")
    else:
        path = f"/{bucket}/{key or ''}"
    exact = f"{request.method.upper()} {path}"
    query = request.query
    if not query:
        return f"{exact}?{rest}" if rest else exact
    pairs = [(decode_form(pair.partition("=")[0]).lower(), pair) for pair in query.split("&") if pair]
    volatile = volatile_parameters()
    if _SIGNED.issubset(name for name, _ in pairs):
        volatile |= _SHARED_ACCESS
    stable = [pair for name, pair in pairs if name not in volatile]
    if rest:
        stable.append(rest)
    return f"{exact}?{'&'.join(sorted(stable))}" if stable else exact


def with_placeholders(identity: str) -> str:
    """The identity on which draws depend, with `~` for each new id or time.

    >>> with_placeholders("PUT /photos/2b8c1f9a-7a4e-4f0b-9d0e-0c5b8a1f2e3d/1700000000.jpg")
    'PUT /photos/~/~.jpg'
    """
    if _LONG in identity.encode("ascii", "replace").translate(_SHAPE):
        for pattern in _placeholders():
            identity = pattern.sub("~", identity)
    return identity


@cache
def _placeholders() -> list[Pattern[str]]:
    """The patterns of ids, in order: a UUID, many hexadecimal digits, many decimal digits."""
    import re  # slow to load, and most scenarios never need it

    digit = "[0-9A-Fa-f]"
    uuid = "-".join(f"{digit}{{{length}}}" for length in (8, 4, 4, 4, 12))
    return [re.compile(pattern) for pattern in (uuid, f"{digit}{{16,}}", "[0-9]{10,}")]


def without_new_ids(identity: str, addressing: str | None) -> str:
    """The identity without the new ids of each run that `with_placeholders` does not find.

    Azure's SDK gives blocks random ids, written in base64
    (https://github.com/Azure/azure-sdk-for-python, azure/storage/blob/_shared/uploads.py), and B2 writes the time
    into the id of a file (https://www.backblaze.com/docs/cloud-storage-files).

    >>> without_new_ids("PUT /photos/k?blockid=MDAwMDAwMDE%3D&comp=block", "azure")
    'PUT /photos/k?blockid=00000001&comp=block'
    >>> without_new_ids("POST /b2_upload_part/4_z27_f1_d20261120_m120000/3", "b2")
    'POST /b2_upload_part/~/3'
    """
    if addressing == "azure":
        path, mark, query = identity.rpartition("?")
        pairs = (
            f"blockid={_block(pair[8:])}" if pair[:8] == "blockid=" else pair for pair in query.split("&")
        )
        return f"{path}{mark}{'&'.join(pairs)}"
    if addressing == "b2" and identity[:21] == "POST /b2_upload_part/":
        return f"{identity[:21]}~/{identity.rpartition('/')[2]}"
    return identity


def _block(text: str) -> str:
    """The id of a block, decoded; `~` if it is no text."""
    from binascii import Error, a2b_base64

    try:
        plain = a2b_base64(decode(text), strict_mode=True).decode("ascii")
    except (Error, ValueError):
        return "~"
    return plain if plain.isprintable() else "~"
