"""For a block, these rules stand in the place of those of every middleware in the process: `inject()`."""

from __future__ import annotations

import os
from functools import partial

from faultinject.exceptions import InjectionFailed, RuleNotMatched
from faultinject.injector import instances
from faultinject.injector.injector import Injector
from faultinject.journal import log
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario, gather
from faultinject.testing import unwrapped
from faultinject.testing.verdicts import NamedCall, Verdicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from os import PathLike
    from types import TracebackType
    from typing import Unpack

    from faultinject.audit.findings import Finding
    from faultinject.audit.profiles import Profile
    from faultinject.engine.journal_entry import Outcome
    from faultinject.engine.plan import Plan
    from faultinject.injector.session_counts import SessionCounts
    from faultinject.injector.session_sync import Session
    from faultinject.journal.calls import Call
    from faultinject.rules.rule_keys import RuleKeys
    from faultinject.testing.runs import Exploration
    from faultinject.testing.storage import Storage


def inject(
    rule: str | Rule | Scenario,
    /,
    *rules: str | Rule,
    seed: str | int | None = None,
    **keys: Unpack[RuleKeys],
) -> Faults:
    """A context manager, also `async with`: faults for its block, everywhere in the process.

    They come where a middleware is around an app, whatever rules it has, or a transport around a client; under pytest also
    in apps of Flask, Django, Starlette and FastAPI that nobody wrapped.

    Args:
        rule: a rule as text or `Rule`; text may hold several. Or a whole `Scenario`.
        rules: more of them.
        seed: the seed; by default the scenario's or the environment's.
        keys: keys of the rule, as in `Rule` and `RuleKeys`; they need exactly one rule.

    Returns:
        What the fixture `faults` gives: numbers, outcomes, and ways to change the rules meanwhile.

    Raises:
        ConfigurationError: a rule is wrong.
        RuleNotMatched: at the end of the block, when nothing in this process could see a request.

    >>> from faultinject import WSGIFaultMiddleware
    >>> app = WSGIFaultMiddleware(lambda environ, start_response: [], rules=[])
    >>> with inject("cos:SlowDown", times=2) as faults:
    ...     faults.injected
    0
    """
    return Faults(gather(rule, *rules, **keys), seed=seed, alone=True)


class Faults:
    """The faults of one block: what was done so far, and ways to change it meanwhile.

    Args:
        scenario: the rules to begin with.
        seed: stands above the scenario's own.
        test: a function to the id of the running test, for the journal.
        session: where other processes learn of it, or None.
        alone: whether nobody else says so when no request could be seen.
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
        self._counts: SessionCounts | None = None
        counts = None if session is None else self._new_counts
        self._injector = Injector(scenario, seed=seed, test=test, record_all=True, counts=counts)
        self._explorations: list[Exploration] = []
        self._session = session
        self._alone = alone
        self._entered = 0
        self._generations: set[int] = set()
        self._in_force = False
        self._verdicts = Verdicts(self)

    @property
    def injected(self) -> int:
        """How many requests got a fault."""
        return self._injector.injected + sum(each.injected for each in self._elsewhere())

    @property
    def attempts(self) -> int:
        """How many requests were seen, with and without a fault."""
        return self._injector.journal.requests + len(self._elsewhere())

    @property
    def outcomes(self) -> list[Outcome]:
        """What happened to each request, by arrival, in this process and in those that take part in its session."""
        return sorted([*self._injector.journal.outcomes, *self._elsewhere()], key=lambda each: each.arrived)

    @property
    def env(self) -> dict[str, str]:
        """The variables by which another process takes part: `Popen(…, env={**os.environ, **faults.env})`."""
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
        """Add rules behind those in force, whose counts and draws go on.

        Raises:
            ConfigurationError: a rule is wrong; those in force stay.
        """
        self._injector.add(gather(rule, *rules, **keys))
        self._publish(keep_counts=True)

    def clear(self) -> None:
        """Take all rules away; what happened so far stays on record."""
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
        crash: bool = False,
        replay: str = "",
        within: float | None = None,
    ) -> Exploration:
        """As `faultinject.explore`, with the rules in force standing beside the explored ones in every run."""
        from faultinject.testing.exploration.bounds import Bounds, crashing_of
        from faultinject.testing.runs import Exploration

        injector = self._injector
        exploration = Exploration(
            faults,
            Bounds(depth, max_runs, allow, ignore, exhaustive),
            beside=Scenario.of_rules(injector.scenario.rules, injector.seed),
            test=injector.journal.test,
            session=self._session,
            crashing=crashing_of(crash, replay, within),
        )
        self._explorations.append(exploration)
        return exploration

    @property
    def unfinished(self) -> bool:
        """Whether the loop of an exploration was begun and left before its end."""
        return any(each.begun and not each.over for each in self._explorations)

    @property
    def met_while_exploring(self) -> set[int]:
        """The places of the rules whose conditions a request of an exploration met."""
        return {number for each in self._explorations for number in each.met}

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
        """Run a program to its end; in an exploration with `crash=True` it is killed at a request, and run again.

        Its requests have to come to an app, or to a store, in this process.

        Args:
            command: its words, or a text for the shell.
            recover: what an operator runs after a crash; by default the same.
            env: its environment; by default this process's, with `env` of these faults.
            cwd: where it runs; by default here.
            store: what the fixture `faultinject_store` gives, where the requests come to it: what it holds in the end is
                compared with what it holds without a crash.

        Raises:
            ProgramFailed: it ended with another exit code than 0, or after a crash its second run did; or was ended.
            ConfigurationError: it cannot be started, or a test whose program is killed runs a second one.
        """
        from faultinject.testing.exploration.holdings import holdings_of
        from faultinject.testing.exploration.programs import Program
        from faultinject.testing.exploration.restart import Restart
        from faultinject.testing.runs import RunFaults

        environ = {**(os.environ if env is None else env), **self.env}
        directory = None if cwd is None else os.fspath(cwd)
        program = Program(command, environ, directory)
        if not isinstance(self, RunFaults) or not self.crashes:
            program.check()
            return
        again = program if recover is None else Program(recover, environ, directory)
        holds = _nobody_knows if store is None else partial(holdings_of, store.app)
        Restart(self, program, again, twice=False, within=self.patience, holds=holds).run()

    def pause(self) -> Pause:
        """A context manager that hides a test's own requests from faults, counts and the record."""
        return Pause(self)

    def unmatched(self) -> list[str]:
        """The names of the rules whose conditions no request met."""
        return [name for number, name in enumerate(self._injector.own_plan.names) if not self.matched(number)]

    def matched(self, rule: int, plan: Plan | None = None) -> int:
        """How many requests met a rule's conditions, by its place among the rules.

        Args:
            rule: the place, from 0.
            plan: an earlier plan of these faults, by default the one in force.
        """
        plan = plan or self._injector.own_plan
        here = plan.counts.matched(plan.places[rule])
        if here or not self._generations:
            return here
        # Of other processes every request is on record, with the rule that it met first.
        from faultinject.audit.nearest import met

        return sum(met(plan.rules[rule], each, plan) for each in self._elsewhere())

    def assert_all_fired(self) -> None:
        """Fail, with the AssertionError RuleNotMatched, when a rule injected nothing; it says what was near."""
        self._verdicts.assert_all_fired()

    @property
    def calls(self) -> list[Call]:
        """The calls so far, each with its attempts, in the order of their first attempts."""
        return self._verdicts.calls

    def call(self, name: str) -> NamedCall:
        """A context manager, also `async with`, around one call of the test.

        At its end the call is known to be over, and whether its caller saw an error: a journal alone does not tell.
        """
        return self._verdicts.call(name)

    def findings(self, *, profile: Profile | str | None = None) -> list[Finding]:
        """What every check says of the client, the worst first; the calls so far count as finished.

        Args:
            profile: the client's promises: a name, or the path of a TOML file; by default the user agent chooses it.

        Raises:
            ConfigurationError: there is no such profile.
        """
        return self._verdicts.judgement(profile).findings

    def assert_retries(
        self,
        *,
        profile: Profile | str | None = "rfc",
        ignore: str | Collection[str] = (),
        require: str | Collection[str] = (),
        strict: bool = False,
    ) -> None:
        """Fail when a check says FAIL. What cannot be decided is no failure, unless it is required; `findings()` has it.

        Args:
            profile: as for `findings()`; None: the client's user agent says.
            ignore: checks that do not count, such as `jitter` or `retry-after: date`; one, or several.
            require: checks that must be decided, likewise; or `all`.
            strict: whether WARN counts as well.

        Raises:
            RetryAssertionError: an AssertionError that names each finding, and the requests that show it; or what was
                not decided; or no request was seen.
            ConfigurationError: there is no such profile, or no such check to ignore or to require.
        """
        __tracebackhide__ = True
        self._verdicts.assert_retries(profile, ignore, require, strict=strict)

    def __enter__(self) -> Faults:
        for each in unwrapped.reach:
            each()
        self._entered = instances.entered()
        self._in_force = True
        self._verdicts.begin()
        self._publish()
        self._injector.put_in_force()
        scenario = self._injector.scenario
        log.doubtful(scenario.rules, scenario.display_names)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._injector.take_out_of_force()
        self._verdicts.end()
        self._in_force = False
        if self._session is not None:
            self._session.publish(Scenario([]), self.seed, in_force=False)
        if error is None:
            self._tell_failures()
            if self._alone:
                self._tell_blindness()

    def _tell_blindness(self) -> None:
        """Fail where there was nothing that could have seen a request: such a block does nothing, whatever the code does.

        An injector that was made meanwhile may be gone again, and is not held for nothing.
        """
        injector = self._injector
        if (
            not injector.journal.requests
            and injector.may_inject
            and self._entered == instances.entered()
            and not instances.reaches_something()
        ):
            raise RuleNotMatched(
                f"inject() saw no request, as nothing in this process is wrapped. {unwrapped.advice()}"
            )

    def _tell_failures(self) -> None:
        """Fail where a request got no fault because of an error of ours, or of the counts that processes share."""
        injector = self._injector
        if injector.errors:
            raise InjectionFailed("an error inside faultinject let requests pass") from injector.errors[0]
        passed = injector.undecided + sum(each.undecided for each in self._elsewhere())
        if passed:
            what = "1 request" if passed == 1 else f"{passed} requests"
            raise InjectionFailed(f"{what} passed without a decision about faults: see the log")

    def _publish(self, *, keep_counts: bool = False, in_force: bool = True) -> None:
        """Tell the processes of the session."""
        if self._session is None or not self._in_force:
            return
        journal = self._injector.journal
        test = None if journal.test is None else journal.test()
        scenario = self._injector.scenario
        generation = self._session.publish(
            scenario, self.seed, test=test, in_force=in_force, keep_counts=keep_counts
        )
        self._generations.add(generation)
        if self._counts is not None and self._session.attached:
            self._counts.share(self._session.counts)

    def _new_counts(self) -> SessionCounts:
        from faultinject.injector.session_counts import SessionCounts

        self._counts = counts = SessionCounts()
        return counts

    def hide(self, by: int) -> None:
        """Begin, with 1, or end, with -1, to hide requests from faults, counts and the record."""
        self._injector.pause(by)
        self._publish(keep_counts=True, in_force=not self._injector.paused)

    def _elsewhere(self) -> list[Outcome]:
        """What happened in other processes."""
        if self._session is None or not self._generations:
            return []
        return self._session.outcomes(self._generations)

    async def __aenter__(self) -> Faults:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def _nobody_knows() -> None:
    """What a server holds that is not ours."""


class Pause:
    """For its block, requests pass untouched and unrecorded."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults

    def __enter__(self) -> None:
        self._faults.hide(1)

    def __exit__(self, *_: object) -> None:
        self._faults.hide(-1)
