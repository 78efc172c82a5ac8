"""The catalogue: each storage vendor's documented errors.

It is data, and reads no files but its own. A vendor is a folder: `errors.csv`, an envelope template and a `vendor.py`
that binds them. A folder here needs no registration; a folder in another package has an entry point in the group
`faultinject.vendors`.
"""

from __future__ import annotations

from functools import cache

from faultinject.exceptions import ConfigurationError, UnknownVendorError
from faultinject.registry import Registry

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.vendor import Vendor

__all__ = ["find", "get", "names"]


ALSO_CALLED = {
    "aliyun": "alibaba",
    "aws": "amazon",
    "gcp": "google",
    "microsoft": "azure",
    "qingcloud": "qingstor",
}
"""The first word of the titles of a company's services, by another name of the company."""
_loaded: dict[str, Vendor] = {}


def names() -> tuple[str, ...]:
    """The ids of all vendors, including those of other packages, sorted."""
    return tuple(sorted((*own_names(), *plugins.names())))


@cache  # a message about a rule asks for them several times, and each call lists the folder
def own_names() -> tuple[str, ...]:
    """The ids of the vendors that come with faultinject, sorted."""
    import pkgutil

    return tuple(
        sorted(module.name.replace("_", "-") for module in pkgutil.iter_modules(__path__) if module.ispkg)
    )


def services() -> list[str]:
    """The ids of the vendors that are storage services, including those of other packages."""
    return [name for name in names() if get(name).addressing is not None]


def known(id: str) -> bool:  # noqa: A002
    """Whether there is a vendor of that id.

    Raises:
        ConfigurationError: the vendor's package is broken.
    """
    return id in own_names() or (_is_id(id) and plugins.find(id) is not None)


def get(id: str) -> Vendor:  # noqa: A002
    """The vendor of an id, such as `cos`.

    Raises:
        UnknownVendorError: there is no such vendor; the message names the nearest.
        ConfigurationError: the vendor's package is broken.
    """
    vendor = _loaded.get(id)
    if vendor is None:
        _loaded[id] = vendor = _load(id)
    return vendor


def find(address: str) -> DocumentedError:
    """The documented error of `vendor:Code` or `vendor:Code/2`.

    Raises:
        UnknownVendorError: there is no such vendor.
        UnknownDocumentedError: the vendor documents no such error.
    """
    vendor, colon, label = address.partition(":")
    if not colon:
        raise UnknownVendorError(f"{address!r} is not of the form vendor:Code")
    return get(vendor).find(label)


def _load(id: str) -> Vendor:  # noqa: A002
    if _is_id(id):
        folder = f"{__name__}.{id.replace('-', '_')}"
        try:
            vendor: Vendor = __import__(f"{folder}.vendor", fromlist=["VENDOR"]).VENDOR
        except ModuleNotFoundError as error:
            if error.name not in (folder, f"{folder}.vendor"):
                raise
        else:
            return vendor
        vendor = plugins.find(id)
        if vendor is not None:
            return vendor
    near = nearest_ids(id)
    hint = f"did you mean {abridge(near, 'or')}?" if near else f"there are {', '.join(names())}"
    raise UnknownVendorError(f"{id!r} is not a vendor; {hint}")


def _is_id(text: str) -> bool:
    return bool(text) and text.isascii() and text == text.lower() and text.replace("-", "").isalnum()


def _accept(id: str, vendor: Any) -> Vendor:  # noqa: A002 - the catalogue's word
    """Check the vendor of another package: whether all of its data can be read.

    A single wrong vendor would break every list of all vendors.
    """
    from faultinject.vendors.addressing import Addressing
    from faultinject.vendors.operations import operations_of
    from faultinject.vendors.typical import check
    from faultinject.vendors.vendor import Vendor

    if not isinstance(vendor, Vendor):
        raise ConfigurationError(f"its entry point names {type(vendor).__name__}, not a faultinject.Vendor")
    if not _is_id(id):
        raise ConfigurationError("an id is of lower-case letters, digits and hyphens")
    if vendor.id != id:
        raise ConfigurationError(f"its entry point has another name than its id, {vendor.id}")
    if not vendor.title.strip():
        raise ConfigurationError("it has no title")
    if not vendor.errors:
        raise ConfigurationError("its errors.csv has no rows")
    row, _ = vendor.errors[0], vendor.extras
    for form in (vendor.form, *vendor.forms.values()):
        vendor.envelope(code=row.code, message=row.message, status=row.status or 500, form=form)
    Addressing(vendor)
    operations_of(vendor)
    check(vendor)
    return vendor


plugins = Registry("faultinject.vendors", "vendor", own_names, _accept)
"""The vendors of other packages."""


def ids_for(word: str) -> list[str]:
    """The vendors that a word may mean: ids that begin with it, then the company's services.

    A company is the first word of its services' titles.
    """
    word = word.lower().replace("_", "-")
    if not word:
        return []
    company = ALSO_CALLED.get(word, word)
    by_prefix = [name for name in names() if name.startswith(word)]
    by_company = [name for name in names() if get(name).title.lower().split()[0] == company]
    return [*dict.fromkeys([*by_prefix, *by_company])]


def nearest_ids(word: str) -> list[str]:
    """The ids of `ids_for` for a word, or else the most similar ids."""
    if ids := ids_for(word):
        return ids
    from difflib import SequenceMatcher, get_close_matches

    word = word.lower()
    near = {
        match: SequenceMatcher(None, match, word).ratio() for match in get_close_matches(word, names(), 4)
    }
    return sorted(match for match in near if near[match] == max(near.values()))


def vendors_with_code(code: str) -> list[str]:
    """The vendors that document a code: S3 first, as most people mean S3, the others sorted."""
    ids = [name for name in names() if get(name).has(code)]
    return sorted(ids, key=lambda id_: id_ != "s3")


def errors_in_other_case(code: str) -> list[str]:
    """The errors with this code in any case of its letters: S3's first, others by vendor."""
    rows = (row for name in names() for row in get(name).errors if row.label.lower() == code.lower())
    return sorted((row.address for row in rows), key=lambda address: not address.startswith("s3:"))


def abridge(words: Sequence[str], last: str) -> str:
    """Words as `a, b or c`; of more than four the first three, and the number of the others."""
    shown = [*words] if len(words) <= 4 else [*words[:3], f"{len(words) - 3} more"]
    return f" {last} ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))
