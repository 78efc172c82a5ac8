"""Rules for a block, which override those of all middlewares of the process: `inject()`."""

from __future__ import annotations

import os
import time
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, Unpack

from faultinject.exceptions import InjectionFailedError, RuleNotMatchedError
from faultinject.injector import instances
from faultinject.injector.injector import Injector, JoinedInjector, Joining
from faultinject.journal import log
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario, gather
from faultinject.testing import unwrapped
from faultinject.testing.verdicts import NamedCall, Verdicts

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from os import PathLike
    from types import TracebackType

    from faultinject.audit.findings import Finding
    from faultinject.audit.profiles import Profile
    from faultinject.engine.plan import Plan
    from faultinject.injector.session_sync import Session, SessionCounts
    from faultinject.journal.calls import Call
    from faultinject.journal.outcome import Outcome
    from faultinject.rules.rule_keys import RuleKeys
    from faultinject.testing.exploration.programs import Program
    from faultinject.testing.fast_forward import FastForward
    from faultinject.testing.runs import Exploration
    from faultinject.testing.storage import Storage

    Decorated = TypeVar("Decorated", bound=Callable[..., Any])
    # The injector of one entry of a block, its verdicts, its counts, and what was there when it began.
    Block = tuple[Injector, Verdicts, SessionCounts | None, int, set[int]]


def inject(
    rule: str | Rule | Scenario,
    /,
    *rules: str | Rule,
    seed: str | int | None = None,
    **keys: Unpack[RuleKeys],
) -> Faults:
    """A context manager, also `async with`, and a decorator: faults everywhere in the process.

    They last for its block. It may be entered again; counts start at zero each time. `@inject("cos:SlowDown")` is
    such a block around each call of a function (also an `async def`, or a generator such as a fixture that yields),
    or around each test method of a class.

    Faults reach apps with a middleware, whatever its rules, and clients with a transport; under pytest also unwrapped
    apps of Flask, Django, Starlette and FastAPI.

    Args:
        rule: a rule as text or `Rule`; text may hold several. Or a whole `Scenario`.
        rules: more of them.
        seed: the seed; by default the scenario's or the environment's.
        keys: keys of the rule, as in `Rule` and `RuleKeys`; they need exactly one rule.

    Returns:
        The same object as the fixture `faults`: numbers, outcomes, and methods to change the rules meanwhile.

    Raises:
        ConfigurationError: a rule is wrong.
        RuleNotMatchedError: at the end of the block, when nothing in this process could see a request.

    >>> from faultinject import WSGIFaultMiddleware
    >>> app = WSGIFaultMiddleware(lambda environ, start_response: [], rules=[])
    >>> with inject("cos:SlowDown", times=2) as faults:
    ...     faults.injected
    0
    """
    return Faults(gather(rule, *rules, **keys), seed=seed, alone=True)


class Faults:
    """The faults of one block: the outcomes so far, and methods to change the rules meanwhile.

    Args:
        scenario: the rules to begin with.
        seed: overrides the scenario's own.
        test: a function to the id of the running test, for the journal.
        session: the session from which other processes get it, or None.
        alone: whether this block itself must report that no request could be seen.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: str | int | None = None,
        test: Callable[[], str | None] | None = None,
        session: Session | None = None,
        alone: bool = False,
    ) -> None:
        self._test = test
        self._session = session
        self._alone = alone
        self._explorations: list[Exploration] = []
        self._entered_with: Scenario | None = None
        self._hurries = False
        self._clocks: FastForward | None = None
        self._outer: list[Block] = []
        self._make(scenario, seed)

    def _make(self, scenario: Scenario, seed: str | int | None) -> None:
        """Make the state of one block: its counts, its record, and the test's words on it."""
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
        """The number of seen requests, with and without a fault."""
        return self._injector.journal.requests + len(self._elsewhere())

    @property
    def outcomes(self) -> list[Outcome]:
        """The outcome of each request, by arrival, of this process and of others in its session."""
        everything = [*self._injector.journal.outcomes, *self._elsewhere()]
        return sorted(everything, key=lambda outcome: outcome.arrived)

    @property
    def env(self) -> dict[str, str]:
        """The variables by which other processes join: `Popen(…, env={**os.environ, **faults.env})`."""
        return {} if self._session is None else dict(self._session.variables)

    @property
    def injector(self) -> Injector:
        """The injector behind it."""
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
        """Add rules after those in force; these keep their counts and draws.

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
        """Whether the loop of an exploration began and was left before its end."""
        return any(exploration.begun and not exploration.over for exploration in self._explorations)

    @property
    def met_while_exploring(self) -> set[int]:
        """The positions of the rules that matched a request of an exploration."""
        return {number for exploration in self._explorations for number in exploration.met}

    @property
    def _in_run(self) -> Faults:
        """The faults of the present run of `explore()`, which the test means then; else these."""
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

        In an exploration with `crash=True` it is killed at a request, and run again. It must send its requests to an
        app, or to a store, in this process.

        Args:
            command: its words, or a text for the shell.
            recover: the command that an operator runs after a crash; by default the same.
            env: its environment; by default this process's, with `env` of these faults.
            cwd: its working directory; by default this process's.
            store: the result of the fixture `faultinject_store`, if it gets the requests: its final contents are
                compared with its contents without a crash.

        Raises:
            ProgramFailed: its exit code, or after a crash that of its second run, is not 0; or it was ended.
            ConfigurationError: it cannot be started, or a test with a killed program runs a second program.
        """
        from faultinject.testing.exploration.programs import Program

        environ = {**(os.environ if env is None else env), **self.env}
        directory = None if cwd is None else os.fspath(cwd)
        program = Program(command, environ, directory)
        again = program if recover is None else Program(recover, environ, directory)
        self._in_run._run(program, again, store)  # noqa: SLF001 - one of ours

    def _run(self, program: Program, _again: Program, _store: Storage | None) -> None:
        """Run a program; only an exploration kills one, and starts it again."""
        program.check()

    def fast_forward(self) -> None:
        """Skip waits until the end of the block; called before the block, from its beginning.

        `time.sleep`, `asyncio.sleep`, `trio.sleep` and timed waits on conditions, events and queues take 10 ms. The
        clocks of `time` and `datetime` move forward by the whole wait, and findings judge the whole wait. Waits of
        sockets, delays of faults, and waits of threads that already run are not skipped.

        Raises:
            ConfigurationError: at the end of the block, if a wait of the client was not skipped: in compiled code, or
                by a task's time-out.
        """
        if self._in_run is not self:
            self._in_run.fast_forward()
            return
        self._hurries = True
        if self._in_force and self._clocks is None:
            from faultinject.testing.fast_forward import FastForward

            self._clocks = FastForward(self._injector.own_plan.services)

    def pause(self) -> AbstractContextManager[None]:
        """A context manager that hides a test's own requests from faults, counts and the record.

        It can be entered again.
        """
        return _Pause(self)

    def _hide(self, by: int) -> None:
        """Begin a pause (1), or end it (-1)."""
        self._injector.pause(by)
        self._publish(keep_counts=True, in_force=not self._injector.paused)

    def matched(self, rule: int, plan: Plan | None = None) -> int:
        """The number of requests that met a rule's conditions, by its position among the rules.

        Args:
            rule: the position, from 0.
            plan: an earlier plan of these faults, by default the one in force.
        """
        plan = plan or self._injector.own_plan
        here = plan.counts.matched(plan.places[rule])
        if here or not self._generations:
            return here
        # Every request of other processes is on record, with the rule that it met first.
        from faultinject.testing.nearest import met

        return sum(met(plan.rules[rule], outcome, plan) for outcome in self._elsewhere())

    def assert_all_fired(self) -> None:
        """Fail if a rule injected nothing.

        The `RuleNotMatchedError` is an AssertionError, and names the nearest request.
        """
        __tracebackhide__ = True
        self._verdicts.assert_all_fired()

    @property
    def calls(self) -> list[Call]:
        """The calls so far, each with its attempts, in the order of their first attempts."""
        return self._verdicts.calls

    def call(self, name: str) -> NamedCall:
        """A context manager, also `async with`, around one call of the test.

        At its end it is known that the call is over, and whether its caller saw an error; a journal alone does not
        show that.
        """
        return self._in_run._verdicts.call(name)  # noqa: SLF001 - one of ours

    def findings(self, *, profile: Profile | str | None = None) -> list[Finding]:
        """The findings of every check, the worst first; the calls so far count as finished.

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
        """Fail when a check says FAIL.

        An undecided check is not a failure, unless it is required; `findings()` has it. All WARNs together are one
        warning (a `PytestWarning` in a test, otherwise a `UserWarning`), and so is a result in which no check at all
        could be decided. A warning of the same checks is not repeated.

        Args:
            profile: as for `findings()`.
            ignore: checks that do not count, such as `jitter` or `retry-after: date`; one, or several.
            require: checks that must be decided; one, or several, or `all`.
            strict: whether it fails at a WARN as well.

        Raises:
            RetryAssertionError: an AssertionError that names each finding, and the requests that show it; or the
                checks that were not decided; or no request was seen.
            ConfigurationError: there is no such profile, or no such check to ignore or to require.
        """
        __tracebackhide__ = True
        self._verdicts.assert_retries(profile, ignore, require, strict=strict)

    def __call__(self, decorated: Decorated) -> Decorated:
        """Put these faults around each call of a function, or of each test method of a class.

        They begin at zero each time.

        Raises:
            ConfigurationError: it is a class without a test method.
        """
        from faultinject.testing.decorating import decorate

        made: Decorated = decorate(
            decorated, lambda: Faults(self._scenario, seed=self.seed, test=self._test, alone=True)
        )
        return made

    @property
    def _scenario(self) -> Scenario:
        """The scenario with which each block begins.

        Rules that were added or cleared in an earlier block do not count.
        """
        return self._injector.scenario if self._entered_with is None else self._entered_with

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
        if self._hurries:
            self.fast_forward()
        self._verdicts.begin()
        self._publish()
        self._injector.put_in_force()
        scenario = self._injector.scenario
        log.new_rules(scenario.rules, scenario.display_names)
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
                self._tell_failures()
                if self._clocks is not None:
                    self._clocks.check(self.calls)
                if self._alone:
                    self._tell_blindness()
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
        """Put the faults of the ended block in force again for a block, with counts and record."""
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

    def _tell_blindness(self) -> None:
        """Fail if nothing could have seen a request: such a block does nothing.

        An injector that was made meanwhile may be gone again, and is not held for nothing.
        """
        injector = self._injector
        if (
            not injector.journal.requests
            and injector.may_inject
            and self._entered == instances.entered()
            and not instances.reaches_something()
        ):
            raise RuleNotMatchedError(
                f"inject() saw no request, as nothing in this process is wrapped. {unwrapped.advice()}"
            )

    def _tell_failures(self) -> None:
        """Fail if a request got no fault because of an error of ours, or of the shared counts."""
        injector = self._injector
        if injector.errors:
            raise InjectionFailedError("an error inside faultinject let requests pass") from injector.errors[
                0
            ]
        passed = injector.undecided + sum(outcome.undecided for outcome in self._elsewhere())
        if passed:
            what = "1 request" if passed == 1 else f"{passed} requests"
            raise InjectionFailedError(f"{what} passed without a decision about faults: see the log")

    def _publish(self, *, keep_counts: bool = False, in_force: bool = True) -> None:
        """Tell the processes of the session."""
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
        if self._counts is not None and self._session.attached and not self._has_counted:
            self._counts.count_in(self._session.counts())

    @property
    def _has_counted(self) -> bool:
        """Whether a request has met the conditions of these rules in this process."""
        return any(matched for matched, _, _ in self._injector.own_plan.totals())

    def _new_counts(self) -> SessionCounts:
        from faultinject.injector.session_sync import SessionCounts

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
    """Lets requests of a block pass untouched and unrecorded.

    It can be entered again, also in itself.
    """

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._hidden: list[Faults] = []

    def __enter__(self) -> None:
        faults = self._faults._in_run  # noqa: SLF001 - one of ours
        faults._hide(1)  # noqa: SLF001 - the same
        self._hidden.append(faults)

    def __exit__(self, *_: object) -> None:
        self._hidden.pop()._hide(-1)  # noqa: SLF001 - the same
