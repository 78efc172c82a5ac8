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
    if not (text.isascii() and text.isprintable()):
        kept = (each for each in without_surrogates(text) if each >= " " or each in "\t\n\r")
        text = "".join(each for each in kept if each not in "\ufffe\uffff")
    if "&" in text:
        text = text.replace("&", "&amp;")
    if "<" in text or ">" in text:
        text = text.replace("<", "&lt;").replace(">", "&gt;")
    if "'" in text:
        text = text.replace("'", "&apos;")
    return text.replace("\r", "&#13;") if "\r" in text else text


def escape_json(text: str) -> str:
    """Escape for the inside of a JSON string; other languages stay as they are, in UTF-8."""
    from json.encoder import encode_basestring

    escaped: str = encode_basestring(without_surrogates(text))
    return escaped[1:-1]


def escape_html(text: str) -> str:
    """Escape for HTML text."""
    return escape_xml(text).replace("&apos;", "&#39;").replace('"', "&quot;")


ESCAPES: Mapping[str, Callable[[str], str]] = {"xml": escape_xml, "json": escape_json, "html": escape_html}


def fill(template: bytes, escape: Callable[[str], str], values: Mapping[str, str]) -> bytes:
    """The body: `template` with each `%(name)s` replaced by the escaped value, UTF-8."""
    return template % {name.encode(): escape(value).encode() for name, value in values.items()}


def fill_partly(
    template: bytes, escape: Callable[[str], str], values: Mapping[str, str]
) -> Callable[[str, Mapping[str, str]], bytes]:
    """Fill what is known already, as `fill` would.

    Returns:
        A function from the resource and the ids of one answer to the body. Ids are ASCII letters, digits and
        what base64 adds, which no format needs to escape.
    """
    fixed = {name: escape(value).encode() for name, value in values.items()}
    layout, holes = b"", []
    for index, part in enumerate(template.replace(b"%%", b"\0").split(b"%(")):
        name, _, text = part.partition(b")s") if index else (b"", b"", part)
        if name.decode() in fixed:
            text = fixed[name.decode()] + text
        elif index:
            holes.append(name.decode())
            layout += b"\1"
        layout += text
    layout = layout.replace(b"\0", b"%").replace(b"%", b"%%").replace(b"\1", b"%b")

    def fill_rest(resource: str, ids: Mapping[str, str]) -> bytes:
        return layout % tuple(
            [escape(resource).encode() if name == "resource" else ids[name].encode() for name in holes]
        )

    return fill_rest
