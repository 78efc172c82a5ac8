"""`inject()`: rules that override those of all middlewares of the process, for a block."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from faultinject.exceptions import InjectionFailedError, RuleNotMatchedError
from faultinject.injector import instances
from faultinject.injector.injector import Injector, JoinedInjector, Joining
from faultinject.injector.session_sync import Session, SessionCounts
from faultinject.journal import log
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario, gather
from faultinject.testing import unwrapped
from faultinject.testing.decorating import decorate
from faultinject.testing.exploration.programs import Program
from faultinject.testing.nearest import met_conditions
from faultinject.testing.verdicts import NamedCall, Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from os import PathLike
    from types import TracebackType

    from faultinject.audit.findings import Finding
    from faultinject.audit.profiles import Profile
    from faultinject.engine.plan import Plan
    from faultinject.journal.calls import Call
    from faultinject.journal.outcome import Outcome
    from faultinject.rules.rule_keys import RuleKeys
    from faultinject.testing.fast_forward import FastForward
    from faultinject.testing.runs import Exploration
    from faultinject.testing.storage import Storage

    Decorated = TypeVar("Decorated", bound=Callable[..., Any])
    # The state of an outer block while an inner one runs: injector, verdicts, counts, the number of injectors that
    # had been in force when it began, and its generations.
    Block = tuple[Injector, Verdicts, SessionCounts | None, int, set[int]]


def inject(
    rule: str | Rule | Scenario,
    /,
    *rules: str | Rule,
    seed: str | int | None = None,
    **keys: Unpack[RuleKeys],
) -> Faults:
    """Inject faults everywhere in the process, for a block or around a function.

    The result is a context manager, for `with` and `async with`, and a decorator. A block may be entered again; its
    counts start at zero each time. `@inject("cos:SlowDown")` enters a block around each call of a function (also an
    `async def`, or a generator such as a fixture that yields), or around each test method of a class.

    Faults reach apps that have a middleware, whatever its rules, and clients that have a transport. Under pytest they
    also reach unwrapped apps of Flask, Django, Starlette and FastAPI.

    Args:
        rule: a rule as text or `Rule`; text may hold several. Or a whole `Scenario`.
        rules: more rules.
        seed: the seed; by default the scenario's or the environment's.
        keys: keys of the rule, as in `Rule` and `RuleKeys`; they need exactly one rule.

    Returns:
        An object of the same type as the fixture `faults`: numbers, outcomes, and methods to change the rules
        inside the block.

    Raises:
        ConfigurationError: a rule is wrong.
        RuleNotMatchedError: at the end of the block, if no app or client of this process could see a request.

    >>> from faultinject import WSGIFaultMiddleware
    >>> app = WSGIFaultMiddleware(lambda environ, start_response: [], rules=[])
    >>> with inject("cos:SlowDown", times=2) as faults:
    ...     faults.injected
    0
    """
    return Faults(gather(rule, *rules, **keys), seed=seed, must_be_seen=True)


class Faults:
    """The faults of one block: its outcomes so far, and methods to change its rules.

    Args:
        scenario: the rules at the beginning.
        seed: overrides the scenario's own.
        test: returns the id of the running test, for the journal.
        session: hands the faults to other processes; None: they stay in this one.
        must_be_seen: whether the end of the block fails if nothing in this process could see a request.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: str | int | None = None,
        test: Callable[[], str | None] | None = None,
        session: Session | None = None,
        must_be_seen: bool = False,
    ) -> None:
        self._test = test
        self._session = session
        self._must_be_seen = must_be_seen
        self._explorations: list[Exploration] = []
        self._entered_with: Scenario | None = None
        self._skips_waits = False
        self._clocks: FastForward | None = None
        self._outer: list[Block] = []
        self._make(scenario, seed)

    def _make(self, scenario: Scenario, seed: str | int | None) -> None:
        """Make the state of one block: its counts, its journal and its verdicts."""
        self._counts: SessionCounts | None = None
        counts = None if self._session is None else self._new_counts
        self._injector: Injector = JoinedInjector(
            scenario, Joining(self._test, counts), seed=seed, clock=time.time, record_all=True
        )
        self._entered = 0
        self._generations: set[int] = set()
        self._in_force = False
        self._verdicts = Verdicts(self)

    @property
    def injected(self) -> int:
        """The number of requests that got a fault."""
        return self._injector.injected + sum(outcome.injected for outcome in self._elsewhere())

    @property
    def attempts(self) -> int:
        """The number of requests that were seen, with and without a fault."""
        return self._injector.journal.requests + len(self._elsewhere())

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcome of each request of this process and of its session, by arrival."""
        outcomes = [*self._injector.journal.outcomes, *self._elsewhere()]
        return sorted(outcomes, key=lambda outcome: outcome.arrived)

    @property
    def env(self) -> dict[str, str]:
        """The variables by which other processes join: `Popen(…, env={**os.environ, **faults.env})`."""
        return {} if self._session is None else dict(self._session.variables)

    @property
    def injector(self) -> Injector:
        """The injector of these faults."""
        return self._injector

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force."""
        return self._injector.scenario.rules

    @property
    def seed(self) -> str:
        """The seed's text."""
        return self._injector.seed

    def add(self, rule: str | Rule | Scenario, /, *rules: str | Rule, **keys: Unpack[RuleKeys]) -> None:
        """Add rules after those in force, which keep their counts and draws.

        Raises:
            ConfigurationError: a rule is wrong; the rules in force stay.
        """
        self._injector.add(gather(rule, *rules, **keys))
        self._publish(keep_counts=True)

    def clear(self) -> None:
        """Remove all rules; the outcomes so far stay recorded."""
        self._injector.use(Scenario([]))
        self._publish()

    def explore(
        self,
        *faults: str | Rule,
        depth: int = 1,
        max_runs: int = 500,
        allow: type[BaseException] | tuple[type[BaseException], ...] = (),
        ignore: Collection[str] = (),
        exhaustive: bool = False,
        without: str | Collection[str] = (),
        crash: bool = False,
        replay: str = "",
        within: float | None = None,
    ) -> Exploration:
        """Explore as `faultinject.explore` does; every run also has the rules in force."""
        from faultinject.testing.exploration.bounds import Bounds
        from faultinject.testing.runs import Exploration

        injector = self._injector
        exploration = Exploration(
            faults,
            Bounds(
                depth, max_runs, allow, ignore, exhaustive, without, crash=crash, replay=replay, within=within
            ),
            beside=Scenario.of_rules(injector.scenario.rules, injector.seed),
            test=injector.journal.test,
            session=self._session,
        )
        self._explorations.append(exploration)
        return exploration

    @property
    def unfinished(self) -> bool:
        """Whether the loop over an exploration was left before its last run."""
        return any(exploration.begun and not exploration.over for exploration in self._explorations)

    @property
    def matched_while_exploring(self) -> set[int]:
        """The positions of the rules that matched a request of an exploration."""
        return {position for exploration in self._explorations for position in exploration.matched}

    @property
    def _in_run(self) -> Faults:
        """The faults of the run of `explore()` that is under way; these faults without one."""
        runs = (exploration.under_way for exploration in self._explorations)
        return next((run for run in runs if run is not None), self)

    def run(
        self,
        command: str | Sequence[str],
        /,
        *,
        recover: str | Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: str | PathLike[str] | None = None,
        store: Storage | None = None,
    ) -> None:
        """Run a program to its end.

        An exploration with `crash=True` kills the program at a request, and runs it again. The program must send its
        requests to an app, or to a store, in this process.

        Args:
            command: the program and its arguments, or a text for the shell.
            recover: the command that an operator runs after a crash; by default the same command.
            env: the environment of the program; by default this process's, with `env` of these faults.
            cwd: the working directory of the program; by default this process's.
            store: a store of the fixture `faultinject_store` that gets the requests: its contents at the end are
                compared with those of a run without a crash.

        Raises:
            ProgramFailedError: the exit code, or after a crash that of the second run, is not 0; or the program was
                ended.
            ConfigurationError: the program cannot be started, or a test with a killed program runs a second program.
        """
        environ = {**(os.environ if env is None else env), **self.env}
        directory = None if cwd is None else os.fspath(cwd)
        program = Program(command, environ, directory)
        again = program if recover is None else Program(recover, environ, directory)
        self._in_run._run(program, again, store)  # noqa: SLF001 - one of ours

    def _run(self, program: Program, _again: Program, _store: Storage | None) -> None:
        """Run a program; the faults of an exploration also kill it and start it again."""
        program.check()

    def fast_forward(self) -> None:
        """Skip waits until the end of the block, or in the whole block if called before it.

        `time.sleep`, `asyncio.sleep`, `trio.sleep` and timed waits on conditions, events and queues take 10 ms. The
        clocks of `time` and `datetime` move forward by the whole wait, and findings judge the whole wait. Waits of
        sockets, delays of faults, and waits of threads that already run are not skipped.

        Raises:
            ConfigurationError: at the end of the block, if a wait of the client was not skipped: one in compiled
                code, or the time-out of a task.
        """
        if self._in_run is not self:
            self._in_run.fast_forward()
            return
        self._skips_waits = True
        if self._in_force and self._clocks is None:
            from faultinject.testing.fast_forward import FastForward

            self._clocks = FastForward(self._injector.own_plan.services)

    def pause(self) -> AbstractContextManager[None]:
        """A context manager that hides the test's own requests from faults, counts and journal.

        It may be entered again.
        """
        return _Pause(self)

    def _hide(self, by: int) -> None:
        """Begin a pause (1), or end it (-1)."""
        self._injector.pause(by)
        self._publish(keep_counts=True, in_force=not self._injector.paused)

    def matched(self, rule: int, plan: Plan | None = None) -> int:
        """The number of requests that met the conditions of a rule.

        Args:
            rule: the position of the rule, from 0.
            plan: an earlier plan of these faults; by default the one in force.
        """
        plan = plan or self._injector.own_plan
        own_matches = plan.counts.matched(plan.places[rule])
        if own_matches or not self._generations:
            return own_matches
        # The counts of other processes are not known, but their outcomes are.
        return sum(met_conditions(plan.rules[rule], outcome, plan) for outcome in self._elsewhere())

    def assert_all_fired(self) -> None:
        """Fail if a rule injected nothing.

        The `RuleNotMatchedError` is an AssertionError; it names the request that met most conditions of the rule.
        """
        __tracebackhide__ = True
        self._verdicts.assert_all_fired()

    @property
    def calls(self) -> list[Call]:
        """The calls so far, each with its attempts, by their first attempt."""
        return self._verdicts.calls

    def call(self, name: str) -> NamedCall:
        """A context manager, also for `async with`, around one call of the test.

        Its end records that the call is over and whether its caller saw an error: a journal shows neither.
        """
        return self._in_run._verdicts.call(name)  # noqa: SLF001 - one of ours

    def findings(self, *, profile: Profile | str | None = None) -> list[Finding]:
        """The findings of every check, the worst first; calls under way count as finished.

        Args:
            profile: the client's promises: a name, or the path of a TOML file; by default the user agent chooses it.

        Raises:
            ConfigurationError: there is no such profile.
        """
        return self._verdicts.judgement(profile).findings

    def assert_retries(
        self,
        *,
        profile: Profile | str | None = None,
        ignore: str | Collection[str] = (),
        require: str | Collection[str] = (),
        strict: bool = False,
    ) -> None:
        """Fail if a check says FAIL.

        An undecided check is not a failure, unless it is required; `findings()` has it. All WARNs together are one
        warning (a `PytestWarning` in a test, otherwise a `UserWarning`). A result without any decided check is such a
        warning, too. A warning of the same checks is not repeated.

        Args:
            profile: as for `findings()`.
            ignore: checks that do not count, such as `jitter` or `retry-after: date`; one, or several.
            require: checks that must be decided; one, or several, or `all`.
            strict: whether a WARN is a failure, too.

        Raises:
            RetryAssertionError: an AssertionError that names each finding and its requests, or the required checks
                that are undecided; or no request was seen.
            ConfigurationError: there is no such profile, or no such check to ignore or to require.
        """
        __tracebackhide__ = True
        self._verdicts.assert_retries(profile, ignore, require, strict=strict)

    def __call__(self, decorated: Decorated) -> Decorated:
        """Inject these faults around each call of a function, or of each test method of a class.

        Counts start at zero each time.

        Raises:
            ConfigurationError: it is a class without a test method.
        """

        def block() -> Faults:
            # Each block begins with the same rules, whatever an earlier one has added or cleared.
            scenario = self._entered_with or self._injector.scenario
            return Faults(scenario, seed=self.seed, test=self._test, must_be_seen=True)

        made: Decorated = decorate(decorated, block)
        return made

    def __enter__(self) -> Faults:
        for hook in unwrapped.patch_frameworks_hooks:
            hook()
        if self._in_force:
            self._outer.append(
                (self._injector, self._verdicts, self._counts, self._entered, self._generations)
            )
        if self._entered_with is None:
            self._entered_with = self._injector.scenario
        else:
            self._make(self._entered_with, self.seed)
        self._entered = instances.entered()
        self._in_force = True
        if self._skips_waits:
            self.fast_forward()
        self._verdicts.begin()
        self._publish()
        self._injector.put_in_force()
        scenario = self._injector.scenario
        log.log_new_rules(scenario.rules, scenario.display_names)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._injector.take_out_of_force()
        self._verdicts.end()
        self._in_force = False
        if self._session is not None:
            self._session.withdraw()
        try:
            if error is None:
                self._fail_on_internal_errors()
                if self._clocks is not None:
                    self._clocks.check(self.calls)
                if self._must_be_seen:
                    self._fail_if_nothing_is_wrapped()
        finally:
            if self._clocks is not None:
                self._clocks.end()
                self._clocks = None
            if self._outer:
                self._injector, self._verdicts, self._counts, self._entered, self._generations = (
                    self._outer.pop()
                )
                self._in_force = True

    @contextmanager
    def _resume(self) -> Iterator[None]:
        """Put the faults of the ended block in force again, with their counts and journal."""
        if self._in_force:
            yield
            return
        self._in_force = True
        self._publish()
        self._injector.put_in_force()
        try:
            yield
        finally:
            self._injector.take_out_of_force()
            self._in_force = False
            if self._session is not None:
                self._session.withdraw()

    def _fail_if_nothing_is_wrapped(self) -> None:
        """Fail if no app or client of this process could see a request: the block did nothing.

        An app that was wrapped inside the block may be gone by its end: such a block passes.
        """
        injector = self._injector
        if (
            not injector.journal.requests
            and injector.may_inject
            and self._entered == instances.entered()
            and not instances.may_wrap_an_app()
        ):
            raise RuleNotMatchedError(
                f"inject() saw no request, as nothing in this process is wrapped. {unwrapped.advice()}"
            )

    def _fail_on_internal_errors(self) -> None:
        """Fail if an error of faultinject, or of the shared counts, let a request pass."""
        injector = self._injector
        if injector.errors:
            first = injector.errors[0]
            raise InjectionFailedError("an error inside faultinject let requests pass") from first
        passed = injector.undecided + sum(outcome.undecided for outcome in self._elsewhere())
        if passed:
            requests = "1 request" if passed == 1 else f"{passed} requests"
            raise InjectionFailedError(f"{requests} passed without a decision about faults: see the log")

    def _publish(self, *, keep_counts: bool = False, in_force: bool = True) -> None:
        """Hand the rules to the other processes of the session."""
        if self._session is None or not self._in_force:
            return
        journal = self._injector.journal
        test = None if journal.test is None else journal.test()
        state = self._injector.state
        generation = self._session.publish(
            state.scenario,
            state.seed,
            test=test,
            in_force=in_force,
            keep_counts=keep_counts,
            began=state.began,
        )
        self._generations.add(generation)
        has_counted = any(matched for matched, _, _ in self._injector.own_plan.totals())
        if self._counts is not None and self._session.attached and not has_counted:
            self._counts.count_in(self._session.counts())

    def _new_counts(self) -> SessionCounts:
        self._counts = counts = SessionCounts()
        return counts

    def _elsewhere(self) -> list[Outcome]:
        """The outcomes of other processes."""
        if self._session is None or not self._generations:
            return []
        return self._session.outcomes(self._generations)

    async def __aenter__(self) -> Faults:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


class _Pause(AbstractContextManager[None]):
    """Lets requests of a block pass untouched and unrecorded; blocks may be nested."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._hidden: list[Faults] = []

    def __enter__(self) -> None:
        faults = self._faults._in_run  # noqa: SLF001 - one of ours
        faults._hide(1)  # noqa: SLF001 - the same
        self._hidden.append(faults)

    def __exit__(self, *_: object) -> None:
        self._hidden.pop()._hide(-1)  # noqa: SLF001 - the same
