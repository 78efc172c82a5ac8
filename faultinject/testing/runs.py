"""The runs of an exploration: the code under test, once for each of its requests and faults."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType

from msgspec import to_builtins

from faultinject.exceptions import ConfigurationError, ExplorationFailedError
from faultinject.injector.injector import Injector
from faultinject.injector.session_sync import Session
from faultinject.journal.outcome import Outcome
from faultinject.rules.printed_json import json_text
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.testing.exploration.bounds import Allowed, Bounds
from faultinject.testing.exploration.causes import SECOND, FinishedRun, RunAway, RunResult
from faultinject.testing.exploration.choices import CRASH
from faultinject.testing.exploration.programs import Program, ProgramFailed
from faultinject.testing.exploration.report import groups, incomplete, printed, report
from faultinject.testing.exploration.store_comparison import StoreContents
from faultinject.testing.exploration.sweep import Sweep, sweep_of
from faultinject.testing.inject import Faults
from faultinject.vendors.vendor import Vendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.testing.storage import Storage

# What the store holds now, once nothing is under way; None: it is unknown.
Contents = Callable[[], StoreContents | None]


RUN_AWAY = "run-away"
"""The rule that gives the answers which nobody retries."""


class Watch:
    """Ends a run that makes requests without end.

    It first sends answers that nobody retries, then ends it for good.
    """

    def __init__(self, injector: Injector, limit: int, end: Callable[[str], None] | None) -> None:
        self._injector = injector
        self._limit = limit
        self._end = end or _raise
        self._over = False

    def __call__(self, number: int) -> None:
        """Count the requests, and end a run with too many."""
        if number > 2 * self._limit:
            self._end(f"more than {2 * self._limit} requests in one run")
        elif number > self._limit and not self._over:
            self._over = True
            self._injector.use(Scenario(f'http:410,message="too many requests in one run",name={RUN_AWAY}'))


def _raise(why: str) -> None:
    raise RunAway(why)


def is_of_the_code(error: BaseException) -> bool:
    """Whether an error is about the code under test, and does not end all, as Ctrl-C does."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_of_the_code, error.exceptions))
    # pytest.fail() and the like raise no Exception, and pytest.exit() raises one.
    of_pytest = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "_pytest.outcomes"]
    if of_pytest:
        return "Exit" not in of_pytest
    return isinstance(error, Exception | RunAway)


def _is_without_end(outcomes: Sequence[Outcome], limit: int) -> bool:
    """Whether a run made more requests than it may, or retried one fault so often.

    A poll beside it does not count. It asks for one thing again and again, and gets it. It makes most of the requests
    then, and may go on as long as the run.
    """
    polls: Counter[tuple[str, str]] = Counter()
    faults: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes:
        asked = outcome.method, outcome.path
        stopped = outcome.rule == RUN_AWAY
        if stopped and faults[asked]:
            return True
        if not stopped:
            faults[asked] = faults[asked] + 1 if outcome.injected else 0
        if outcome.method in ("GET", "HEAD") and (stopped or not outcome.injected):
            polls[asked] += 1
    most = max(polls.values(), default=0)
    return max(faults.values(), default=0) > limit or (
        len(outcomes) > limit and 3 * most <= 2 * len(outcomes)
    )


class RunFaults(Faults):
    """The faults of one run: those of its scenario, then those beside it in every run.

    Args:
        sweep: the exploration; it knows how requests are read, and how many there may be.
        scenario: of this run.
        beside: the other rules.
        seed: of all of them.
        test: a function to the id of the running test, for the journal.
        session: the session from which other processes get it, or None.
        end: ends a run that makes many more.
        holds: gives the contents of the store that the code under test writes to; None: they are unknown. A program
            that is killed says itself which store is its.

    Attributes:
        patience: seconds that a program may run; None: as long as it likes.
        names: the names of the scenario's rules in the outcomes.
        met: the places of those rules beside it whose conditions a request met; known afterwards.
        crashes: whether it kills a program.
    """

    def __init__(
        self,
        sweep: Sweep,
        scenario: Scenario,
        beside: Scenario,
        *,
        seed: str | None = None,
        test: Callable[[], str | None] | None = None,
        session: Session | None = None,
        end: Callable[[str], None] | None = None,
        holds: Contents | None = None,
    ) -> None:
        # Once the first run has shown that there is nobody to tell, thousands of runs need not do it.
        if session is not None and sweep.limit is not None and not session.attached:
            session = None
        self.patience = sweep.patience
        self.crashes = sweep.run.kills
        self._found = RunResult()
        self._holds = None if self.crashes else holds
        self._at_pause: StoreContents = {}
        self._later: tuple[Rule, ...] = ()
        self._always = beside.rules
        self._limit = sweep.limit
        if self.crashes:
            self._later = scenario.rules[1:]
            scenario = Scenario.of_rules(scenario.rules[:1], scenario.seed or "0")
        rules = [*scenario.rules, *beside.rules]
        super().__init__(Scenario.of_rules(rules, seed or scenario.seed), test=test, session=session)
        own = len(scenario.rules)
        self.names: Sequence[str] = self.injector.scenario.display_names[:own]
        # What the code under test takes away was nevertheless in force.
        self._plan = self.injector.own_plan
        self._beside = range(own, len(rules))
        self.injector.journal.reading = sweep.reading
        if sweep.limit is not None:
            self.injector.journal.count = Watch(self.injector, sweep.limit, end)

    def __enter__(self) -> Faults:
        if self._holds is not None:
            self._found.before = self._holds()
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        if self._holds is not None:
            self._found.after = self._holds() or {}
            if self._found.first is None:
                self._found.between = self._found.after

    def _hide(self, by: int) -> None:
        """Count changes by the test itself in a pause as if they had come before the run."""
        if self._holds is not None and not self.injector.paused:
            self._at_pause = self._holds() or {}
        super()._hide(by)
        if self._holds is not None and not self.injector.paused and self._found.before is not None:
            was, now = self._at_pause, self._holds() or {}
            changed = {path for path in {*was, *now} if was.get(path) != now.get(path)}
            kept = {path: content for path, content in self._found.before.items() if path not in changed}
            self._found.before = kept | {path: now[path] for path in changed if path in now}

    @property
    def in_force(self) -> bool:
        """Whether the block is entered."""
        return self._in_force

    def result(self, error: BaseException | None, seconds: float) -> RunResult:
        """The result of the run.

        Args:
            error: the exception of the code under test, or None.
            seconds: the time that it took.
        """
        outcomes = self.outcomes
        if self._limit is not None and _is_without_end(outcomes, self._limit):
            error, self._found.again = self._without_end(error), None
        return replace(
            self._found,
            names=self.names,
            outcomes=outcomes,
            error=error,
            seconds=seconds,
            windows=self._verdicts.windows,
        )

    def _without_end(self, error: BaseException | None) -> BaseException | None:
        """The failure of a run that had no end of its own, in whatever way its code ended."""
        why = f"more than {self._limit} requests in one run"
        if isinstance(error, ProgramFailed):
            return error if error.code is None else ProgramFailed(why, error.output)
        ended = isinstance(error, RunAway | BaseExceptionGroup) and not isinstance(error, Exception)
        if ended or not (error is None or is_of_the_code(error)):
            return error
        without_end = RunAway(why)
        without_end.__cause__ = error
        return without_end

    def _run(self, program: Program, again: Program, store: Storage | None) -> None:
        if self.crashes:
            from faultinject.testing.storage import contents_of

            self.kill_and_restart(program, again, lambda: None if store is None else contents_of(store.app))
        else:
            self.check(program)

    def check(self, program: Program) -> None:
        """Run a program to its end, and keep what it writes to standard output.

        Raises:
            ProgramFailed: it ended with another exit code than 0, or was ended.
            ConfigurationError: it cannot be started.
        """
        program.check(self.patience)
        self._found.output = program.output

    def kill_and_restart(
        self, first: Program, second: Program, holds: Contents, *, twice: bool = False
    ) -> None:
        """Run a program to its end, or kill it at the scenario's crash, and run it again.

        Args:
            first: the program.
            second: the program that an operator starts after a crash; it may be the same.
            holds: gives the contents of the store.
            twice: whether it is also run again if it was not killed, to see the effect.

        Raises:
            ProgramFailed: the first run fails by itself, or the second one after a crash.
            ConfigurationError: the program cannot be started, or another one has been run.
        """
        result = self._found
        if result.first is not None:
            raise ConfigurationError(
                "a crash needs a test that runs one program: faults.run() is called once in it"
            )
        result.before = holds()
        crashes: list[Outcome] = []

        def kill(outcome: Outcome) -> None:
            """Kill it when its request has come far enough, before a byte of an answer leaves."""
            if outcome.rule == CRASH and outcome.injected and outcome.answered is not None and not crashes:
                crashes.append(outcome)
                first.kill()

        self.injector.journal.follow(kill)
        try:
            first.check(self.patience)
        finally:
            result.killed, result.alive = first.killed, first.survives
            result.between = result.after = holds() or {}
            result.first = len(self.outcomes)
        if not result.killed and not twice:
            return
        self._begin_second_run()
        try:
            second.check(self.patience)
        except ProgramFailed as error:
            if not result.killed and second is not first and error.code in NOT_RUN:
                raise ConfigurationError(
                    f"recover: it cannot be run: {error}\n{error.output}".rstrip()
                ) from None
            result.again = ProgramFailed(f"{SECOND}{error}", error.output, error.code)
        finally:
            result.after = holds() or {}
        if result.killed and result.again is not None:
            raise result.again

    def run_again(self, job: Callable[[], None]) -> None:
        """Run a job again that has reported an error, without faults, as a scheduler does.

        Raises:
            ProgramFailed: it is a program, and fails, too. What else it raises passes.
        """
        found = self._found
        found.first = len(self.outcomes)
        if self._holds is not None:
            found.between = self._holds() or {}
        self._begin_second_run()
        try:
            job()
        except ProgramFailed as error:
            raise ProgramFailed(f"{SECOND}{error}", error.output, error.code) from None

    def _begin_second_run(self) -> None:
        """Put the rules of the second run in force from now on."""
        self.clear()
        if rules := [*self._later, *self._always]:
            self.add(Scenario.of_rules(rules, None))
        self.names = [*self.names, *self.injector.scenario.display_names[: len(self._later)]]

    @property
    def met(self) -> set[int]:
        """The places of the rules beside the scenario whose conditions a request met."""
        return {each - len(self.names) for each in self._beside if self.matched(each, self._plan)}


NOT_RUN = (126, 127)
"""Exit codes of a shell if there is no such program, or none that can be run."""
TRIES = 3
"""The most runs in a row of an inconclusive one."""


class Exploration:
    """All runs of some code under test; iterate over it, and run the code in `with run:`.

    Args:
        faults: the user's rules.
        bounds: how far it goes.
        beside: rules that are added to the scenario of every run.
        test: a function to the id of the running test, for the journal.
        session: the session from which other processes get its faults, or None.
        end: ends a run that makes many more requests.
        vendor: the vendor that reads requests if no fault has one; None: plain HTTP.
        inconclusive: returns why the run that has just ended is inconclusive; empty if it is not. None: no run is.
        holds: as for `RunFaults`.

    Attributes:
        faults: from the scenario of a run to its faults; keywords as those of `RunFaults` override the exploration's.
        seconds: how long it took so far.
        begun: whether a run has begun.
        over: whether the last run is done.
        under_way: the faults of the run that is under way, or None.
        met: the positions of the added rules that matched a request.
    """

    def __init__(
        self,
        faults: Sequence[str | Rule],
        bounds: Bounds,
        *,
        beside: Scenario | None = None,
        test: Callable[[], str | None] | None = None,
        session: Session | None = None,
        end: Callable[[str], None] | None = None,
        vendor: Vendor | None = None,
        inconclusive: Callable[[], str] | None = None,
        holds: Contents | None = None,
    ) -> None:
        self.sweep = sweep_of(faults, bounds, vendor=vendor)
        beside = beside or Scenario([])
        self.faults: Callable[..., RunFaults] = partial(
            RunFaults,
            self.sweep,
            beside=beside,
            seed=beside.seed,
            test=test,
            session=session,
            end=end,
            holds=holds,
        )
        self._inconclusive = inconclusive
        self._again = 0
        self.seconds = 0.0
        self.begun = self.over = False
        self.under_way: RunFaults | None = None
        self.met: set[int] = set()
        self._began = time.monotonic()

    @property
    def runs(self) -> list[FinishedRun]:
        """The runs with faults that were made."""
        return self.sweep.finished

    def report(self) -> str:
        """The findings, in words."""
        return report(self.sweep, self.seconds)

    def to_json(self) -> str:
        """The findings, as JSON."""
        return json_text(to_builtins(printed(self.sweep, self.seconds)), 2)

    def __iter__(self) -> Iterator[Run]:
        """Make one run after the other, and fail at the end if one failed or some are missing."""
        __tracebackhide__ = True
        self.begun = True
        while (scenario := self.sweep.next()) is not None:
            run = Run(self, scenario)
            yield run
            if not run.left:
                raise ExplorationFailedError("the loop's body did not enter its run: write `with run:`")
        self.over = True
        failures = groups(self.sweep.finished)
        if failures or incomplete(self.sweep):
            raise ExplorationFailedError(self.report()) from (failures[0][0].error if failures else None)

    def record(self, faults: RunFaults, error: BaseException | None, seconds: float) -> FinishedRun:
        """Record the result of a run."""
        self.met |= faults.met
        self.seconds = time.monotonic() - self._began
        return self.sweep.record(faults.result(error, seconds))

    def is_inconclusive(self) -> bool:
        """Whether the run that has just ended is inconclusive, and must be repeated.

        Raises:
            ExplorationFailedError: it is the third one in a row.
        """
        why = "" if self._inconclusive is None else self._inconclusive()
        self._again = self._again + 1 if why else 0
        if self._again == TRIES:
            raise ExplorationFailedError(f"{why}, in {TRIES} runs one after the other") from None
        return bool(why)


class Run:
    """One run of the code under test.

    Attributes:
        scenario: the faults of the run.
        requests: its requests; known after the run.
        error: the exception of the code, or None.
        left: whether it is over.
        faults: the faults in force in it.
    """

    def __init__(self, exploration: Exploration, scenario: Scenario) -> None:
        self.scenario = scenario
        self.requests: list[Outcome] = []
        self.error: BaseException | None = None
        self.left = False
        self._exploration = exploration
        self.faults = exploration.faults(scenario)
        self._began = 0.0

    def __enter__(self) -> Faults:
        self._began = time.monotonic()
        entered = self.faults.__enter__()
        self._exploration.under_way = self.faults
        return entered

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        seconds = time.monotonic() - self._began
        self._exploration.under_way = None
        self.faults.__exit__(kind, error, trace)
        return self._end(error, seconds)

    def take(self, faults: RunFaults, error: BaseException | None, seconds: float) -> None:
        """Take the end of a run with the same scenario that was made elsewhere."""
        self.faults = faults
        if not self._end(error, seconds) and error is not None:
            raise error

    def _end(self, error: BaseException | None, seconds: float) -> bool:
        """Record the end of the run, and return whether it is no error of the exploration's."""
        self.left = True
        self.requests = self.faults.outcomes
        self.error = error
        if error is not None and not is_of_the_code(error):
            return False
        if self._exploration.is_inconclusive():
            return True
        # The first run without faults that fails is a plain failure.
        first = self._exploration.sweep.limit is None
        self._exploration.record(self.faults, error, seconds)
        return error is None or not first


def explore(
    *faults: str | Rule,
    depth: int = 1,
    max_runs: int = 500,
    allow: Allowed = (),
    ignore: str | Collection[str] = (),
    exhaustive: bool = False,
    without: str | Collection[str] = (),
    crash: bool = False,
    replay: str = "",
    within: float | None = None,
) -> Exploration:
    """Run code twice without faults, and then once for each of its requests and each fault.

    Args:
        faults: rules, whose conditions say where; a vendor id stands for its standard set, a group for each member.
        depth: 2: also a second fault in the code's reaction to the first.
        max_runs: the maximum number of runs with faults; needing more is an error.
        allow: exceptions with which the code may give up; such a run has not failed.
        ignore: what is not judged: checks of the requests (`same bytes`, `error in 200`, `non-idempotent retry`,
            `lost answer`, `uploads left open`, `mixed versions`, `other output`) and of the store (`object lost`,
            `half written` and so on); and patterns of objects, such as `/bucket/*.log`.
        exhaustive: whether to try also the cases that are left out by default, which the report names.
        without: faults of a standard set or a group that are not injected, such as `s3:SlowDown` or `hang`.
        crash: the program that `faults.run()` runs is killed at each request and run again; the second run gets the
            faults.
        replay: the text of the only scenario to run, as a report prints it.
        within: seconds that a run of the program of `faults.run()` may take; by default ten times the time without
            faults, plus 5 min, with `crash` plus 30 s.

    Raises:
        ConfigurationError: a rule is wrong, or has a trigger that says when it fires.

    >>> for run in explore("cos:SlowDown", "reset,when=after"):  # doctest: +SKIP
    ...     with run:
    ...         upload(client)
    """
    bounds = Bounds(
        depth, max_runs, allow, ignore, exhaustive, without, crash=crash, replay=replay, within=within
    )
    return Exploration(faults, bounds)


def record(code: Callable[[], object]) -> list[Outcome]:
    """The requests of one run without faults, for `strategies.scenarios`."""
    with Faults(Scenario([])) as faults:
        code()
    return faults.outcomes
