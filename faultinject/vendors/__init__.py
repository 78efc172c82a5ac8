"""The catalogue: what each storage vendor documents about its errors. Data only, no I/O but its own files.

A vendor is a folder here: `errors.csv`, an envelope template and a `vendor.py` that binds them. Adding a folder
adds a vendor; nothing else has to know.
"""

from __future__ import annotations

from faultinject.exceptions import NotBuiltYet, UnknownVendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.vendors.vendor import DocumentedError, Vendor

__all__ = ["find", "get", "names"]

RESERVED = frozenset(
    (
        *("s3", "minio", "rgw", "r2", "gcs", "gcs-xml", "azure-blob", "oss", "obs", "b2", "swift"),
        *("tos", "bos", "kodo", "kodo-s3", "jdcloud"),
    )
)
_loaded: dict[str, Vendor] = {}


def names() -> tuple[str, ...]:
    """The ids of all vendors, sorted."""
    import pkgutil

    folders = (each.name for each in pkgutil.iter_modules(__path__) if each.ispkg)
    return tuple(sorted(each.replace("_", "-") for each in folders))


def get(id: str) -> Vendor:  # noqa: A002
    """The vendor of an id, such as `cos`.

    Raises:
        UnknownVendor: there is none; the message names the nearest.
        NotBuiltYet: the id is reserved for a vendor that this version does not have.
    """
    found = _loaded.get(id)
    if found is None:
        _loaded[id] = found = _load(id)
    return found


def find(address: str) -> DocumentedError:
    """The documented error of `vendor:Code` or `vendor:Code/2`.

    Raises:
        UnknownVendor: there is no such vendor.
        UnknownDocumentedError: the vendor documents no such error.
    """
    vendor, colon, label = address.partition(":")
    if not colon:
        raise UnknownVendor(f"{address!r} is not of the form vendor:Code")
    return get(vendor).find(label)


def _load(id: str) -> Vendor:  # noqa: A002
    if id and id.isascii() and id == id.lower() and id.replace("-", "").isalnum():
        folder = f"{__name__}.{id.replace('-', '_')}"
        try:
            vendor: Vendor = __import__(f"{folder}.vendor", fromlist=["VENDOR"]).VENDOR
        except ModuleNotFoundError as error:
            if error.name not in (folder, f"{folder}.vendor"):
                raise
        else:
            return vendor
    known = names()
    if id in RESERVED:
        raise NotBuiltYet(f"vendor {id} is reserved and not built yet; there are {', '.join(known)}")
    from difflib import get_close_matches

    near = [each for each in known if id and each.startswith(id)] or get_close_matches(id.lower(), known, 1)
    hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    raise UnknownVendor(f"{id!r} is not a vendor; {hint}")
