"""The tests of a suite that a fault breaks: the runs with faults against two without."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any
from xml.etree import ElementTree as ET

from msgspec import Meta, Struct

from faultinject.exceptions import ConfigurationError
from faultinject.journal.outcome import Outcome
from faultinject.rules.rule import Rule
from faultinject.vendors.addressing import with_placeholders

PASSED, FAILED, SKIPPED = "passed", "failed", "skipped"
PARTLY = "failed in a part"
"""Outcome of a test that failed only because a part of it did, which is a test of its own."""
BETWEEN = " > "
"""Separator between the names of a test of Node and its parents."""


@dataclass(frozen=True, slots=True)
class Result:
    """The end of one test.

    Attributes:
        test: its id, as its runner takes or shows it.
        outcome: `passed`, `failed`, `skipped` or `failed in a part`.
        said: the text of its error; empty if there is none.
        began: when it began, unix seconds; None: its runner does not say.
        ended: when it ended, unix seconds; None: its runner does not say.
        exact: whether its runner takes this id alone, so that no other may stand for it.
        shown: all that its runner shows of its failure, with the errors behind it; empty: it does not say.
    """

    test: str
    outcome: str
    said: str = ""
    began: float | None = None
    ended: float | None = None
    exact: bool = False
    shown: str = ""

    @property
    def error(self) -> str:
        """The first line of its error; without one, its outcome."""
        return self.said.partition("\n")[0] or self.outcome

    @property
    def alike(self) -> str:
        """Its id with `~` for parts that may differ in another run, such as a time or a UUID."""
        return self.test if self.exact else with_placeholders(self.test)


def of_go(output: Iterable[bytes]) -> Iterator[Result]:
    """Read the output of `go test -json`; lines of other programs between are left out."""
    said: dict[str, list[str]] = {}
    names: set[str] = set()
    whole: dict[str, Result] = {}
    for line in output:
        event = _event(line)
        if event is None or "Action" not in event or "Package" not in event:
            continue
        package, name, action = event["Package"], event.get("Test"), event["Action"]
        test = package if name is None else f"{package}.{name}"
        if action == "output":
            said.setdefault(test, []).append(event.get("Output", "").strip())
        outcome = {"pass": PASSED, "fail": FAILED, "skip": SKIPPED}.get(action)
        if outcome is None:
            continue
        ended = datetime.fromisoformat(event["Time"]).timestamp() if "Time" in event else None
        began = None if ended is None else ended - event.get("Elapsed", 0)
        # A line of `go test` itself, such as `--- FAIL: TestPut (0.00s)`, says nothing new.
        lines = [text for text in said.get(test, []) if text and text[:3] not in ("===", "---")]
        result = Result(test, outcome, lines[0] if outcome == FAILED and lines else "", began, ended)
        if name is None:
            whole[package] = result
        else:
            names.add(package)
            yield result
    # A package that fails without a test was not built.
    for package, result in whole.items():
        if package not in names and result.outcome == FAILED:
            yield result


def _event(line: bytes) -> dict[str, Any] | None:
    if not line.startswith(b"{"):
        return None
    try:
        found: dict[str, Any] = json.loads(line)
    except ValueError:
        return None
    return found


def of_junit(path: str) -> Iterator[Result]:
    """Read a file of JUnit XML.

    Raises:
        ConfigurationError: it is not there, or is no JUnit XML.
    """
    try:
        root = ET.fromstring(Path(path).read_bytes())  # noqa: S314 - the user's own file
    except (OSError, ET.ParseError) as error:
        raise ConfigurationError(
            f"--results: {path}: the command wrote no JUnit XML there: {error}"
        ) from None
    for case in root.iter("testcase"):
        test = ".".join(filter(None, (case.get("classname"), case.get("name"))))
        wrong = next((part for part in case if part.tag in ("failure", "error")), None)
        if wrong is not None:
            first = (wrong.get("message") or (wrong.text or "").strip()).partition("\n")[0]
            yield Result(test, FAILED, first)
        else:
            yield Result(test, PASSED if case.find("skipped") is None else SKIPPED)


def by_test(results: Collection[Result], names: Container[str] | None = None) -> dict[str, Result]:
    """The results by their test; the worst one if several have one id.

    Args:
        results: in the order in which the tests ended.
        names: the ids that are the same in each run, and stay; None: all stay.
    """
    failed = {result.test for result in results if result.outcome == FAILED}
    whole = {
        test for test in failed if any(other.startswith((f"{test}{BETWEEN}", f"{test}/")) for other in failed)
    }
    found: dict[str, Result] = {}
    for result in results:
        test = result.test if names is None or result.test in names else result.alike
        if test not in found or found[test].outcome != FAILED:
            found[test] = replace(result, outcome=PARTLY) if result.test in whole else result
    return found


def lasts(rules: Sequence[Rule]) -> bool:
    """Whether faults stay, so that no retry helps; the app can keep its promise all the same."""
    return bool(rules) and all("from" in rule.options for rule in rules)


_OF_STATUS = re.compile(r"\b[45]\d\d\b")
_OF_THE_APP = re.compile(
    r"assert\b|AssertionError|Failed: DID NOT|StopIteration"
    r"|(Attribute|Index|Key|Name|Type|UnboundLocal|Value|ZeroDivision)Error\b"
)
"""The beginning of a test's failure that says nothing of storage."""
_MISSING = re.compile(r"\bNoSuch[A-Z]\w+|\b404\b|[Nn]ot ?Found")
"""The words of storage for a thing that is not there."""


def breaks_promise(rules: Sequence[Rule], result: Result) -> bool:
    """Whether a test fails otherwise than by a fault that stays.

    A test that is told of the fault has been told the truth: its code or its status stands anywhere in the failure,
    or the test has got some error status. Else the app took a failed request for done.
    """
    told = {name for rule in rules for row in rule.resolved.rows for name in (row.code, str(row.status))}
    told |= {rule.fault.partition(":")[2] for rule in rules}
    if any(name in result.shown for name in told - {"", "None"}):
        return False
    error = result.error
    return bool(_MISSING.search(error)) or (bool(_OF_THE_APP.match(error)) and not _OF_STATUS.search(error))


LEAVES = 0.05
"""Seconds by which a request may be noted outside of its test: two processes read the clock."""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One run of the suite.

    Attributes:
        rules: of its faults; none: it had no faults.
        results: by test, how it ended.
        outcomes: its requests, in order.
        seconds: how long it took.
        ended: why the command ended, if it did not end with exit code 0.
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
    def fails(self) -> bool:
        """Whether a test of it fails."""
        return any(result.outcome == FAILED for result in self.results.values())

    def of(self, test: str) -> list[Outcome]:
        """The requests of one test; all of them if the suite does not say when it runs which."""
        if named := [outcome for outcome in self.outcomes if outcome.test == test]:
            return named
        result = self.results.get(test)
        if result is None or result.began is None or result.ended is None:
            return list(self.outcomes)
        began, ended = result.began - LEAVES, result.ended + LEAVES
        return [
            outcome for outcome in self.outcomes if outcome.test is None and began <= outcome.time <= ended
        ]


@dataclass(frozen=True, slots=True)
class Breakage:
    """A test that a fault breaks.

    Attributes:
        run: the run in which it was broken.
        test: its id.
        result: how it ended there.
        requests: its requests there.
        causes: the requests with a fault; the last first, and before all those that came to no good end.
    """

    run: SuiteRun
    test: str
    result: Result
    requests: Sequence[Outcome]
    causes: Sequence[Outcome]

    @property
    def kind(self) -> tuple[object, ...]:
        """The features that breakages of one cause share."""
        where = self.causes[0].operation if self.causes else None
        return self.run.rules, where, self.result.error.partition(":")[0]

    @property
    def smaller(self) -> list[Rule]:
        """For each cause the rule that gives this one request its fault."""
        return list(dict.fromkeys(map(self._at, self.causes)))

    def _at(self, cause: Outcome) -> Rule:
        rules = self.run.rules
        number = next((at for at, each in enumerate(rules) if cause.rule == f"rule-{at + 1}"), 0)
        _, conditions, unless, options = rules[number].parts
        key, value = ("operation", cause.operation) if cause.operation else ("method", cause.method)
        named = any(outcome.test is not None for outcome in self.run.outcomes)
        all_ = self.requests if named else self.run.outcomes
        lost = {id(outcome) for outcome in _lost(all_)}
        # A request with a fault, which was asked again, would not have been there twice.
        skip = sum(
            (outcome.operation or outcome.method) == value and (not outcome.injected or id(outcome) in lost)
            for outcome in all_[: all_.index(cause)]
        )
        options = {name: text for name, text in options.items() if name not in ("per", "skip")}
        options = {**options, "times": "1", **({"skip": str(skip)} if skip else {})}
        return Rule.of_parts(rules[number].fault, (None, {**conditions, key: (value,)}, unless, options))


def breakage(run: SuiteRun, test: str) -> Breakage:
    """The end of a test in a run that broke it."""
    requests = run.of(test)
    lost = _lost(requests)
    causes = [*lost, *(outcome for outcome in reversed(requests) if outcome.injected and outcome not in lost)]
    return Breakage(run, test, run.results[test], requests, causes)


def _lost(requests: Sequence[Outcome]) -> list[Outcome]:
    """The requests with a fault that had no answered repetition, the last first."""
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
    """The runs of a suite against each other.

    Args:
        bare: the two runs without faults.
        only: the one test that is judged, as its runner or a report names it; None: all.

    Attributes:
        bare: the two runs without faults.
        runs: the runs with faults so far.
        broken_before: the tests that fail in both runs without faults.
        flaky: the tests that two runs without faults do not agree about.
        judged: the tests that pass in both.
        ended: how the command ended without faults, if not with exit code 0, and no test that failed says why.
    """

    def __init__(self, bare: Sequence[SuiteRun], only: str | None = None) -> None:
        self._names = {result for result in bare[0].results if result in bare[1].results}
        self.bare = [self.named(run) for run in bare]
        first, second = (run.results for run in self.bare)
        tests = dict.fromkeys([*first, *second])
        if only is not None:
            wanted = only if only in tests else with_placeholders(only)
            tests = dict.fromkeys({wanted}.intersection(tests))
        found = {test: (_outcome(first, test), _outcome(second, test)) for test in tests}
        outcomes = {each: pair for each, pair in found.items() if PARTLY not in pair}
        self.runs: list[SuiteRun] = []
        self.tests = len(outcomes)
        self.broken_before = [each for each, found in outcomes.items() if found == (FAILED, FAILED)]
        self.flaky = [each for each, (one, other) in outcomes.items() if one != other]
        # One test alone may end its command otherwise: it covers less than a limit asks for.
        self.ended = "" if only else next((run.ended for run in bare if run.ended and not run.fails), "")
        self.judged = [each for each, found in outcomes.items() if found == (PASSED, PASSED)]

    def named(self, run: SuiteRun) -> SuiteRun:
        """A run with `~` in the ids of tests that have other names in the runs without faults."""
        return replace(run, results=by_test(run.results.values(), self._names))

    def broken_in(self, run: SuiteRun) -> list[Breakage]:
        """The tests that pass without faults, and not in a run.

        If its faults stay, they are those that break a promise.
        """
        ran = [each for each in self.judged if each in run.results]
        failed = [each for each in ran if run.results[each].outcome not in (PASSED, PARTLY)]
        if run.lasts:
            failed = [each for each in failed if breaks_promise(run.rules, run.results[each])]
        return [breakage(run, each) for each in failed]

    def missing_in(self, run: SuiteRun) -> list[str]:
        """The tests that pass without faults and did not run at all."""
        return [each for each in self.judged if each not in run.results]

    @property
    def broken(self) -> dict[str, list[Breakage]]:
        """By test, how each fault breaks it."""
        found: dict[str, list[Breakage]] = {}
        for run in self.runs:
            for breakage in self.broken_in(run):
                found.setdefault(breakage.test, []).append(breakage)
        return found

    @property
    def groups(self) -> list[list[Breakage]]:
        """The first breakage of each test, grouped by cause."""
        alike: dict[tuple[object, ...], list[Breakage]] = {}
        for first, *_ in self.broken.values():
            alike.setdefault(first.kind, []).append(first)
        return list(alike.values())


def _outcome(results: Mapping[str, Result], test: str) -> str | None:
    return results[test].outcome if test in results else None


def spelled(rules: Sequence[Rule]) -> str:
    """The rules of one run as one text that `-r` takes."""
    return "; ".join(map(str, rules))


Text = Annotated[str, Meta(min_length=1)]
Count = Annotated[int, Meta(ge=0)]
Seconds = Annotated[float, Meta(ge=0)]


class FaultOfTrial(Struct):
    """A run with one fault."""

    rule: Annotated[Text, Meta(description="Its rules.")]
    injected: Annotated[Count, Meta(description="How many requests got the fault.")]
    broken: Annotated[Count, Meta(description="How many tests it breaks.")]
    missing: Annotated[list[str], Meta(description="The tests that did not run, as the suite ended before.")]
    seconds: Annotated[Seconds, Meta(description="How long it took.")]
    ended: Annotated[str, Meta(description="How the command ended; empty: with exit code 0.")]


class BrokenTest(Struct):
    """A test that passes without faults, and that a fault breaks."""

    test: Annotated[Text, Meta(description="Its id.")]
    rules: Annotated[list[str], Meta(description="The rules that break it, in the order of the runs.")]
    like: Annotated[Text, Meta(description="The first test of the same cause; of its own the test itself.")]
    error: Annotated[Text, Meta(description="How it ended with the first of them.")]
    requests: Annotated[list[str], Meta(description="Its requests there, a line each.")]
    smallest: Annotated[
        Text,
        Meta(
            description=(
                "The smallest rule that breaks it; where `tried` is 0, and one of its requests got a fault,"
                " the one to try."
            )
        ),
    ]
    confirmed: Annotated[
        bool | None,
        Meta(
            description=(
                "Whether a fault at one of its requests alone breaks it, as `smallest` has it; null: not"
                " known, as not all were tried."
            )
        ),
    ]
    tried: Annotated[Count, Meta(description="How many of its requests got a fault alone, a run each.")]
    replay: Annotated[Text, Meta(description="The command that shows it again.")]
    lasts: Annotated[
        bool,
        Meta(
            description="Whether the first of the rules stays: the test breaks the app's own promise, as it fails"
            " otherwise than by an error of storage."
        ),
    ]


class TrialReport(Struct):
    """The report that `faultinject trial --json` prints."""

    v: Annotated[int, Meta(description="The version of the format, 1.", ge=1, le=1)]
    tests: Annotated[Count, Meta(description="How many tests there are.")]
    requests: Annotated[Count, Meta(description="How many requests a run without faults makes.")]
    seconds: Annotated[Seconds, Meta(description="How long all of it took.")]
    suite: Annotated[Seconds, Meta(description="How long a run without faults takes.")]
    faults: Annotated[list[FaultOfTrial], Meta(description="The runs with faults.")]
    broken: Annotated[list[BrokenTest], Meta(description="The tests that a fault breaks.")]
    broken_before: Annotated[
        dict[str, str], Meta(description="By test that fails without faults, too: how it ended.")
    ]
    ended: Annotated[
        str,
        Meta(
            description=(
                "How the command ended without faults, if not with exit code 0, and no test failed; tests may"
                " have been left out."
            )
        ),
    ]
    flaky: Annotated[list[str], Meta(description="The tests that end in two ways without faults.")]
    too_fast: Annotated[
        list[str],
        Meta(
            description=(
                "The tests that end in another way without faults at `--speed`; each fault was tried in real"
                " time, too."
            )
        ),
    ]
    stopped: Annotated[str, Meta(description="Why not all faults were tried; empty: all were.")]


def report_of(
    comparison: SuiteComparison,
    seconds: float,
    replay: Callable[[str, str], str],
    smallest: Mapping[str, Rule],
    tried: Mapping[str, int],
    too_fast: list[str],
    stopped: str = "",
) -> TrialReport:
    """The whole report as data.

    Args:
        comparison: the runs.
        seconds: how long all took.
        replay: from a test and a rule to the command that shows it again.
        smallest: by test, the rule at one request alone that breaks it, if one was found; for one test of each
            group.
        tried: by test, how many such rules were tried.
        too_fast: the tests that end in another way without faults when clocks run faster.
        stopped: why not all faults were tried.
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
                comparison.missing_in(run),
                round(run.seconds, 3),
                run.ended,
            )
            for run in comparison.runs
        ],
        broken=list(_broken(comparison, replay, smallest, tried)),
        broken_before={each: comparison.bare[0].results[each].error for each in comparison.broken_before},
        ended=comparison.ended,
        flaky=comparison.flaky,
        too_fast=too_fast,
        stopped=stopped,
    )


def _broken(
    comparison: SuiteComparison,
    replay: Callable[[str, str], str],
    smallest: Mapping[str, Rule],
    tried: Mapping[str, int],
) -> Iterator[BrokenTest]:
    from faultinject.audit.app_under_test import places_of_app, without_operations
    from faultinject.testing.exploration.report import rows

    places = places_of_app(comparison.bare[0].outcomes)
    like = {breakage.test: group[0].test for group in comparison.groups for breakage in group}
    for test, found in comparison.broken.items():
        first = found[0]
        number, smaller = tried.get(test, 0), [] if first.run.lasts else first.smaller
        confirmed = True if test in smallest else False if number == len(smaller) else None
        if test in smallest:
            rule = str(smallest[test])
        else:
            rule = spelled(first.run.rules if number or not smaller else smaller[:1])
        yield BrokenTest(
            test,
            rules=[spelled(breakage.run.rules) for breakage in found],
            like=like[test],
            error=first.result.error,
            requests=[row.strip() for row in rows(without_operations(first.requests, places))],
            smallest=rule,
            confirmed=confirmed,
            tried=number,
            replay=replay(test, rule),
            lasts=first.run.lasts,
        )
