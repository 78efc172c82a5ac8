"""Where a request points: bucket and key, read the S3 way."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.vendors.types import Address


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
