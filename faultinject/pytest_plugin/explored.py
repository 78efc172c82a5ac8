"""The marker `faultinject_explore`: one test, run again for every request that it makes and every fault."""

from __future__ import annotations

import copy
import time

import pytest
from _pytest.runner import runtestprotocol

from faultinject.exceptions import ExplorationFailed, FaultInjectError
from faultinject.exploration.choices import choices
from faultinject.exploration.report import groups, incomplete, report, summary, text_of
from faultinject.exploration.sweep import Sweep
from faultinject.pytest_plugin.marks import EXPLORE
from faultinject.runs import RunAway, Watch
from faultinject.session import Faults
from faultinject.settings.scenario import Scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Sequence
    from typing import Any

    from faultinject.following import Session

SHARD = "faultinject_shard"
"""The hidden parameter of a test that is collected once for each of its shards."""
PROPERTY = "faultinject_explore"
"""The property of a report that holds the summary line: it survives xdist and lands in junit files."""
LAST = "faultinject/explored/{}"
"""Where pytest's cache keeps the scenarios that failed last time."""
_QUIET = 2.0
_EVERY = 0.5


class ExploredRun:
    """One run of an explored test, between its set-up and its tear-down."""

    def __init__(self, scenario: Scenario, limit: int | None) -> None:
        self.scenario = scenario
        self.limit = limit
        self.faults: Faults | None = None
        self.error: BaseException | None = None
        self.seconds = 0.0

    def around(self, given: Scenario, seed: str, item: pytest.Item, session: Session | None) -> Faults:
        """The faults of this run: its scenario's, then those of the test's own markers."""
        rules = [*self.scenario.rules, *given.rules]
        if session is not None and not session.attached:
            session = None  # nobody to tell: thousands of runs need not do it
        self.faults = Faults(Scenario.of_rules(rules, seed), test=lambda: item.nodeid, session=session)
        if self.limit is not None:
            self.faults.injector.journal.follow(Watch(self.faults, self.limit))
        return self.faults


EXPLORED = pytest.StashKey[ExploredRun]()


def explored(item: pytest.Item) -> pytest.Mark | None:
    """The innermost marker of an explored test."""
    mark: pytest.Mark | None = item.get_closest_marker(EXPLORE)
    return mark


class ExploredTests:
    """The hooks around explored tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._says = config.getini("faultinject_incomplete")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a marked test once without faults, then for every scenario; report it once."""
        mark = explored(item)
        if mark is None or item.get_closest_marker("skip") is not None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for each in _Exploring(item, mark, self._says).reports(nextitem):
            item.ihook.pytest_runtest_logreport(report=each)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Keep what the test raised, and how long it took."""
        run = item.stash.get(EXPLORED, None)
        if run is None:
            return (yield)
        began = time.monotonic()
        try:
            return (yield)
        except RunAway as error:
            run.error = error
            raise ExplorationFailed(str(error)) from None
        except BaseException as error:
            run.error = error
            raise
        finally:
            run.seconds = time.monotonic() - began


class _Exploring:
    """The exploration of one test."""

    def __init__(self, item: pytest.Item, mark: pytest.Mark, says: str) -> None:
        self._item = item
        self._mark = mark
        self._says = says
        self._sweep: Sweep | None = None
        self._failures: dict[int, pytest.TestReport] = {}
        self._began = self._shown = time.monotonic()

    def reports(self, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
        """Set-up, call and tear-down, each once, whatever the number of runs was."""
        item = self._item
        setup = call = None
        wrong = ""
        try:
            sweep = self._sweep = self._read()
            first = True
            while (scenario := sweep.next()) is not None:
                run = ExploredRun(scenario, sweep.limit)
                found = self._run(run)
                setup = setup or found[0]
                whole = len(found) == 3 and not found[0].failed and not found[2].failed
                if not whole or found[1].skipped or (first and found[1].failed):
                    # As it would have ended without the marker; nothing is explored.
                    return self._ended(found, nextitem)
                call = call or found[1]
                first = False
                assert run.faults is not None
                made = sweep.record(run.faults.outcomes, run.error, run.seconds)
                if made.failed:
                    self._failures[id(made)] = found[1]
                self._progress(sweep)
                if item.session.shouldstop or item.session.shouldfail:
                    break
            call = self._verdict(sweep, call)
        except FaultInjectError as error:
            wrong = str(error)
        finally:
            self._progress(None)
        if wrong:
            call = self._failed(wrong)
            setup = setup or self._report(lambda: None, "setup")
        assert setup is not None
        assert call is not None
        call.duration = time.monotonic() - self._began
        return [setup, call, self._torn_down(nextitem)]

    def _read(self) -> Sweep:
        keys: dict[str, Any] = dict(self._mark.kwargs)
        allow = keys.pop("allow", ())
        shards = keys.pop("shards", 1)
        depth, max_runs = keys.pop("depth", 1), keys.pop("max_runs", 500)
        if keys:
            raise ExplorationFailed(f"faultinject_explore takes no {', '.join(keys)}")
        params = getattr(getattr(self._item, "callspec", None), "params", {})
        cache = self._item.config.cache
        last = cache.get(LAST.format(self._item.nodeid), []) if cache is not None else []
        return Sweep(
            choices(self._mark.args),
            depth=depth,
            max_runs=max_runs,
            allow=allow if isinstance(allow, tuple) else (allow,),
            first=last,
            share=(params.get(SHARD, 0), shards),
        )

    def _run(self, run: ExploredRun) -> list[pytest.TestReport]:
        item = self._item
        item.stash[EXPLORED] = run
        item._report_sections.clear()  # noqa: SLF001 - what earlier runs have printed
        properties = list(item.user_properties)
        try:
            # A copy is another node of the same parents: function fixtures are torn down, wider ones stay.
            return runtestprotocol(item, log=False, nextitem=copy.copy(item))
        finally:
            del item.stash[EXPLORED]
            item.user_properties[:] = properties

    def _verdict(self, sweep: Sweep, call: pytest.TestReport | None) -> pytest.TestReport:
        seconds = time.monotonic() - self._began
        line = summary(sweep, seconds)
        found = groups(sweep.made)
        self._remember([text_of(each.smallest) for each in found])
        wrong = incomplete(sweep)
        if found:
            call = self._failures[id(found[0].smallest)]
            call.sections.append(("faultinject: what was injected", report(sweep, seconds)))
        elif wrong and self._says == "error":
            call = self._failed(report(sweep, seconds))
        elif wrong or sweep.unreached:
            self._item.warn(pytest.PytestWarning(f"faultinject_explore: {report(sweep, seconds)}"))
        assert call is not None
        call.user_properties.append((PROPERTY, line))
        return call

    def _remember(self, texts: Sequence[str]) -> None:
        cache = self._item.config.cache
        if cache is not None:
            cache.set(LAST.format(self._item.nodeid), list(texts))

    def _ended(self, found: list[pytest.TestReport], nextitem: pytest.Item | None) -> list[pytest.TestReport]:
        last = self._torn_down(nextitem)
        return [*found, last] if last.failed else found

    def _failed(self, text: str) -> pytest.TestReport:
        return self._report(lambda: pytest.fail(text, pytrace=False), "call")

    def _torn_down(self, nextitem: pytest.Item | None) -> pytest.TestReport:
        item = self._item
        state = item.session._setupstate  # noqa: SLF001 - what pytest itself calls at the end of a test
        return self._report(lambda: state.teardown_exact(nextitem), "teardown")

    def _report(self, work: Any, when: Any) -> pytest.TestReport:
        info: pytest.CallInfo[None] = pytest.CallInfo.from_call(work, when)
        made: pytest.TestReport = self._item.ihook.pytest_runtest_makereport(item=self._item, call=info)
        return made

    def _progress(self, sweep: Sweep | None) -> None:
        """On a terminal, say how far a long exploration is; None clears the line."""
        reporter = self._item.config.pluginmanager.get_plugin("terminalreporter")
        now = time.monotonic()
        if reporter is None or not reporter.isatty or now - self._began < _QUIET:
            return
        if sweep is None:
            reporter.rewrite("", erase=True)
        elif now - self._shown > _EVERY:
            self._shown = now
            done = len(sweep.made)
            reporter.rewrite(f"{self._item.name}: run {done} of {sweep.planned}", erase=True)


def summaries(reports: Sequence[pytest.TestReport]) -> list[str]:
    """A line for each explored test."""
    found = []
    for each in reports:
        for name, line in getattr(each, "user_properties", ()):
            if name == PROPERTY:
                found.append(f"{each.nodeid}: {line}")
    return found
