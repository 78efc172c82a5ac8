"""JSON that a terminal shows as it stands."""

from __future__ import annotations


def json_text(data: object, indent: int | None = None, *, allow_nan: bool = True) -> str:
    r"""JSON in which what does not print is escaped: control characters (C1 too), bidirectional and other format ones.

    >>> json_text({"path": "/é\x9b"})
    '{"path":"/é\\u009b"}'
    """
    from json import dumps

    separators = (",", ":") if indent is None else (",", ": ")
    text = dumps(data, ensure_ascii=False, separators=separators, indent=indent, allow_nan=allow_nan)
    return printable(text)


def printable(text: str) -> str:
    """The text of some JSON with what does not print escaped; its line breaks stay, which are between its values."""
    if text.isprintable():
        return text
    from json import dumps

    return "".join(each if each == "\n" or each.isprintable() else dumps(each)[1:-1] for each in text)
