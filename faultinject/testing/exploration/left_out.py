"""What an exploration does not try: named, with the reason, and with the argument that brings it back."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from faultinject.testing.exploration.wording import Wording

NAMED = 3
"""How many things that are left out for one reason a single line names."""


class LeftOut:
    """Something that is not tried.

    Args:
        what: a fault, a request, or both.
        why: the reason.
        back: what the argument `exhaustive` does about it; empty where no argument brings it back.
    """

    def __init__(self, what: str, why: str, back: str = "") -> None:
        self.what = what
        self.why = why
        self.back = back

    def reason(self, wording: Wording) -> str:
        """Why, and what brings it back."""
        return f"{self.why}; {wording.exhaustive} {self.back}" if self.back else self.why

    def said(self, wording: Wording) -> str:
        """All of it."""
        return f"{self.what} ({self.reason(wording)})"


def in_one_line(all_of_it: Iterable[LeftOut], wording: Wording) -> str:
    """All of it, with each reason once."""
    return "; ".join(_parts(all_of_it, wording))


def _parts(all_of_it: Iterable[LeftOut], wording: Wording) -> Iterator[str]:
    alike: dict[str, list[str]] = {}
    for each in all_of_it:
        alike.setdefault(each.reason(wording), []).append(each.what)
    for reason, things in alike.items():
        more = f" and {len(things) - NAMED} more" if things[NAMED:] else ""
        yield f"{', '.join(things[:NAMED])}{more} ({reason})"
