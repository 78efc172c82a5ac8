"""The report for a terminal: the result, the findings, what passed and what is undecided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from textwrap import wrap
from typing import NamedTuple

from faultinject.audit.checks import CHECKS
from faultinject.audit.findings import INCONCLUSIVE, PASS, SIGNS
from faultinject.audit.judging import Judgement
from faultinject.audit.reports.content import FindingText, content

WIDTH = 120
"""The characters in a line if the width of the terminal is unknown."""
INDENT = "    "
NO_BREAK = "\N{NO-BREAK SPACE}"
RESULT, TITLE, QUIET = "result", "title", "quiet"
"""The styles of paragraphs without a verdict."""


class Paragraph(NamedTuple):
    """A text that is wrapped as a whole.

    Attributes:
        words: the text; an empty one is an empty line.
        look: its style: a verdict, `RESULT`, `TITLE` or `QUIET`; empty for plain text.
        indent: the beginning of each line.
        hanging: the further indent of each line but the first.
    """

    words: str
    look: str = ""
    indent: str = ""
    hanging: str = ""


EMPTY = Paragraph("")


def text(judgement: Judgement, *, verbose: bool = True) -> str:
    """The whole report in plain text.

    Args:
        judgement: what was found.
        verbose: see `paragraphs`.
    """
    return "".join(f"{line}\n" for _, line in wrapped(paragraphs(judgement, verbose=verbose), width=WIDTH))


def wrapped(paragraphs: Iterable[Paragraph], *, width: int) -> Iterator[tuple[str, str]]:
    """Wrap paragraphs into lines with their style; names of checks and words stay whole."""
    for paragraph in paragraphs:
        words = paragraph.words
        for name in CHECKS:
            words = words.replace(name, name.replace(" ", NO_BREAK))
        lines = wrap(
            words,
            width,
            initial_indent=paragraph.indent,
            subsequent_indent=paragraph.indent + paragraph.hanging,
            break_on_hyphens=False,
            break_long_words=False,
        )
        yield from ((paragraph.look, line.replace(NO_BREAK, " ")) for line in lines or [""])


def paragraphs(judgement: Judgement, *, verbose: bool) -> Iterator[Paragraph]:
    """The report in its order.

    Args:
        judgement: what was found.
        verbose: whether to show the needs of each undecided check, the measurements, and the results of each rule's
            faults.
    """
    report = content(judgement, verbose=verbose)
    # If no request arrived, the cause is one line, however long, so that the first line of a log has all of
    # it.
    result = report.result if judgement.attempts else report.result.replace(" ", NO_BREAK)
    yield Paragraph(result, RESULT)
    yield Paragraph(report.title, TITLE)
    yield from map(Paragraph, report.facts)
    yield EMPTY
    for text in report.wrong:
        yield from problem(text)
        yield EMPTY
    if report.passed:
        yield Paragraph(f"{SIGNS[PASS]} passed: {report.passed}", PASS, "", INDENT)
    if report.undecided:
        yield Paragraph(f"{SIGNS[INCONCLUSIVE]} not decided:", INCONCLUSIVE)
        yield from (Paragraph(line, INCONCLUSIVE, INDENT, INDENT) for line in report.undecided)
    if verbose:
        yield EMPTY
        yield from (Paragraph(line, QUIET, "", INDENT) for line in report.measured)


def problem(finding: FindingText) -> Iterator[Paragraph]:
    """A finding: the observation, the calls that show it, and what to do."""
    yield Paragraph(
        f"{SIGNS[finding.verdict]} {finding.verdict}  {finding.line}", finding.verdict, "", INDENT
    )
    for story, place in finding.calls:
        yield Paragraph(f"- {story}  [{place}]", "", INDENT, "  ")
    yield Paragraph(f"→ {finding.action}", "", INDENT, "  ")
