"""A vendor: an id, its table of documented errors, its envelope, its ids and its addresses.

`Addressing` reads requests as the vendor does, and `Rendering` words its errors.
"""

from __future__ import annotations

from functools import cache, cached_property

from faultinject.exceptions import UnknownDocumentedError
from faultinject.http.target import decode, decode_form
from faultinject.http.wire import reason
from faultinject.vendors import endpoints as known_endpoints
from faultinject.vendors.documented import (
    DocumentedError,
    ErrorIn200,
    Extra,
    load_errors,
    load_errors_in_200,
    load_extras,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from re import Pattern
    from typing import Any

    from faultinject.http.wire import Headers
    from faultinject.vendors.multi_delete import Deletes
    from faultinject.vendors.operations import Operations
    from faultinject.vendors.targets import TargetReader
    from faultinject.vendors.template_values import Source
    from faultinject.vendors.types import Address, Readable, StorageRequest, Target

    Ids = Mapping[str, str]
    Escape = str | Callable[[str], str]
    Named = tuple[tuple[str, str], ...]
    Sources = Sequence[tuple[str, Source]]


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
        make_ids: from 64 bytes of entropy and unix seconds to the ids of one answer, by name; the main one is
            `request_id`. None: the vendor's answers carry no id.
        resource: from bucket, key and raw path to the envelope's resource; None if it has none.
        endpoints: host suffixes below which the first labels are a bucket, the most specific first; `*` stands for
            one label, at the end of a label for its rest.
        addressing: how requests are read as bucket and key: `s3`, `gcs`, `azure`, `b2`, `swift` or `kodo`; None for
            no storage vendor.
        prefix: the prefix of its own headers' names.
        keeps_slashes: whether `%2F` in a path is not a slash of the key.
        reserved: names that the server keeps for itself as the first segment of paths: no bucket has one. For vendors
            of addressing `s3` that do not keep slashes.
        operations: the tables of its operations, below this package, or `acme:operations.csv` of another package; a
            later table overrides an earlier one.
        bare_head: whether an answer to HEAD does not describe the body: no Content-Type, and a Content-Length of 0.
        child: the form of one child of the envelope's `%(children)s`, with the holes `%(name)s` and `%(value)s`.
        forms: other envelopes, by the name that a row calls them.
        form_for: from a row, a request and the status that is sent to the name of another form than the row's own, or
            empty.
        extras: the file in the vendor's folder with the additions of single codes to the envelope, if it has one.
        reason: from a row and its sent message to the reason phrase, if it is not the standard one; the row's own
            overrides it.
        hint: how the vendor asks to wait: `seconds`, `date` or the name of its own header.
        hints: every way in which the vendor may ask clients to wait; by default both forms of Retry-After for
            `seconds` and `date`, otherwise only its own header.
        typical: by kind of failure (`KINDS` in `vendors/typical.py`) the label of its typical row, if it is not the
            row that the table suggests; empty: there is none.
        deletes: how it answers a request that deletes several objects, key by key; None if `share` is not supported.
        completes_again: whether it answers a repeated CompleteMultipartUpload as it answered the first, as long as
            the object is the result of that upload; otherwise the upload no longer exists.
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
        self.make_ids = make_ids or no_ids
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
        """The additions of single codes to the envelope, in order."""
        return load_extras(read(self.package, self._extras_file).decode()) if self._extras_file else ()

    def reason(self, row: DocumentedError, message: str) -> str | None:
        """The vendor's own reason phrase of a row sent with that message; None for the standard one."""
        return row.reason or (self._reason(row, message) if self._reason is not None else None)

    @cached_property
    def errors(self) -> tuple[DocumentedError, ...]:
        """Every documented error, in the order of the document."""
        where = self._read_if_there("where.csv")  # else none of its errors is for some requests only
        rows = tuple(load_errors(self.id, read(self.package, "errors.csv").decode(), where))
        self._by_label = {each.numbered: each for each in rows} | {each.label: each for each in rows}
        return rows

    @cached_property
    def known_of_200(self) -> tuple[ErrorIn200, ...]:
        """The known errors in answers with status 200, by operation; empty if none are known."""
        return load_errors_in_200(self._read_if_there("errors_in_200.csv"))

    @cached_property
    def errors_in_200(self) -> Mapping[str, ErrorIn200]:
        """The operations that may answer 200 with an error in the body, by name."""
        return {each.operation: each for each in self.known_of_200 if each.framing != "none"}

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
        if (found := self._by_label.get(label)) is not None:
            return found
        variants = sum(each.numbered.rpartition("/")[0] == code for each in errors)
        if slash and variants:
            rows = "1 row" if variants == 1 else f"{variants} rows"
            raise UnknownDocumentedError(f"{self.id}:{label}: {self.id} documents {rows} of {code}")
        raise UnknownDocumentedError(
            f"{self.id}:{label} is not a documented error of {self.id}{self._hint(code)}"
        )

    def _hint(self, code: str) -> str:
        from difflib import get_close_matches

        from faultinject import vendors

        if same := [
            each.address for each in self.errors if str(each.status) == code and "/" not in each.label
        ]:
            return f"; did you mean {vendors.several(same, 'or')}?"
        labels = (each.label.partition("/")[0] for each in self.errors)
        codes = {each.lower(): each for each in labels}
        begun = [each for each in codes if each.startswith(code.lower())] if len(code) > 2 else []
        near = begun if len(begun) == 1 else get_close_matches(code.lower(), codes, 1, 0.75)
        # A number is a status to whoever writes it, not the code that another vendor has.
        others = [] if code.isdecimal() else vendors.having(code)
        there = [f"{each}:{code}" for each in others if each != self.id]
        documented = f"{vendors.several(there, 'and')} {'are' if there[1:] else 'is'} documented"
        if near:
            return f"; did you mean {self.id}:{codes[near[0]]}?{f' ({documented})' if there else ''}"
        return f"; {documented}" if there else f"; 'faultinject vendors {self.id}' lists them"

    def has(self, code: str) -> bool:
        """Whether a row of that code is documented."""
        return any(code in (each.code, each.label) for each in self.errors)

    def group(self, name: str) -> tuple[DocumentedError, ...]:
        """The rows of a group, the usual one of each code.

        The groups are `@all`, `@server`, `@client`, `@throttle` and `@retryable`. Rows with a status below 400, or
        with none, are in no group, nor are those that no request for an object gets.

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
            each
            for each in self.errors
            if each.usual and each.of_objects and (each.status or 0) >= 400 and test(each)
        )

    def envelope(self, *, code: str, message: str, status: int, form: Form | None = None) -> Envelope:
        """The envelope of one error, ready for the resource and the ids of one answer."""
        found = form or self.form
        known = {"code": code, "message": message, "status": str(status)}
        return Envelope(self.read_template(found), found.escape, known)

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
        found = self.envelope(code=code, message=message, status=status, form=form)
        absent = {name: "" for name in found.open if name not in ids}
        return found.fill(resource or "", ids, {**absent, **more})

    def __repr__(self) -> str:
        return f"<Vendor {self.id}>"


GROUPS: Mapping[str, Callable[[DocumentedError], bool]] = {
    "@all": lambda _: True,
    # 501 says that the request is not supported, ever: a rule for failures of a server does not mean that.
    "@server": lambda row: 500 <= (row.status or 0) < 600 and row.status != 501,
    "@client": lambda row: 400 <= (row.status or 0) < 500,
    "@throttle": lambda row: row.category == "throttle",
    # A client that only sends again, with the same wrong time, is not wrong because it is refused again.
    "@retryable": lambda row: row.retryable == "yes" and row.again != "after-signing",
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
    # pathlib is slow to load.
    data: bytes = loader.get_data(os.path.join(module.__path__[0], name))  # noqa: PTH118
    return data


_template = cache(read)


# Its envelopes
#
# A template is the vendor's own text with `%(name)s` holes; nothing is built by an XML or JSON library, because
# the library would choose quotes, blanks and order. `%` itself is written `%%`.

NO_CHILDREN: Mapping[str, str] = {"children": ""}


def without_surrogates(text: str) -> str:
    """`text` with every lone surrogate replaced by U+FFFD, so that it can be sent as UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def escape_xml_text(text: str) -> str:
    """Escape for XML character data; quotes and apostrophes may stand.

    Characters that XML 1.0 forbids are removed. .NET, as recordings of Azure show, lxml and OSS remove them, too.
    """
    if not (text.isascii() and text.isprintable()):
        kept = (sign for sign in without_surrogates(text) if sign >= " " or sign in "\t\n\r")
        text = "".join(sign for sign in kept if sign not in "\ufffe\uffff")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def escape_xml(text: str) -> str:
    """Escape for XML, apostrophes too."""
    return escape_xml_text(text).replace("'", "&apos;")


def escape_json(text: str) -> str:
    """Escape for the inside of a JSON string; other languages stay as they are, in UTF-8."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    from json.encoder import encode_basestring

    escaped: str = encode_basestring(without_surrogates(text))
    return escaped[1:-1]


def escape_html(text: str) -> str:
    """Escape for HTML text."""
    return escape_xml_text(text).replace("'", "&#39;").replace('"', "&quot;")


ESCAPES: Mapping[str, Callable[[str], str]] = {
    "xml": escape_xml,
    "xml-text": escape_xml_text,
    "json": escape_json,
    "html": escape_html,
    "text": without_surrogates,
}


class Form:
    """An envelope: a template, and the way in which values are written into it.

    Args:
        template: the file in the vendor's folder.
        content_type: the Content-Type of an error in it, exactly; empty where it has none.
        escape: how values are escaped: `xml`, `xml-text` (apostrophes stay), `json`, `html` or `text`, or a function
            of the vendor's own.
        child: how one child of `%(children)s` is written, with the holes `%(name)s` and `%(value)s`.
        id_headers: pairs of a header's name and the name of the id that it carries; None where they are the vendor's.
        without: the headers of the vendor's extras that an answer in it has not.
        bare_head: whether an answer to HEAD says nothing of the body; None where that is as the vendor has it.
    """

    __slots__ = ("bare_head", "child", "content_type", "escape", "id_headers", "template", "without")

    def __init__(
        self,
        template: str,
        content_type: str,
        escape: Escape,
        child: str = "",
        id_headers: Named | None = None,
        without: tuple[str, ...] = (),
        *,
        bare_head: bool | None = None,
    ) -> None:
        self.template = template
        self.content_type = content_type
        self.escape = ESCAPES[escape] if isinstance(escape, str) else escape
        self.child = child
        self.id_headers = id_headers
        self.without = without
        self.bare_head = bare_head


class Envelope:
    """A template filled with one error's constants; the rest is filled in for each answer.

    Args:
        template: the vendor's text, UTF-8.
        escape: how a value is escaped in it.
        values: what is known already, by the name of its hole.

    Attributes:
        open: the names of the holes that are left.
    """

    __slots__ = ("_escape", "_holes", "_start", "open")

    def __init__(self, template: bytes, escape: Callable[[str], str], values: Mapping[str, str]) -> None:
        start, *rest = template.decode().split("%(")
        pieces = [["", start.replace("%%", "%")]]
        for each in rest:
            name, _, text = each.partition(")s")
            text = text.replace("%%", "%")
            if name in values:
                pieces[-1][1] += escape(values[name]) + text
            else:
                pieces.append([name, text])
        self._escape = escape
        # Each hole that is left, with the text behind it.
        (_, self._start), *self._holes = pieces
        self.open = tuple(name for name, _ in self._holes)

    def fill(self, resource: str, ids: Mapping[str, str], more: Mapping[str, str] = NO_CHILDREN) -> bytes:
        """The body of one answer.

        Args:
            resource: the resource, as text.
            ids: the answer's ids: ASCII letters, digits and what base64 adds, which no format needs to escape.
            more: what else is open, as it stands in the body.
        """
        body = self._start
        for name, behind in self._holes:
            if name == "resource":
                body += self._escape(resource) + behind
            else:
                body += (ids[name] if name in ids else more[name]) + behind
        return body.encode()


class Rendering:
    """The wording of one error: the vendor's envelope, and the additions of the code to it.

    Args:
        vendor: the vendor of the error.
        row: the documented error.
        status: as it is sent.
        message: instead of the documented one.
        asked: the form that the request asks for, or empty.

    Attributes:
        bare_head: whether an answer to HEAD says nothing of the body.
        content_type: the Content-Type, exactly; empty where there is none.
        id_headers: pairs of a header's name and the name of the id that it carries.
        reason: the vendor's own reason phrase, or None where it is the standard one.
        constants: the headers of all its answers, by lower-case name.
    """

    __slots__ = (
        "_child",
        "_envelope",
        "_escape",
        "_extras",
        "_open",
        "_plain",
        "_row",
        "_said",
        "_status",
        "_text",
        "bare_head",
        "constants",
        "content_type",
        "id_headers",
        "reason",
    )

    def __init__(
        self,
        vendor: Vendor,
        row: DocumentedError,
        *,
        status: int,
        message: str | None = None,
        asked: str = "",
    ) -> None:
        form = vendor.form_of(row, asked)
        self._row = row
        self._status = status
        self._said = message
        self._text = row.message if message is None else message
        self._envelope = vendor.envelope(code=row.code, message=self._text, status=status, form=form)
        self._escape = form.escape
        self._child = form.child
        self.content_type = form.content_type
        self.bare_head = vendor.bare_head if form.bare_head is None else form.bare_head
        self.id_headers = vendor.id_headers if form.id_headers is None else form.id_headers
        phrase = vendor.reason(row, self._text) if row.status in (None, status) else None
        self.reason = phrase if phrase and fits_a_header(phrase) else None
        known = {"resource", "children", *vendor.make_ids(bytes(64), 0)}
        wanted = [name for name in self._envelope.open if name not in known]
        extras = [
            each
            for each in vendor.extras
            if each.belongs_to(row, status, asked) and each.name not in form.without
        ]
        # Whether the resource and the ids are all that differs.
        self._plain = not (wanted or extras)
        self._open: Sources = ()
        self._extras: list[tuple[str, str, Source]] = []
        self.constants: dict[str, str] = {}
        if self._plain:
            return
        from faultinject.vendors.template_values import compile_value, constant

        self._open = [(name, compile_value(name)) for name in wanted]
        self._extras = [(each.place, each.name, compile_value(each.value)) for each in extras]
        for each in extras:
            fixed = constant(each.value)
            if each.place in ("header", "body") and fixed is not None:
                self.constants[each.name.lower()] = fixed

    def render(
        self,
        request: StorageRequest,
        reading: Addressing,
        resource: str,
        ids: Mapping[str, str],
        now: float,
        size: int | None = None,
    ) -> tuple[bytes, Headers]:
        """The body, also for HEAD, and the headers that the vendor adds to the usual ones.

        Args:
            request: what is answered.
            reading: how its bucket, key and level are read.
            resource: the resource that the envelope names.
            ids: the answer's ids by name.
            now: unix seconds.
            size: bytes of the object that is asked for, where they are known.
        """
        envelope = self._envelope
        if self._plain:
            return envelope.fill(resource, ids), []
        from faultinject.vendors.template_values import RenderContext

        row = self._row
        given = RenderContext(
            request,
            reading,
            code=row.code,
            message=self._text,
            reason=self.reason or reason(self._status),
            resource=resource,
            ids=ids,
            now=now,
            said=self._said,
            size=size,
        )
        more = {name: self._escape(value(given) or "") for name, value in self._open}
        more["children"] = "".join(
            self._child % {"name": name, "value": self._escape(text)}
            for place, name, value in self._extras
            if place == "child" and (text := value(given)) is not None
        )
        given.body = envelope.fill(resource, ids, more)
        places = ("header", "head" if request.method.upper() == "HEAD" else "body")
        return given.body, [
            (name, text)
            for place, name, value in self._extras
            if place in places and (text := value(given)) is not None and fits_a_header(text)
        ]


def fits_a_header(text: str) -> bool:
    """Whether a text fits a header's value or a reason phrase, and clients read all of it."""
    return len(text) <= LONGEST_VALUE and text.isascii() and text.isprintable()


LONGEST_VALUE = 8190
"""Characters of a header's value; a longer one, echoed from a request, is left out."""


# Its addresses: as which vendor, and below which hosts, requests are read


def common(vendors: Iterable[Vendor | None]) -> Vendor | None:
    """The only vendor among these, or None, to read a request that no rule matches."""
    found = set(vendors)
    return found.pop() if len(found) == 1 else None


class Addressing:
    """One way to read bucket, key and operation out of a request.

    Args:
        vendor: whose endpoints, addresses and operations count; None: requests are read as S3 reads them.
        endpoints: the user's own host suffixes (`FAULTINJECT_ENDPOINT`), which come first.

    Attributes:
        s3: whether bucket and key are where S3 has them: in the path, or the bucket in the Host.
    """

    __slots__ = ("_addressing", "_hosts", "_operations", "_read", "endpoints", "s3", "vendor")

    def __init__(self, vendor: Vendor | None = None, endpoints: tuple[str, ...] = ()) -> None:
        self.vendor = vendor if vendor is not None and vendor.addressing else None
        self.endpoints = endpoints + (self.vendor.endpoints if self.vendor else known_endpoints.S3)
        self._addressing = None if self.vendor is None else self.vendor.addressing
        self.s3 = self.vendor is None or self.vendor.addressing == "s3"
        self._hosts: dict[str, str | None] = {}
        self._operations: Operations | None = None
        self._read: TargetReader = s3_decoding
        if self.vendor is not None:
            if not self.s3:
                from faultinject.vendors.targets import reader

                self._read = reader(self.vendor, self.endpoints, lambda: self.operations)
            elif self.vendor.keeps_slashes:
                self._read = s3
            elif reserved := self.vendor.reserved:
                self._read = _sparing(s3_decoding, reserved)

    @property
    def operations(self) -> Operations:
        """The operations that this vendor has."""
        found = self._operations
        if found is None:
            # As `reader` it is slow to load, and who only reads a table does not come here.
            from faultinject.vendors.operations import operations_of

            found = self._operations = operations_of(self.vendor)
        return found

    def read_place(self, request: Readable) -> Target:
        """Level, bucket, key and the rest of the address; kept for the next call."""
        if request.read_by is self:
            return request.place
        found = OTHER  # such as `OPTIONS *`
        if request.below[:1] in ("/", ""):
            named = self._hosts.get(request.host, "")
            if named == "":
                named = self.bucket_of(request.host)
            found = self._read(request, named)
        request.place = found
        request.read_by = self
        return found

    def keys(self, texts: Sequence[str]) -> tuple[str, ...]:
        """The patterns of keys as this vendor reads them: in some, `%2F` is a slash like any other."""
        kept = self.vendor is not None and self.vendor.keeps_slashes
        return tuple(texts) if kept else tuple(text.replace("%2F", "/") for text in texts)

    def level(self, request: Readable) -> str:
        """The level of the address: `service`, `bucket` and `object` for S3 and its relatives."""
        return self.read_place(request)[0]

    def read_address(self, request: Readable) -> Address:
        """Bucket and key, each None when the request does not name it."""
        _, bucket, key, _ = request.place if request.read_by is self else self.read_place(request)
        return bucket, key

    def identify(self, request: StorageRequest) -> tuple[str, str]:
        """The identity letter for letter, and with placeholders.

        It is kept for the next call with this addressing.
        """
        if request.identified_by is self:
            return request.identities
        _, bucket, key, rest = request.place if request.read_by is self else self.read_place(request)
        exact = exact_identity(request, bucket, key, rest)
        drawn = exact if self.s3 else without_new_ids(exact, self._addressing)
        identities = request.identities = exact, with_placeholders(drawn)
        request.identified_by = self
        return identities

    def bucket_of(self, host: str) -> str | None:
        """The bucket that a Host names, as `host_bucket` finds it.

        It is kept, since clients ask few hosts, and S3 has 160 endpoints.
        """
        bucket = self._hosts.get(host, "")  # one step: another thread may clear what is remembered
        if bucket != "":
            return bucket
        bucket = host_bucket(host, self.endpoints)
        if len(host) <= LONGEST_HOST:
            if len(self._hosts) >= HOSTS_REMEMBERED:
                self._hosts.clear()
            self._hosts[host] = bucket
        return bucket

    def operation(self, request: Readable) -> str | None:
        """The operation by the vendor's name, or None if the request has the form of none.

        It is kept with the request.
        """
        if request.named_by is self:
            return request.operation
        operation = request.operation = self.operations.find(request, self.read_place(request)[0])
        request.named_by = self
        return operation


SERVICE: Target = ("service", None, None, "")
OTHER: Target = ("other", None, None, "")


def s3(request: Readable, named: str | None) -> Target:
    """Bucket and key of an S3 request; nothing is decoded, merged or removed."""
    path = request.below[1:]
    if named is None:
        named, slash, path = path.partition("/")
        if not named:
            return OTHER if slash else SERVICE
    return ("object", named, path, "") if path else ("bucket", named, None, "")


def s3_decoding(request: Readable, named: str | None) -> Target:
    """Bucket and key of an S3 request, with `%2F` in the key read as `/`, as S3 does."""
    level, bucket, key, rest = s3(request, named)
    return (
        (level, bucket, key.replace("%2F", "/"), rest) if key and "%2F" in key else (level, bucket, key, rest)
    )


def _sparing(read: TargetReader, reserved: frozenset[str]) -> TargetReader:
    """Read nothing as a bucket that has a name which the server keeps for itself.

    No bucket of it has such a name, in the Host neither.
    """

    def reading(request: Readable, named: str | None) -> Target:
        place = read(request, named)
        return OTHER if place[1] and place[1].partition("%2F")[0] in reserved else place

    return reading


HOSTS_REMEMBERED = 1024
"""Number of Host headers that are remembered, with what was worked out of each."""
LONGEST_HOST = 255
"""Characters of a Host header that is remembered."""
HOSTS: dict[str, str] = {}
"""The names of the remembered Host headers."""


def without_port(host: str) -> str:
    """A Host's name in lower case, without port: `Photos.Example.:8080` is `photos.example`.

    The dot of the DNS root is left out, too.
    """
    name = HOSTS.get(host)
    if name is None:
        own = host.rpartition("@")[2]  # a name and a password before it are nobody's business
        name = own.partition("]")[0] + "]" if own[:1] == "[" else own.partition(":")[0]
        name = name.lower().removesuffix(".")
        if len(host) <= LONGEST_HOST:
            if len(HOSTS) >= HOSTS_REMEMBERED:
                HOSTS.clear()
            HOSTS[host] = name
    return name


def split_mount(root_path: str, path: str) -> tuple[str, str]:
    """Mount point and path below it.

    ASGI servers differ in whether the path begins with the mount point.

    >>> split_mount("/app", "/app/a/b"), split_mount("/app", "/a/b"), split_mount("/app", "/apple")
    (('/app', '/a/b'), ('/app', '/a/b'), ('/app', '/apple'))
    """
    mount = root_path.rstrip("/")
    end = len(mount)
    return mount, path[end:] if path.startswith(mount) and path[end : end + 1] in ("", "/") else path


def host_bucket(host: str, endpoints: tuple[str, ...]) -> str | None:
    """The bucket that a Host names; None for an endpoint itself or a Host that is not below one."""
    labels: list[str] = []
    for endpoint in endpoints:
        if "*" not in endpoint:
            if host.endswith(endpoint) and host != endpoint:
                head = host[: -len(endpoint)]
                if head[-1:] == "." and head != ".":
                    return head[:-1]
            elif host == endpoint:
                return None
            continue
        # Most patterns end otherwise, and are done with here.
        if not host.endswith(endpoint.rpartition("*")[2]):
            continue
        pattern = endpoint.split(".")
        labels = labels or host.split(".")
        if len(labels) < len(pattern) or not _fits(labels[-len(pattern) :], pattern):
            continue
        return ".".join(labels[: -len(pattern)]) or None
    return None


def _fits(labels: Sequence[str], pattern: Sequence[str]) -> bool:
    return all(
        label and label.startswith(want[:-1]) if want[-1:] == "*" else label == want
        for label, want in zip(labels, pattern, strict=True)
    )


# An identity's shape has "0" for every hexadecimal digit. Whether it has ten in a row is found by plain search, many
# times faster than by regular expressions, and most identities have none: nothing else can have a placeholder, a UUID
# neither.
_SHAPE = bytes(ord("0") if chr(each) in "0123456789ABCDEFabcdef" else each for each in range(256))
_LONG = b"0" * 10

# Short words that only beside the two that every shared access signature has are such parameters
# (https://learn.microsoft.com/rest/api/storageservices/create-service-sas).
_SIGNED = frozenset(("sig", "sv"))
_SHARED_ACCESS = _SIGNED.union("se st sp sr skoid sktid skt ske sks skv".split())


@cache
def volatile_parameters() -> frozenset[str]:
    """The query parameters that differ from attempt to attempt, in lower case (a data file)."""
    lines = read("faultinject.vendors", "volatile-parameters.txt").decode().splitlines()
    return frozenset(line for line in lines if line and line[0] != "#")


def exact_identity(request: StorageRequest, bucket: str | None, key: str | None, rest: str = "") -> str:
    """The identity letter for letter, without placeholders, by which `per=call` counts.

    Args:
        request: the request.
        bucket: its bucket, or None.
        key: its key, or None.
        rest: what else its address says, such as the `iam` of `/storage/v1/b/photos/iam`; it stands beside the
            parameters, where S3 has it. Without a bucket one that begins with `/` stands for the path.
    """
    if bucket is None:
        place, rest = (rest, "") if rest[:1] == "/" else (request.path, "")
    else:
        place = f"/{bucket}/{key or ''}"
    exact = f"{request.method.upper()} {place}"
    query = request.query
    if not query:
        return f"{exact}?{rest}" if rest else exact
    pairs = [(decode_form(pair.partition("=")[0]).lower(), pair) for pair in query.split("&") if pair]
    volatile = volatile_parameters()
    if _SIGNED.issubset(name for name, _ in pairs):
        volatile |= _SHARED_ACCESS
    kept = [pair for name, pair in pairs if name not in volatile]
    if rest:
        kept.append(rest)
    return f"{exact}?{'&'.join(sorted(kept))}" if kept else exact


def with_placeholders(identity: str) -> str:
    """The identity that draws depend on.

    >>> with_placeholders("PUT /photos/2b8c1f9a-7a4e-4f0b-9d0e-0c5b8a1f2e3d/1700000000.jpg")
    'PUT /photos/~/~.jpg'
    """
    if _LONG in identity.encode("ascii", "replace").translate(_SHAPE):
        for pattern in _placeholders():
            identity = pattern.sub("~", identity)
    return identity


@cache
def _placeholders() -> list[Pattern[str]]:
    """The patterns of ids, in order: a UUID, many hexadecimal digits, many decimal digits."""
    import re  # slow to load, and most scenarios never come here

    digit = "[0-9A-Fa-f]"
    uuid = "-".join(f"{digit}{{{length}}}" for length in (8, 4, 4, 4, 12))
    return [re.compile(pattern) for pattern in (uuid, f"{digit}{{16,}}", "[0-9]{10,}")]


def without_new_ids(identity: str, addressing: str | None) -> str:
    """The identity without ids that are new in each run and that `with_placeholders` misses.

    Azure's SDK gives blocks random ids, written in base64
    (https://github.com/Azure/azure-sdk-for-python, azure/storage/blob/_shared/uploads.py), and B2 writes the time
    into the id of a file (https://www.backblaze.com/docs/cloud-storage-files).

    >>> without_new_ids("PUT /photos/k?blockid=MDAwMDAwMDE%3D&comp=block", "azure")
    'PUT /photos/k?blockid=00000001&comp=block'
    >>> without_new_ids("POST /b2_upload_part/4_z27_f1_d20261120_m120000/3", "b2")
    'POST /b2_upload_part/~/3'
    """
    if addressing == "azure":
        place, mark, query = identity.rpartition("?")
        pairs = (
            f"blockid={_block(pair[8:])}" if pair[:8] == "blockid=" else pair for pair in query.split("&")
        )
        return f"{place}{mark}{'&'.join(pairs)}"
    if addressing == "b2" and identity[:21] == "POST /b2_upload_part/":
        return f"{identity[:21]}~/{identity.rpartition('/')[2]}"
    return identity


def _block(text: str) -> str:
    """The id of a block as its maker wrote it; `~` if it is no text."""
    from binascii import Error, a2b_base64

    try:
        plain = a2b_base64(decode(text), strict_mode=True).decode("ascii")
    except (Error, ValueError):
        return "~"
    return plain if plain.isprintable() else "~"
