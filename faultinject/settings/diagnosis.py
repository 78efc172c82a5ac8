"""All mistakes of one configuration, gathered, so that they are told at once."""

from __future__ import annotations

from faultinject.core.values import visible
from faultinject.exceptions import ConfigurationError, Problem

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.core.values import Mistake

BEFORE, AFTER = 60, 40


class Diagnosis:
    """Mistakes found so far; `close` raises them, if any."""

    __slots__ = ("_problems", "_sorts")

    def __init__(self) -> None:
        self._problems: list[Problem] = []
        self._sorts: set[type[ConfigurationError]] = set()

    def __bool__(self) -> bool:
        return bool(self._problems)

    def add(
        self,
        message: str,
        where: str = "",
        excerpt: str = "",
        error: type[ConfigurationError] = ConfigurationError,
    ) -> None:
        """Note one mistake."""
        self._problems.append(Problem(message, where=where, excerpt=excerpt))
        self._sorts.add(error)

    def note(self, mistake: Mistake, where: str = "", excerpt: str = "") -> None:
        """Note a mistake in a key or value."""
        self.add(mistake.message, where, excerpt, mistake.error)

    def absorb(self, error: ConfigurationError, where: str = "") -> None:
        """Note the mistakes of another configuration, which stands at `where`."""
        for each in error.problems:
            place = ": ".join(filter(None, (where, each.where)))
            self._problems.append(Problem(each.message, where=place, excerpt=each.excerpt))
        self._sorts.add(type(error))

    def extend(self, other: Diagnosis) -> None:
        """Note all that another one holds."""
        self._problems += other._problems
        self._sorts |= other._sorts

    def close(self) -> None:
        """Raise all mistakes as one error, of their own sort when they have one sort."""
        if self._problems:
            sort = next(iter(self._sorts)) if len(self._sorts) == 1 else ConfigurationError
            raise sort(self._problems)


def excerpt(text: str, start: int, end: int) -> str:
    r"""The line of `text` that holds a mistake, and carets under it.

    >>> print(excerpt("cos:SlowDown,times=x", 19, 20))
      cos:SlowDown,times=x
                         ^
    """
    line_start = max(text.rfind("\n", 0, start), text.rfind("\r", 0, start)) + 1
    line_end = min((at for each in "\r\n" if (at := text.find(each, start)) >= 0), default=len(text))
    end = max(start + 1, min(end, line_end))
    left = max(line_start, start - BEFORE)
    right = min(line_end, max(end, start + 1) + AFTER, start + BEFORE + AFTER)
    before = ("…" if left > line_start else "") + visible(text[left:start])
    wrong = visible(text[start : min(end, right)])
    after = visible(text[min(end, right) : right]) + ("…" if right < line_end else "")
    return f"  {before}{wrong}{after}\n  {' ' * len(before)}{'^' * max(1, len(wrong))}"
