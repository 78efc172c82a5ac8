"""The documented errors of a vendor, as data.

`errors.csv` has them as rows; `extras.csv` has additions to the envelope for single codes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from faultinject.literals import Category, Retryable


class DocumentedError:
    """One row of a vendor's table.

    Attributes:
        vendor: the vendor's id.
        code: the error code, byte for byte as documented.
        variant: 1 for the first row of that code, 2 for the second, and so on.
        status: the documented HTTP status, or None if the document gives none.
        message: the English message that goes on the wire.
        message_source: `wire` (seen in a real answer), `doc` (documented) or `derived` (written by us from the
            document).
        description: the document's own text.
        note: a peculiarity of the row (a repaired cell, a remark of the document), or empty.
        retryable: `yes` (the document says to try again or to slow down; or, if it says nothing, the vendor's current
            SDKs try again or its protocol says so), `no` (the document says to change the request first) or
            `unstated`.
        retryable_words: the words of message, description or note that decide `retryable`, or empty.
        category: one of throttle, server, auth, not-found, conflict, precondition, limit, request, redirect.
        source: the document.
        row: the row's number in the document's table, from 1.
        reason: the vendor's own reason phrase, or empty for the standard one.
        form: the name of its envelope, if the vendor has several; empty for the usual one.
        unverified: whether no document or wire sample confirms it; the note says why.
        again: the action that the document demands before the request is sent again: authorize again
            (`after-authorize`), renew the credentials (`after-refresh`), look for the conflict (`with-care`), begin
            a new upload or session (`new-session`), query the state (`query-first`), sign the request again with the
            right time (`after-signing`). Empty if it demands nothing. A client
            that does so and sends the request again follows the document, retryable or not.
        where: the requests that may get the error, as conditions of a rule; empty for all.
        where_words: the document's words for `where`.
        where_source: the document of `where`.
        usual: whether the bare code names this row: the row that the table marks, because clients get it most often,
            otherwise the first row.
    """

    vendor: str
    code: str
    variant: int
    status: int | None
    message: str
    message_source: str
    description: str
    note: str
    retryable: Retryable
    retryable_words: str
    category: Category
    source: str
    row: int
    reason: str = ""
    form: str = ""
    unverified: bool = False
    again: str = ""
    where: str = ""
    where_words: str = ""
    where_source: str = ""
    usual: bool = False

    def __init__(self, **fields: object) -> None:
        vars(self).update(fields)

    @property
    def address(self) -> str:
        """The row's name in rules: `cos:SlowDown`, `jss:BucketNotEmpty/3`."""
        return f"{self.vendor}:{self.label}"

    @property
    def label(self) -> str:
        """The code, with `_` for each blank.

        A row that is not the usual one has its number after the code: `BucketNotEmpty/2`.
        """
        return self.code.replace(" ", "_") if self.usual else self.numbered

    @property
    def numbered(self) -> str:
        """The code with the number of the row, also for the usual one: `BucketNotEmpty/1`."""
        return f"{self.code.replace(' ', '_')}/{self.variant}"

    @property
    def of_objects(self) -> bool:
        """Whether a request for an object may get the error.

        Other rows are only for preflights, or for requests that name no key.
        """
        places = [{*place.strip().split(",")} for place in self.where.split(";")]
        return any({"unless.key=**", "method=OPTIONS"}.isdisjoint(place) for place in places)

    def to_dict(self) -> dict[str, object]:
        """The row as plain data, in the order of the fields."""
        return {name: getattr(self, name) for name in DocumentedError.__annotations__}

    def __repr__(self) -> str:
        return f"<DocumentedError {self.address} {self.status}>"


def load_errors(vendor: str, text: str, where: str = "") -> list[DocumentedError]:
    """The rows of an `errors.csv`; a code's second row becomes variant 2, and so on.

    Args:
        vendor: the vendor's id.
        text: the text of the `errors.csv`.
        where: the text of the `where.csv` beside it; empty if there is none.
    """
    from _csv import reader  # `csv` itself would load `re`

    variants: dict[str, int] = {}
    usual: dict[str, DocumentedError] = {}
    places = {label: words for label, *words in list(reader(where.splitlines()))[1:]}
    rows = []
    lines = reader(text.splitlines())
    columns = next(lines)
    for cells in lines:
        fields: dict[str, Any] = dict(zip(columns, cells, strict=True))
        code = fields["code"]
        variants[code] = fields["variant"] = variants.get(code, 0) + 1
        fields["vendor"] = vendor
        fields["status"] = int(fields["status"]) if fields["status"] else None
        fields["row"] = int(fields["row"])
        fields["unverified"] = fields.get("unverified") == "yes"
        marked = fields.pop("usual", "") == "yes"
        row = DocumentedError(**fields)
        if marked or code not in usual:
            usual[code] = row
        rows.append(row)
    for row in usual.values():
        row.usual = True
    for row in rows:
        row.where, row.where_words, row.where_source = places.get(row.label, ("", "", ""))
    return rows


PLACES = ("child", "header", "head", "body")
"""The places of an extra.

They are, in this order: a child of the envelope; a header of all answers; a header of answers to HEAD only; a header of
all other answers.
"""


class Extra:
    """One line of an `extras.csv`.

    Attributes:
        codes: the answers that it belongs to: `*` for all, statuses, codes, single rows such as `InvalidRequest/2`,
            and envelopes: `form:html`, or `form:usual` for the one without a name. A code after `!` is excluded.
        place: one of PLACES.
        name: the name of the child or header.
        value: the text from which `template_values` makes its value; ` | ` separates alternatives.
        source: the document of the fact, or the place where it was seen.
    """

    __slots__ = ("_never", "codes", "name", "place", "source", "value")

    def __init__(self, code: str, place: str, name: str, value: str, source: str) -> None:
        self.codes = frozenset((code, *code.split()))
        self._never = frozenset(code_[1:] for code_ in self.codes if code_[:1] == "!")
        self.place = place
        self.name = name
        self.value = value
        self.source = source

    def belongs_to(self, row: DocumentedError, status: int, asked: str = "") -> bool:
        """Whether an answer has this header or child.

        Args:
            row: the documented error of the answer.
            status: its status.
            asked: the form that the request asks for; empty for the form of the row.
        """
        if not self._never.isdisjoint((row.code, row.label, row.numbered)):
            return False
        form = f"form:{asked or row.form or 'usual'}"
        return not self.codes.isdisjoint(("*", str(status), row.code, row.label, row.numbered, form))


def load_extras(text: str) -> tuple[Extra, ...]:
    """The lines of an `extras.csv` in order."""
    from _csv import reader  # `csv` itself would load `re`

    lines = reader(text.splitlines())
    next(lines)
    return tuple(Extra(*cells) for cells in lines)


FRAMINGS = ("whole", "chunked", "none")
"""The framings of an answer of 200 with an error in its body.

`whole`: it has a Content-Length. `chunked`: it has none, as the head is sent before the error is known.
`none`: the operation sends no error in a 200.
"""


class ErrorIn200:
    """A line of `errors_in_200.csv`: whether an operation may answer 200 with an error.

    Attributes:
        operation: the operation, as the vendor names it.
        framing: one of FRAMINGS; `whole` also if no source gives the framing.
        words: the words of the source that say so.
        source: the document, SDK or source code of the vendor.
    """

    __slots__ = ("framing", "operation", "source", "words")

    def __init__(self, operation: str, framing: str, words: str, source: str) -> None:
        self.operation = operation
        self.framing = framing
        self.words = words
        self.source = source


def load_errors_in_200(text: str) -> tuple[ErrorIn200, ...]:
    """The lines of an `errors_in_200.csv` in order."""
    from _csv import reader  # `csv` itself would load `re`

    return tuple(ErrorIn200(*cells) for cells in list(reader(text.splitlines()))[1:])
