"""The marker `faultinject_explore`: a test, run again for each of its requests and faults."""

from __future__ import annotations

import copy
import signal
import time
import unittest
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from hashlib import blake2b
from threading import current_thread, main_thread
from typing import Any, Literal

import pytest
from _pytest.runner import runtestprotocol

from faultinject.exceptions import ConfigurationError, FaultInjectError
from faultinject.injector.session_sync import Session
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import listed
from faultinject.testing.exploration.bounds import WHOLE, Bounds, convert_argument
from faultinject.testing.exploration.causes import FinishedRun
from faultinject.testing.exploration.points import marker
from faultinject.testing.exploration.report import groups, incomplete, report, summary, warned
from faultinject.testing.exploration.store_comparison import StoreContents
from faultinject.testing.exploration.sweep import Sweep, sweep_of
from faultinject.testing.pytest_plugin import SHARD, SUMMARY
from faultinject.testing.pytest_plugin.marked import EXPLORED, explored, hint_if_app_got_faults
from faultinject.testing.runs import RunFaults

QUIET, EVERY = 2.0, 0.5
"""Seconds before a terminal first shows the progress, and between two updates."""
TIMEOUT = pytest.StashKey[Any]()
"""The settings of pytest-timeout for a test whose limit includes the fixtures."""
WARNING = "faultinject_explore_warning"
"""The property of a report that holds a warning of the exploration."""
_SECTION = "faultinject: what was injected"
_KEYS = tuple("depth max_runs allow ignore exhaustive without again shards crash replay within".split())


@dataclass
class ExploredRun:
    """One run of an explored test, between its set-up and its tear-down.

    Attributes:
        sweep: the exploration.
        scenario: the faults of the run; no rules in the runs without faults.
        error: the exception of the test, or None.
        seconds: the time that the test itself took.
    """

    sweep: Sweep
    scenario: Scenario
    error: BaseException | None = None
    seconds: float = 0.0
    _faults: RunFaults | None = None

    def begin(self, of_markers: Scenario, seed: str, item: pytest.Item, session: Session | None) -> RunFaults:
        """Return the faults of this run: its scenario's, then those of the test's own markers."""
        self._faults = RunFaults(
            self.sweep,
            self.scenario,
            of_markers,
            seed=seed,
            test=lambda: item.nodeid,
            session=session,
            contents=partial(_store_contents, item.config)
            if "faultinject_store" in getattr(item, "fixturenames", ())
            else None,
        )
        return self._faults

    @property
    def under_way(self) -> bool:
        """Whether the test itself runs, and not its set-up or tear-down."""
        return self._faults is not None and self._faults.in_force

    def run_again(self, item: pytest.Item, error: Exception) -> bool:
        """If the bounds ask for it, repeat a test that has raised an error, without faults.

        A test whose assertion failed is not run again, as the code itself raised no error.
        """
        assert self._faults is not None
        if isinstance(error, AssertionError) or not (self.sweep.bounds.again and self.scenario.rules):
            return False
        self._faults.run_again(item.runtest)
        return True

    def end(self) -> FinishedRun:
        """Report the result of the run."""
        assert self._faults is not None
        return self.sweep.record(self._faults.result(self.error, self.seconds))


def _store_contents(config: pytest.Config) -> StoreContents:
    """The contents of the stores of `faultinject_store`."""
    from faultinject.testing.pytest_plugin import stored
    from faultinject.testing.storage import contents_of

    return {
        path: content
        for storage in stored.begin(config).factory
        for path, content in contents_of(storage.app).items()
    }


class ExploredTests:
    """The hooks around explored tests."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._if_incomplete = config.getini("faultinject_incomplete")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a marked test without faults, then for every scenario, and report it once."""
        mark = explored(item)
        if mark is None or next(item.iter_markers("skip"), None) is not None:
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        with _ended_as_interrupted():
            reports = _TestExploration(item, mark, self._if_incomplete).reports(nextitem)
        for test_report in reports:
            item.ihook.pytest_runtest_logreport(report=test_report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> None:
        """Keep the test's settings of pytest-timeout: each of its runs has the whole time."""
        if not settings.func_only:
            item.stash[TIMEOUT] = settings

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Keep the error of the test and its time: the report of a unittest has no error."""
        report = yield
        run = item.stash.get(EXPLORED, None)
        if run is not None and call.when == "call":
            of_subtest = run.under_way
            if call.excinfo is not None and (report.failed or not of_subtest):
                run.error = call.excinfo.value
            run.seconds = call.duration
            if of_subtest and run.scenario.rules:
                # pytest would show the failure of a subtest at once, although this run may be allowed to fail.
                report.outcome, report.longrepr = "passed", None
        return report


@contextmanager
def _ended_as_interrupted() -> Iterator[None]:
    """Let SIGTERM interrupt the block as Ctrl-C does, unless another handler is set.

    Time limits end a program with SIGTERM.
    """
    unhandled = current_thread() is main_thread() and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if unhandled:
        signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    try:
        yield
    finally:
        if unhandled:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)


class _TestExploration:
    """The exploration of one test."""

    def __init__(self, item: pytest.Item, mark: pytest.Mark, if_incomplete: str) -> None:
        self._item = item
        self._mark = mark
        self._if_incomplete = if_incomplete
        self._cache = getattr(item.config, "cache", None)
        self._failures: dict[tuple[object, ...], tuple[FinishedRun, pytest.TestReport]] = {}
        self._began = self._shown = time.monotonic()
        self._showing = False
        own = vars(item)
        obj, instance = own.get("_obj"), own.get("_instance")
        # A conftest or a plugin may have replaced the function; each run calls the replacement, on the same instance.
        is_original = obj is None or obj == getattr(instance, getattr(item, "originalname", ""), None)
        self._replaced = {} if is_original else {"_obj": obj, "_instance": instance}

    def reports(self, nextitem: pytest.Item | None) -> list[pytest.TestReport]:
        """Run the exploration, and return one report each for set-up, call and tear-down."""
        first: list[pytest.TestReport] = []
        refusal = ""
        sweep = None
        try:
            sweep = self._sweep()
            while (scenario := sweep.next()) is not None:
                run = ExploredRun(sweep, scenario)
                reports = self._run(run)
                first = first or reports
                if self._ends(reports, run, is_first=reports is first):
                    return self._last_reports(reports, run, sweep, nextitem)
                finished = run.end()
                if finished.failed:
                    self._note(finished, reports[1])
                self._progress(sweep)
                sweep.stopped = str(self._item.session.shouldstop or self._item.session.shouldfail or "")
                if sweep.stopped:
                    break
            call = self._verdict(sweep, first[1])
        except FaultInjectError as error:
            refusal = str(error)
        except KeyboardInterrupt:
            if sweep is not None and sweep.finished:
                self._show_interrupted(sweep)
            raise
        finally:
            self._progress(None)
        # The set-up comes first: plugins that rerun tests start at its report.
        setup = first[0] if first else self._report(lambda: None, "setup")
        if refusal:
            call = self._failed(refusal)
        call.duration = time.monotonic() - self._began
        return [setup, call, self._tear_down(nextitem)]

    def _show_interrupted(self, sweep: Sweep) -> None:
        """Show the results so far: pytest has no report of an interrupted test."""
        sweep.stopped = "it was interrupted"
        reporter = self._item.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:  # a worker of xdist has none
            reporter.section(f"faultinject: explored so far: {self._item.nodeid}")
            reporter.write_line(self._report_text(sweep))

    def _sweep(self) -> Sweep:
        keys: dict[str, Any] = dict(self._mark.kwargs)
        unknown = [key for key in keys if key not in _KEYS]
        if unknown:
            known = listed(_KEYS, "and")
            raise ConfigurationError(f"faultinject_explore takes no {listed(unknown)}; it takes {known}")
        shards = convert_argument("shards", keys.pop("shards", 1), *WHOLE)
        params = getattr(getattr(self._item, "callspec", None), "params", {})
        # The tests of a unittest.TestCase cannot be collected more than once.
        share = (params[SHARD], shards) if SHARD in params else (0, 1)
        bounds = Bounds(**keys)
        if bounds.again and isinstance(getattr(self._item, "instance", None), unittest.TestCase):
            raise ConfigurationError(
                "again: a method of unittest.TestCase is not run again; make it a function"
            )
        return sweep_of(self._mark.args, bounds, first=self._failed_texts(), share=share)

    def _run(self, run: ExploredRun) -> list[pytest.TestReport]:
        item = self._item
        item.stash[EXPLORED] = run
        item._report_sections.clear()  # noqa: SLF001 - what earlier runs have printed
        properties = list(item.user_properties)
        if TIMEOUT in item.stash:
            item.ihook.pytest_timeout_cancel_timer(item=item)
            item.ihook.pytest_timeout_set_timer(item=item, settings=item.stash[TIMEOUT])
        try:
            # If the next test is a copy of this one, pytest tears down function fixtures alone.
            return runtestprotocol(item, log=False, nextitem=copy.copy(item))
        finally:
            del item.stash[EXPLORED]
            item.user_properties[:] = properties
            if getattr(item, "cls", None) is not None:
                # Each run has its own instance of the class, as each test has.
                vars(item).update({"_obj": None, **self._replaced})
                if not self._replaced:
                    vars(item).pop("_instance", None)

    def _ends(self, reports: list[pytest.TestReport], run: ExploredRun, *, is_first: bool) -> bool:
        """Whether a run ends the exploration.

        Its fixtures have failed, or it is the first run and was skipped or has failed.
        """
        if len(reports) < 3 or reports[0].failed or reports[2].failed:
            return True
        return is_first and run.error is not None

    def _last_reports(
        self,
        reports: list[pytest.TestReport],
        run: ExploredRun,
        sweep: Sweep,
        nextitem: pytest.Item | None,
    ) -> list[pytest.TestReport]:
        """The reports of the last run, which are those of the test."""
        if run.scenario.rules:
            lines = [f"ended in the run with {marker(run.scenario.rules)}", "", self._report_text(sweep)]
            next(report for report in reports if report.failed or report is reports[-1]).sections.append(
                (_SECTION, "\n".join(lines))
            )
        last = self._tear_down(nextitem)
        return [*reports, last] if last.failed else reports

    def _note(self, finished: FinishedRun, call: pytest.TestReport) -> None:
        """Keep the report of a failure if it is the smallest of its cause."""
        if finished.cause not in self._failures or finished.size < self._failures[finished.cause][0].size:
            self._failures[finished.cause] = finished, call

    def _verdict(self, sweep: Sweep, call: pytest.TestReport) -> pytest.TestReport:
        causes = groups(sweep.finished)
        self._remember([smallest.text for smallest, *_ in causes])
        self._item.user_properties.append((SUMMARY, summary(sweep, self._seconds)))
        self._item.user_properties += [(WARNING, text) for text, _ in warned(sweep)]
        reasons = incomplete(sweep)
        if causes:
            smallest = causes[0][0]
            if smallest.error is not None:
                call = self._failures[smallest.cause][1]
            if smallest.error is None or not (call.failed or hasattr(call, "wasxfail")):
                # The test raised no error, or skipped itself because of the fault.
                call = self._failed(self._report_text(sweep))
            else:
                call.sections.append((_SECTION, self._report_text(sweep)))
        elif reasons and self._if_incomplete == "error":
            call = self._failed(self._report_text(sweep))
        elif reasons or sweep.unreached:
            warning = pytest.PytestWarning(f"faultinject_explore: {self._report_text(sweep)}")
            # With `-W error` the warning fails the test.
            report_of_warning = self._report(lambda: self._item.warn(warning), "call")
            call = report_of_warning if report_of_warning.failed else call
        call.user_properties = list(self._item.user_properties)
        return call

    def _report_text(self, sweep: Sweep) -> str:
        outcomes = [outcome for run in sweep.finished if run.failed for outcome in run.outcomes]
        rules = [choice.within or choice.rule for choice in sweep.run.choices]
        return "\n".join(
            [*hint_if_app_got_faults(outcomes, rules, self._item.config), report(sweep, self._seconds)]
        )

    @property
    def _seconds(self) -> float:
        return time.monotonic() - self._began

    @property
    def _place(self) -> str:
        """The key of the scenarios that failed last time, in pytest's cache."""
        return f"faultinject/explored/{blake2b(self._item.nodeid.encode(), digest_size=16).hexdigest()}"

    def _failed_texts(self) -> list[str]:
        return [] if self._cache is None else list(self._cache.get(self._place, []))

    def _remember(self, texts: list[str]) -> None:
        if self._cache is not None and texts != self._failed_texts():
            self._cache.set(self._place, texts)

    def _failed(self, text: str) -> pytest.TestReport:
        return self._report(lambda: pytest.fail(text, pytrace=False), "call")

    def _tear_down(self, nextitem: pytest.Item | None) -> pytest.TestReport:
        state = self._item.session._setupstate  # noqa: SLF001 - what pytest itself calls at the end of a test
        return self._report(lambda: state.teardown_exact(nextitem), "teardown")

    def _report(
        self, work: Callable[[], None], when: Literal["setup", "call", "teardown"]
    ) -> pytest.TestReport:
        info: pytest.CallInfo[None] = pytest.CallInfo.from_call(work, when)
        report_of_phase: pytest.TestReport = self._item.ihook.pytest_runtest_makereport(
            item=self._item, call=info
        )
        return report_of_phase

    def _progress(self, sweep: Sweep | None) -> None:
        """Show the progress of a long exploration on a terminal; None clears the line."""
        reporter = self._item.config.pluginmanager.get_plugin("terminalreporter")
        now = time.monotonic()
        if reporter is None or not reporter.isatty:
            return
        if sweep is None:
            if self._showing:
                reporter.rewrite("", erase=True)
                reporter.rewrite("")
                if reporter.showfspath and not reporter.showlongtestinfo:
                    reporter.write_fspath_result(self._item.nodeid, "")
        elif sweep.points is not None and now - self._began >= QUIET and now - self._shown >= EVERY:
            if not self._showing:
                reporter.ensure_newline()
            self._showing, self._shown = True, now
            reporter.rewrite(f"{self._item.name}: run {len(sweep.finished)} of {sweep.planned}", erase=True)


def summaries(reports: Sequence[pytest.TestReport]) -> list[str]:
    """The lines of each explored test: its summary and its warnings."""
    return [
        f"{report.nodeid}: {text}" if name == SUMMARY else f"    warning: {text}"
        for report in reports
        for name, text in getattr(report, "user_properties", ())
        if name in (SUMMARY, WARNING)
    ]
