"""From a literal template and values to the bytes of an error envelope, and from a documented error to a whole answer.

A template is the vendor's own text with `%(name)s` holes; nothing is built by an XML or JSON library, because
the library would choose quotes, blanks and order. `%` itself is written `%%`.
"""

from __future__ import annotations

from faultinject.http.wire import reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from faultinject.http.types import Headers
    from faultinject.vendors.addressing import Addressing
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.template_values import Source
    from faultinject.vendors.types import StorageRequest
    from faultinject.vendors.vendor import Vendor

    Escape = str | Callable[[str], str]
    Named = tuple[tuple[str, str], ...]
    Sources = Sequence[tuple[str, Source]]

NOTHING: Mapping[str, str] = {}
NO_CHILDREN: Mapping[str, str] = {"children": ""}


def without_surrogates(text: str) -> str:
    """`text` with every lone surrogate replaced by U+FFFD, so that it can be sent as UTF-8."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def escape_xml(text: str) -> str:
    """Escape for XML character data; characters that XML 1.0 forbids are removed."""
    plain = text.isascii() and text.isprintable()
    if not plain:
        kept = (each for each in without_surrogates(text) if each >= " " or each in "\t\n\r")
        text = "".join(each for each in kept if each not in "\ufffe\uffff")
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text or ">" in text:
        text = text.replace("<", "&lt;").replace(">", "&gt;")
    if "'" in text:
        text = text.replace("'", "&apos;")
    return text if plain else text.replace("\r", "&#13;")


def escape_json(text: str) -> str:
    """Escape for the inside of a JSON string; other languages stay as they are, in UTF-8."""
    if text.isascii() and text.isprintable() and '"' not in text and "\\" not in text:
        return text
    from json.encoder import encode_basestring

    escaped: str = encode_basestring(without_surrogates(text))
    return escaped[1:-1]


def escape_html(text: str) -> str:
    """Escape for HTML text."""
    return escape_xml(text).replace("&apos;", "&#39;").replace('"', "&quot;")


def as_it_is(text: str) -> str:
    """No escape, for plain text."""
    return without_surrogates(text)


ESCAPES: Mapping[str, Callable[[str], str]] = {
    "xml": escape_xml,
    "json": escape_json,
    "html": escape_html,
    "text": as_it_is,
}


class Form:
    """An envelope: a template, and how what is put into it is written.

    Args:
        template: the file in the vendor's folder.
        content_type: the Content-Type of an error in it, exactly; empty where it has none.
        escape: how values are escaped: `xml`, `json`, `html` or `text`, or a function of the vendor's own.
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
    """A template with what one error says filled in; the rest is filled in answer by answer.

    Args:
        template: the vendor's text, UTF-8.
        escape: how a value is escaped in it.
        values: what is known already, by the name of its hole.

    Attributes:
        open: the names of the holes that are left.
    """

    __slots__ = ("_escape", "_holes", "_pieces", "open")

    def __init__(self, template: bytes, escape: Callable[[str], str], values: Mapping[str, str]) -> None:
        start, *rest = template.decode().split("%(")
        pieces, holes = [start.replace("%%", "%")], []
        for each in rest:
            name, _, text = each.partition(")s")
            if name not in values:
                holes.append((len(pieces), name))
            pieces += [escape(values.get(name, "")), text.replace("%%", "%")]
        self._escape = escape
        self._pieces, self._holes = _joined(pieces, holes)
        self.open = tuple(name for _, name in holes)

    def fill(self, resource: str, ids: Mapping[str, str], more: Mapping[str, str] = NO_CHILDREN) -> bytes:
        """The body of one answer.

        Args:
            resource: the resource, as text.
            ids: the answer's ids: ASCII letters, digits and what base64 adds, which no format needs to escape.
            more: what else is open, as it stands in the body.
        """
        filled = self._pieces.copy()
        for place, name in self._holes:
            if name == "resource":
                filled[place] = self._escape(resource)
            elif name in ids:
                filled[place] = ids[name]
            else:
                filled[place] = more[name]
        return "".join(filled).encode()


def _joined(pieces: list[str], holes: list[tuple[int, str]]) -> tuple[list[str], list[tuple[int, str]]]:
    """The same with what stands between two holes as one piece."""
    kept, left, start = [], [], 0
    for place, name in holes:
        kept += ["".join(pieces[start:place]), ""]
        left.append((len(kept) - 1, name))
        start = place + 1
    return [*kept, "".join(pieces[start:])], left


class Rendering:
    """What a vendor sends for one error: its envelope, and what the code carries beyond it.

    Args:
        vendor: whose error it is.
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
        "_child", "_children", "_envelope", "_escape", "_headers", "_headers_of_head", "_open", "_plain", "_row", "_said",
        "_status", "_text", "bare_head", "constants", "content_type", "id_headers", "reason",
    )  # fmt: skip

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
        self._open: Sources = ()
        self._children: Sources = ()
        self._headers: Sources = ()
        self._headers_of_head: Sources = ()
        self.constants: dict[str, str] = {}
        wanted = [name for name in self._envelope.open if name not in known]
        extras = [
            each
            for each in vendor.extras
            if each.belongs_to(row, status, asked) and each.name not in form.without
        ]
        if wanted or extras:
            from faultinject.vendors.template_values import compile_value, constant

            self._open = [(name, compile_value(name)) for name in wanted]
            compiled = [(each.place, each.name, compile_value(each.value)) for each in extras]
            self._children = [(name, value) for place, name, value in compiled if place == "child"]
            self._headers = [(name, value) for place, name, value in compiled if place in ("header", "body")]
            self._headers_of_head = [
                (name, value) for place, name, value in compiled if place in ("header", "head")
            ]
            for each in extras:
                fixed = constant(each.value)
                if each.place in ("header", "body") and fixed is not None:
                    self.constants[each.name.lower()] = fixed
        # Whether the resource and the ids are all that differs.
        self._plain = not (self._open or self._children or self._headers or self._headers_of_head)

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
        escape, child = self._escape, self._child
        more = {name: escape(value(given) or "") for name, value in self._open}
        more["children"] = "".join(
            child % {"name": name, "value": escape(text)}
            for name, value in self._children
            if (text := value(given)) is not None
        )
        given.body = envelope.fill(resource, ids, more)
        named = self._headers_of_head if request.method.upper() == "HEAD" else self._headers
        found = [(name, text) for name, value in named if (text := value(given)) is not None]
        return given.body, [(name, text) for name, text in found if fits_a_header(text)]


def fits_a_header(text: str) -> bool:
    """Whether a text is one value of a header, or a reason phrase, and no longer than clients read."""
    return len(text) <= LONGEST_VALUE and text.isascii() and text.isprintable()


LONGEST_VALUE = 8190
"""Characters of a header's value; a longer one, echoed from a request, is left out."""


def answer(
    vendor: Vendor,
    row: DocumentedError,
    request: StorageRequest,
    reading: Addressing,
    *,
    entropy: bytes,
    now: float,
    message: str | None = None,
    size: int | None = None,
) -> tuple[str, Headers, bytes]:
    """A vendor's whole answer of one error: the status line, the headers, and the body, also for HEAD.

    Args:
        vendor: whose error it is.
        row: the documented error, which has a status.
        request: what is answered.
        reading: how its bucket, key and level are read.
        entropy: 64 bytes that the ids are made from.
        now: unix seconds.
        message: instead of the documented one.
        size: bytes of the object that is asked for, where they are known.
    """
    status = row.status
    assert status is not None
    asked = vendor.asked_form(row, request, status)
    made = Rendering(vendor, row, status=status, message=message, asked=asked)
    ids = vendor.make_ids(entropy, int(now))
    resource = ""
    if vendor.resource is not None:
        resource = vendor.resource(*reading.read_address(request), request.raw_path)
    body, more = made.render(request, reading, resource, ids, now, size)
    headers = [("Content-Type", made.content_type)] if made.content_type else []
    headers.append(("Content-Length", str(len(body))))
    if made.bare_head and request.method.upper() == "HEAD":
        headers = [("Content-Length", "0")]
    headers += [(name, ids[which]) for name, which in made.id_headers]
    return f"{status} {made.reason or reason(status)}", [*headers, *more], body
