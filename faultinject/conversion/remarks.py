"""What is told of a conversion: what was left out, what became something else, what has nothing to do with faults."""

from __future__ import annotations

from dataclasses import dataclass

from faultinject.rules.values import shown, visible

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
