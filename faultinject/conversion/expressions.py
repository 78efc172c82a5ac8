"""Translates patterns of rules into regular expressions of RE2.

Each character of a text is escaped, so that it is no operator. In raw text, as in a request line, a character may also
be percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

ANYTHING = ".*"
SEGMENT, FOLDERS, REST = "[^/?]*", "(?:/[^/?]*)*", "[^?]*"
"""Parts of a raw path; a query after it may also have slashes."""
_HEX = "[0-9A-Fa-f]"
ONE = (
    f"(?:[^/%?]|%[0-7]{_HEX}|%[CDcd]{_HEX}%{_HEX}{_HEX}|%[Ee]{_HEX}(?:%{_HEX}{_HEX}){{2}}"
    f"|%[Ff]{_HEX}(?:%{_HEX}{_HEX}){{3}})"
)
"""One character of a raw path: itself, or its UTF-8 percent-encoded."""
ENCODED_SLASH = "(?:%2[Ff]|%252F)"
"""The expression of `%2F` in a pattern: it matches an encoded slash, and the text `%2F`.

In a raw path that text is `%252F`.
"""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-~/=&!@%:;,'\"<> ")


def text(literal: str, *, raw: bool = False, query: bool = False) -> str:
    """The expression of a text.

    Args:
        literal: the text.
        raw: whether it is compared with raw text.
        query: whether the raw text is a query, in which a blank may also be `+`, a slash may be encoded, and `?`
            may occur.
    """
    return "".join(_character(character, raw=raw, query=query) for character in literal)


def _character(character: str, *, raw: bool, query: bool) -> str:
    plain = character if character in _PLAIN or not character.isascii() else f"\\{character}"
    if ord(character) < 32 or character == "\x7f":
        plain = f"\\x{ord(character):02x}"
    never_encoded = "-._~" if query else "-._~/"
    if not raw or (character.isascii() and (character.isalnum() or character in never_encoded)):
        return plain
    encoded = "".join(
        f"%{_digit(byte >> 4)}{_digit(byte & 15)}" for byte in character.encode("utf-8", "replace")
    )
    always_encoded = "%" if query else "%?"
    others = [] if character in always_encoded or not character.isascii() or character < "!" else [plain]
    others += ["\\+"] if character == " " and query else []
    return any_of([encoded, *others])


def _digit(number: int) -> str:
    digit = f"{number:X}"
    return digit if digit.isdecimal() else f"[{digit}{digit.lower()}]"


def of_value(pattern: str, *, raw: bool = False, anything: str = ANYTHING, query: bool = False) -> str:
    """The expression of a pattern in which `*` matches anything; an empty one matches anything."""
    if not pattern:
        return anything
    if pattern[:1] == "=":
        return text(pattern[1:], raw=raw, query=query)
    return anything.join(text(part, raw=raw, query=query) for part in pattern.split("*"))


def of_path(pattern: str) -> str:
    """The expression of a pattern, for raw paths."""
    if pattern[:1] == "=":
        literal = pattern[1:]
        return _path_text(literal if literal[:1] == "/" else f"/{literal}")
    return _path_expression(pattern if pattern[:1] == "/" else f"/{pattern}")


def _path_expression(pattern: str) -> str:
    folder = pattern[-1:] == "/"
    segments = pattern[1:-1].split("/") if folder and len(pattern) > 1 else pattern[1:].split("/")
    if pattern == "/":
        return f"/{REST}"
    expression = "".join(FOLDERS if segment == "**" else f"/{_segment(segment)}" for segment in segments)
    return f"{expression}/{REST}" if folder else expression


def _segment(pattern: str) -> str:
    operators = {"*": SEGMENT, "?": ONE}
    return "".join(operators.get(piece) or _path_text(piece) for piece in re.split("([*?])", pattern))


def _path_text(literal: str) -> str:
    """The expression of a text in a path."""
    return ENCODED_SLASH.join(text(part, raw=True) for part in literal.split("%2F"))


def of_address(bucket: str | None, key: str | None) -> str:
    """The expression of raw paths `/bucket/key`; None stands for any bucket or key."""
    # A star may match nothing. Here it needs a character: `/` has no bucket, and `/bucket/` no key.
    any_bucket = not (bucket or "").strip("*")
    head = "/[^/?]+" if any_bucket else f"/{of_value(bucket or '', raw=True, anything=SEGMENT)}"
    if key is None:
        return f"{head}(?:/{REST})?"
    if key[:1] == "=":
        return f"{head}/{_path_text(key[1:])}"
    below = _path_expression(f"/{key}")
    if re.fullmatch(below, "/"):
        below = "/[^?]+" if key == "**" or "/" in key else "/[^/?]+"
    return head + below


def any_of(expressions: Iterable[str]) -> str:
    """One expression for several."""
    alternatives = [*dict.fromkeys(expressions)]
    return alternatives[0] if len(alternatives) == 1 else f"(?:{'|'.join(alternatives)})"


def of_query(name: str, patterns: Iterable[str]) -> str:
    """The expression of one parameter of a raw query whose value matches one of the patterns."""
    return text(name, raw=True, query=True) + any_of(map(_of_parameter, patterns))


def _of_parameter(pattern: str) -> str:
    """The expression of `=` and a value; an empty value may come without `=`."""
    if not pattern.strip("*"):
        return "(?:=[^&]*)?"
    value = of_value(pattern, raw=True, anything="[^&]*", query=True)
    return f"={value}" if value else "=?"
