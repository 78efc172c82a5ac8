"""The runs of an exploration: the code under test, once for each of its requests and faults."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from functools import partial
from types import TracebackType

from msgspec import to_builtins

from faultinject.clients import moto
from faultinject.exceptions import ConfigurationError, ExplorationFailedError, ProgramFailedError
from faultinject.injector.injector import Injector
from faultinject.injector.session_sync import Session
from faultinject.journal.outcome import Outcome
from faultinject.rules.printed_json import json_text
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.testing.exploration.bounds import Allowed, Bounds
from faultinject.testing.exploration.causes import SECOND, FinishedRun, RunAway, RunResult
from faultinject.testing.exploration.choices import CRASH
from faultinject.testing.exploration.programs import Program
from faultinject.testing.exploration.report import groups, incomplete, printed, report
from faultinject.testing.exploration.store_comparison import StoreContents
from faultinject.testing.exploration.sweep import Sweep, sweep_of
from faultinject.testing.inject import Faults
from faultinject.vendors.vendor import Vendor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.testing.storage import Storage

# Returns the present contents of a store; None: they are unknown.
Contents = Callable[[], StoreContents | None]


RUN_AWAY = "run-away"
"""The rule that answers the requests above the limit with 410, which no client retries."""


class RequestLimit:
    """Ends a run that makes too many requests.

    Above the limit each request gets 410, which no client retries. Above twice the limit the run is ended.
    """

    def __init__(self, injector: Injector, limit: int, end: Callable[[str], None] | None) -> None:
        self._injector = injector
        self._limit = limit
        self._end = end
        self._over = False

    def __call__(self, number: int) -> None:
        """End the run if it has made too many requests.

        Args:
            number: the requests so far.
        """
        if number > 2 * self._limit:
            reason = f"more than {2 * self._limit} requests in one run"
            if self._end is None:
                raise RunAway(reason)
            self._end(reason)
        elif number > self._limit and not self._over:
            self._over = True
            self._injector.use(Scenario(f'http:410,message="too many requests in one run",name={RUN_AWAY}'))


def is_of_the_code(error: BaseException) -> bool:
    """Whether an error comes from the code under test; Ctrl-C and the like end everything."""
    if isinstance(error, BaseExceptionGroup):
        return all(map(is_of_the_code, error.exceptions))
    # pytest's own classes come first: `pytest.fail()` raises no `Exception`, but `pytest.exit()` does.
    of_pytest = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "_pytest.outcomes"]
    if of_pytest:
        return "Exit" not in of_pytest
    return isinstance(error, Exception | RunAway)


def _is_without_end(outcomes: Sequence[Outcome], limit: int) -> bool:
    """Whether a run made more requests, or more retries of one fault, than the limit.

    A run that polls may be long. So if one GET that succeeds makes up more than two thirds of the requests, their
    number proves nothing.
    """
    polls: Counter[tuple[str, str]] = Counter()
    faults_in_a_row: Counter[tuple[str, str]] = Counter()
    for outcome in outcomes:
        target = outcome.method, outcome.path
        refused = outcome.rule == RUN_AWAY
        if refused and faults_in_a_row[target]:
            return True
        if not refused:
            faults_in_a_row[target] = faults_in_a_row[target] + 1 if outcome.injected else 0
        if outcome.method in ("GET", "HEAD") and (refused or not outcome.injected):
            polls[target] += 1
    most_polls = max(polls.values(), default=0)
    return max(faults_in_a_row.values(), default=0) > limit or (
        len(outcomes) > limit and 3 * most_polls <= 2 * len(outcomes)
    )


class RunFaults(Faults):
    """The faults of one run: those of its scenario, then the rules of every run.

    Args:
        sweep: the exploration; it knows how requests are read, and how many there may be.
        scenario: the faults of this run.
        beside: the rules that every run has.
        seed: the seed of all rules.
        test: returns the id of the running test, for the journal.
        session: hands the faults to other processes; None: they stay in this one.
        end: ends a run that makes many more requests; None: an exception does.
        contents: returns the contents of the store of the code under test; None: they are unknown. If a program is
            killed, its test passes the store to `run()` instead.

    Attributes:
        patience: seconds that a program may run; None: without a limit.
        names: the names of the scenario's rules in the outcomes.
        matched_beside: among the rules that every run has, the positions of those that matched a request; known after
            the run.
        crashes: whether a program is killed.
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
        contents: Contents | None = None,
    ) -> None:
        # If the first run had no other process, the later ones need not publish their rules.
        if session is not None and sweep.limit is not None and not session.attached:
            session = None
        self.patience = sweep.patience
        self.crashes = sweep.run.kills
        self._result = RunResult()
        self._app_failures = moto.AppFailures()
        self._contents = None if self.crashes else contents
        self._at_pause: StoreContents = {}
        self._of_second_run: tuple[Rule, ...] = ()
        self._of_every_run = beside.rules
        self._limit = sweep.limit
        if self.crashes:
            self._of_second_run = scenario.rules[1:]
            scenario = Scenario.of_rules(scenario.rules[:1], scenario.seed or "0")
        rules = [*scenario.rules, *beside.rules]
        super().__init__(Scenario.of_rules(rules, seed or scenario.seed), test=test, session=session)
        own = len(scenario.rules)
        self.names: Sequence[str] = self.injector.scenario.display_names[:own]
        # The code under test may clear its rules: this plan knows whether they matched.
        self._plan = self.injector.own_plan
        self._beside = range(own, len(rules))
        self.injector.journal.reading = sweep.reading
        if sweep.limit is not None:
            self.injector.journal.count = RequestLimit(self.injector, sweep.limit, end)

    def __enter__(self) -> Faults:
        if self._contents is not None:
            self._result.before = self._contents()
        moto.noted_in.append(self._app_failures)
        return super().__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        moto.noted_in.remove(self._app_failures)
        if self._contents is not None:
            self._result.after = self._contents() or {}
            if self._result.first is None:
                self._result.between = self._result.after

    def _hide(self, by: int) -> None:
        """Treat the test's own changes in a pause as if they were made before the run."""
        if self._contents is not None and not self.injector.paused:
            self._at_pause = self._contents() or {}
        super()._hide(by)
        if self._contents is not None and not self.injector.paused and self._result.before is not None:
            earlier, present = self._at_pause, self._contents() or {}
            changed = {path for path in {*earlier, *present} if earlier.get(path) != present.get(path)}
            unchanged = {
                path: content for path, content in self._result.before.items() if path not in changed
            }
            self._result.before = unchanged | {path: present[path] for path in changed if path in present}

    @property
    def in_force(self) -> bool:
        """Whether the block is entered."""
        return self._in_force

    def result(self, error: BaseException | None, seconds: float) -> RunResult:
        """The result of the run.

        Args:
            error: the exception of the code under test, or None.
            seconds: the duration of the run.
        """
        outcomes = self.outcomes
        if self._limit is not None and _is_without_end(outcomes, self._limit):
            error, self._result.second_failure = self._without_end(error), None
        return replace(
            self._result,
            names=self.names,
            outcomes=outcomes,
            error=error,
            seconds=seconds,
            windows=self._verdicts.windows,
            app_failed=self._app_failures.any,
        )

    def _without_end(self, error: BaseException | None) -> BaseException | None:
        """The error of a run that made too many requests, however its code ended."""
        reason = f"more than {self._limit} requests in one run"
        if isinstance(error, ProgramFailedError):
            return error if error.code is None else ProgramFailedError(reason, error.output)
        ended = isinstance(error, RunAway | BaseExceptionGroup) and not isinstance(error, Exception)
        if ended or not (error is None or is_of_the_code(error)):
            return error
        without_end = RunAway(reason)
        without_end.__cause__ = error
        return without_end

    def _run(self, program: Program, again: Program, store: Storage | None) -> None:
        if self.crashes:
            from faultinject.testing.storage import contents_of

            self.kill_and_restart(program, again, lambda: None if store is None else contents_of(store.app))
        else:
            self.check(program)

    def check(self, program: Program) -> None:
        """Run a program to its end, and keep its standard output.

        Raises:
            ProgramFailedError: it ended with another exit code than 0, or was ended.
            ConfigurationError: it cannot be started.
        """
        program.check(self.patience)
        self._result.output = program.output

    def kill_and_restart(
        self, first: Program, second: Program, contents: Contents, *, twice: bool = False
    ) -> None:
        """Run a program to its end, or kill it at the scenario's crash, and run it again.

        Args:
            first: the program.
            second: the program that an operator starts after a crash; it may be the same.
            contents: returns the contents of the store.
            twice: whether the second program also runs if the first was not killed.

        Raises:
            ProgramFailedError: the first run fails by itself, or the second one after a crash.
            ConfigurationError: the program cannot be started, or the test has already run one.
        """
        result = self._result
        if result.first is not None:
            raise ConfigurationError(
                "a crash needs a test that runs one program: faults.run() is called once in it"
            )
        result.before = contents()
        crashes: list[Outcome] = []

        def kill(outcome: Outcome) -> None:
            """Kill the program at the crash, before a byte of the answer leaves."""
            if outcome.rule == CRASH and outcome.injected and outcome.answered is not None and not crashes:
                crashes.append(outcome)
                first.kill()

        self.injector.journal.follow(kill)
        try:
            first.check(self.patience)
        finally:
            result.killed, result.alive = first.killed, first.survives
            result.between = result.after = contents() or {}
            result.first = len(self.outcomes)
        if not result.killed and not twice:
            return
        self._begin_second_run()
        try:
            second.check(self.patience)
        except ProgramFailedError as error:
            if not result.killed and second is not first and error.code in NOT_RUN:
                raise ConfigurationError(
                    f"recover: it cannot be run: {error}\n{error.output}".rstrip()
                ) from None
            result.second_failure = ProgramFailedError(f"{SECOND}{error}", error.output, error.code)
        finally:
            result.after = contents() or {}
        if result.killed and result.second_failure is not None:
            raise result.second_failure

    def run_again(self, job: Callable[[], None]) -> None:
        """Run a job without faults after it has reported an error, as a scheduler does.

        Raises:
            ProgramFailedError: the job is a program, and fails again. Other exceptions of the job are not changed.
        """
        result = self._result
        result.first = len(self.outcomes)
        if self._contents is not None:
            result.between = self._contents() or {}
        self._begin_second_run()
        try:
            job()
        except ProgramFailedError as error:
            raise ProgramFailedError(f"{SECOND}{error}", error.output, error.code) from None

    def _begin_second_run(self) -> None:
        """Replace the rules by those of the second run."""
        self.clear()
        if rules := [*self._of_second_run, *self._of_every_run]:
            self.add(Scenario.of_rules(rules, None))
        self.names = [*self.names, *self.injector.scenario.display_names[: len(self._of_second_run)]]

    @property
    def matched_beside(self) -> set[int]:
        """Among the rules that every run has, the positions of those that matched a request."""
        own = len(self.names)
        return {position - own for position in self._beside if self.matched(position, self._plan)}


NOT_RUN = (126, 127)
"""The exit codes of a shell for a program that cannot be run, or is not there."""
MAX_INCONCLUSIVE = 3
"""The number of inconclusive runs in a row that ends the exploration."""


class Exploration:
    """All runs of the code under test; iterate over it, and run the code in `with run:`.

    Args:
        faults: the user's rules.
        bounds: its depth, its number of runs, and its omissions.
        beside: the rules that every run has.
        test: returns the id of the running test, for the journal.
        session: hands the faults to other processes; None: they stay in this one.
        end: ends a run that makes many more requests; None: an exception does.
        vendor: the vendor that reads requests if no fault names one; None: plain HTTP.
        inconclusive: returns the reason why the last run is inconclusive; empty: it is not. None: no run is.
        contents: as for `RunFaults`.

    Attributes:
        faults: makes the faults of a run from its scenario; keywords of `RunFaults` override the exploration's.
        seconds: the time that it took so far.
        begun: whether a run has begun.
        over: whether the last run is done.
        under_way: the faults of the run that is under way, or None.
        matched: among the rules that every run has, the positions of those that matched a request.
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
        contents: Contents | None = None,
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
            contents=contents,
        )
        self._inconclusive = inconclusive
        self._inconclusive_runs = 0
        self.seconds = 0.0
        self.begun = self.over = False
        self.under_way: RunFaults | None = None
        self.matched: set[int] = set()
        self._began = time.monotonic()

    @property
    def runs(self) -> list[FinishedRun]:
        """The finished runs with faults."""
        return self.sweep.finished

    def report(self) -> str:
        """The findings, in words."""
        return report(self.sweep, self.seconds)

    def to_json(self) -> str:
        """The findings, as JSON."""
        return json_text(to_builtins(printed(self.sweep, self.seconds)), 2)

    def __iter__(self) -> Iterator[Run]:
        """Yield one run after the other, and fail at the end if one failed or some are missing."""
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
        self.matched |= faults.matched_beside
        self.seconds = time.monotonic() - self._began
        return self.sweep.record(faults.result(error, seconds))

    def is_inconclusive(self) -> bool:
        """Whether the run that has just ended is inconclusive, and must be repeated.

        Raises:
            ExplorationFailedError: it is the third one in a row.
        """
        reason = "" if self._inconclusive is None else self._inconclusive()
        self._inconclusive_runs = self._inconclusive_runs + 1 if reason else 0
        if self._inconclusive_runs == MAX_INCONCLUSIVE:
            raise ExplorationFailedError(
                f"{reason}, in {MAX_INCONCLUSIVE} runs one after the other"
            ) from None
        return bool(reason)


class Run:
    """One run of the code under test.

    Attributes:
        scenario: the scenario of the run.
        requests: its requests; known after the run.
        error: the exception of the code, or None.
        left: whether the run is over.
        faults: the faults in force.
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
        """Take the result of a run with the same scenario that another driver has made."""
        self.faults = faults
        if not self._end(error, seconds) and error is not None:
            raise error

    def _end(self, error: BaseException | None, seconds: float) -> bool:
        """Record the end of the run, and return whether the exploration goes on."""
        self.left = True
        self.requests = self.faults.outcomes
        self.error = error
        if error is not None and not is_of_the_code(error):
            return False
        if self._exploration.is_inconclusive():
            return True
        # If the first run without faults fails, its error is the result.
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
        max_runs: the maximum number of runs with faults; if more are needed, that is an error.
        allow: exceptions with which the code may give up; such a run has not failed.
        ignore: checks that do not count, of the requests (`same bytes`, `error in 200`, `non-idempotent retry`,
            `lost answer`, `uploads left open`, `mixed versions`, `other output`) and of the store (`object lost`,
            `half written` and so on); and patterns of objects that are not compared, such as `/bucket/*.log`.
        exhaustive: whether to try also the cases that are left out by default, which the report names.
        without: faults of a standard set or a group that are not injected, such as `s3:SlowDown` or `hang`.
        crash: whether the program of `faults.run()` is killed at each request and run again; the second run gets the
            faults.
        replay: the text of the only scenario to run, as a report prints it.
        within: seconds that a run of the program of `faults.run()` may take; by default ten times the time without
            faults, plus 5 min, with `crash` plus 30 s.

    Raises:
        ConfigurationError: a rule is wrong, or has a trigger other than `times` and `from`.

    >>> for run in explore("cos:SlowDown", "reset,when=after"):  # doctest: +SKIP
    ...     with run:
    ...         upload(client)
    """
    bounds = Bounds(
        depth, max_runs, allow, ignore, exhaustive, without, crash=crash, replay=replay, within=within
    )
    return Exploration(faults, bounds)


def record(code: Callable[[], object]) -> list[Outcome]:
    """Run code without faults, and return its requests, for `strategies.scenarios`."""
    with Faults(Scenario([])) as faults:
        code()
    return faults.outcomes
