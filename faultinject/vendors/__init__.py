"""The catalogue: what each storage vendor documents about its errors. Data only, no I/O but its own files.

A vendor is a folder here: `errors.csv`, an envelope template and a `vendor.py` that binds them. Adding a folder
adds a vendor; nothing else has to know.
"""

from __future__ import annotations

from faultinject.exceptions import UnknownVendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

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
"""Names of companies that no service's title begins with, and with what it does."""
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
    meant = named(id) or _near(id.lower(), known)
    hint = f"did you mean {several(meant, 'or')}?" if meant else f"there are {', '.join(known)}"
    raise UnknownVendor(f"{id!r} is not a vendor; {hint}")


def named(word: str) -> list[str]:
    """The vendors that a word which is no id stands for: those that begin so, then those of the company.

    The company is the first word of a title.
    """
    begun = word.lower().replace("_", "-")
    if not begun:
        return []
    company = ALSO_CALLED.get(begun, begun)
    same = [each for each in names() if get(each).title.lower().split()[0] == company]
    near = [each for each in names() if each.startswith(begun)]
    return [*near, *(each for each in same if each not in near)]


def _near(word: str, known: Sequence[str]) -> list[str]:
    """The ids that look most like a word, several where it looks like all of them."""
    from difflib import SequenceMatcher, get_close_matches

    near = {each: SequenceMatcher(None, each, word).ratio() for each in get_close_matches(word, known, 4)}
    return sorted(each for each in near if near[each] == max(near.values()))


def having(code: str) -> list[str]:
    """The vendors that document a code: S3 first, which most people mean, the others sorted."""
    found = [each for each in names() if get(each).has(code)]
    return sorted(found, key=lambda each: each != "s3")


def several(words: Sequence[str], last: str) -> str:
    """`a, b or c`; of more than four the first three, and how many more there are."""
    shown = [*words] if len(words) <= 4 else [*words[:3], f"{len(words) - 3} more"]
    return f" {last} ".join(filter(None, (", ".join(shown[:-1]), *shown[-1:])))
