"""The result of a trial as a text that people or programs read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from html import escape

from faultinject.audit.reports import FORMATS as ENDINGS
from faultinject.audit.reports.annotations import Annotation, commands, place_of, sarif_log
from faultinject.audit.reports.junit import ERROR, FAILURE, RESULT, SKIPPED, Case, Suite, document
from faultinject.cli.layout import printed_json
from faultinject.cli.trial import broken_lines, lines
from faultinject.testing.trial.comparison import TrialReport

GROUP = "faultinject.trial"
"""The class name of test cases, and the rule of code scanning."""
SAID = "The test passes without faults. Its client has to get over the fault, or the test has to expect the error."
"""The reason that stands in place of a document."""


def _text(report: TrialReport, silent: Sequence[str]) -> str:
    return "\n".join(lines(report, silent, verbose=True)) + "\n"


def _json(report: TrialReport, _silent: Sequence[str]) -> str:
    return f"{printed_json(report)}\n"


def _junit(report: TrialReport, silent: Sequence[str]) -> str:
    """A test case for each fault; a gap in the verdict is an error.

    A fault that came nowhere is skipped.
    """
    summary, *_ = lines(report, silent, verbose=True)
    return document([Suite("faultinject trial", [*_cases(report, silent)], report.seconds, {}, summary)])


def _cases(report: TrialReport, silent: Sequence[str]) -> Iterator[Case]:
    for why in _unjudged(report, silent):
        yield Case(RESULT, GROUP, ERROR, why, "incomplete")
    for run in report.faults:
        wrong = [test for test in report.broken if run.rule in test.rules]
        said = [line for test in wrong for line in broken_lines(test, [], None)]
        if wrong or run.missing:
            said += [f"did not run: {each}" for each in run.missing]
            names = ", ".join([*(test.test for test in wrong), *run.missing])
            yield Case(run.rule, GROUP, FAILURE, names, "broken", said, run.seconds)
        elif run.injected:
            yield Case(run.rule, GROUP, seconds=run.seconds)
        else:
            yield Case(run.rule, GROUP, SKIPPED, "its run made no such request")


def _unjudged(report: TrialReport, silent: Sequence[str]) -> Iterator[str]:
    """The gaps that keep the result from judging all tests and all faults."""
    yield from (f"fails without faults: {test}: {error}" for test, error in report.broken_before.items())
    if report.ended:
        yield f"fails without faults: the command ({report.ended})"
    if report.stopped:
        yield f"incomplete: {report.stopped}"
    yield from (f"incomplete: {text} was injected in no run" for text in silent)
    if not (report.faults or report.broken_before or report.ended or report.stopped):
        yield "no fault was tried"


def _annotations(report: TrialReport) -> Iterator[Annotation]:
    for each in report.broken:
        yield _annotation(each.test, "\n".join(broken_lines(each, [], None)), each.rules)
    for run in report.faults:
        for test in run.missing:
            yield _annotation(
                test, f"{test} did not run with {run.rule} ({run.ended or 'exit code 0'})", [run.rule]
            )


def _annotation(test: str, text: str, rules: Sequence[str]) -> Annotation:
    # Only pytest names a file.
    path, line = place_of(test) if "::" in test else ("", 1)
    return Annotation("error", GROUP, SAID, text, path, line, {"rules": rules})


def _github(report: TrialReport, silent: Sequence[str]) -> str:
    return commands(_annotations(report), "; ".join(_unjudged(report, silent)))


def _sarif(report: TrialReport, silent: Sequence[str]) -> str:
    return sarif_log([*_annotations(report)], "; ".join(_unjudged(report, silent)))


def _markdown(report: TrialReport, silent: Sequence[str]) -> str:
    """The summary, and all else as a block that nothing in it can end."""
    summary, *rest = _text(report, silent).splitlines()
    block = "\n".join(f"    {line}".rstrip() for line in rest)
    return f"# faultinject trial\n\n{summary}\n\n{block}\n"


def _html(report: TrialReport, silent: Sequence[str]) -> str:
    summary, *rest = _text(report, silent).splitlines()
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
"""By the name of a format, what makes it; the names are those of `faultinject report`."""
BY_ENDING = {ending: FORMATS[name] for name, ending in ENDINGS.items()}
