"""The canonical text of a rule's parts, with quotes only where they are needed."""

from __future__ import annotations

from collections.abc import Mapping

SEPARATORS = " \t\r\n;"
_NEED_QUOTES = frozenset(' \t\r\n,;"')


def bare(name: str, besides: str = "-_") -> bool:
    """Whether a name has only ASCII letters, digits and the characters of `besides`."""
    for sign in besides:
        name = name.replace(sign, "0")
    return name.isascii() and name.isalnum()


def quoted(text: str) -> str:
    """`text` in double quotes."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def value(text: str) -> str:
    """A value as it is written, in quotes only if it needs them."""
    return text if _NEED_QUOTES.isdisjoint(text) else quoted(text)


def key(full: str) -> str:
    """A key as it is written, with its NAME in quotes only if it needs them."""
    word, dot, name = full.partition(".")
    return full if not dot or bare(name, "-_.") else f"{word}.{quoted(name)}"


def conditions(parts: Mapping[str, tuple[str, ...]], prefix: str = "") -> str:
    """The conditions, each after a comma: `,method=PUT,method=POST`."""
    return "".join(f",{prefix}{key(name)}={value(text)}" for name, values in parts.items() for text in values)


def options(parts: Mapping[str, str]) -> str:
    """Triggers and effects, each after a comma: `,times=2,delay=1s`."""
    return "".join(
        f",{key(name)}={value(single)}" for name, text in parts.items() for single in texts(name, text)
    )


def texts(name: str, text: str) -> list[str]:
    """The values of a trigger or effect; only `of` may have several."""
    return text.split(",") if name == "of" else [text]
