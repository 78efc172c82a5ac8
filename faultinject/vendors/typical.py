"""The rows that stand for a kind of failure: the service slows down, breaks, or refuses.

A vendor's own table decides: the row with a code that most services use, or else the first of its category. If the
service sends another error to a client that reads and writes objects, `Vendor.typical` names it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from faultinject.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.vendor import Vendor


class Kind(NamedTuple):
    """One kind of failure.

    Attributes:
        codes: the codes that most services use, without `_`, in lower case and separated by blanks; an earlier one is
            preferred.
        fits: whether a row may be of this kind.
    """

    codes: str
    fits: Callable[[DocumentedError], bool]


KINDS = {
    "throttled": Kind(
        "slowdown serverbusy toomanyrequests",
        lambda row: row.category == "throttle" and row.retryable == "yes",
    ),
    "writing": Kind("", lambda _: False),
    "own": Kind("", lambda _: False),
    "broken": Kind(
        "internalerror",
        lambda row: row.category == "server" and row.retryable == "yes" and (row.status or 0) >= 500,
    ),
    "denied": Kind(
        "accessdenied forbidden permissiondenied", lambda row: row.category == "auth" and row.status == 403
    ),
    "missing": Kind(
        "nosuchkey blobnotfound objectnotexists notfound",
        lambda row: row.category == "not-found" and row.status == 404,
    ),
    "bad": Kind(
        "invalidargument badrequest invalidinput",
        lambda row: row.category == "request" and row.status == 400,
    ),
    "limited": Kind("toomanyrequests", lambda row: row.status == 429),
}
"""The kinds by name.

`writing`: the row that asks a writer to slow down; `own`: the row that asks a reader to do so, if it is another one;
only `Vendor.typical` names them. `limited`: a 429.
"""


def typical(vendor: Vendor, kind: str) -> DocumentedError | None:
    """The row of a vendor that stands for a kind of failure; None if the vendor documents none.

    It is never a row that is documented only for some requests, or that demands another step first.

    Args:
        vendor: the vendor.
        kind: a key of `KINDS`.

    Raises:
        ConfigurationError: the vendor itself names a row that it does not document.
    """
    label = vendor.typical.get(kind)
    if label is not None:
        return vendor.find(label) if label else None
    of_kind = KINDS[kind]
    rows = [error for error in vendor.errors if of_kind.fits(error) and not error.where and not error.again]
    codes = {row.code.replace("_", "").lower(): row for row in reversed(rows)}
    return next((codes[code] for code in of_kind.codes.split() if code in codes), rows[0] if rows else None)


def check(vendor: Vendor) -> None:
    """Check the rows that a vendor names as typical.

    Raises:
        ConfigurationError: there is no such kind of failure, or no such row.
    """
    for kind, label in vendor.typical.items():
        if kind not in KINDS:
            raise ConfigurationError(f"typical: {kind!r} is not one of {', '.join(KINDS)}")
        if label:
            vendor.find(label)
