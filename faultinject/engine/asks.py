"""What the engine asks of the outside while it decides; the set is small and closed.

An adapter answers asks while it drives `Plan.run`, at once or awaited.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Protocol

    # One (rule, scope, identity, above) a rule that matched; answered with one Number each.
    MatchKey = tuple[int, str, str, tuple[int, float] | None]
    # The number in the rule's scope; that of this identity, below 0 where no decision depends on it, and so nothing was
    # counted and nothing is held; whether the rate is exceeded.
    Number = tuple[int, int, bool]


class Match:
    """Ask: count these matches, each in one atomic step; the answer is a `Number` for each.

    Attributes:
        keys: what is counted.
        now: the injector's clock in seconds, for rates.
        hold: takes may follow, so shared counts are kept from others until one succeeds or `Release` is asked.
        enough: for each rule after how many takes nothing depends on its numbers; None where that is not so of all.
    """

    __slots__ = ("enough", "hold", "keys", "now")

    def __init__(
        self, keys: list[MatchKey], now: float, hold: bool = False, enough: list[int] | None = None
    ) -> None:
        self.keys = keys
        self.now = now
        self.hold = hold
        self.enough = enough


class Take:
    """Ask: may this rule inject once more? Never more than `times` in its scope; the answer is yes or no."""

    __slots__ = ("rule", "scope", "times")

    def __init__(self, rule: int, scope: str, times: int) -> None:
        self.rule = rule
        self.scope = scope
        self.times = times


class GiveBack:
    """Ask: undo a take that could not be carried out; the answer is of no interest."""

    __slots__ = ("take",)

    def __init__(self, take: Take) -> None:
        self.take = take


class Release:
    """Ask: let others have the counts that a match has kept from them; the answer is of no interest."""

    __slots__ = ()


RELEASE = Release()


if TYPE_CHECKING:
    Ask = Match | Take | GiveBack | Release

    class Counts(Protocol):
        """Where a scenario's counts live."""

        @property
        def holds(self) -> bool:
            """Whether others may be kept from these counts between a match and its takes."""
            ...

        @property
        def shared(self) -> SharedNotes | None:
            """What is noted besides where other processes count there, too; else None."""
            ...

        def match(
            self,
            keys: Sequence[MatchKey],
            now: float,
            hold: bool = False,
            enough: Sequence[int] | None = None,
        ) -> list[Number]:
            """Count a request against these rules."""

        def take(self, ask: Take, held: bool = False) -> bool:
            """Whether the rule may inject once more."""

        def release(self) -> None:
            """Let others have what `match` has kept from them."""

        def give_back(self, ask: Take) -> None:
            """Undo a take."""

        def matched(self, rule: int) -> int:
            """How many requests the rule's conditions met."""

    class SharedNotes(Protocol):
        """What the processes of one store tell each other; a lock of theirs is held once a request."""

        def note_injected(self, rule: int) -> None:
            """A fault of the rule was decided on."""

        def note_undone(self, rule: int) -> None:
            """It was not carried out."""

        def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
            """For each rule how many requests met its conditions, got its fault, and could not be decided."""
