"""A program that is killed at a request, or tells an error, and is run again as an operator or a scheduler would."""

from __future__ import annotations

from faultinject.exceptions import ConfigurationError
from faultinject.testing.exploration.causes import ReportedFailure
from faultinject.testing.exploration.programs import ProgramFailed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.journal.outcome import Outcome
    from faultinject.testing.exploration.holdings import Holdings
    from faultinject.testing.exploration.programs import Program
    from faultinject.testing.runs import RunFaults

CRASH = "crash"
"""What the rule is called by which the program is killed."""

SECOND = "the second run: "
"""What the failure of a second run begins with."""
NOT_RUN = (126, 127)
"""What a shell exits with where there is no such program, or none that can be run."""


class Aftermath:
    """What came of a program that was run again, or ended, and what a store held meanwhile.

    Attributes:
        first: how many of the run's requests are of the first run of the program.
        killed: whether the first was killed.
        alive: whether something of it went on all the same.
        failed: whether the first told an error, and was run again because of that.
        before: what the store held when the program was started; None: nobody can tell.
        between: when the first run was over.
        after: when the second was; as `between` where there was none.
        again: how the second run failed, or None.
    """

    def __init__(self) -> None:
        self.first = 0
        self.killed = self.alive = self.failed = False
        self.before: Holdings | None = None
        self.between: Holdings | None = None
        self.after: Holdings | None = None
        self.again: ReportedFailure | None = None


class Restart:
    """Runs a program to its end, or kills it where the crash of the run's scenario comes, and runs it again.

    Args:
        faults: those of this run.
        first: the program.
        second: what an operator starts after a crash; it may be the same.
        twice: whether it is also run again where it was not killed, to see what that does.
        within: seconds that a run may take; None: as long as it likes.
        holds: what the store holds now, once nothing is under way; None where nobody can tell.
    """

    def __init__(
        self,
        faults: RunFaults,
        first: Program,
        second: Program,
        *,
        twice: bool,
        within: float | None,
        holds: Callable[[], Holdings | None],
    ) -> None:
        self._faults = faults
        self._first = first
        self._second = second
        self._twice = twice
        self._within = within
        self._holds = holds
        self._found = Aftermath()
        self._seen = False

    def run(self) -> None:
        """Do it.

        Raises:
            ProgramFailed: the first run fails by itself, or the second one after a crash.
            ConfigurationError: the program cannot be started.
        """
        faults, found = self._faults, self._found
        if faults.aftermath is not None:
            raise ConfigurationError(
                "a crash needs a test that runs one program: faults.run() is called once in it"
            )
        faults.aftermath = found
        found.before = self._holds()
        faults.injector.journal.follow(self._see)
        try:
            self._first.check(self._within)
        finally:
            found.killed, found.alive = self._first.killed, self._first.survives
            found.between = found.after = self._holds()
            found.first = len(faults.outcomes)
        if not found.killed and not self._twice:
            return
        faults.restarted()
        try:
            self._second.check(self._within)
        except ProgramFailed as error:
            if not found.killed and self._second is not self._first and error.code in NOT_RUN:
                raise ConfigurationError(
                    f"recover: it cannot be run: {error}\n{error.output}".rstrip()
                ) from None
            found.again = ProgramFailed(f"{SECOND}{error}", error.output)
        finally:
            found.after = self._holds()
        if found.killed and found.again is not None:
            raise found.again

    def _see(self, outcome: Outcome) -> None:
        """Kill the program when its request has come as far as it is to come: before a byte of an answer leaves."""
        if self._seen or outcome.rule != CRASH or not outcome.injected or outcome.answered is None:
            return
        self._seen = True
        self._first.kill()


def run_again(faults: RunFaults, job: Callable[[], None]) -> None:
    """Run a job again that has told an error, without faults.

    Args:
        faults: those of this run.
        job: what a scheduler starts.

    Raises:
        ProgramFailed: it is a program, and fails, too. What else it raises passes.
    """
    found = faults.aftermath = faults.aftermath or Aftermath()
    found.failed, found.between, found.first = True, faults.held, len(faults.outcomes)
    faults.restarted()
    try:
        job()
    except ProgramFailed as error:
        raise ProgramFailed(f"{SECOND}{error}", error.output) from None
