"""What an exploration found, in words: failures that are alike as one, each with the smallest scenario."""

from __future__ import annotations

import sysconfig

from faultinject.audit.nearest import Comparison
from faultinject.core.outcome import quoted
from faultinject.core.reading import Reading
from faultinject.exploration.points import name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from types import TracebackType
    from typing import Any

    from faultinject.core.outcome import Outcome
    from faultinject.core.rule import Rule
    from faultinject.exploration.sweep import Made, Sweep

LONGEST = 90
"""Characters of a request that are shown."""
SHOWN = 30
"""Rows of a trace that are shown."""


class Group:
    """Failures of one cause: the same exception from the same line of the user's code, after a fault at the same operation.

    Attributes:
        smallest: the run that shows it with the fewest rules and the shortest text.
        others: the rest.
    """

    def __init__(self, runs: Sequence[Made]) -> None:
        ordered = sorted(runs, key=lambda each: (len(each.scenario.rules), len(text_of(each))))
        self.smallest = ordered[0]
        self.others = ordered[1:]


def groups(made: Sequence[Made]) -> list[Group]:
    """The failures, those first that were met first."""
    alike: dict[tuple[object, ...], list[Made]] = {}
    for each in made:
        if each.failed:
            alike.setdefault(_cause(each), []).append(each)
    return [Group(runs) for runs in alike.values()]


def summary(sweep: Sweep, seconds: float) -> str:
    """One line: how much was run, how long it took, what came of it."""
    made = sweep.made
    spent = sum(each.seconds for each in made)
    share = sum(each.backoff for each in made) / spent if spent else 0.0
    parts = [
        f"{_count(len(sweep.requests), 'request')} without faults, {_count(len(sweep.choices), 'fault')};"
        f" {_count(len(made), 'run')} in {seconds:.2f} s (backoff {min(share, 1):.0%})",
        f"{sum(each.failed for each in made)} failed",
        f"{sum(each.gave_up for each in made)} gave up cleanly",
        f"{len(sweep.unreached)} not reached",
        f"{sweep.pruned} pruned",
    ]
    if sweep.not_run:
        parts.append(f"{sweep.not_run} NOT RUN (max_runs={sweep.max_runs})")
    if sweep.left_out:
        parts.append(f"{len(sweep.left_out)} left out")
    return ", ".join(parts)


def report(sweep: Sweep, seconds: float) -> str:
    """The whole of it; text from requests is escaped."""
    return "\n".join(_lines(sweep, seconds))


def replay(run: Made) -> str:
    """The scenario as a marker to paste."""
    rules = ", ".join(f'"{_escaped(str(rule))}"' for rule in run.scenario.rules)
    return f"@pytest.mark.faultinject({rules})"


def text_of(run: Made) -> str:
    """The scenario's rules as text."""
    return "; ".join(map(str, run.scenario.rules))


def incomplete(sweep: Sweep) -> list[str]:
    """What makes a sweep no proof: what was cut off, and faults that the user wrote and that came nowhere."""
    found = []
    if sweep.not_run:
        found.append(
            f"{sweep.not_run} runs of depth {sweep.depth} were not made: max_runs is {sweep.max_runs}"
        )
    hit = {str(rule.fault) for each in sweep.made if each.reached for rule in each.scenario.rules}
    planned_all = not sweep.shared
    for source in dict.fromkeys(each.source for each in sweep.choices):
        mine = [each for each in sweep.choices if each.source == source]
        if planned_all and not any(each.rule.fault in hit for each in mine):
            found.append(f"{source} was injected in no run{_why(mine[0].rule, sweep)}")
    return found


def as_data(sweep: Sweep, seconds: float) -> dict[str, Any]:
    """The result as plain data for JSON."""
    return {
        "v": 1,
        "requests": [name_of(each) for each in sweep.requests],
        "faults": [str(each.rule) for each in sweep.choices],
        "runs": len(sweep.made),
        "seconds": round(seconds, 3),
        "failed": sum(each.failed for each in sweep.made),
        "gave_up": sum(each.gave_up for each in sweep.made),
        "pruned": sweep.pruned,
        "not_run": sweep.not_run,
        "left_out": list(sweep.left_out),
        "not_reached": [text_of(each) for each in sweep.unreached],
        "incomplete": incomplete(sweep),
        "findings": [
            {
                "error": _said(group.smallest),
                "scenario": [str(rule) for rule in group.smallest.scenario.rules],
                "marker": replay(group.smallest),
                "alike": [text_of(each) for each in group.others],
                "requests": [quoted(f"{each.method} {each.path}") for each in group.smallest.outcomes],
            }
            for group in groups(sweep.made)
        ],
    }


def _lines(sweep: Sweep, seconds: float) -> Iterator[str]:
    yield summary(sweep, seconds)
    for group in groups(sweep.made):
        yield ""
        yield from _group(group)
    notes = [*(f"left out: {quoted(each)}" for each in sweep.left_out)]
    for each in sweep.unreached:
        rule = each.scenario.rules[-1]
        notes.append(f"not reached: {quoted(text_of(each))}{_nearest(rule, each.outcomes)}")
    notes += [f"incomplete: {quoted(each)}" for each in incomplete(sweep)]
    spent = sum(each.seconds for each in sweep.made)
    if spent > 1 and sum(each.backoff for each in sweep.made) > spent / 2:
        notes.append("more than half of the time was the client's own backoff: give it a short one in tests")
    if notes:
        yield ""
        yield from notes


def _group(group: Group) -> Iterator[str]:
    run = group.smallest
    yield quoted(_said(run))
    for number, (point, rule) in enumerate(zip(run.points, _each(run), strict=False)):
        word = "when" if number == 0 else "and"
        yield f"  {word} request {point.number} ({quoted(point.name)}) gets: {_what(rule)}"
    yield from _trace(run.outcomes)
    yield f"  replay: {replay(run)}"
    if group.others:
        shortest = text_of(group.others[0])
        yield f"  and {len(group.others)} more alike: {quoted(shortest)}{' …' if group.others[1:] else ''}"


def _each(run: Made) -> list[Rule]:
    """One rule for each point: a rule with `times=2` stands for two."""
    rules = list(run.scenario.rules)
    return rules * len(run.points) if len(rules) == 1 else rules


def _what(rule: Rule) -> str:
    lost = rule.value("when") == "after"
    if not lost:
        return (
            quoted(rule.fault)
            if rule.options.get("status") is None
            else f"{rule.fault} with status {rule.options['status']}"
        )
    return f"the answer is lost ({rule.fault}) after the store had done it"


def _trace(outcomes: Sequence[Outcome]) -> Iterator[str]:
    rows: list[tuple[str, str]] = []
    for each in outcomes:
        line = f"{each.method} {each.path}{'?' if each.query else ''}{each.query}"
        line = quoted(line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…")
        status = f"{each.status} " if each.status else ""
        mark = (
            f"  <- {each.fault}{' after the store had done it' if each.applied else ''}"
            if each.injected
            else ""
        )
        rows.append((f"{each.operation or '-':<24} {status}{line}", mark))
    width = len(str(len(rows)))
    for number, (row, mark) in enumerate(rows, 1):
        again = number > 1 and rows[number - 2] == (row, mark)
        if again and number < len(rows) and rows[number] == (row, mark):
            continue
        if SHOWN < number < len(rows):
            if number == SHOWN + 1:
                yield f"    … {len(rows) - SHOWN - 1} more …"
            continue
        yield f"    {number:>{width}} {row}{mark}".rstrip()


def _cause(run: Made) -> tuple[object, ...]:
    error = run.error
    hit = run.points[-1].operation if run.points else ""
    return type(error), last_line(error.__traceback__ if error else None), hit


def last_line(trace: TracebackType | None) -> tuple[str, int] | None:
    """The last line of a traceback that is the user's: neither the standard library's nor an installed package's."""
    found = last = None
    installed = tuple(filter(None, (sysconfig.get_path(each) for each in ("stdlib", "purelib", "platlib"))))
    while trace is not None:
        last = trace.tb_frame.f_code.co_filename, trace.tb_lineno
        package = trace.tb_frame.f_globals.get("__name__", "").partition(".")[0]
        if (
            not last[0].startswith(installed)
            and package not in ("faultinject", "_pytest", "pluggy")
            and last[0][:1] != "<"
        ):
            found = last
        trace = trace.tb_next
    return found or last


def _said(run: Made) -> str:
    text = str(run.error).strip().partition("\n")[0]
    kind = type(run.error).__name__
    return f"{kind}: {text}" if text else kind


def _nearest(rule: Rule, outcomes: Sequence[Outcome]) -> str:
    reading = Reading()
    found = min(
        (Comparison(rule, each, reading) for each in outcomes), key=lambda each: each.distance, default=None
    )
    if found is None:
        return " (no request was seen)"
    return quoted(f" (nearest: {found.outcome.method} {found.outcome.path})")


def _why(rule: Rule, sweep: Sweep) -> str:
    return _nearest(rule, sweep.requests)


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"
