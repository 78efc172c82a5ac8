"""Rules made of what another tool says: with names of their own, and what no rule can be is told."""

from __future__ import annotations

from faultinject.exceptions import ConfigurationError
from faultinject.rules.rule import Rule
from faultinject.rules.values import duration_text, is_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from faultinject.conversion.document import Node

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
