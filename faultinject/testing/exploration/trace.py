"""The requests of a run, as rows for people."""

from __future__ import annotations

import re

from faultinject.engine.journal_entry import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from faultinject.engine.journal_entry import Outcome

# Ids of uploads and the like.
_LONG = re.compile(r"[0-9A-Za-z]{25,}")
LONGEST = 90
"""Characters of a request that are shown."""
ENDS, AROUND = 8, 4
"""Rows that are shown of a long run: at its beginning and end, and before and after each fault."""


class _Row:
    """Requests that follow each other and are alike."""

    def __init__(self, number: int, outcome: Outcome) -> None:
        self.first = self.last = number
        self.operation = outcome.operation or "-"
        line = f"{outcome.method} {outcome.path}{'?' if outcome.query else ''}{outcome.query}"
        self._asked = line, outcome.status
        line = _LONG.sub(lambda found: f"{found[0][:8]}…", line)
        line = quoted(line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…")
        self.request = f"{outcome.status} {line}" if outcome.status else line
        self.mark = ""
        if outcome.injected:
            after = " after the store had done it" if outcome.when == "after" else ""
            self.mark = f"  <- {outcome.fault}{after}"

    def same(self, other: _Row) -> bool:
        """Whether the other one says the same."""
        return (self.operation, self._asked, self.mark) == (other.operation, other._asked, other.mark)


def rows(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """A line for each request; requests alike in a row are one line."""
    found = _folded(outcomes)
    width = len(str(len(outcomes)))
    names = max((len(each.operation) for each in found), default=0)
    left_out = 0
    for place, row in enumerate(found):
        if not _shown(found, place):
            left_out += 1
            continue
        if left_out:
            yield f"    … {left_out} more …"
            left_out = 0
        again = row.last - row.first
        more = f"  and {_times(again)} more, to {row.last}" if again else ""
        yield f"    {row.first:>{width}} {row.operation:<{names}}  {row.request}{row.mark}{more}"


def _folded(outcomes: Sequence[Outcome]) -> list[_Row]:
    found: list[_Row] = []
    for number, outcome in enumerate(outcomes, 1):
        row = _Row(number, outcome)
        if found and found[-1].same(row):
            found[-1].last = number
        else:
            found.append(row)
    return found


def _shown(found: Sequence[_Row], place: int) -> bool:
    if len(found) <= 2 * ENDS + AROUND or place < ENDS or place >= len(found) - ENDS:
        return True
    return any(each.mark for each in found[place - AROUND : place + AROUND + 1])


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"
