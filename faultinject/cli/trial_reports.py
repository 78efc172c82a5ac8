"""The result of a trial in the formats of reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from faultinject.audit.reports import FORMATS as ENDINGS
from faultinject.audit.reports.annotations import Annotation, commands, place_of, sarif_log
from faultinject.audit.reports.junit import ERROR, FAILURE, RESULT, SKIPPED, Case, Suite, document
from faultinject.cli.layout import aligned, printed_json
from faultinject.engine.shown import quoted
from faultinject.rules.descriptions import counted
from faultinject.testing.trial.comparison import BrokenTest, TrialReport

GROUP = "faultinject.trial"
"""The class name of test cases, and the rule of code scanning."""
SAID = "The test passes without faults. Its client has to get over the fault, or the test has to expect the error."
"""The explanation of an annotation, in place of a document."""


HOLDS = (
    "Write a test that allows the app's error (assert status in (201, 503)), and asserts what must hold then, for"
    " example that what it lists can be read."
)
"""The advice about tests that are not judged."""
SHOWN = 10
"""The most tests of each kind that are listed without -v."""


def lines(report: TrialReport, not_injected: Sequence[str], *, verbose: bool) -> Iterator[str]:
    """The result as text.

    It has the numbers, one test of each cause, the faults, the tests that are not judged, and the rules of -r that
    were injected in no run.
    """
    most = None if verbose else SHOWN
    not_judged = {test for run in report.faults for test in run.not_judged}
    yield (
        f"{counted(report.tests, 'test')} with {counted(report.requests, 'request')},"
        f" {counted(len(report.faults), 'fault')} in {_duration(report.seconds)}"
        f" (the suite alone: {_duration(report.suite)}):"
        f" {len({test.test for test in report.broken})} broken by a fault,"
        f" {len(report.broken_before)} failing without faults, {len(report.flaky)} flaky"
        + (f", {len(not_judged)} not judged with a fault" if not_judged else "")
    )
    by_cause: dict[tuple[str, str], list[BrokenTest]] = {}
    for test in report.broken:
        by_cause.setdefault((test.like, test.rules[0]), []).append(test)
    for first, *others in by_cause.values():
        yield ""
        yield from broken_lines(first, [other.test for other in others], most)
    if report.faults:
        yield ""
        heads = ("injected", "breaks", "fault")
        numbers = [(str(fault.injected), str(fault.broken), fault.rule) for fault in report.faults]
        yield from map(quoted, aligned([heads, *numbers]))
    for run in report.faults:
        if run.not_judged:
            count = counted(len(run.not_judged), "test")
            yield _list_line(
                f"not judged with {run.rule}: {count} with an error of storage or of the app",
                [f"{test}: {error}" if verbose else test for test, error in run.not_judged.items()],
                most,
            )
        if run.missing:
            yield _list_line(f"did not run with {run.rule} ({run.ended or 'exit code 0'})", run.missing, most)
    if not_judged:
        yield f"  → {HOLDS}"
    before = [
        f"fails without faults: {quoted(f'{test}: {error}')}" for test, error in report.broken_before.items()
    ]
    yield from before[:most]
    if most is not None and before[most:]:
        yield f"  … and {len(before) - most} more (-v)"
    if report.ended:
        yield f"fails without faults, although no test does: the command ({report.ended}); tests may be missing"
    if report.flaky:
        yield _list_line("flaky", report.flaky, most)
    if report.too_fast:
        yield _list_line("flaky, or too fast (give a smaller --speed)", report.too_fast, most)
    if not report.faults and not report.stopped:
        reason = (
            "none of the tests passes in both runs without faults"
            if report.requests
            else "no request was seen"
        )
        yield f"no fault was tried: {reason}"
    if report.stopped:
        yield f"incomplete: {quoted(report.stopped)}"
    for text in not_injected:
        yield f"incomplete: {quoted(text)} was injected in no run"


def broken_lines(first: BrokenTest, alike: Sequence[str], most: int | None) -> Iterator[str]:
    """The lines about a broken test.

    Args:
        first: the test.
        alike: the tests with the same cause.
        most: the most of them, and of its other faults, to name; None: all.
    """
    yield quoted(f"✕ {first.test}: {first.error}")
    yield from (f"    {request}" for request in first.requests)
    if first.refused:
        yield quoted(f"  the app reported the error: {first.refused}")
    if first.own:
        yield quoted(f"  not the app's request, but the test's own: {first.own}")
    if first.lasts:
        yield f"  breaks the app's own promise while the fault lasts: {first.smallest}"
    elif first.confirmed:
        yield f"  smallest: {first.smallest}"
    elif first.confirmed is None and not first.tried:
        yield f"  smallest: {first.smallest} (not tried)"
    else:
        yield f"  only with: {first.smallest} ({_reason_for_no_smaller(first)})"
    yield f"  replay: {quoted(first.replay)}"
    if first.rules[1:]:
        yield _list_line("  also broken by", first.rules[1:], most)
    if alike:
        yield _list_line(f"  and {counted(len(alike), 'test')} like it", alike, most)


def _reason_for_no_smaller(test: BrokenTest) -> str:
    if not test.tried:
        return "no request of its own got the fault"
    if test.confirmed is None:
        return f"{counted(test.tried, 'request')} alone did not break it; not all were tried"
    return "no request of its own alone broke it"


def _list_line(head: str, texts: Sequence[str], most: int | None) -> str:
    """A few texts in the line of their head; many, if all are shown, with a line each."""
    if most is None and len(texts) > SHOWN:
        return "\n    ".join(map(quoted, [f"{head}:", *texts]))
    more = "" if most is None or len(texts) <= most else f" … and {len(texts) - most} more (-v)"
    return quoted(f"{head}: {', '.join(texts[:most])}") + more


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 100 else f"{seconds / 60:.1f} min"


def _text(report: TrialReport, not_injected: Sequence[str]) -> str:
    return "\n".join(lines(report, not_injected, verbose=True)) + "\n"


def _json(report: TrialReport, _not_injected: Sequence[str]) -> str:
    return f"{printed_json(report)}\n"


def _junit(report: TrialReport, not_injected: Sequence[str]) -> str:
    """A test case for each fault, and an error for each reason why the result is incomplete.

    A fault that reached no request is skipped.
    """
    summary, *_ = lines(report, not_injected, verbose=True)
    return document(
        [Suite("faultinject trial", [*_cases(report, not_injected)], report.seconds, {}, summary)]
    )


def _cases(report: TrialReport, not_injected: Sequence[str]) -> Iterator[Case]:
    for reason in _reasons_unjudged(report, not_injected):
        yield Case(RESULT, GROUP, ERROR, reason, "incomplete")
    for run in report.faults:
        broken_tests = [test for test in report.broken if run.rule in test.rules]
        details = [line for test in broken_tests for line in broken_lines(test, [], None)]
        if broken_tests or run.missing:
            details += [f"did not run: {missing}" for missing in run.missing]
            names = ", ".join([*(test.test for test in broken_tests), *run.missing])
            yield Case(run.rule, GROUP, FAILURE, names, "broken", details, run.seconds)
        elif run.not_judged:
            yield Case(
                run.rule, GROUP, SKIPPED, f"not judged: {', '.join(run.not_judged)}", seconds=run.seconds
            )
        elif run.injected:
            yield Case(run.rule, GROUP, seconds=run.seconds)
        else:
            yield Case(run.rule, GROUP, SKIPPED, "its run made no such request")


def _reasons_unjudged(report: TrialReport, not_injected: Sequence[str]) -> Iterator[str]:
    """The reasons why not all tests, or not all faults, could be judged."""
    yield from (f"fails without faults: {test}: {error}" for test, error in report.broken_before.items())
    if report.ended:
        yield f"fails without faults: the command ({report.ended})"
    if report.stopped:
        yield f"incomplete: {report.stopped}"
    yield from (f"incomplete: {text} was injected in no run" for text in not_injected)
    if not (report.faults or report.broken_before or report.ended or report.stopped):
        yield "no fault was tried"


def _annotations(report: TrialReport) -> Iterator[Annotation]:
    for broken in report.broken:
        yield _annotation(broken.test, "\n".join(broken_lines(broken, [], None)), broken.rules)
    for run in report.faults:
        for test in run.missing:
            yield _annotation(
                test, f"{test} did not run with {run.rule} ({run.ended or 'exit code 0'})", [run.rule]
            )


def _annotation(test: str, text: str, rules: Sequence[str]) -> Annotation:
    # Only pytest names a file.
    path, line = place_of(test) if "::" in test else ("", 1)
    return Annotation("error", GROUP, SAID, text, path, line, {"rules": rules})


def _github(report: TrialReport, not_injected: Sequence[str]) -> str:
    return commands(_annotations(report), "; ".join(_reasons_unjudged(report, not_injected)))


def _sarif(report: TrialReport, not_injected: Sequence[str]) -> str:
    return sarif_log([*_annotations(report)], "; ".join(_reasons_unjudged(report, not_injected)))


def _markdown(report: TrialReport, not_injected: Sequence[str]) -> str:
    """The summary, and the other lines as an indented block, which no text can end."""
    summary, *rest = _text(report, not_injected).splitlines()
    block = "\n".join(f"    {line}".rstrip() for line in rest)
    return f"# faultinject trial\n\n{summary}\n\n{block}\n"


def _html(report: TrialReport, not_injected: Sequence[str]) -> str:
    summary, *rest = _text(report, not_injected).splitlines()
    block = escape("\n".join(rest))
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n<title>faultinject trial</title>\n'
        f"<h1>faultinject trial</h1>\n<p>{escape(summary)}</p>\n<pre>{block}</pre>\n</html>\n"
    )


FORMATS: dict[str, Callable[[TrialReport, Sequence[str]], str]] = {
    "text": _text,
    "html": _html,
    "json": _json,
    "junit": _junit,
    "markdown": _markdown,
    "sarif": _sarif,
    "github": _github,
}
"""The functions that make the text of each format, named as those of `faultinject report`."""
BY_ENDING = {ENDINGS[name]: say for name, say in FORMATS.items()}
