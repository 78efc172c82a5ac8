"""From a literal template and values to the bytes of an error envelope.

A template is the vendor's own text with `%(name)s` holes; nothing is built by an XML or JSON library, because
the library would choose quotes, blanks and order. `%` itself is written `%%`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    Escape = str | Callable[[str], str]
    Named = tuple[tuple[str, str], ...]

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
