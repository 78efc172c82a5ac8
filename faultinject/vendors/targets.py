"""Reads the target of a request, level, bucket and key, for each kind of address.

`s3`: service, bucket, object. A Host below one of the vendor's endpoints, or of the user's own
(`FAULTINJECT_ENDPOINT`), names the bucket, and the whole path is the key (virtual-host style); with any other Host
the first segment is the bucket (path style). A request alone does not tell which is meant: behind a domain of your
own `photos.example.com/cat.jpg` is read as bucket `cat.jpg` until `FAULTINJECT_ENDPOINT=example.com` says that the
label before it is a bucket. An encoded slash stays `%2F` in the key of a vendor that keeps it apart from `/`
(`Vendor.keeps_slashes`). A path with an empty first segment, or with one that the server reserves (`Vendor.reserved`),
has the level `other`; an empty path, which comes if the app itself is the mount point, counts as `/`
(https://peps.python.org/pep-3333/#environ-variables).

`azure`: account, container, blob. The account is in the Host, or in the first segment if the Host cannot have one: an
IP address, a name without dots, an endpoint itself. A single segment names a container if the query has `restype`, else
a blob of the container `$root`.

`b2`: the last word of `/b2api/vN/b2_...`, or `file`. Only downloads by name have the bucket's name in their address,
and upload addresses have its id; the key of an upload is in a header. Other calls name neither.

`swift`: account, container, object below `/v1`; `info`; `other`.

`gcs` and `kodo`: the route, see `routes`.

A place is (level, bucket, key, rest): a part that is not named is None, and `rest` is the remainder of the address,
for the identity of the request.
"""

from __future__ import annotations

from faultinject.http.target import decode
from faultinject.vendors.addressing import OTHER
from faultinject.vendors.routes import parameter, reader_of_routes
from faultinject.vendors.vendor import Vendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.vendors.operations import Operations
    from faultinject.vendors.types import Readable, Target, TargetReader

ROOT_CONTAINER = "$root"
"""The container of blobs that are addressed without one."""

_ABOVE_BUCKETS = frozenset(("service", "account", "info", "other"))
# Hosts without an account, whose paths begin with it: https://github.com/Azure/Azurite, extractStoragePartsFromPath.
_NO_ACCOUNT = frozenset(("localhost", "host.docker.internal"))


def azure(request: Readable, name_in_host: str | None, endpoints: tuple[str, ...] = ()) -> Target:
    """Container and blob."""
    path = request.below[1:].replace("%2F", "/")
    if name_in_host is None and (not _has_account(request.host) or request.host in endpoints):
        path = path.partition("/")[2]
    container, slash, blob = path.partition("/")
    if not container:
        return ("blob", ROOT_CONTAINER, blob, "") if blob else ("account", None, None, "")
    if blob:
        return "blob", container, blob, ""
    if slash or parameter(request.query, ("restype",)) is not None:
        return "container", container, None, ""
    return "blob", ROOT_CONTAINER, container, ""


def _has_account(host: str) -> bool:
    if host in _NO_ACCOUNT or host[:1] == "[" or "." not in host:
        return False
    return not host.replace(".", "").isdecimal()


def b2(request: Readable, name_in_host: str | None) -> Target:
    """The call, and the bucket and key that its address or a header names."""
    first, _, path = request.below.removeprefix("/").partition("/")
    if first == "file":
        bucket, _, key = path.replace("%2F", "/").partition("/")
        return ("file", bucket, key or None, "") if bucket else OTHER
    version, _, path = path.partition("/")
    call, _, rest = path.partition("/")
    if first != "b2api" or version[:1] != "v" or call[:3] != "b2_":
        return OTHER
    first_part = rest.partition("/")[0]
    if call == "b2_upload_file":
        return (
            call,
            first_part or parameter(request.query, ("bucket",)),
            decode(name) if (name := request.recorded("x-bz-file-name")) else None,
            call,
        )
    if call == "b2_upload_part" and first_part:
        # The address of an upload changes after each error, so the identity has only the file and the part.
        return call, None, None, f"/{call}/{first_part}/{request.recorded('x-bz-part-number') or ''}"
    return call, None, None, ""


def swift(request: Readable, name_in_host: str | None) -> Target:
    """Account, container and object; Swift reads the decoded path."""
    version, _, path = request.below.removeprefix("/").replace("%2F", "/").partition("/")
    account, _, path = path.partition("/")
    if version == "info" and not account:
        return "info", None, None, ""
    if version not in ("v1", "v1.0") or not account:
        return OTHER
    container, _, key = path.partition("/")
    if not container:
        return OTHER if key else ("account", None, None, "")
    return ("object", container, key, "") if key else ("container", container, None, "")


def can_name(level: str) -> tuple[bool, bool]:
    """Whether an address of this level may name a bucket, and a key."""
    if level[:1] == "/":
        # The bucket may be in the query, even if the route has none.
        return True, level[-2:] == "/o" or any(
            placeholder in level for placeholder in ("{object}", "{entry}", "{key}")
        )
    if level in _ABOVE_BUCKETS or (level[:3] == "b2_" and level != "b2_upload_file"):
        return False, False
    return True, level not in ("bucket", "container")


def reader(vendor: Vendor, endpoints: tuple[str, ...], operations: Callable[[], Operations]) -> TargetReader:
    """The function that reads addresses of a vendor whose addresses are not those of S3.

    Args:
        vendor: the vendor.
        endpoints: its host suffixes.
        operations: gives its operations.
    """
    addressing = vendor.addressing
    if addressing == "azure":
        return lambda request, name_in_host: azure(request, name_in_host, endpoints)
    if addressing in ("gcs", "kodo"):
        return reader_of_routes(operations())
    return {"b2": b2, "swift": swift}[addressing or ""]
