"""Gathers all mistakes of one configuration, and reports them together."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from faultinject.exceptions import ConfigurationError, Problem
from faultinject.rules.values import Mistake, visible

T = TypeVar("T")
R = TypeVar("R")

BEFORE, AFTER = 60, 40
MOST = 20
"""The most mistakes that are reported.

Nobody reads more, and it takes time to find the nearest valid word for each.
"""


@dataclass(slots=True, eq=False, repr=False)
class Diagnosis:
    """The mistakes of one configuration; `close` raises them, and so does the last of `MOST`."""

    _owners: dict[str, str] = field(default_factory=dict)
    _problems: list[Problem] = field(default_factory=list)
    _sorts: set[type[ConfigurationError]] = field(default_factory=set)

    def __len__(self) -> int:
        return len(self._problems)

    def add(
        self,
        message: str,
        where: str = "",
        excerpt: str = "",
        error: type[ConfigurationError] = ConfigurationError,
    ) -> None:
        """Note one mistake; after `MOST` of them, raise all.

        Raises:
            ConfigurationError: all mistakes, if this is number `MOST`.
        """
        self._problems.append(Problem(message, where=where, excerpt=excerpt))
        self._sorts.add(error)
        if len(self._problems) == MOST:
            self._problems.append(Problem(f"these are the first {MOST} mistakes; there may be more"))
            self.close()

    def note(self, mistake: Mistake, where: str = "", excerpt: str = "") -> None:
        """Note a mistake in a key or value."""
        self.add(mistake.message, where, excerpt, mistake.error)

    def read(self, read: Callable[[T], R], value: T, where: str) -> R | None:
        """Read a value; a `Mistake` is noted, and the result is None."""
        try:
            return read(value)
        except Mistake as mistake:
            self.note(mistake, where)
            return None

    def claim(self, name: str, owner: str, where: str, excerpt: str = "") -> None:
        """Claim a name for a rule, as names must be unique.

        Args:
            name: the name.
            owner: the rule, for a message about another rule with the same name.
            where: the place of the name.
            excerpt: the text at that place.
        """
        if name in self._owners:
            first = self._owners[name] or "another rule"
            self.add(f"{name} is already the name of {first}; names must be unique", where, excerpt)
        else:
            self._owners[name] = owner

    def has_claimed(self, name: str | None) -> bool:
        """Whether a rule has this name."""
        return name in self._owners

    def close(self) -> None:
        """Raise all mistakes as one error, of their own class if all have the same."""
        if self._problems:
            sort = next(iter(self._sorts)) if len(self._sorts) == 1 else ConfigurationError
            raise sort(self._problems)


def owner(inside: str, where: str) -> str:
    """A rule's name in messages about other rules: `rule 1 (FAULTINJECT_RULES)`."""
    return f"{inside} ({where})" if inside and where else inside or where


def excerpt(text: str, start: int, end: int) -> str:
    r"""The line of `text` that contains a mistake, and carets below the mistake.

    >>> print(excerpt("cos:SlowDown,times=x", 19, 20))
      cos:SlowDown,times=x
                         ^
    """
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    line_end = min(
        (at for line_break in "\r\n" if (at := text.find(line_break, start)) >= 0), default=len(text)
    )
    end = max(start + 1, min(end, line_end))
    left = max(line_start, start - BEFORE)
    right = min(line_end, max(end, start + 1) + AFTER, start + BEFORE + AFTER)
    shown_before = ("…" if left > line_start else "") + visible(text[left:start])
    shown_mistake = visible(text[start : min(end, right)])
    shown_after = visible(text[min(end, right) : right]) + ("…" if right < line_end else "")
    carets = " " * len(shown_before) + "^" * max(1, len(shown_mistake))
    return f"  {shown_before}{shown_mistake}{shown_after}\n  {carets}"
