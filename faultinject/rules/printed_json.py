"""JSON that is safe to print on a terminal."""

from __future__ import annotations


def json_text(data: object, indent: int | None = None, *, allow_nan: bool = True) -> str:
    r"""JSON in which characters that do not print are escaped.

    These are control characters (including C1), bidirectional and other format characters.
    >>> json_text({"path": "/é\x9b"})
    '{"path":"/é\\u009b"}'
    """
    from json import dumps

    separators = (",", ":") if indent is None else (",", ": ")
    text = dumps(data, ensure_ascii=False, separators=separators, indent=indent, allow_nan=allow_nan)
    return printable(text)


def printable(text: str) -> str:
    """Escape the characters of a JSON text that do not print.

    Its line breaks stay, as they are between its values.
    """
    if text.isprintable():
        return text
    from json import dumps

    return "".join(sign if sign == "\n" or sign.isprintable() else dumps(sign)[1:-1] for sign in text)
