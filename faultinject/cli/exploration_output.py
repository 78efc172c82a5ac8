"""What `faultinject explore -o` writes."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from faultinject.audit.reports.junit import ERROR, FAILURE, RESULT, SKIPPED, Case, Suite, document
from faultinject.cli import writing_out
from faultinject.testing.exploration.report import groups, incomplete, of_group
from faultinject.testing.runs import Exploration

Write = Callable[[Exploration], None]


GROUP = "faultinject.explore"
"""The class name of its test cases."""


def writer(path: str) -> Write:
    """What writes an exploration into a file, by the end of its name.

    Raises:
        ConfigurationError: the name ends otherwise.
        OSError: there is no such folder.
    """
    formats: dict[str, Callable[[Exploration], str]] = {
        ".txt": lambda exploration: f"{exploration.report()}\n",
        ".json": lambda exploration: f"{exploration.to_json()}\n",
        ".xml": _junit,
    }
    return writing_out.writer(path, formats)


def _junit(exploration: Exploration) -> str:
    summary = exploration.report().partition("\n")[0]
    return document([Suite("faultinject explore", [*_cases(exploration)], exploration.seconds, {}, summary)])


def _cases(exploration: Exploration) -> Iterator[Case]:
    """One a run with faults, those that came nowhere as skipped; what is missing for a proof is an error."""
    sweep = exploration.sweep
    for why in incomplete(sweep):
        first, *more = why.splitlines()
        yield Case(RESULT, GROUP, ERROR, first, "incomplete", more)
    told = {}
    for group in groups(sweep.finished):
        told[id(group.smallest)] = [*of_group(group, sweep, exploration.wording)]
        told.update((id(each), [f"as after {group.smallest.text}"]) for each in group.others)
    for each in sweep.finished:
        if each.failed:
            yield Case(each.text, GROUP, FAILURE, each.said, "FAIL", told[id(each)], each.seconds)
        elif each.reached:
            yield Case(each.text, GROUP, seconds=each.seconds)
        else:
            yield Case(each.text, GROUP, SKIPPED, "not reached: its run made no such request")
