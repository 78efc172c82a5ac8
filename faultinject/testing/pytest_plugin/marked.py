"""What the plugin does once a collected test is marked or uses `faults`; only then is this module imported."""

from __future__ import annotations

import inspect
import os
import unittest
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pytest

from faultinject.exceptions import FaultInjectError
from faultinject.injector.session_sync import Session
from faultinject.rules.environment import is_switched_on
from faultinject.rules.production import production_reason
from faultinject.rules.scenario import Scenario
from faultinject.testing import unwrapped
from faultinject.testing.decorating import decorate
from faultinject.testing.inject import Faults
from faultinject.testing.nearest import met, nearest_request
from faultinject.testing.pytest_plugin import needs_faults
from faultinject.testing.pytest_plugin.marks import EXPLORED, MarkedRules, explored
from faultinject.testing.pytest_plugin.options import SEED, patch
from faultinject.testing.pytest_plugin.record import record, replay

NAME = "faultinject-marked"


def begin(config: pytest.Config) -> MarkedTests:
    """The session's hooks around marked tests; registered on first use."""
    found = config.pluginmanager.get_plugin(NAME)
    if found is None:
        found = MarkedTests(config)
        config.pluginmanager.register(found, NAME)
    assert isinstance(found, MarkedTests)
    return found


class MarkedTest:
    """One test with faults.

    Raises:
        ConfigurationError: a marker's rule, or a variable of the environment, is wrong.
    """

    def __init__(
        self, item: pytest.Item, session_seed: str, session: Session | None, only: Scenario | None
    ) -> None:
        given = MarkedRules(item)
        seed = f"{session_seed}/{item.nodeid}" if given.seed is None else given.seed
        self.item = item
        run = item.stash.get(EXPLORED, None)
        if run is not None:
            self.faults: Faults = run.begin(given.scenario, seed, item, session)
        else:
            scenario = given.scenario if only is None else only
            self.faults = Faults(scenario, seed=seed, test=lambda: item.nodeid, session=session)
        if given.fast_forward:
            self.faults.fast_forward()
        # In a run with an explored fault the code may never come to what a marker's rule waits for.
        self._judged = only is None and (run is None or not run.scenario.rules)
        self._given = given
        self._production = production_reason(os.environ)
        # What a test clears away was nevertheless in force: the first plan's counts tell.
        self._plan = self.faults.injector.own_plan
        if not self.faults.injector.enabled:
            self.faults.injector.announce()

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """For its block, the test itself, its faults are in force; behind it, fail or warn about rules that no request met."""
        with self.faults:
            yield
        self._judge()

    def _judge(self) -> None:
        if self.faults.unfinished:
            pytest.fail("faults.explore(): the loop was left before its end", pytrace=False)
        says = self.item.config.getini("faultinject_unmatched")
        if says == "ignore" or not self._judged or not (missed := self._missed()):
            return
        lines = [*self._off(), "faultinject: no request met the conditions of"]
        outcomes = self.faults.outcomes
        for number in missed:
            lines.append(f"  {self._plan.names[number]} ({self._plan.rules[number]})")
            lines.append(f"    {nearest_request(self._plan.rules[number], outcomes, self._plan)}")
        if not outcomes and len(lines) == 1 + 2 * len(missed):
            lines.append(unwrapped.advice())
        message = "\n".join(lines)
        if says == "error":
            pytest.fail(message, pytrace=False)
        self.item.warn(pytest.PytestWarning(message))

    def _off(self) -> list[str]:
        """Why nothing could be injected, whatever the requests were."""
        injector = self.faults.injector
        if self._production is not None and not injector.enabled:
            why = f"{self._production} looks like production; unset it where tests run"
        elif injector.own_plan.expired:
            why = "FAULTINJECT_EXPIRES has passed"
        else:
            return []
        return [f"faultinject: nothing is injected, because {why}"]

    def _missed(self) -> list[int]:
        """Rules of the function's and the parameter's markers count each, those of classes and modules together."""
        given, plan = self._given, self._plan

        def matched(rule: int) -> bool:
            return (
                rule in self.faults.met_while_exploring
                or self.faults.matched(rule, plan) > 0
                # Before `begin` and after `end` nothing is counted; the conditions are met all the same.
                or (
                    not plan.rules[rule].options.keys().isdisjoint(("begin", "end"))
                    and any(met(plan.rules[rule], each, plan) for each in self.faults.outcomes)
                )
            )

        own = [each for each in given.own if not matched(each)]
        return own if any(map(matched, given.shared)) else sorted([*given.shared, *own])


MARKED = pytest.StashKey[MarkedTest]()


class MarkedTests:
    """The hooks around every test of a session in which some test needs faults."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seed = config.stash[SEED]
        try:
            self._off = "--faultinject-off" if config.getoption("faultinject_off") else _off()
            self._only = _only(config)
        except FaultInjectError as error:
            raise pytest.UsageError(str(error)) from None
        if not self._off:
            patch(config)
        self._session = None if self._off else _session()
        self._environ: dict[str, str | None] = {}
        if self._session is not None:
            for name, value in self._session.variables.items():
                self._environ[name] = os.environ.get(name)
                os.environ[name] = value

    def expect(self, items: Sequence[pytest.Item]) -> None:
        """Get ready to explore; where faults are off, skip the tests that need them."""
        if self._off:
            for item in items:
                if needs_faults([item]):
                    item.add_marker(pytest.mark.skip(reason=f"faultinject is off: {self._off}"))
        elif self._only is None and any(map(explored, items)):
            from faultinject.testing.pytest_plugin.explored import ExploredTests

            self._config.pluginmanager.register(ExploredTests(self._config), f"{NAME}-explored")

    def faults(self, request: pytest.FixtureRequest) -> Faults:
        """What the fixture gives."""
        if self._off:
            pytest.skip(f"faultinject is off: {self._off}")
        item: pytest.Item = request.node
        if MARKED not in item.stash:
            # Asked for by name at run time: collection could not see it.
            marked = self._prepare(item)
            if os.environ.get("PYTEST_CURRENT_TEST", "").endswith("(call)"):
                marked.faults.__enter__()
                request.addfinalizer(lambda: marked.faults.__exit__(None, None, None))
        return item.stash[MARKED].faults

    def _prepare(self, item: pytest.Item) -> MarkedTest:
        try:
            item.stash[MARKED] = marked = MarkedTest(item, self._seed, self._session, self._only)
        except FaultInjectError as error:
            wrong = str(error)
        else:
            return marked
        pytest.fail(wrong, pytrace=False)

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Read the markers before the first fixture is set up."""
        if not self._off and needs_faults([item]):
            self._prepare(item)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Put the faults in force around the test itself."""
        marked = item.stash.get(MARKED, None)
        if marked is None:
            return (yield)
        if isinstance(getattr(item, "instance", None), unittest.TestCase):
            # Its call phase holds setUp and tearDown as well, and keeps errors to itself.
            with _around_method(item, marked):
                return (yield)
        run = item.stash.get(EXPLORED, None)
        with marked.in_force():
            try:
                return (yield)
            except Exception as error:
                if run is None or not run.run_again(item, error):
                    raise
        return None

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """A failed test says what was injected and how to see it again."""
        report = yield
        marked = item.stash.get(MARKED, None)
        if marked is not None:
            if report.when == "call" and report.failed and EXPLORED not in item.stash:
                text = f"{record(marked.faults)}\n{replay(item, self._seed)}"
                report.sections.append(("faultinject", text))
            if call.when == "teardown":
                del item.stash[MARKED]
                if self._session is not None:  # pragma: no branch - Windows
                    self._session.forget()
        return report

    def pytest_unconfigure(self) -> None:
        """Leave the environment as it was."""
        for name, value in self._environ.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        if self._session is not None:
            self._session.close()


@contextmanager
def _around_method(item: Any, marked: MarkedTest) -> Iterator[None]:
    """For its block, the method of a unittest.TestCase runs with its faults in force."""
    method, asks = item.obj, inspect.iscoroutinefunction(item.obj)
    item.obj = decorate(method, marked.in_force)
    if asks:
        # pytest puts a plain method on the instance itself.
        setattr(item.instance, item.name, item.obj)
    try:
        yield
    finally:
        item.obj = method
        if asks:
            delattr(item.instance, item.name)


def _session() -> Session | None:
    """Where servers in other processes learn of the tests' faults; None where there can be none."""
    from faultinject.counts.filelock import AVAILABLE

    return Session() if AVAILABLE else None


def _only(config: pytest.Config) -> Scenario | None:
    """The one scenario that is to be replayed, or None."""
    text: str | None = config.getoption("faultinject_scenario")
    return None if text is None else Scenario.parse(text, where="--faultinject-scenario")


def _off() -> str:
    """Why the environment says that there are no faults; empty when it does not."""
    return "FAULTINJECT_ENABLED=0" if is_switched_on(os.environ) is False else ""
