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
        codes: what it belongs to: `*` for all, statuses, codes, labels such as `InvalidRequest/2`, and envelopes:
            `form:html`, and `form:usual`, the one without a name; none of those behind a `!`.
        place: one of PLACES.
        name: the child's or header's.
        value: where its value comes from, alternatives separated by ` | `; see the core's sources.
        source: where the fact is documented or was seen.
    """

    __slots__ = ("_never", "codes", "name", "place", "source", "value")

    def __init__(self, code: str, place: str, name: str, value: str, source: str) -> None:
        self.codes = frozenset((code, *code.split()))
        self._never = frozenset(each[1:] for each in self.codes if each[:1] == "!")
        self.place = place
        self.name = name
        self.value = value
        self.source = source

    def belongs_to(self, row: DocumentedError, status: int, asked: str = "") -> bool:
        """Whether an answer of that row, sent with that status in the form that is asked for, carries it."""
        if not self._never.isdisjoint((row.code, row.label)):
            return False
        form = f"form:{asked or row.form or 'usual'}"
        return not self.codes.isdisjoint(("*", str(status), row.code, row.label, form))


def load(text: str) -> tuple[Extra, ...]:
    """The lines of an `extras.csv` in order."""
    from _csv import reader  # `csv` itself would load `re`

    lines = reader(text.splitlines())
    next(lines)
    return tuple(Extra(*cells) for cells in lines)
