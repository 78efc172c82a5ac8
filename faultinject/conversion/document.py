"""Reads the document of another tool, and collects the remarks and rules made of it.

Each part of the document that no rule expresses gets a remark.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, NoReturn

from msgspec import Meta, ValidationError, convert

from faultinject.exceptions import ConfigurationError, Problem
from faultinject.rules.files import parse_json, read_bytes, read_within
from faultinject.rules.rule import Rule
from faultinject.rules.values import duration_text, is_name, nearest, shown, visible

LEFT_OUT, CHANGED, UNUSED = "left out", "changed", "unused"
"""The kinds of remarks.

Left out: no rule can express it. Changed: the rule has another meaning. Unused: it has no effect, or nothing to do with
faults, such as a description.
"""
LONGEST_PLACE = 200


@dataclass(frozen=True)
class Remark:
    """One difference between the original and the rules.

    Attributes:
        kind: `left out`, `changed` (the rule has another meaning) or `unused` (it has nothing to do with faults).
        where: The file and the place in it, or a rule and its key.
        why: The reason.
    """

    kind: str
    where: str
    why: str

    def __str__(self) -> str:
        return f"{self.where}: {self.kind}: {self.why}"


class Remarks:
    """All remarks of one conversion, in order.

    Attributes:
        entries: the remarks.
    """

    def __init__(self) -> None:
        self.entries: list[Remark] = []

    def leave_out(self, where: str, why: str) -> None:
        """Report a part that no rule can express."""
        self._add(LEFT_OUT, where, why)

    def change(self, where: str, why: str) -> None:
        """Report a part that has another meaning as a rule."""
        self._add(CHANGED, where, why)

    def unused(self, where: str, why: str = "it has nothing to do with faults") -> None:
        """Report a part that has no effect, or nothing to do with faults."""
        self._add(UNUSED, where, why)

    @property
    def complete(self) -> bool:
        """Whether nothing was left out."""
        return all(remark.kind != LEFT_OUT for remark in self.entries)

    def _add(self, kind: str, where: str, why: str) -> None:
        self.entries.append(Remark(kind, shown(where, LONGEST_PLACE), visible(why)))


LARGEST = 16 << 20
"""The maximum size of a document in bytes."""


def read_document(path: str, remarks: Remarks) -> DocumentValue:
    """The value of a JSON file; `-` is the standard input.

    Raises:
        OSError: the file cannot be read, or is larger than `LARGEST`.
        ConfigurationError: it is not JSON; the message has line and column.
    """
    if path == "-":
        where = "standard input"
        data = read_within(sys.stdin.buffer, LARGEST, where)
    else:
        where, data = path, read_bytes(path, LARGEST)
    return DocumentValue(_parse(data, where), where, "", remarks)


def _parse(data: bytes, where: str) -> object:
    def refuse(twice: str) -> None:
        raise _wrong(where, twice)

    try:
        return parse_json(data.decode("utf-8-sig"), refuse)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _wrong(f"{where}:{line}", f"not UTF-8: byte 0x{data[error.start]:02x}") from None
    except json.JSONDecodeError as error:
        raise _wrong(f"{where}:{error.lineno}:{error.colno}", f"no JSON: {error.msg}") from None
    except RecursionError:
        raise _wrong(where, "nested too deeply") from None
    except ValueError as error:  # a number with too many digits, or one that JSON does not have
        raise _wrong(where, str(error)) from None


def _wrong(where: str, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(message, where=where)])


class ValueType(NamedTuple):
    """The required type of a value.

    Attributes:
        type: the type to which msgspec converts the value; a text that is a number becomes one.
        name: its name in the error message.
    """

    type: Any
    name: str


LARGE = 1e12
ANY = ValueType(Any, "")
TEXT = ValueType(str, "a text")
FLAG = ValueType(bool, "true or false")
OBJECT = ValueType(dict[str, Any], "an object")
OBJECTS = ValueType(list[dict[str, Any]], "a list of objects")
NUMBER = ValueType(Annotated[float, Meta(ge=0, le=LARGE)], "a number from 0 to 1e12")
SHARE = ValueType(Annotated[float, Meta(ge=0, le=1)], "a number from 0 to 1")


class DocumentValue:
    """A value of a document; `report_unread` reports the keys of an object that were not read.

    Args:
        value: the value of JSON.
        file: the name of the document.
        path: its place in the document, such as `proxies[0].name`; empty for the whole document.
        remarks: the remarks.
    """

    def __init__(self, value: Any, file: str, path: str, remarks: Remarks) -> None:
        self.value = value
        self.file = file
        self.path = path
        self.remarks = remarks
        self._unread = dict.fromkeys(value) if isinstance(value, dict) else {}

    @property
    def where(self) -> str:
        """File and path."""
        return f"{self.file}: {self.path}" if self.path else self.file

    def refuse(self, message: str) -> NoReturn:
        """Raise an error with the place of the value.

        Raises:
            ConfigurationError: always.
        """
        raise _wrong(self.where, message)

    def leave_out(self, why: str) -> None:
        """Report that no rule can express the value."""
        self.remarks.leave_out(self.where, why)

    def change(self, why: str) -> None:
        """Report that the value has another meaning as a rule."""
        self.remarks.change(self.where, why)

    def child(self, key: str, kind: ValueType) -> DocumentValue | None:
        """The value of a key; None if it is missing or null.

        Raises:
            ConfigurationError: it has another type.
        """
        self._unread.pop(key, None)
        value = self.value.get(key)
        if value is None:
            return None
        node = self._at(key, value)
        try:
            node.value = convert(value, kind.type, strict=False)
        except ValidationError:
            node.refuse(f"{shown(json.dumps(value))} is not {kind.name}")
        return node

    def take(self, key: str, kind: ValueType, default: Any = None) -> Any:
        """The value of a key, without its place; the default if it is missing."""
        node = self.child(key, kind)
        return default if node is None else node.value

    def need(self, key: str, kind: ValueType) -> DocumentValue:
        """The value of a key.

        Raises:
            ConfigurationError: it is missing, or has another type.
        """
        node = self.child(key, kind)
        if node is None:
            self.refuse(f"there is no {key}{nearest(key, self._unread)}")
        return node

    def entries(self, key: str, kind: ValueType) -> list[tuple[str, DocumentValue]]:
        """The names and values of an object; none if it is missing."""
        node = self.child(key, OBJECT)
        return [] if node is None else [(name, node.need(name, kind)) for name in node.value]

    def rows(self) -> list[DocumentValue]:
        """The entries of a list."""
        return [
            DocumentValue(entry, self.file, f"{self.path}[{index}]", self.remarks)
            for index, entry in enumerate(self.value)
        ]

    def unused(self, *keys: str) -> None:
        """Report keys that have nothing to do with faults."""
        for key in keys:
            if (node := self.child(key, ANY)) is not None:
                self.remarks.unused(node.where)

    def report_unread(self, why: str) -> bool:
        """Report every key that was not read, and return whether there is one."""
        unread, self._unread = self._unread, {}
        for key in unread:
            self._at(key, None).leave_out(why)
        return bool(unread)

    def _at(self, key: str, value: object) -> DocumentValue:
        return DocumentValue(value, self.file, f"{self.path}.{key}" if self.path else key, self.remarks)


LONGEST_NAME = 60
HOUR = 3600.0
"""The longest wait of a rule in seconds."""


class Rules:
    """The rules of one conversion.

    Attributes:
        made: the rules.
        places: the places of the values from which they were made.
    """

    def __init__(self) -> None:
        self.made: list[Rule] = []
        self.places: list[str] = []
        self._names: set[str] = set()

    def add(self, node: DocumentValue, fault: str, name: str = "", **keys: Any) -> Rule | None:
        """Add a rule; if it is invalid, report that and return None.

        Args:
            node: the value that the rule is made of.
            fault: its fault.
            name: its name, unless another rule has it; characters that no name may have are replaced.
            keys: the keys of `Rule`; those with None are left out.
        """
        given_keys = {key: value for key, value in keys.items() if value is not None}
        try:
            rule = Rule(fault, **given_keys)
        except ConfigurationError as error:
            node.leave_out(error.problems[0].message)
            return None
        free_name = self._free_name(name)
        if free_name:
            rule = rule.named(free_name)
        self.made.append(rule)
        self.places.append(node.where)
        return rule

    def _free_name(self, text: str) -> str:
        slug = re.sub("[^A-Za-z0-9._-]", "-", text).strip("._-")[:LONGEST_NAME]
        if not is_name(slug) or slug in self._names:
            return ""
        self._names.add(slug)
        return slug


def literal(text: str) -> str:
    """A pattern that only this text matches."""
    return f"={text}" if text[:1] == "=" or "*" in text else text


def literal_path(text: str) -> str:
    """A pattern that only this path matches; a slash at its end would mean all paths below."""
    return f"={text}" if text[-1:] == "/" or {*"*?"} & {*text} else literal(text)


def milliseconds(node: DocumentValue, number: float) -> str:
    """A number of milliseconds as a duration; more than an hour is cut to one, and reported."""
    if number > HOUR * 1000:
        node.change("a rule waits an hour at most")
    return duration_text(min(number / 1000, HOUR))
