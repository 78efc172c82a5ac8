"""What came of one run, also of a program that was killed at a request, or told an error, and was run again."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from faultinject.journal.call_window import CallWindow
    from faultinject.journal.outcome import Outcome
    from faultinject.testing.exploration.programs import ProgramFailed
    from faultinject.testing.exploration.store_comparison import StoreContents

SECOND = "the second run: "
"""What the failure of a second run begins with."""


class Aftermath:
    """What came of a program that was run again, or ended, and what a store held meanwhile.

    Attributes:
        first: how many of the run's requests are of the first run of the program; None: all.
        killed: whether the first was killed.
        alive: whether something of it went on all the same.
        failed: whether the first told an error, and was run again because of that.
        before: what the store held when the program was started; None: nobody can tell.
        between: when the first run was over.
        after: when the second was; as `between` where there was none.
        again: how the second run failed, or None.
    """

    def __init__(self) -> None:
        self.first: int | None = None
        self.killed = self.alive = self.failed = False
        self.before: StoreContents | None = None
        self.between: StoreContents | None = None
        self.after: StoreContents | None = None
        self.again: ProgramFailed | None = None


class RunResult:
    """What came of one run.

    Attributes:
        names: what the rules of its scenario are called in the outcomes.
        outcomes: its requests, in order.
        error: what the code under test raised, or None.
        seconds: how long it took.
        windows: the calls that it named.
        aftermath: what a store held, and what came of a program that was run again; None: nobody can tell.
    """

    def __init__(
        self,
        names: Sequence[str],
        outcomes: Sequence[Outcome],
        error: BaseException | None,
        seconds: float,
        windows: Sequence[CallWindow] = (),
        aftermath: Aftermath | None = None,
    ) -> None:
        self.names = names
        self.outcomes = outcomes
        self.error = error
        self.seconds = seconds
        self.windows = windows
        self.aftermath = aftermath

    def told_an_error(self, passing: Collection[int]) -> bool:
        """Whether the caller of a named call was told that it did not go well, or a client of the app under test, by such a status."""
        return any(each.returned is False for each in self.windows) or any(
            not each.injected and each.status in passing for each in self.outcomes
        )
