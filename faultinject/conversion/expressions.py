"""Patterns of rules as regular expressions of RE2.

Text in them is escaped character by character, so that none of it can be an operator. In raw text, as it stands in a request line, a
character may also be percent-encoded.
"""

from __future__ import annotations

from collections.abc import Iterable

SEGMENT, ANYTHING, FOLDERS = "[^/]*", ".*", "(?:/[^/]*)*"
_HEX = "[0-9A-Fa-f]"
ONE = f"(?:[^/%]|%[0-7]{_HEX}|%[CDcd]{_HEX}%{_HEX}{_HEX}|%[Ee]{_HEX}(?:%{_HEX}{_HEX}){{2}}|%[Ff]{_HEX}(?:%{_HEX}{_HEX}){{3}})"
"""One character as it is sent: itself, or the bytes of its UTF-8."""
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-~/=&!@%:;,'\"<> ")


def text(literal: str, *, raw: bool = False, blank: str = "") -> str:
    """The expression of a text.

    Args:
        literal: the text.
        raw: what it is compared with is not decoded.
        blank: how else a blank may be written there.
    """
    return "".join(_character(each, raw=raw, blank=blank) for each in literal)


def _character(character: str, *, raw: bool, blank: str) -> str:
    plain = character if character in _PLAIN or not character.isascii() else f"\\{character}"
    if ord(character) < 32 or character == "\x7f":
        plain = f"\\x{ord(character):02x}"
    if not raw or (character.isascii() and (character.isalnum() or character in "-._~/")):
        return plain
    encoded = "".join(
        f"%{_digit(byte >> 4)}{_digit(byte & 15)}" for byte in character.encode("utf-8", "replace")
    )
    others = [] if character == "%" or not character.isascii() or character < "!" else [plain]
    others += [f"\\{blank}"] if character == " " and blank else []
    return any_of([encoded, *others])


def _digit(number: int) -> str:
    digit = f"{number:X}"
    return digit if digit.isdecimal() else f"[{digit}{digit.lower()}]"


def of_value(pattern: str, *, raw: bool = False, anything: str = ANYTHING, blank: str = "") -> str:
    """The expression of a pattern in which `*` matches anything; an empty one is anything."""
    if not pattern:
        return anything
    if pattern[:1] == "=":
        return text(pattern[1:], raw=raw, blank=blank)
    return anything.join(text(each, raw=raw, blank=blank) for each in pattern.split("*"))


def of_path(pattern: str) -> str:
    """The expression of a pattern of paths, as they are sent."""
    if pattern[:1] == "=":
        literal = pattern[1:]
        return text(literal if literal[:1] == "/" else f"/{literal}", raw=True)
    return _rooted(pattern if pattern[:1] == "/" else f"/{pattern}")


def _rooted(pattern: str) -> str:
    folder = pattern[-1:] == "/"
    segments = pattern[1:-1].split("/") if folder and len(pattern) > 1 else pattern[1:].split("/")
    if pattern == "/":
        return f"/{ANYTHING}"
    found = "".join(FOLDERS if each == "**" else f"/{_segment(each)}" for each in segments)
    return f"{found}/{ANYTHING}" if folder else found


def _segment(pattern: str) -> str:
    return "".join(
        SEGMENT if each == "*" else ONE if each == "?" else text(each, raw=True) for each in pattern
    )


def of_address(bucket: str | None, key: str | None) -> str:
    """The expression of paths `/bucket/key` as they are sent; None is any."""
    head = "/[^/]+" if bucket is None else f"/{of_value(bucket, raw=True, anything='[^/]*')}"
    if key is None:
        return f"{head}(?:/{ANYTHING})?"
    return head + (f"/{text(key[1:], raw=True)}" if key[:1] == "=" else _rooted(f"/{key}"))


def any_of(expressions: Iterable[str]) -> str:
    """One expression for several."""
    found = [*dict.fromkeys(expressions)]
    return found[0] if len(found) == 1 else f"(?:{'|'.join(found)})"


def of_query(name: str, patterns: Iterable[str]) -> str:
    """The expression of a parameter in a query as it is sent, with one of these patterns; without what stands around it."""
    values = (
        f"={of_value(each, raw=True, anything='[^&]*', blank='+')}" if each else "(?:=[^&]*)?"
        for each in patterns
    )
    return text(name, raw=True, blank="+") + any_of(values)
