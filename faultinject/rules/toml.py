"""Scenarios in TOML: `[[rules]]` tables and a `seed`."""

from __future__ import annotations

from faultinject.rules.data import read_data
from faultinject.rules.files import parse_toml
from faultinject.rules.spelling import bare
from faultinject.rules.values import number_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultinject.rules.diagnosis import Diagnosis
    from faultinject.rules.rule import Rule

# Strings, comments, and what arrays and tables are made of.
TOKENS = r'''"""(?:\\.|[^\\])*?"""|\'{3}.*?\'{3}|"(?:\\.|[^"\\])*"|'[^']*'|#[^\n]*|[][{},\n]'''


def read_toml(text: str, where: str, diagnosis: Diagnosis) -> tuple[list[Rule], str | None]:
    """The rules and the seed of a TOML text; mistakes go into `diagnosis`, with file and line.

    Args:
        text: the TOML.
        where: the file's name, for messages.
        diagnosis: gets the mistakes.
    """
    try:
        data = parse_toml(text)
    except RecursionError:
        diagnosis.add("nested too deeply", where)
    except ValueError as error:
        message, _, place = str(error).partition(" (at ")
        if "('rules',)" in message:
            message += "; write [[rules]] for each rule"
        line = place.removeprefix("line ").partition(",")[0]
        if not line.isdecimal():
            line = str(len(text.splitlines()) or 1) if place else ""
        diagnosis.add(message, ":".join(filter(None, (where, line))))
    else:
        return read_data(data, Lines(text, where), diagnosis)
    return [], None


class Lines:
    """Finds the line of a rule's key by a light look at the text: the parser tells no positions."""

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.where = where
        self._known: dict[tuple[int | None, str], int] = {}

    def __call__(self, index: int | None, key: str) -> str:
        """`rules.toml:7`; the file alone when the line is not found."""
        if not self.where:
            return ""
        if not self._known:
            self._look()
        words = key.replace("_", "-").replace('"', "").split(".")
        for count in range(len(words), -1, -1):
            line = self._known.get((index, ".".join(words[:count])))
            if line is not None:
                return f"{self.where}:{line}"
        line = self._known.get((None, "rules")) if index is not None else None
        return f"{self.where}:{line}" if line is not None else self.where

    def _look(self) -> None:
        index: int | None = None
        table = ""
        inside = ""
        for number, line in enumerate(self.text.split("\n"), 1):
            text = line.strip()
            if inside:
                inside = "" if text.count(inside) % 2 else inside
                continue
            if text[:1] == "#":
                continue
            if text[:1] == "[":
                header = _key(text.strip("[").partition("]")[0])
                if text[:2] == "[[" and header == "rules":
                    index = 0 if index is None else index + 1
                    table = ""
                    self._known[index, ""] = number
                else:
                    table = header.partition(".")[2]
                    self._known.setdefault((index, table), number)
            elif "=" in text:
                name, _, value = text.partition("=")
                key = ".".join(filter(None, (table, _key(name))))
                self._known.setdefault((index, key), number)
                if (index, key) == (None, "rules") and value.strip()[:1] == "[":
                    self._look_into(number)
            for quotes in ('"""', "'''"):
                if text.count(quotes) % 2:
                    inside = quotes

    def _look_into(self, number: int) -> None:
        """Find where each table begins of an array that begins in this line."""
        from re import DOTALL, finditer

        start = sum(len(line) + 1 for line in self.text.split("\n")[: number - 1])
        index = depth = 0
        for match in finditer(TOKENS, self.text[start:], DOTALL):  # pragma: no branch - it ends
            sign = match[0]
            if sign in "[{":
                if depth == 1:
                    self._known[index, ""] = number
                depth += 1
            elif sign in "]}":
                depth -= 1
                if not depth:
                    return
            elif sign == ",":
                index += depth == 1
            number += sign.count("\n")


def _key(text: str) -> str:
    return text.strip().replace('"', "").replace("'", "").replace(" ", "").replace("_", "-")


def to_toml(rules: Sequence[Rule], seed: str | None) -> str:
    """The TOML of a scenario; reading it gives an equal one."""
    lines = [] if seed is None else [f"seed = {_value(seed)}", ""]
    for rule in rules:
        lines.append("[[rules]]")
        lines += _lines("", rule.to_dict())
        lines.append("")
    return "\n".join(lines)


def _lines(prefix: str, table: Mapping[str, object]) -> list[str]:
    lines = []
    for name, value in table.items():
        key = prefix + (name if bare(name) else _string(name))
        lines += _lines(f"{key}.", value) if isinstance(value, dict) else [f"{key} = {_value(value)}"]
    return lines


def _value(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return number_text(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_value, value))}]"
    return _string(str(value))


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    if not escaped.isprintable():
        escaped = "".join(f"\\u{ord(each):04x}" if each < " " or each == "\x7f" else each for each in escaped)
    return f'"{escaped}"'
