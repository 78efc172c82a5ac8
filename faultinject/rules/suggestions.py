"""What to say of an operation that a vendor has not: the nearest that it has, and who has that one."""

from __future__ import annotations

from faultinject.rules.values import listed, most_like
from faultinject.vendors.operations import operations_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.vendors.operations import Operations

# How much alike names must be: more where the name is right, and only the vendor may be wrong.
_ALIKE, _ALL_BUT_THE_SAME = 0.6, 0.82


def hint(text: str, known: Operations) -> str:
    """What stands behind `text is no operation of …`: the nearest that is one, and whose it is instead."""
    whose = _having(text)
    near = most_like(text.removeprefix("="), known.names, _ALL_BUT_THE_SAME if whose else _ALIKE)
    there = f"it is one of {listed(whose, 'and')}" if whose else ""
    if near is None:
        return f"; {there}" if there else ""
    return f"; did you mean {near}?{f' ({there})' if there else ''}"


def _having(text: str) -> list[str]:
    """Who has operations of that name or pattern; `S3` stands for all its relatives."""
    from faultinject import vendors

    of_s3 = bool(operations_of(None).meant((text,)))
    found = ["S3"] if of_s3 else []
    for name in vendors.names():
        vendor = vendors.get(name)
        related = vendor.addressing in (None, "s3")
        if not (related and of_s3) and operations_of(vendor).meant((text,)):
            found.append(name)
    return found
