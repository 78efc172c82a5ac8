"""Envelopes of errors: a vendor's own text with `%(name)s` holes, and how these are filled.

No XML or JSON library builds them, because it would choose quotes, blanks and order. `%` itself is written `%%`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

Escape = str | Callable[[str], str]
Named = tuple[tuple[str, str], ...]


NO_CHILDREN: Mapping[str, str] = {"children": ""}


def without_surrogates(text: str) -> str:
    """`text` with every lone surrogate replaced by U+FFFD, so that it can be sent as UTF-8."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def escape_xml_text(text: str) -> str:
    """Escape for XML character data; quotes and apostrophes may stand.

    Characters that XML 1.0 forbids are removed. .NET, as recordings of Azure show, lxml and OSS remove them, too.
    """
    if not (text.isascii() and text.isprintable()):
        permitted = (sign for sign in without_surrogates(text) if sign >= " " or sign in "\t\n\r")
        text = "".join(sign for sign in permitted if sign not in "\ufffe\uffff")
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
        content_type: the Content-Type of an error in it, exactly; empty if it has none.
        escape: the escaping of values: `xml`, `xml-text` (apostrophes stay), `json`, `html` or `text`, or a function
            of the vendor's own.
        child: the form of one child of `%(children)s`, with the holes `%(name)s` and `%(value)s`.
        id_headers: pairs of a header's name and the name of the id that it carries; None: the vendor's.
        without: the headers of the vendor's extras that it leaves out.
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
        # Each hole that is left, with the text behind it.
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
        for name, behind in self._holes:
            if name == "resource":
                body += self._escape(resource) + behind
            else:
                body += (ids[name] if name in ids else more[name]) + behind
        return body.encode()
