"""What a vendor is: an id, its table of documented errors, its envelope, its ids and its addresses."""

from __future__ import annotations

from faultinject.exceptions import UnknownDocumentedError
from faultinject.vendors import envelope

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    Ids = Mapping[str, str]

FIELDS = (
    "vendor",
    "code",
    "variant",
    "status",
    "message",
    "message_source",
    "description",
    "note",
    "retryable",
    "retryable_words",
    "category",
    "source",
    "row",
)
CATEGORIES = (
    "throttle",
    "server",
    "auth",
    "not-found",
    "conflict",
    "precondition",
    "limit",
    "request",
    "redirect",
)


class DocumentedError:
    """One row of a vendor's table.

    Attributes:
        vendor: the vendor's id.
        code: the error code, byte for byte as documented.
        variant: 1 for the first row of that code, 2 for the second, and so on.
        status: the documented HTTP status, or None where the document gives none.
        message: the English message that goes on the wire.
        message_source: `wire` (seen in a real answer), `doc` (documented) or `derived` (our plain rendering).
        description: the document's own text.
        note: what is peculiar about the row (a repaired cell, a remark of the document), or empty.
        retryable: `yes` (the document says to try again, or to slow down), `no` (it says that a later try must
            be another request) or `unstated`.
        retryable_words: the words of message, description or note that say so, or empty.
        category: one of throttle, server, auth, not-found, conflict, precondition, limit, request, redirect.
        source: the document.
        row: the row's number in the document's table, from 1.
    """

    __slots__ = FIELDS

    vendor: str
    code: str
    variant: int
    status: int | None
    message: str
    message_source: str
    description: str
    note: str
    retryable: str
    retryable_words: str
    category: str
    source: str
    row: int

    def __init__(self, **fields: object) -> None:
        for name in FIELDS:
            setattr(self, name, fields[name])

    @property
    def address(self) -> str:
        """How a rule names this row: `cos:SlowDown`, `jss:BucketNotEmpty/3`."""
        return f"{self.vendor}:{self.label}"

    @property
    def label(self) -> str:
        """The code, with `/2` and so on behind it from the second row on."""
        return self.code if self.variant == 1 else f"{self.code}/{self.variant}"

    def to_dict(self) -> dict[str, object]:
        """The row as plain data, in the order of the fields."""
        return {name: getattr(self, name) for name in FIELDS}

    def __repr__(self) -> str:
        return f"<DocumentedError {self.address} {self.status}>"


class Vendor:
    """A storage service and everything that its errors look like on the wire.

    Args:
        id: the id in rules (`cos`, `qiniu-mix`).
        title: the name for people.
        content_type: the Content-Type of an error, exactly.
        template: the file in the vendor's folder that holds the envelope.
        escape: how values are escaped in it: `xml`, `json` or `html`.
        package: `__name__` of the vendor's folder, for finding its files.
        id_headers: pairs of a header's name and the name of the id that it carries.
        make_ids: from 64 bytes of entropy and unix seconds to the ids of one answer, by name; the main one is
            `request_id`. None: the vendor's answers carry no id.
        resource: from bucket, key and raw path to the envelope's resource; None where it has none.
        endpoints: host suffixes below which the first labels are a bucket, the most specific first; `*` stands
            for one label, at the end of a label for its rest.
        addressing: `s3` when requests are read as bucket and key the S3 way; None for no storage vendor.
        errors_in_200: the operations that are documented to answer 200 with an error in the body.
        head: the headers of an error in the order in which they are seen on the wire.
        server: the Server of the vendor's answers; empty where none is documented.
        reasons: the reason phrases, by code, that differ from the standard ones.
    """

    def __init__(
        self,
        *,
        id: str,  # noqa: A002
        title: str,
        content_type: str,
        template: str,
        escape: str,
        package: str,
        id_headers: tuple[tuple[str, str], ...] = (),
        make_ids: Callable[[bytes, int], Ids] | None = None,
        resource: Callable[[str | None, str | None, str], str] | None = None,
        endpoints: tuple[str, ...] = (),
        addressing: str | None = "s3",
        errors_in_200: tuple[str, ...] = (),
        head: tuple[str, ...] = (),
        server: str = "",
        reasons: Mapping[str, str] | None = None,
    ) -> None:
        self.id = id
        self.title = title
        self.content_type = content_type
        self.escape = envelope.ESCAPES[escape]
        self.id_headers = id_headers
        self.make_ids = make_ids or no_ids
        self.resource = resource
        self.endpoints = endpoints
        self.addressing = addressing
        self.errors_in_200 = errors_in_200
        self.head = head
        self.server = server
        self.reasons = reasons or {}
        self._package = package
        self._template_file = template
        self._template: bytes | None = None
        self._errors: tuple[DocumentedError, ...] | None = None
        self._by_label: dict[str, DocumentedError] = {}

    @property
    def template(self) -> bytes:
        """The envelope as it stands in the vendor's folder."""
        if self._template is None:
            self._template = read(self._package, self._template_file)
        return self._template

    @property
    def errors(self) -> tuple[DocumentedError, ...]:
        """Every documented error, in the order of the document."""
        if self._errors is None:
            rows = tuple(load(self.id, read(self._package, "errors.csv").decode()))
            self._by_label = {each.label: each for each in rows}
            self._errors = rows
        return self._errors

    def find(self, label: str) -> DocumentedError:
        """The row of `Code` or `Code/2`.

        Raises:
            UnknownDocumentedError: there is none; the message names the nearest, or the vendors that have it.
        """
        errors = self.errors
        code, slash, number = label.partition("/")
        if slash and number.isascii() and number.isdecimal():
            label = code if int(number) == 1 else f"{code}/{int(number)}"
        if (found := self._by_label.get(label)) is not None:
            return found
        variants = sum(each.code == code for each in errors)
        if slash and variants:
            rows = "1 row" if variants == 1 else f"{variants} rows"
            raise UnknownDocumentedError(f"{self.id}:{label}: {self.id} documents {rows} of {code}")
        raise UnknownDocumentedError(
            f"{self.id}:{label} is not a documented error of {self.id}{self._hint(code)}"
        )

    def _hint(self, code: str) -> str:
        from difflib import get_close_matches

        from faultinject import vendors

        codes = {each.code.lower(): each.code for each in self.errors}
        near = get_close_matches(code.lower(), codes, 1, 0.75)
        there = [
            f"{each}:{code}" for each in vendors.names() if each != self.id and vendors.get(each).has(code)
        ]
        listed = " and ".join(filter(None, (", ".join(there[:-1]), *there[-1:])))
        documented = f"{listed} {'are' if there[1:] else 'is'} documented" if there else ""
        if near:
            return f"; did you mean {self.id}:{codes[near[0]]}?{f' ({documented})' if there else ''}"
        return f"; {documented}" if there else f"; 'faultinject vendors {self.id}' lists them"

    def has(self, code: str) -> bool:
        """Whether a row of that code is documented."""
        return any(each.code == code for each in self.errors)

    def group(self, name: str) -> tuple[DocumentedError, ...]:
        """The rows of a group, row 1 of each code: `@all`, `@server`, `@client`, `@throttle`, `@retryable`.

        Rows with a status below 400, or with none, are in no group.

        Raises:
            UnknownDocumentedError: there is no such group, or nothing is in it.
        """
        test = GROUPS.get(name)
        if test is None:
            known = ", ".join(GROUPS)
            raise UnknownDocumentedError(f"{self.id}:{name} is not a group; the groups are {known}")
        rows = tuple(
            each
            for each in self.errors
            if each.variant == 1 and each.status is not None and each.status >= 400 and test(each)
        )
        if not rows:
            raise UnknownDocumentedError(f"{self.id}:{name} is empty: {self.id} documents no such error")
        return rows

    def envelope(self, *, code: str, message: str, status: int) -> Callable[[str, Ids], bytes]:
        """A function from the resource and the ids of one answer to its body, for one error."""
        known = {"code": code, "message": message, "status": str(status)}
        return envelope.prepare(self.template, self.escape, known)

    def render(self, *, code: str, message: str, status: int, resource: str | None = None, ids: Ids) -> bytes:
        """The body of an error, byte for byte as the vendor sends it."""
        fill = self.envelope(code=code, message=message, status=status)
        return fill(resource or "", ids)

    def __repr__(self) -> str:
        return f"<Vendor {self.id}>"


GROUPS: Mapping[str, Callable[[DocumentedError], bool]] = {
    "@all": lambda _: True,
    "@server": lambda row: (row.status or 0) >= 500,
    "@client": lambda row: (row.status or 0) < 500,
    "@throttle": lambda row: row.category == "throttle",
    "@retryable": lambda row: row.retryable == "yes",
}


def no_ids(_entropy: bytes, _unix_seconds: int) -> dict[str, str]:
    """The ids of an answer that carries none."""
    return {}


def read(package: str, name: str) -> bytes:
    """A file of a package, also from a zip archive."""
    import os
    import sys

    if package not in sys.modules:
        __import__(package)
    module = sys.modules[package]
    loader: Any = module.__loader__
    data: bytes = loader.get_data(os.path.join(module.__path__[0], name))  # noqa: PTH118  # pathlib is slow to load
    return data


def load(vendor: str, text: str) -> list[DocumentedError]:
    """The rows of an `errors.csv`; a code's second row becomes variant 2, and so on."""
    from _csv import reader  # `csv` itself would load `re`

    seen: dict[str, int] = {}
    rows = []
    lines = reader(text.splitlines())
    columns = next(lines)
    for cells in lines:
        fields: dict[str, Any] = dict(zip(columns, cells, strict=True))
        code = fields["code"]
        seen[code] = fields["variant"] = seen.get(code, 0) + 1
        fields["vendor"] = vendor
        fields["status"] = int(fields["status"]) if fields["status"] else None
        fields["row"] = int(fields["row"])
        rows.append(DocumentedError(**fields))
    return rows
