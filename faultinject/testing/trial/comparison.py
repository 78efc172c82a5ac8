"""Which tests of a suite a fault breaks: the runs with faults against two without, test by test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Annotated

from msgspec import Meta, Struct

from faultinject.journal.outcome import Outcome
from faultinject.rules.rule import Rule
from faultinject.testing.trial.results import FAILED, PARTLY, PASSED, Result, by_test
from faultinject.vendors.vendor import with_placeholders

LEAVES = 0.05
"""Seconds by which a request may be noted outside of its test: two processes read the clock."""


@dataclass(frozen=True, slots=True)
class SuiteRun:
    """One run of the suite.

    Attributes:
        rules: of its faults; none: it had no faults.
        results: by test, how it ended.
        outcomes: its requests, in order.
        injected: how many of them got a fault.
        seconds: how long it took.
        ended: why the command ended, if it did not end with exit code 0.
    """

    rules: tuple[Rule, ...]
    results: Mapping[str, Result]
    outcomes: Sequence[Outcome]
    injected: int
    seconds: float
    ended: str = ""

    def of(self, test: str) -> list[Outcome]:
        """The requests of one test; of a suite that does not say when it runs which test, all of them."""
        if named := [each for each in self.outcomes if each.test == test]:
            return named
        result = self.results.get(test)
        if result is None or result.began is None or result.ended is None:
            return list(self.outcomes)
        began, ended = result.began - LEAVES, result.ended + LEAVES
        return [each for each in self.outcomes if each.test is None and began <= each.time <= ended]


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
    def said(self) -> str:
        """How it ended, in one line."""
        return _said(self.result)

    @property
    def kind(self) -> tuple[object, ...]:
        """What is the same of breakages that have one cause."""
        where = self.causes[0].operation if self.causes else None
        return self.run.rules, where, self.said.partition(":")[0]

    @property
    def smaller(self) -> list[Rule]:
        """For each cause the rule that gives this one request its fault."""
        return list(dict.fromkeys(map(self._at, self.causes)))

    def _at(self, cause: Outcome) -> Rule:
        rules = self.run.rules
        number = next((at for at, each in enumerate(rules) if cause.rule == f"rule-{at + 1}"), 0)
        _, conditions, unless, options = rules[number].parts
        key, value = ("operation", cause.operation) if cause.operation else ("method", cause.method)
        named = any(each.test is not None for each in self.run.outcomes)
        all_ = self.requests if named else self.run.outcomes
        lost = {id(each) for each in _lost(all_)}
        # A request with a fault, which was asked again, would not have been there twice.
        skip = sum(
            (each.operation or each.method) == value and (not each.injected or id(each) in lost)
            for each in all_[: all_.index(cause)]
        )
        options = {name: text for name, text in options.items() if name not in ("per", "skip")}
        options = {**options, "times": "1", **({"skip": str(skip)} if skip else {})}
        return Rule.of_parts(rules[number].fault, (None, {**conditions, key: (value,)}, unless, options))


def _said(result: Result) -> str:
    return result.said.partition("\n")[0] or result.outcome


def breakage(run: SuiteRun, test: str) -> Breakage:
    """What became of a test in a run that broke it."""
    requests = run.of(test)
    lost = _lost(requests)
    causes = [*lost, *(each for each in reversed(requests) if each.injected and each not in lost)]
    return Breakage(run, test, run.results[test], requests, causes)


def _lost(requests: Sequence[Outcome]) -> list[Outcome]:
    """The requests with a fault whose client did not ask again, or got no answer then; the last first."""
    answered: set[tuple[str, str]] = set()
    found = []
    for each in reversed(requests):
        call = each.method, each.path
        if not each.injected:
            answered.add(call)
        elif call not in answered:
            found.append(each)
    return found


class Comparison:
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
    """

    def __init__(self, bare: Sequence[SuiteRun], only: str | None = None) -> None:
        self._names = {each for each in bare[0].results if each in bare[1].results}
        self.bare = [self.named(each) for each in bare]
        first, second = (each.results for each in self.bare)
        tests = dict.fromkeys([*first, *second])
        if only is not None:
            wanted = only if only in tests else with_placeholders(only)
            tests = dict.fromkeys({wanted}.intersection(tests))
        found = {each: (_outcome(first, each), _outcome(second, each)) for each in tests}
        outcomes = {each: pair for each, pair in found.items() if PARTLY not in pair}
        self.runs: list[SuiteRun] = []
        self.tests = len(outcomes)
        self.broken_before = [each for each, found in outcomes.items() if found == (FAILED, FAILED)]
        self.flaky = [each for each, (one, other) in outcomes.items() if one != other]
        self.judged = [each for each, found in outcomes.items() if found == (PASSED, PASSED)]

    def named(self, run: SuiteRun) -> SuiteRun:
        """A run with `~` in the ids of tests that the runs without faults name otherwise."""
        return replace(run, results=by_test(run.results.values(), self._names))

    def broken_in(self, run: SuiteRun) -> list[Breakage]:
        """The tests that pass without faults and do not pass in a run."""
        ran = [each for each in self.judged if each in run.results]
        return [breakage(run, each) for each in ran if run.results[each].outcome not in (PASSED, PARTLY)]

    def missing_in(self, run: SuiteRun) -> list[str]:
        """The tests that pass without faults and did not run at all."""
        return [each for each in self.judged if each not in run.results]

    @property
    def broken(self) -> dict[str, list[Breakage]]:
        """By test, how each fault breaks it."""
        found: dict[str, list[Breakage]] = {}
        for run in self.runs:
            for each in self.broken_in(run):
                found.setdefault(each.test, []).append(each)
        return found

    @property
    def groups(self) -> list[list[Breakage]]:
        """The first breakage of each test; those that have one cause together."""
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
            description="The smallest rule that breaks it; where `tried` is 0, and one of its requests got a fault, the one to try."
        ),
    ]
    confirmed: Annotated[
        bool | None,
        Meta(
            description="Whether a fault at one of its requests alone breaks it, as `smallest` has it; null: not known, as not all were tried."
        ),
    ]
    tried: Annotated[Count, Meta(description="How many of its requests got a fault alone, a run each.")]
    replay: Annotated[Text, Meta(description="The command that shows it again.")]


class TrialReport(Struct):
    """What `faultinject trial --json` prints."""

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
    flaky: Annotated[list[str], Meta(description="The tests that end in two ways without faults.")]
    too_fast: Annotated[
        list[str],
        Meta(
            description="The tests that end in another way without faults at `--speed`; each fault was tried in real time, too."
        ),
    ]
    stopped: Annotated[str, Meta(description="Why not all faults were tried; empty: all were.")]


def report_of(
    comparison: Comparison,
    seconds: float,
    replay: Callable[[str, str], str],
    smallest: Mapping[str, Rule],
    tried: Mapping[str, int],
    too_fast: list[str],
    stopped: str = "",
) -> TrialReport:
    """All of it as data.

    Args:
        comparison: the runs.
        seconds: how long all took.
        replay: from a test and a rule to the command that shows it again.
        smallest: by test, the rule at one request alone that breaks it, where one was found; for one test of each group.
        tried: by test, how many such rules were tried.
        too_fast: the tests that end in another way without faults when clocks run faster.
        stopped: why not all faults were tried.
    """
    return TrialReport(
        v=1,
        tests=comparison.tests,
        requests=len(comparison.bare[0].outcomes),
        seconds=round(seconds, 3),
        suite=round(max(each.seconds for each in comparison.bare), 3),
        faults=[
            FaultOfTrial(
                spelled(run.rules),
                run.injected,
                len(comparison.broken_in(run)),
                comparison.missing_in(run),
                round(run.seconds, 3),
                run.ended,
            )
            for run in comparison.runs
        ],
        broken=list(_broken(comparison, replay, smallest, tried)),
        broken_before={each: _said(comparison.bare[0].results[each]) for each in comparison.broken_before},
        flaky=comparison.flaky,
        too_fast=too_fast,
        stopped=stopped,
    )


def _broken(
    comparison: Comparison,
    replay: Callable[[str, str], str],
    smallest: Mapping[str, Rule],
    tried: Mapping[str, int],
) -> Iterator[BrokenTest]:
    from faultinject.testing.exploration import rows

    like = {each.test: group[0].test for group in comparison.groups for each in group}
    for test, found in comparison.broken.items():
        first = found[0]
        number, smaller = tried.get(test, 0), first.smaller
        confirmed = True if test in smallest else False if number == len(smaller) else None
        if test in smallest:
            rule = str(smallest[test])
        else:
            rule = spelled(first.run.rules if number or not smaller else smaller[:1])
        rules = [spelled(each.run.rules) for each in found]
        lines = [each.strip() for each in rows(first.requests)]
        yield BrokenTest(
            test, rules, like[test], first.said, lines, rule, confirmed, number, replay(test, rule)
        )
