"""Another tool's document, read with remarks on what no rule says, and the rules that are made of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

from faultinject.exceptions import ConfigurationError, Problem
from faultinject.rules.files import parse_json, read_bytes, read_within
from faultinject.rules.rule import Rule
from faultinject.rules.values import duration_text, is_name, listed, nearest, shown, visible

LEFT_OUT, CHANGED, UNUSED = "left out", "changed", "unused"
KINDS = (LEFT_OUT, CHANGED, UNUSED)
"""It could not be said; it is said, and means something else; it has nothing to do with faults, such as a description, or no effect."""
LONGEST_PLACE = 200


@dataclass(frozen=True)
class Remark:
    """One thing that is not there word for word.

    Attributes:
        kind: `left out`, `changed` (it means something else) or `unused` (it has nothing to do with faults).
        where: The file and the place in it, or a rule and its key.
        why: Why, in words.
    """

    kind: str
    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}: {self.why}"


class Remarks:
    """All of one conversion, in order.

    Attributes:
        found: them.
    """

    def __init__(self) -> None:
        self.found: list[Remark] = []

    def leave_out(self, where: str, why: str) -> None:
        """It cannot be said."""
        self._add(LEFT_OUT, where, why)

    def change(self, where: str, why: str) -> None:
        """It is said, and means something else."""
        self._add(CHANGED, where, why)

    def unused(self, where: str, why: str = "it has nothing to do with faults") -> None:
        """It has nothing to do with faults, or no effect."""
        self._add(UNUSED, where, why)

    @property
    def complete(self) -> bool:
        """Whether nothing was left out."""
        return all(each.kind != LEFT_OUT for each in self.found)

    def _add(self, kind: str, where: str, why: str) -> None:
        self.found.append(Remark(kind, shown(where, LONGEST_PLACE), visible(why)))


LARGEST = 16 << 20
"""Bytes of a document."""


def read_document(path: str, remarks: Remarks) -> Node:
    """The value of a JSON file; `-` is the standard input.

    Raises:
        OSError: it cannot be read, or is larger than `LARGEST`.
        ConfigurationError: it is no JSON, with line and column.
    """
    if path == "-":
        where = "standard input"
        data = read_within(sys.stdin.buffer, LARGEST, where)
    else:
        where, data = path, read_bytes(path, LARGEST)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _wrong(f"{where}:{line}", f"not UTF-8: byte 0x{data[error.start]:02x}") from None
    return Node(_parse(text, where), where, "", remarks)


def _parse(text: str, where: str) -> object:
    def refuse(twice: str) -> None:
        raise _wrong(where, twice)

    try:
        return parse_json(text, refuse)
    except json.JSONDecodeError as error:
        raise _wrong(f"{where}:{error.lineno}:{error.colno}", f"no JSON: {error.msg}") from None
    except RecursionError:
        raise _wrong(where, "nested too deeply") from None
    except ValueError as error:
        raise _wrong(where, str(error)) from None


def _wrong(where: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(message, where=where)])


class Node:
    """One value of a document.

    Args:
        value: of JSON.
        file: what the document is called.
        path: its place there: `proxies[0].name`; empty: the whole.
        remarks: what is told.
    """

    def __init__(self, value: Any, file: str, path: str, remarks: Remarks) -> None:
        self.value = value
        self.file = file
        self.path = path
        self.remarks = remarks

    @property
    def where(self) -> str:
        """File and path."""
        return f"{self.file}: {self.path}" if self.path else self.file

    def refuse(self, message: str) -> NoReturn:
        """Stop, with the place.

        Raises:
            ConfigurationError: always.
        """
        raise _wrong(self.where, message)

    def leave_out(self, why: str) -> None:
        """It cannot be said."""
        self.remarks.leave_out(self.where, why)

    def change(self, why: str) -> None:
        """It is said, and means something else."""
        self.remarks.change(self.where, why)

    def table(self) -> Table:
        """Its keys.

        Raises:
            ConfigurationError: it is no object.
        """
        if not isinstance(self.value, dict):
            self.refuse(f"{shown(json.dumps(self.value))} is not an object")
        return Table(self)

    def rows(self) -> list[Node]:
        """What is in the list.

        Raises:
            ConfigurationError: it is none.
        """
        if not isinstance(self.value, list):
            self.refuse(f"{shown(json.dumps(self.value))} is not a list")
        return [
            Node(each, self.file, f"{self.path}[{index}]", self.remarks)
            for index, each in enumerate(self.value)
        ]

    def text(self, known: Iterable[str] = ()) -> str:
        """A text, one of those that are known where there are such.

        Raises:
            ConfigurationError: it is none.
        """
        if not isinstance(self.value, str):
            self.refuse(f"{shown(json.dumps(self.value))} is not a text")
        words = [*known]
        if words and self.value not in words:
            meant = nearest(self.value, words) or f"; there are {listed(words, 'and')}"
            self.refuse(f"{shown(self.value)} is none that is known{meant}")
        return self.value

    def number(self, low: float = 0, high: float = sys.float_info.max) -> float:
        """A number within bounds; one in a text is one too.

        Raises:
            ConfigurationError: it is none.
        """
        value = self.value
        if isinstance(value, str):
            with suppress(ValueError):
                value = float(value)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.refuse(f"{shown(json.dumps(self.value))} is not a number")
        if not low <= value <= high:
            bounds = f"{low:g} or more" if high == sys.float_info.max else f"from {low:g} to {high:g}"
            self.refuse(f"{shown(json.dumps(self.value))} is not {bounds}")
        return value

    def flag(self) -> bool:
        """Yes or no.

        Raises:
            ConfigurationError: it is neither.
        """
        if not isinstance(self.value, bool):
            self.refuse(f"{shown(json.dumps(self.value))} is not true or false")
        return self.value


class Table:
    """The keys of an object: each is taken, or told of by `rest`.

    Attributes:
        node: the object.
    """

    def __init__(self, node: Node) -> None:
        self.node = node
        self._left = dict.fromkeys(node.value)

    def __contains__(self, key: str) -> bool:
        return key in self.node.value

    def __iter__(self) -> Iterator[str]:
        return iter(self.node.value)

    def take(self, key: str) -> Node | None:
        """The value of a key; null is none."""
        self._left.pop(key, None)
        value = self.node.value.get(key)
        return None if value is None else self._at(key, value)

    def text(self, key: str, default: str = "", known: Iterable[str] = ()) -> str:
        """A text, as `Node.text` reads it; the default where it is not there."""
        found = self.take(key)
        return default if found is None else found.text(known)

    def number(
        self, key: str, default: float = 0.0, low: float = 0, high: float = sys.float_info.max
    ) -> float:
        """A number within bounds; the default where it is not there."""
        found = self.take(key)
        return default if found is None else found.number(low, high)

    def flag(self, key: str, *, default: bool = False) -> bool:
        """Yes or no; the default where it is not there."""
        found = self.take(key)
        return default if found is None else found.flag()

    def rows(self, key: str) -> list[Node]:
        """What is in a list; nothing where it is not there."""
        found = self.take(key)
        return [] if found is None else found.rows()

    def items(self, key: str) -> list[tuple[str, Node]]:
        """Names and values of an object, of which null is none; nothing where it is not there."""
        found = self.take(key)
        inner = None if found is None else found.table()
        return [] if inner is None else [(name, inner.need(name)) for name in inner]

    def need(self, key: str) -> Node:
        """The value of a key.

        Raises:
            ConfigurationError: it is not there.
        """
        found = self.take(key)
        if found is None:
            self.node.refuse(f"there is no {key}{nearest(key, self._left)}")
        return found

    def unused(self, *keys: str) -> None:
        """Keys that have nothing to do with faults."""
        for key in keys:
            found = self.take(key)
            if found is not None:
                self.node.remarks.unused(found.where)

    def rest(self, why: str) -> bool:
        """Tell of every key that was not taken; whether there was one."""
        left = [*self._left]
        for key in left:
            self._at(key, self.node.value[key]).leave_out(why)
            del self._left[key]
        return bool(left)

    def _at(self, key: str, value: object) -> Node:
        path = f"{self.node.path}.{key}" if self.node.path else key
        return Node(value, self.node.file, path, self.node.remarks)


LONGEST_NAME = 60
HOUR = 3600.0
"""The longest wait of a rule, seconds."""


class Rules:
    """The rules of one conversion.

    Attributes:
        made: them.
        places: of each what it is made of.
    """

    def __init__(self) -> None:
        self.made: list[Rule] = []
        self.places: list[str] = []
        self._names: set[str] = set()

    def add(self, node: Node, fault: str, name: str = "", **keys: Any) -> Rule | None:
        """Another rule; None where its values are none of a rule, which is told.

        Args:
            node: what it is made of.
            fault: its fault.
            name: what it may be called; made one if it is none.
            keys: as of `Rule`; None is not given.
        """
        given = {key: value for key, value in keys.items() if value is not None}
        try:
            rule = Rule(fault, **given)
        except ConfigurationError as error:
            node.leave_out(error.problems[0].message)
            return None
        called = self._name(name)
        if called:
            rule = rule.named(called)
        self.made.append(rule)
        self.places.append(node.where)
        return rule

    def _name(self, text: str) -> str:
        slug = "".join(each if each.isascii() and (each.isalnum() or each in "._-") else "-" for each in text)
        slug = slug.strip("._-")[:LONGEST_NAME]
        if not is_name(slug):
            return ""
        found, number = slug, 1
        while found in self._names:
            number += 1
            found = f"{slug}-{number}"
        self._names.add(found)
        return found


def literal(text: str) -> str:
    """A pattern that means this text and no other."""
    return f"={text}" if text[:1] == "=" or "*" in text else text


def literal_path(text: str) -> str:
    """A pattern of paths that means this one and no other: one that ends in a slash would mean all below it."""
    return f"={text}" if text[-1:] == "/" or {*"*?"} & {*text} else literal(text)


def milliseconds(node: Node, number: float) -> str:
    """So many as the duration of a rule; one above an hour is told of, and becomes an hour."""
    if number > HOUR * 1000:
        node.change("a rule waits an hour at most")
    return duration_text(min(number / 1000, HOUR))
