"""A vendor: an id, its table of documented errors, its envelope and its ids."""

from __future__ import annotations

from functools import cache, cached_property

from faultinject.exceptions import UnknownDocumentedError
from faultinject.vendors.documented import (
    DocumentedError,
    ErrorIn200,
    Extra,
    load_errors,
    load_errors_in_200,
    load_extras,
)
from faultinject.vendors.envelopes import Envelope, Form

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from faultinject.vendors.envelopes import Escape, Named
    from faultinject.vendors.multi_delete import Deletes
    from faultinject.vendors.types import StorageRequest

    Ids = Mapping[str, str]


NOTHING: Mapping[str, str] = {}
RETRY_AFTER = ("seconds", "date")
"""The two forms of Retry-After (RFC 9110 10.2.3)."""


class Vendor:
    """A storage service and the exact form of its errors on the wire.

    Args:
        id: the id in rules (`cos`, `qiniu-mix`).
        title: the name for people.
        content_type: the Content-Type of an error, exactly.
        template: the file in the vendor's folder that holds the envelope.
        escape: how values are escaped in it: `xml`, `xml-text` (apostrophes stay), `json`, `html` or `text`, or a
            function of the vendor's own.
        package: `__name__` of the vendor's folder, for finding its files.
        id_headers: pairs of a header's name and the name of the id that it carries.
        make_ids: a function from 64 bytes of entropy and unix seconds to the ids of one answer, by name; the main one
            is `request_id`. None: the vendor's answers carry no id.
        resource: a function from bucket, key and raw path to the envelope's resource; None if it has none.
        endpoints: host suffixes below which the first labels are a bucket, the most specific first. `*` stands for one
            label, or at a label's end for its rest.
        addressing: how requests are read as bucket and key: `s3`, `gcs`, `azure`, `b2`, `swift` or `kodo`; None for
            no storage vendor.
        prefix: the prefix of its own headers' names.
        keeps_slashes: whether `%2F` in a path is not a slash of the key.
        reserved: names that the server reserves as the first segment of paths, so that no bucket has one. For vendors
            with the addressing `s3` that do not keep slashes.
        operations: the tables of its operations, below this package, or `acme:operations.csv` of another package; a
            later table overrides an earlier one.
        bare_head: whether an answer to HEAD does not describe the body: no Content-Type, and a Content-Length of 0.
        child: the form of one child of the envelope's `%(children)s`, with the holes `%(name)s` and `%(value)s`.
        forms: other envelopes, by the name that rows use for them.
        form_for: a function that takes a row, a request and the answer's status. It returns the name of a form that
            replaces the row's own, or an empty text.
        extras: the file in the vendor's folder with additions to the envelope for single codes, if it has one.
        reason: a function from a row and its message to the reason phrase, if it is not the standard one; a row's own
            phrase overrides it.
        hint: the way in which the vendor asks to wait: `seconds`, `date` or the name of its own header.
        hints: every way in which the vendor may ask clients to wait; by default both forms of Retry-After for
            `seconds` and `date`, otherwise only its own header.
        typical: by kind of failure (`KINDS` in `vendors/typical.py`) the label of its typical row, if it is not the
            row that the table suggests; empty: there is none.
        deletes: how it answers a request that deletes several objects, key by key; None if `share` is not supported.
        completes_again: whether it answers a repeated CompleteMultipartUpload like the first one, as long as the object
            is the result of that upload; otherwise the upload no longer exists.
    """

    def __init__(
        self,
        *,
        id: str,  # noqa: A002
        title: str,
        content_type: str,
        template: str,
        escape: Escape,
        package: str,
        id_headers: Named = (),
        make_ids: Callable[[bytes, int], Ids] | None = None,
        resource: Callable[[str | None, str | None, str], str] | None = None,
        endpoints: tuple[str, ...] = (),
        addressing: str | None = "s3",
        bare_head: bool = False,
        prefix: str = "x-amz-",
        keeps_slashes: bool = False,
        reserved: frozenset[str] = frozenset(),
        operations: tuple[str, ...] = ("s3/operations.csv",),
        child: str = "",
        forms: Mapping[str, Form] | None = None,
        form_for: Callable[[DocumentedError, StorageRequest, int], str] | None = None,
        extras: str = "",
        reason: Callable[[DocumentedError, str], str | None] | None = None,
        hint: str = "seconds",
        hints: tuple[str, ...] = (),
        typical: Mapping[str, str] | None = None,
        deletes: Deletes | None = None,
        completes_again: bool = False,
    ) -> None:
        self.id = id
        self.title = title
        self.content_type = content_type
        self.form = Form(template, content_type, escape, child, id_headers)
        self.forms = forms or {}
        self.form_for = form_for
        self.escape = self.form.escape
        self.id_headers = id_headers
        self.make_ids = make_ids or (lambda _entropy, _unix_seconds: {})
        self.resource = resource
        self.endpoints = endpoints
        self.addressing = addressing
        self.bare_head = bare_head
        self.prefix = prefix
        self.keeps_slashes = keeps_slashes
        self.reserved = reserved
        self.operations = operations if addressing else ()
        self.hint = hint
        self.hints = hints or (RETRY_AFTER if hint in RETRY_AFTER else (hint,))
        self.typical = typical or {}
        self.deletes = deletes
        self.completes_again = completes_again
        self._reason = reason
        self.package = package
        self._extras_file = extras
        self._by_label: dict[str, DocumentedError] = {}

    def read_template(self, form: Form) -> bytes:
        """An envelope from the vendor's folder."""
        return _template(self.package, form.template)

    def asked_form(self, row: DocumentedError, request: StorageRequest, status: int) -> str:
        """The name of the form that a request demands, or empty."""
        return "" if self.form_for is None else self.form_for(row, request, status)

    def form_of(self, row: DocumentedError, asked: str = "") -> Form:
        """The envelope of a row: the one that the request demands, its own, or the usual one."""
        name = asked or row.form
        return self.forms[name] if name else self.form

    @cached_property
    def extras(self) -> tuple[Extra, ...]:
        """The additions to the envelope for single codes, in order."""
        return load_extras(read(self.package, self._extras_file).decode()) if self._extras_file else ()

    def reason(self, row: DocumentedError, message: str) -> str | None:
        """The vendor's own reason phrase of a row sent with that message; None for the standard one."""
        return row.reason or (self._reason(row, message) if self._reason is not None else None)

    @cached_property
    def errors(self) -> tuple[DocumentedError, ...]:
        """Every documented error, in the order of the document."""
        where = self._read_if_there("where.csv")  # without the file, every error fits every request
        rows = tuple(load_errors(self.id, read(self.package, "errors.csv").decode(), where))
        self._by_label = {row.numbered: row for row in rows} | {row.label: row for row in rows}
        return rows

    @cached_property
    def known_of_200(self) -> tuple[ErrorIn200, ...]:
        """The known errors in answers with status 200, by operation; empty if none are known."""
        return load_errors_in_200(self._read_if_there("errors_in_200.csv"))

    @cached_property
    def errors_in_200(self) -> Mapping[str, ErrorIn200]:
        """The operations that may answer 200 with an error in the body, by name."""
        return {error.operation: error for error in self.known_of_200 if error.framing != "none"}

    def _read_if_there(self, name: str) -> str:
        try:
            return read(self.package, name).decode()
        except OSError:
            return ""

    def find(self, label: str) -> DocumentedError:
        """The row of `Code` or `Code/2`.

        Raises:
            UnknownDocumentedError: there is none; the message names the nearest, or the vendors that have it.
        """
        errors = self.errors
        code, slash, number = label.partition("/")
        if slash and number.isascii() and number.isdecimal():
            label = f"{code}/{int(number)}"
        if (row := self._by_label.get(label)) is not None:
            return row
        variants = sum(error.numbered.rpartition("/")[0] == code for error in errors)
        if slash and variants:
            rows = "1 row" if variants == 1 else f"{variants} rows"
            raise UnknownDocumentedError(f"{self.id}:{label}: {self.id} documents {rows} of {code}")
        raise UnknownDocumentedError(
            f"{self.id}:{label} is not a documented error of {self.id}{self._hint(code)}"
        )

    def _hint(self, code: str) -> str:
        from difflib import get_close_matches

        from faultinject import vendors

        if of_status := [
            error.address for error in self.errors if str(error.status) == code and "/" not in error.label
        ]:
            return f"; did you mean {vendors.abridge(of_status, 'or')}?"
        labels = (error.label.partition("/")[0] for error in self.errors)
        codes = {label.lower(): label for label in labels}
        prefixed = [label for label in codes if label.startswith(code.lower())] if len(code) > 2 else []
        near = prefixed if len(prefixed) == 1 else get_close_matches(code.lower(), codes, 1, 0.75)
        # Users who write a number mean a status, not a code of another vendor.
        vendor_ids = [] if code.isdecimal() else vendors.vendors_with_code(code)
        elsewhere = [f"{vendor_id}:{code}" for vendor_id in vendor_ids if vendor_id != self.id]
        documented = f"{vendors.abridge(elsewhere, 'and')} {'are' if elsewhere[1:] else 'is'} documented"
        if near:
            return f"; did you mean {self.id}:{codes[near[0]]}?{f' ({documented})' if elsewhere else ''}"
        return f"; {documented}" if elsewhere else f"; 'faultinject vendors {self.id}' lists them"

    def has(self, code: str) -> bool:
        """Whether a row of that code is documented."""
        return any(code in (error.code, error.label) for error in self.errors)

    def group(self, name: str) -> tuple[DocumentedError, ...]:
        """The rows of a group, the usual one of each code.

        The groups are `@all`, `@server`, `@client`, `@throttle` and `@retryable`. A row is in no group if its status is
        below 400 or missing, or if no request for an object gets it.

        Raises:
            UnknownDocumentedError: there is no such group, or nothing is in it.
        """
        test = GROUPS.get(name)
        if test is None:
            known = ", ".join(GROUPS)
            raise UnknownDocumentedError(f"{self.id}:{name} is not a group; the groups are {known}")
        rows = self._members(test)
        if not rows:
            raise UnknownDocumentedError(f"{self.id}:{name} is empty: {self.id} documents no such error")
        return rows

    @property
    def groups(self) -> tuple[str, ...]:
        """The groups that have any of its errors."""
        return tuple(name for name, test in GROUPS.items() if self._members(test))

    def _members(self, test: Callable[[DocumentedError], bool]) -> tuple[DocumentedError, ...]:
        return tuple(
            error
            for error in self.errors
            if error.usual and error.of_objects and (error.status or 0) >= 400 and test(error)
        )

    def envelope(self, *, code: str, message: str, status: int, form: Form | None = None) -> Envelope:
        """The envelope of one error, ready for the resource and the ids of one answer."""
        form = form or self.form
        constants = {"code": code, "message": message, "status": str(status)}
        return Envelope(self.read_template(form), form.escape, constants)

    def render(
        self,
        *,
        code: str,
        message: str,
        status: int,
        resource: str | None = None,
        ids: Ids,
        form: Form | None = None,
        more: Ids = NOTHING,
    ) -> bytes:
        """The body of an error, byte for byte as the vendor sends it.

        Args:
            code: the code.
            message: the message.
            status: the status.
            resource: the resource, if the envelope has one.
            ids: the answer's ids by name.
            form: the envelope; by default the usual one.
            more: the other values of the envelope, already escaped; missing values are empty.
        """
        envelope = self.envelope(code=code, message=message, status=status, form=form)
        absent = {name: "" for name in envelope.open if name not in ids}
        return envelope.fill(resource or "", ids, {**absent, **more})

    def __repr__(self) -> str:
        return f"<Vendor {self.id}>"


GROUPS: Mapping[str, Callable[[DocumentedError], bool]] = {
    "@all": lambda _: True,
    # A 501 is not a failure of a server: it says that the request is not supported.
    "@server": lambda row: 500 <= (row.status or 0) < 600 and row.status != 501,
    "@client": lambda row: 400 <= (row.status or 0) < 500,
    "@throttle": lambda row: row.category == "throttle",
    # A retry with the same wrong time is refused again, so such an error does not show how a client retries.
    "@retryable": lambda row: row.retryable == "yes" and row.again != "after-signing",
}


def read(package: str, name: str) -> bytes:
    """A file of a package, also from a zip archive."""
    import os
    import sys

    if package not in sys.modules:
        __import__(package)
    module = sys.modules[package]
    loader: Any = module.__loader__
    # pathlib is slow to load.
    data: bytes = loader.get_data(os.path.join(module.__path__[0], name))  # noqa: PTH118
    return data


_template = cache(read)
