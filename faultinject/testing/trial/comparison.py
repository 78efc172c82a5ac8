"""Finds the tests that a fault breaks, by comparing runs with faults with two runs without."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from msgspec import Struct

from faultinject.audit.app_under_test import places_of_app, without_operations
from faultinject.exceptions import ConfigurationError
from faultinject.journal.outcome import Outcome
from faultinject.rules.rule import Rule
from faultinject.testing.exploration.report import rows
from faultinject.vendors.addressing import with_placeholders

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
PARTLY = "failed in a part"
"""The outcome of a test whose subtests failed, which are tests of their own."""
BETWEEN = " > "
"""Separator between the names of a test of Node and its parents."""


@dataclass(frozen=True, slots=True)
class Result:
    """The end of one test.

    Attributes:
        test: its id, as its runner takes or shows it.
        outcome: `passed`, `failed`, `skipped` or `failed in a part`.
        message: the text of its error; empty if there is none.
        began: the time of its beginning in unix seconds; None: unknown.
        ended: the time of its end in unix seconds; None: unknown.
        exact: whether its runner can run the test by this id, so that the id is never changed.
        shown: the runner's whole text about the failure, with earlier errors; empty: unknown.
        refused: the first request that the app under test answered with 500 or more, and whose status the test did not
            look at, such as `PUT /cat got 503`; empty: there is none, or the runner does not show it.
        own: the line of the test's file whose own request to the store failed, beside those of the app under test;
            empty: another request failed, or the runner does not show it.
    """

    test: str
    outcome: str
    message: str = ""
    began: float | None = None
    ended: float | None = None
    exact: bool = False
    shown: str = ""
    refused: str = ""
    own: str = ""

    @property
    def error(self) -> str:
        """The first line of its error; without one, its outcome."""
        return self.message.partition("\n")[0] or self.outcome

    @property
    def stable_id(self) -> str:
        """The id with `~` for parts that may differ in another run, such as a time or a UUID."""
        return self.test if self.exact else with_placeholders(self.test)


def of_go(output: Iterable[bytes]) -> Iterator[Result]:
    """Read the output of `go test -json`, and skip lines of other programs."""
    texts: dict[str, list[str]] = {}
    packages_with_tests: set[str] = set()
    packages: dict[str, Result] = {}
    for line in output:
        event = _event(line)
        if event is None or "Action" not in event or "Package" not in event:
            continue
        package, name, action = event["Package"], event.get("Test"), event["Action"]
        test = package if name is None else f"{package}.{name}"
        if action == "output":
            texts.setdefault(test, []).append(event.get("Output", "").strip())
        outcome = {"pass": PASSED, "fail": FAILED, "skip": SKIPPED}.get(action)
        if outcome is None:
            continue
        ended = datetime.fromisoformat(event["Time"]).timestamp() if "Time" in event else None
        began = None if ended is None else ended - event.get("Elapsed", 0)
        # A line of `go test` itself, such as `--- FAIL: TestPut (0.00s)`, is not an error message.
        lines = [text for text in texts.get(test, []) if text and text[:3] not in ("===", "---")]
        result = Result(test, outcome, lines[0] if outcome == FAILED and lines else "", began, ended)
        if name is None:
            packages[package] = result
        else:
            packages_with_tests.add(package)
            yield result
    # A package that fails without a test was not built.
    for package, result in packages.items():
        if package not in packages_with_tests and result.outcome == FAILED:
            yield result


def _event(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"{"):
        return None
    try:
        event: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return event


def of_junit(path: str) -> Iterator[Result]:
    """Read a file of JUnit XML.

    Raises:
        ConfigurationError: there is no such file, or it is no JUnit XML.
    """
    try:
        root = ET.fromstring(Path(path).read_bytes())  # noqa: S314 - the user's own file
    except (OSError, ET.ParseError) as error:
        raise ConfigurationError(
            f"--results: {path}: the command wrote no JUnit XML there: {error}"
        ) from None
    for case in root.iter("testcase"):
        test = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        failure = next((part for part in case if part.tag in ("failure", "error")), None)
        if failure is not None:
            first = (failure.get("message") or (failure.text or "").strip()).partition("\n")[0]
            yield Result(test, FAILED, first)
        else:
            yield Result(test, PASSED if case.find("skipped") is None else SKIPPED)


def by_test(results: Collection[Result], names: Container[str] | None = None) -> dict[str, Result]:
    """The results by their test; the worst one if several have one id.

    Args:
        results: in the order in which the tests ended.
        names: the ids that are equal in each run, and are kept; None: all are kept.
    """
    failed = {result.test for result in results if result.outcome == FAILED}
    parents = {
        test for test in failed if any(child.startswith((f"{test}{BETWEEN}", f"{test}/")) for child in failed)
    }
    by_id: dict[str, Result] = {}
    for result in results:
        test = result.test if names is None or result.test in names else result.stable_id
        if test not in by_id or by_id[test].outcome != FAILED:
            by_id[test] = replace(result, outcome=PARTLY) if result.test in parents else result
    return by_id


def lasts(rules: Sequence[Rule]) -> bool:
    """Whether all faults stay, so that no retry helps."""
    return bool(rules) and all("from" in rule.options for rule in rules)


_OF_STATUS = re.compile(r"\b[45]\d\d\b")
_OF_THE_APP = re.compile(
    r"assert\b|AssertionError|Failed: DID NOT|StopIteration"
    r"|(Attribute|Index|Key|Name|Type|UnboundLocal|Value|ZeroDivision)Error\b"
)
"""The beginning of a failure that is no error of storage."""
_MISSING = re.compile(r"\bNoSuch[A-Z]\w+|\b404\b|[Nn]ot ?Found")
"""The words of storage for a missing object."""


def breaks_promise(rules: Sequence[Rule], result: Result, requests: Sequence[Outcome]) -> bool:
    """Whether a test fails for another reason than an error that the app reported.

    If the app asks for an object whose write failed, and the object is missing, it treated the write as successful.
    Otherwise it reported the error if the test's failure shows the fault's code or status, or any error status.
    """
    refused = set()
    for outcome in requests:
        if outcome.injected and outcome.method in ("PUT", "POST", "PATCH"):
            refused.add((outcome.host, outcome.path))
        # A careful app checks with HEAD whether its write took effect.
        elif (outcome.method, outcome.status) == ("GET", 404) and (outcome.host, outcome.path) in refused:
            return True
    names = {name for rule in rules for row in rule.resolved.rows for name in (row.code, str(row.status))}
    names |= {rule.fault.partition(":")[2] for rule in rules}
    # pytest marks the lines of the errors; the source beside them may have a status as well.
    errors = [line for line in result.shown.splitlines() if line.startswith("E ")] or [result.shown]
    if any(name in line for line in errors for name in names - {"", "None"}):
        return False
    error = result.error
    return bool(_MISSING.search(error)) or (bool(_OF_THE_APP.match(error)) and not _OF_STATUS.search(error))


CLOCK_DIFFERENCE = 0.05
"""Seconds by which the clocks of the suite and of this process may differ."""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One run of the suite.

    Attributes:
        rules: its faults; empty: it had none.
        results: the results by test.
        outcomes: its requests, in order.
        seconds: the time that it took.
        ended: the end of the command if the exit code is not 0, such as `exit code 1`.
    """

    rules: tuple[Rule, ...]
    results: Mapping[str, Result]
    outcomes: Sequence[Outcome]
    seconds: float
    ended: str = ""

    @property
    def lasts(self) -> bool:
        """Whether its faults stay."""
        return lasts(self.rules)

    @property
    def allows_errors(self) -> bool:
        """Whether a right app may report the error to its client.

        It may if the faults stay, or if they cut downloads, which boto3 does not repeat.
        """
        return self.lasts or (bool(self.rules) and all(rule.fault == "truncate" for rule in self.rules))

    @property
    def fails(self) -> bool:
        """Whether a test has failed."""
        return any(result.outcome == FAILED for result in self.results.values())

    def of(self, test: str) -> list[Outcome]:
        """The requests of one test; all requests if the suite does not show which belong to it."""
        if named := [outcome for outcome in self.outcomes if outcome.test == test]:
            return named
        result = self.results.get(test)
        if result is None or result.began is None or result.ended is None:
            return list(self.outcomes)
        began, ended = result.began - CLOCK_DIFFERENCE, result.ended + CLOCK_DIFFERENCE
        return [
            outcome for outcome in self.outcomes if outcome.test is None and began <= outcome.time <= ended
        ]


Place = tuple[str, bool, str | None]
"""The test of a breakage, whether its fault stays, and the error or the operation."""


@dataclass(frozen=True, slots=True)
class Breakage:
    """A test that a fault breaks.

    Attributes:
        run: the run in which it failed.
        test: its id.
        result: its result.
        requests: its requests in that run.
        causes: the requests with a fault, the last first; those without a successful retry before the others.
    """

    run: SuiteRun
    test: str
    result: Result
    requests: Sequence[Outcome]
    causes: Sequence[Outcome]

    @property
    def place(self) -> Place:
        """The key of its finding: the test; and the error if the fault stays, else the operation."""
        if self.run.lasts:
            return self.test, True, self.result.error
        return self.test, False, self.causes[0].operation if self.causes else None

    @property
    def kind(self) -> tuple[object, ...]:
        """The rules, operation, kind of error and sender: equal for breakages of one cause."""
        where = self.causes[0].operation if self.causes else None
        return self.run.rules, where, self.result.error.partition(":")[0], bool(self.result.own)

    @property
    def smaller(self) -> list[Rule]:
        """For each cause, a rule that injects the fault at this request alone."""
        return list(dict.fromkeys(map(self._at, self.causes)))

    def _at(self, cause: Outcome) -> Rule:
        rules = self.run.rules
        number = next((at for at, rule in enumerate(rules) if cause.rule == f"rule-{at + 1}"), 0)
        _, conditions, unless, options = rules[number].parts
        key, value = ("operation", cause.operation) if cause.operation else ("method", cause.method)
        named = any(outcome.test is not None for outcome in self.run.outcomes)
        requests = self.requests if named else self.run.outcomes
        lost = {id(outcome) for outcome in _lost(requests)}
        # Without a fault there is no retry, so a request and its successful retry count once.
        skip = sum(
            (outcome.operation or outcome.method) == value and (not outcome.injected or id(outcome) in lost)
            for outcome in requests[: requests.index(cause)]
        )
        options = {name: text for name, text in options.items() if name not in ("per", "skip")}
        options = {**options, "times": "1", **({"skip": str(skip)} if skip else {})}
        return Rule.of_parts(rules[number].fault, (None, {**conditions, key: (value,)}, unless, options))


def breakage(run: SuiteRun, test: str) -> Breakage:
    """The breakage of a test in a run."""
    requests = run.of(test)
    lost = _lost(requests)
    causes = [*lost, *(outcome for outcome in reversed(requests) if outcome.injected and outcome not in lost)]
    return Breakage(run, test, run.results[test], requests, causes)


def _lost(requests: Sequence[Outcome]) -> list[Outcome]:
    """The requests with a fault that had no successful retry, the last first."""
    answered: set[tuple[str, str]] = set()
    lost = []
    for outcome in reversed(requests):
        call = outcome.method, outcome.path
        if not outcome.injected:
            answered.add(call)
        elif call not in answered:
            lost.append(outcome)
    return lost


class SuiteComparison:
    """Compares the runs of a suite.

    Args:
        bare: the two runs without faults.
        only: the one test that is judged, as its runner or a report names it; None: all tests.

    Attributes:
        bare: the two runs without faults.
        runs: the runs with faults so far.
        broken_before: the tests that fail in both runs without faults.
        flaky: the tests with two outcomes in the runs without faults.
        judged: the tests that pass in both.
        ended: the end of the command without faults if the exit code is not 0, and no failed test explains it.
    """

    def __init__(self, bare: Sequence[SuiteRun], only: str | None = None) -> None:
        self._names = {result for result in bare[0].results if result in bare[1].results}
        self.bare = [self.named(run) for run in bare]
        first, second = (run.results for run in self.bare)
        tests = dict.fromkeys([*first, *second])
        if only is not None:
            wanted = only if only in tests else with_placeholders(only)
            tests = dict.fromkeys({wanted}.intersection(tests))
        pairs = {test: (_outcome(first, test), _outcome(second, test)) for test in tests}
        outcomes = {test: pair for test, pair in pairs.items() if PARTLY not in pair}
        self.runs: list[SuiteRun] = []
        self.tests = len(outcomes)
        self.broken_before = [test for test, pair in outcomes.items() if pair == (FAILED, FAILED)]
        self.flaky = [test for test, (earlier, later) in outcomes.items() if earlier != later]
        # With one test alone, a limit of coverage may make the command fail.
        self.ended = "" if only else next((run.ended for run in bare if run.ended and not run.fails), "")
        self.judged = [test for test, pair in outcomes.items() if pair == (PASSED, PASSED)]

    def named(self, run: SuiteRun) -> SuiteRun:
        """A run with `~` in the ids of tests that have other ids in the runs without faults."""
        return replace(run, results=by_test(run.results.values(), self._names))

    def broken_in(self, run: SuiteRun) -> list[Breakage]:
        """The tests that pass without faults, and fail in a run.

        If the app may report the faults of the run, a failure with the error of storage does not count.
        """
        excused = self.excused_in(run)
        return [breakage(run, test) for test in self._failed_in(run) if test not in excused]

    def excused_in(self, run: SuiteRun) -> list[str]:
        """The tests that fail with the error of storage in a run whose faults the app may report.

        A test that has ignored an error answer of the app is excused, too, however it fails afterwards.
        """
        if not run.allows_errors:
            return []
        return [
            test
            for test in self._failed_in(run)
            if run.results[test].refused or not breaks_promise(run.rules, run.results[test], run.of(test))
        ]

    def _failed_in(self, run: SuiteRun) -> list[str]:
        ran = [test for test in self.judged if test in run.results]
        return [test for test in ran if run.results[test].outcome not in (PASSED, PARTLY)]

    def missing_in(self, run: SuiteRun) -> list[str]:
        """The tests that pass without faults, and did not run in a run."""
        return [test for test in self.judged if test not in run.results]

    @property
    def broken(self) -> dict[Place, list[Breakage]]:
        """The breakages of each test by operation; those by a fault that stays come first."""
        breakages: dict[Place, list[Breakage]] = {}
        for run in sorted(self.runs, key=lambda run: not run.lasts):
            for breakage in self.broken_in(run):
                breakages.setdefault(breakage.place, []).append(breakage)
        return breakages

    @property
    def groups(self) -> list[list[Breakage]]:
        """The first breakage of each test at each operation, grouped by cause."""
        by_kind: dict[tuple[object, ...], list[Breakage]] = {}
        for first, *_ in self.broken.values():
            by_kind.setdefault(first.kind, []).append(first)
        return list(by_kind.values())


def _outcome(results: Mapping[str, Result], test: str) -> str | None:
    return results[test].outcome if test in results else None


def spelled(rules: Sequence[Rule]) -> str:
    """The rules of one run as one text for `-r`."""
    return "; ".join(map(str, rules))


class FaultOfTrial(Struct):
    """A run with one fault.

    Attributes:
        rule: Its rules.
        injected: The number of requests that got the fault.
        broken: The number of tests that it breaks.
        not_judged: If the fault stays or cuts a download: the errors of the tests that may fail, by test: those that
            fail with an error of storage, or after they ignored an answer of 500 or more from the app.
        missing: The tests that did not run, as the suite ended before.
        seconds: The time that it took.
        ended: The end of the command; empty: exit code 0.
    """

    rule: str
    injected: int
    broken: int
    not_judged: dict[str, str]
    missing: list[str]
    seconds: float
    ended: str


class BrokenTest(Struct):
    """A test that passes without faults, and that a fault breaks at one of its operations.

    A test that faults break at several operations is there once for each, and once for each error with faults that
    stay.

    Attributes:
        test: Its id.
        rules: The rules that break it there, in the order of the runs.
        like: The first test with the same cause; the test itself if it is the first.
        error: The error with the first of the rules.
        requests: Its requests in that run, a line each.
        smallest: The smallest rule that breaks it; if `tried` is 0, and one of its requests got a fault, the rule to
            try.
        confirmed: Whether a fault at one of its requests alone breaks it, as `smallest` has it; null: unknown, as not
            all requests were tried.
        tried: The number of its requests that alone got the fault, each in a run of its own.
        replay: The command that shows the failure again.
        lasts: Whether the first of the rules stays: the test then fails for another reason than an error of storage.
        refused: The first request that the app answered with 500 or more, and whose status the test did not look at,
            such as `PUT /cat got 503`; empty: none is known.
        own: The line of the test's file whose own request to the store failed, such as `test_cat.py:7`, if the test
            also asked the app under test; empty: none is known.
    """

    test: str
    rules: list[str]
    like: str
    error: str
    requests: list[str]
    smallest: str
    confirmed: bool | None
    tried: int
    replay: str
    lasts: bool
    refused: str
    own: str


class TrialReport(Struct):
    """The report that `faultinject trial --json` prints.

    Attributes:
        v: The version of the format, 1.
        tests: The number of tests.
        requests: The number of requests in a run without faults.
        seconds: The time that all runs took.
        suite: The time of a run without faults.
        faults: The runs with faults.
        broken: The tests that a fault breaks.
        broken_before: The errors of the tests that also fail without faults, by test.
        ended: The end of the command without faults, if the exit code is not 0 and no test failed; tests may be
            missing.
        flaky: The tests with two outcomes without faults.
        too_fast: The tests with another outcome without faults at `--speed`; each fault was tried in real time, too.
        stopped: The reason why not all faults were tried; empty: all were.
    """

    v: int
    tests: int
    requests: int
    seconds: float
    suite: float
    faults: list[FaultOfTrial]
    broken: list[BrokenTest]
    broken_before: dict[str, str]
    ended: str
    flaky: list[str]
    too_fast: list[str]
    stopped: str


def report_of(
    comparison: SuiteComparison,
    seconds: float,
    replay: Callable[[str, str], str],
    smallest: Mapping[Place, Rule],
    tried: Mapping[Place, int],
    too_fast: list[str],
    stopped: str = "",
) -> TrialReport:
    """The whole report as data.

    Args:
        comparison: the runs.
        seconds: the time that all runs took.
        replay: returns the command that runs a test again with a rule.
        smallest: by place of a breakage, the rule at one request alone that breaks the test, if one was found; for
            one test of each group.
        tried: by place, the number of such rules that were tried.
        too_fast: the tests with another outcome without faults if clocks run faster.
        stopped: the reason why not all faults were tried.
    """
    return TrialReport(
        v=1,
        tests=comparison.tests,
        requests=len(comparison.bare[0].outcomes),
        seconds=round(seconds, 3),
        suite=round(max(run.seconds for run in comparison.bare), 3),
        faults=[
            FaultOfTrial(
                spelled(run.rules),
                sum(outcome.injected for outcome in run.outcomes),
                len(comparison.broken_in(run)),
                {test: _reason_not_judged(run.results[test]) for test in comparison.excused_in(run)},
                comparison.missing_in(run),
                round(run.seconds, 3),
                run.ended,
            )
            for run in comparison.runs
        ],
        broken=list(_broken_tests(comparison, replay, smallest, tried)),
        broken_before={test: comparison.bare[0].results[test].error for test in comparison.broken_before},
        ended=comparison.ended,
        flaky=comparison.flaky,
        too_fast=too_fast,
        stopped=stopped,
    )


def _reason_not_judged(result: Result) -> str:
    return f"{result.error} ({result.refused})" if result.refused else result.error


def _broken_tests(
    comparison: SuiteComparison,
    replay: Callable[[str, str], str],
    smallest: Mapping[Place, Rule],
    tried: Mapping[Place, int],
) -> Iterator[BrokenTest]:
    places = places_of_app(comparison.bare[0].outcomes)
    like = {breakage.place: group[0].test for group in comparison.groups for breakage in group}
    for place, breakages in comparison.broken.items():
        first, test = breakages[0], place[0]
        number, smaller = tried.get(place, 0), [] if first.run.lasts else first.smaller
        confirmed = True if place in smallest else False if number == len(smaller) else None
        if place in smallest:
            rule = str(smallest[place])
        else:
            rule = spelled(first.run.rules if number or not smaller else smaller[:1])
        yield BrokenTest(
            test,
            rules=[spelled(breakage.run.rules) for breakage in breakages],
            like=like[place],
            error=first.result.error,
            requests=[row.strip() for row in rows(without_operations(first.requests, places))],
            smallest=rule,
            confirmed=confirmed,
            tried=number,
            replay=replay(test, rule),
            lasts=first.run.lasts,
            refused=first.result.refused,
            own=first.result.own,
        )
