"""A program that reads rules, changes them while servers run, and sums up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from faultinject import (
    ConfigurationError,
    DocumentedError,
    Injector,
    Rule,
    RuleCounts,
    Scenario,
    State,
    vendors,
)
from faultinject.exceptions import ConflictError, StoreUnavailableError


def read(path: Path) -> Scenario | None:
    try:
        return Scenario.load(path)
    except ConfigurationError as error:
        for problem in error.problems:
            print(problem.where, problem.message, problem.excerpt)
        return None


def change(injector: Injector, scenario: Scenario, seen: State) -> bool:
    try:
        state = injector.use(scenario, expected=seen.generation)
        state = injector.add(Rule("latency", delay="100ms"), expected=state.generation)
        injector.disable_rule(state.scenario.display_names[-1])
    except ConflictError:
        return False
    except StoreUnavailableError:
        injector.disable(why="the store is gone")
    return True


def summary(injector: Injector) -> Iterator[str]:
    counts: dict[str, RuleCounts] = injector.counts()
    for name, of_rule in counts.items():
        yield f"{name}: {of_rule.injected} of {of_rule.matched}, {of_rule.failed} undecided"
    for outcome in injector.journal.outcomes:
        yield f"{outcome.method} {outcome.path}: {outcome.status or outcome.did}"


def retryable(vendor: str) -> list[DocumentedError]:
    return [
        row for row in vendors.get(vendor).errors if row.retryable == "yes" and row.category == "throttle"
    ]
