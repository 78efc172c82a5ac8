"""The processes that have written journals, and whether more may come of them."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.journal.attempts import Attempt
    from faultinject.journal.lines import End

NEVER = float("-inf")


class Writers:
    """Told of every line in the order of its file.

    Attributes:
        latest: when the last thing happened that is on record, unix seconds; minus infinity where nothing is.
        parents: those that may start another process in the place of one that has ended, as texts.
    """

    def __init__(self) -> None:
        self.latest = NEVER
        self.parents: set[str] = set()
        # Numbers of processes hold on one machine only; a file has lines of one.
        self._writing: set[tuple[int, int]] = set()
        self._ended: set[tuple[int, int]] = set()

    def wrote(self, source: int, line: Attempt) -> None:
        """Take a request's line.

        Args:
            source: the number of the file.
            line: with the times that it has.
        """
        self._writing.add((source, line.pid))
        time, answered = line.time, line.answered
        at = time if answered is None else time + answered - line.arrived
        self.latest = max(self.latest, at)

    def ended(self, source: int, end: End) -> None:
        """Take what a process says at its end; what it writes later, or one of the same number, takes it back."""
        self._writing.discard((source, end.pid))
        self._ended.add((source, end.pid))
        if end.parent is not None:
            self.parents.add(end.parent)

    @property
    def over(self) -> bool:
        """Whether every process that has written has ended, and at least one has."""
        return bool(self._ended) and not self._writing
