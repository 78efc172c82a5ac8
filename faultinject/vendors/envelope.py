"""From a literal template and values to the bytes of an error envelope.

A template is the vendor's own text with `%(name)s` holes; nothing is built by an XML or JSON library, because
the library would choose quotes, blanks and order. `%` itself is written `%%`.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


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


ESCAPES: Mapping[str, Callable[[str], str]] = {"xml": escape_xml, "json": escape_json, "html": escape_html}


def prepare(
    template: bytes, escape: Callable[[str], str], values: Mapping[str, str]
) -> Callable[[str, Mapping[str, str]], bytes]:
    """Replace each `%(name)s` of a template whose value is known already by the escaped value, UTF-8.

    Returns:
        A function from the resource and the ids of one answer to the body. Ids are ASCII letters, digits and
        what base64 adds, which no format needs to escape.
    """
    start, *rest = template.decode().split("%(")
    pieces, holes = [start.replace("%%", "%")], []
    for each in rest:
        name, _, text = each.partition(")s")
        if name not in values:
            holes.append((len(pieces), name))
        pieces += [escape(values.get(name, "")), text.replace("%%", "%")]

    def fill_rest(resource: str, ids: Mapping[str, str]) -> bytes:
        filled = pieces.copy()
        for place, name in holes:
            filled[place] = escape(resource) if name == "resource" else ids[name]
        return "".join(filled).encode()

    return fill_rest
