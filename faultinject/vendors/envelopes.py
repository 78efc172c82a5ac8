"""Renders an error as its vendor sends it: an envelope, and the headers that belong to it.

An envelope is the vendor's own text with `%(name)s` holes. It is not built by an XML or JSON library, which would
choose quotes, blanks and order. `%` itself is written `%%`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from faultinject.http.wire import reason

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.http.wire import Headers
    from faultinject.vendors.addressing import Addressing
    from faultinject.vendors.documented import DocumentedError
    from faultinject.vendors.template_values import Source
    from faultinject.vendors.types import StorageRequest
    from faultinject.vendors.vendor import Vendor

    Sources = Sequence[tuple[str, Source]]

Escape = str | Callable[[str], str]
Named = tuple[tuple[str, str], ...]


NO_CHILDREN: Mapping[str, str] = {"children": ""}


def without_surrogates(text: str) -> str:
    """`text` with every lone surrogate replaced by U+FFFD, so that it can be sent as UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def escape_xml_text(text: str) -> str:
    """Escape for XML character data; quotes and apostrophes stay.

    Characters that XML 1.0 forbids are removed, as lxml, OSS and .NET (in recordings of Azure) remove them.
    """
    if not (text.isascii() and text.isprintable()):
        permitted = (sign for sign in without_surrogates(text) if sign >= " " or sign in "\t\n\r")
        text = "".join(sign for sign in permitted if sign not in "\ufffe\uffff")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def escape_xml(text: str) -> str:
    """Escape for XML, apostrophes too."""
    return escape_xml_text(text).replace("'", "&apos;")


def escape_json(text: str) -> str:
    """Escape for the inside of a JSON string; other scripts stay as they are, in UTF-8."""
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
    """An envelope's template, and the way in which values are written into it.

    Args:
        template: the file in the vendor's folder.
        content_type: the exact Content-Type of an error in it; empty if it has none.
        escape: the escaping of values: `xml`, `xml-text` (apostrophes stay), `json`, `html` or `text`, or a function
            of the vendor's own.
        child: the form of one child of `%(children)s`, with the holes `%(name)s` and `%(value)s`.
        id_headers: pairs of a header's name and the name of the id that it carries; None: the vendor's.
        without: the headers among the vendor's extras that answers in this form do not have.
        bare_head: whether an answer to HEAD does not describe the body; None: as for the vendor.
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
        escape: escapes a value.
        values: the constants, by the name of their hole.

    Attributes:
        open: the names of the holes that are left.
    """

    __slots__ = ("_escape", "_holes", "_start", "open")

    def __init__(self, template: bytes, escape: Callable[[str], str], values: Mapping[str, str]) -> None:
        start, *after_holes = template.decode().split("%(")
        pieces = [["", start.replace("%%", "%")]]
        for piece in after_holes:
            name, _, text = piece.partition(")s")
            text = text.replace("%%", "%")
            if name in values:
                pieces[-1][1] += escape(values[name]) + text
            else:
                pieces.append([name, text])
        self._escape = escape
        # Each hole that is left, with the text after it.
        (_, self._start), *self._holes = pieces
        self.open = tuple(name for name, _ in self._holes)

    def fill(self, resource: str, ids: Mapping[str, str], more: Mapping[str, str] = NO_CHILDREN) -> bytes:
        """The body of one answer.

        Args:
            resource: the resource, as text.
            ids: the answer's ids: ASCII letters, digits and the signs of base64, which need no escaping.
            more: the values of the other open holes, already escaped.
        """
        body = self._start
        for name, text_after in self._holes:
            if name == "resource":
                body += self._escape(resource) + text_after
            else:
                body += (ids[name] if name in ids else more[name]) + text_after
        return body.encode()


class Rendering:
    """An error's envelope and headers: the vendor's own, and the additions for its code.

    Args:
        vendor: the vendor of the error.
        row: the documented error.
        status: the status that is sent.
        message: the message instead of the documented one.
        asked: the form that the request asks for, or empty.

    Attributes:
        bare_head: whether an answer to HEAD does not describe the body.
        content_type: the Content-Type, exactly; empty if there is none.
        id_headers: pairs of a header's name and the name of the id that it carries.
        reason: the vendor's own reason phrase; None for the standard one.
        constants: the headers with the same value in all answers, by lower-case name.
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
        filled = {"resource", "children", *vendor.make_ids(bytes(64), 0)}
        open_names = [name for name in self._envelope.open if name not in filled]
        extras = [
            extra
            for extra in vendor.extras
            if extra.belongs_to(row, status, asked) and extra.name not in form.without
        ]
        # Whether answers differ only in the resource and the ids.
        self._plain = not (open_names or extras)
        self._open: Sources = ()
        self._extras: list[tuple[str, str, Source]] = []
        self.constants: dict[str, str] = {}
        if self._plain:
            return
        from faultinject.vendors.template_values import compile_value, constant

        self._open = [(name, compile_value(name)) for name in open_names]
        self._extras = [(extra.place, extra.name, compile_value(extra.value)) for extra in extras]
        for extra in extras:
            fixed = constant(extra.value)
            if extra.place in ("header", "body") and fixed is not None:
                self.constants[extra.name.lower()] = fixed

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
            request: the request.
            reading: reads its bucket, key and level.
            resource: the resource that the envelope names.
            ids: the answer's ids by name.
            now: unix seconds.
            size: bytes of the requested object, or None if they are unknown.
        """
        envelope = self._envelope
        if self._plain:
            return envelope.fill(resource, ids), []
        from faultinject.vendors.template_values import RenderContext

        row = self._row
        context = RenderContext(
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
        more = {name: self._escape(value(context) or "") for name, value in self._open}
        more["children"] = "".join(
            self._child % {"name": name, "value": self._escape(text)}
            for place, name, value in self._extras
            if place == "child" and (text := value(context)) is not None
        )
        context.body = envelope.fill(resource, ids, more)
        places = ("header", "head" if request.method.upper() == "HEAD" else "body")
        return context.body, [
            (name, text)
            for place, name, value in self._extras
            if place in places and (text := value(context)) is not None and fits_a_header(text)
        ]


def fits_a_header(text: str) -> bool:
    """Whether a text may be a header's value or a reason phrase, and clients read all of it."""
    return len(text) <= LONGEST_VALUE and text.isascii() and text.isprintable()


LONGEST_VALUE = 8190
"""The most characters of a header's value; a longer one, from a request, is left out."""
