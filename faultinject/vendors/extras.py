"""What an error carries beyond its envelope: children and headers of single codes, as data in a vendor's `extras.csv`."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.vendors.documented import DocumentedError

PLACES = ("child", "header", "head", "body")
"""Within the envelope; a header of every answer, of answers to HEAD only, of all but those."""


class Extra:
    """One line of an `extras.csv`.

    Attributes:
        codes: what it belongs to: `*` for all, statuses, codes and labels such as `InvalidRequest/2`.
        place: one of PLACES.
        name: the child's or header's.
        value: where its value comes from, alternatives separated by ` | `; see the core's sources.
        source: where the fact is documented or was seen.
    """

    __slots__ = ("codes", "name", "place", "source", "value")

    def __init__(self, code: str, place: str, name: str, value: str, source: str) -> None:
        self.codes = frozenset((code, *code.split()))
        self.place = place
        self.name = name
        self.value = value
        self.source = source

    def belongs_to(self, row: DocumentedError, status: int) -> bool:
        """Whether an answer of that row, sent with that status, carries it."""
        return not self.codes.isdisjoint(("*", str(status), row.code, row.label))


def load(text: str) -> tuple[Extra, ...]:
    """The lines of an `extras.csv` in order."""
    from _csv import reader  # `csv` itself would load `re`

    lines = reader(text.splitlines())
    next(lines)
    return tuple(Extra(*cells) for cells in lines)
