"""Scenarios as plain data, in TOML and JSON, as text and in files."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from os import PathLike

from faultinject.exceptions import ConfigurationError
from faultinject.rules.abort import bound_text
from faultinject.rules.diagnosis import Diagnosis, owner
from faultinject.rules.files import parse_json, parse_toml, read_bytes
from faultinject.rules.printed_json import json_text
from faultinject.rules.rule import Rule, place_of, read_table
from faultinject.rules.spelling import bare
from faultinject.rules.values import Mistake, nearest, number_text, seed_text, shown

ScenarioParts = tuple[list[Rule], str | None, str | None]
"""Rules, seed and `abort`."""
Locate = Callable[[int | None, str], str]
"""Gives the place of a mistake, from a rule's index (None: not in a rule) and a key."""


KEYS = ("rules", "seed", "abort")
_PASSED_OVER = re.compile(
    r""""{3}(?:\\(?s:.)|(?!"{3})[^\\])*+"{3,5}|'{3}(?s:.*?)'{3,5}|("(?:\\.|[^"\\\n])*+"|'[^'\n]*')|#.*"""
)
"""Comments, and texts in triple quotes, which hold no table or key; as a group, other texts.

Other texts are matched, too, as a `#` in them begins no comment. A text in triple quotes must end exactly where TOML
ends it. If an escaped quote were taken for its end, later quotes would have no partner, and the search for the
partner of each would go through the rest of the text.
"""


def read_data(data: object, locate: Locate, diagnosis: Diagnosis) -> ScenarioParts:
    """Rules, seed and `abort` of plain data; mistakes go into `diagnosis`."""
    if not isinstance(data, dict):
        diagnosis.add('a scenario is a table with "rules" and perhaps "seed"', locate(None, ""))
        return [], None, None
    for key in data:
        if key not in KEYS:
            hint = nearest(key, KEYS) if key != "fault" else "; write [[rules]] above a rule, in JSON [{…}]"
            diagnosis.add(f"{shown(key)} is not a key of a scenario{hint}", locate(None, key))
    # `locate` scans the whole text, so it is called only for keys that exist.
    seed = diagnosis.read(seed_text, data["seed"], locate(None, "seed")) if "seed" in data else None
    abort = diagnosis.read(bound_text, data["abort"], locate(None, "abort")) if "abort" in data else None
    tables = data.get("rules", [])
    if not isinstance(tables, list):
        message = "rules is not a list of tables"
        if isinstance(tables, dict):
            message = "rules is one table, not a list of them; write [[rules]], in JSON [{…}]"
        diagnosis.add(message, locate(None, "rules"))
        return [], seed, abort
    rules = []
    for index, table in enumerate(tables):
        if not isinstance(table, dict):
            place = ": ".join(filter(None, (locate(index, ""), f"rules[{index}]")))
            diagnosis.add(f"{shown(repr(table))} is not a table with a fault", place)
        elif (rule := _rule(index, table, locate, diagnosis)) is not None:
            rules.append(rule)
    return rules, seed, abort


def _rule(index: int, table: Mapping[str, object], locate: Locate, diagnosis: Diagnosis) -> Rule | None:
    keys = dict(table)
    fault = keys.pop("fault", None)
    parts, mistakes = read_table(fault, keys, strict=True)
    if fault is None:
        mistakes[-1] = "", Mistake('there is no fault; a rule needs one, such as fault = "cos:SlowDown"')
    for key, mistake in mistakes:
        place = place_of(key, mistake)
        inside = f"rules[{index}].{place}" if place else f"rules[{index}]"
        diagnosis.note(mistake, ": ".join(filter(None, (locate(index, key), inside))))
    if parts is None:
        return None
    assert isinstance(fault, str)
    rule = Rule.of_parts(fault, parts)
    if rule.name is not None:
        inside, where = f"rules[{index}]", locate(index, "name")
        head = ": ".join(filter(None, (where, f"{inside}.name")))
        diagnosis.claim(rule.name, owner(inside, where), head)
    return rule


def read_json(text: str, where: str, diagnosis: Diagnosis) -> ScenarioParts:
    """Rules, seed and `abort` of a JSON text; mistakes go into `diagnosis`."""
    from json import JSONDecodeError

    try:
        data = parse_json(text, lambda twice: diagnosis.add(twice, where))
    except ConfigurationError:  # it has reached the limit of mistakes
        raise
    except RecursionError:
        diagnosis.add("nested too deeply", where)
    except JSONDecodeError as error:
        diagnosis.add(error.msg, f"{where}:{error.lineno}" if where else f"line {error.lineno}")
    except ValueError as error:
        diagnosis.add(str(error), where)
    else:
        return read_data(data, lambda _, __: where, diagnosis)
    return [], None, None


def to_json(rules: Sequence[Rule], seed: str | None, abort: str | None = None) -> str:
    """The JSON of a scenario; reading it gives an equal one."""
    data: dict[str, object] = {} if seed is None else {"seed": seed}
    if abort is not None:
        data["abort"] = abort
    return json_text({**data, "rules": [rule.to_dict() for rule in rules]}, 2) + "\n"


def read_toml(text: str, where: str, diagnosis: Diagnosis) -> ScenarioParts:
    """Rules, seed and `abort` of a TOML text; mistakes go into `diagnosis`, with file and line.

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
        if where.lower().endswith((".yaml", ".yml")):
            message += "; rules are TOML, or JSON in a file whose name ends in .json"
        line = place.removeprefix("line ").partition(",")[0]
        if not line.isdecimal():
            line = str(len(text.splitlines()) or 1) if place else ""
        diagnosis.add(message, ":".join(filter(None, (where, line))))
    else:
        return read_data(data, LineNumbers(text, where), diagnosis)
    return [], None, None


class LineNumbers:
    """Finds the line of a rule's key by scanning the text, as TOML parsers give no positions."""

    def __init__(self, text: str, where: str) -> None:
        self.text = text
        self.where = where
        self._known: dict[tuple[int | None, str], int] = {}

    def __call__(self, index: int | None, key: str) -> str:
        """The place, such as `rules.toml:7`; the file alone if the line is not found."""
        if not self.where:
            return ""
        if not self._known:
            self._look()
        words = _key(key).split(".")
        for count in range(len(words), -1, -1):
            line = self._known.get((index, ".".join(words[:count])))
            if line is not None:
                return f"{self.where}:{line}"
        line = self._known.get((None, "rules")) if index is not None else None
        return f"{self.where}:{line}" if line is not None else self.where

    def _look(self) -> None:
        index: int | None = None
        table = ""
        plain = _PASSED_OVER.sub(lambda match: match[1] or "\n" * match[0].count("\n"), self.text)
        for number, line in enumerate(plain.split("\n"), 1):
            text = line.strip()
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
                key = ".".join(filter(None, (table, _key(text.partition("=")[0]))))
                self._known.setdefault((index, key), number)


def _key(text: str) -> str:
    return text.strip().replace('"', "").replace("'", "").replace(" ", "").replace("_", "-")


def to_toml(rules: Sequence[Rule], seed: str | None, abort: str | None = None) -> str:
    """The TOML of a scenario; reading it gives an equal one."""
    settings = (("seed", seed), ("abort", abort))
    lines = [f"{key} = {_value(text)}" for key, text in settings if text is not None]
    lines += [""] if lines else []
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
        escaped = "".join(f"\\u{ord(sign):04x}" if sign < " " or sign == "\x7f" else sign for sign in escaped)
    return f'"{escaped}"'


def read_file(path: str | PathLike[str], diagnosis: Diagnosis, where: str = "") -> ScenarioParts:
    """Rules, seed and `abort` of a TOML file, or of a JSON file if its name ends in `.json`.

    Args:
        path: the file.
        diagnosis: gets the mistakes.
        where: the name of the file in messages; by default its path.
    """
    where = where or str(path)
    text = _text(path, where, diagnosis)
    if text is None:
        return [], None, None
    read = read_json if str(path).lower().endswith(".json") else read_toml
    return read(text, where, diagnosis)


def _text(path: str | PathLike[str], where: str, diagnosis: Diagnosis) -> str | None:
    data = b""
    try:
        data = read_bytes(path)
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        diagnosis.add(f"not UTF-8: byte 0x{data[error.start]:02x}", f"{where}:{line}")
    except FileNotFoundError:
        diagnosis.add("there is no such file", where)
    except IsADirectoryError:
        diagnosis.add("this is a directory, not a file", where)
    except OSError as error:
        reason = error.strerror or str(error)
        diagnosis.add(f"cannot be read: {reason[:1].lower()}{reason[1:]}", where)
    return None
