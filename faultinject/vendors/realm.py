"""Whose token a request would need, as OpenStack Swift reads it off the path."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.vendors.template_values import Given

_NO_ACCOUNT = (b"v1.0", b"auth")


def realm(given: Given) -> str | None:
    """The account, percent-encoded: the second part of a decoded path that begins with two, whatever they are.

    openstack/swift swift/common/swob.py, Response.www_authenticate.
    """
    from urllib.parse import quote, unquote_to_bytes

    parts = unquote_to_bytes(given.request.raw_path.encode("latin-1", "replace")).split(b"/", 3)
    if len(parts) < 3 or parts[0] or not (parts[1] and parts[2]) or parts[2] in _NO_ACCOUNT:
        return None
    return quote(parts[2])
