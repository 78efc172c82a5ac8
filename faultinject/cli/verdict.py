"""A judgement on standard output: the text report, in colours on a terminal, and the live table of `report --follow`."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, SIGNS, WARN

if TYPE_CHECKING:
    from faultinject.audit.findings import Finding
    from faultinject.audit.judge import Judgement
    from faultinject.audit.reports.text import Paragraph

COLOURS = {FAIL: "bold red", WARN: "yellow", INCONCLUSIVE: "dim", PASS: "green"}
STYLES: dict[str, dict[str, Any]] = {
    FAIL: {"fg": "red", "bold": True},
    WARN: {"fg": "yellow"},
    INCONCLUSIVE: {"dim": True},
    PASS: {"fg": "green"},
    "title": {"bold": True},
    "quiet": {"dim": True},
}
"""How the lines of the report look, by what they are."""
RESULTS: dict[str, dict[str, Any]] = {
    "fail": {"fg": "red", "bold": True},
    "warn": {"fg": "yellow", "bold": True},
    "undecided": {"fg": "yellow", "bold": True},
    "pass": {"fg": "green", "bold": True},
}
NARROWEST = 30
"""Characters of a line at least: what says that it is narrower is no terminal that people read."""


def show(judgement: Judgement, *, verbose: bool = False) -> None:
    """Write the whole text report, as wide as the terminal.

    Args:
        judgement: what was found.
        verbose: whether each check that is not decided says what it needs.
    """
    from faultinject.audit.reports.text import paragraphs

    write(paragraphs(judgement, verbose=verbose), judgement)


def write(paragraphs: Iterable[Paragraph], judgement: Judgement) -> None:
    """Write paragraphs about a judgement, as wide as the terminal and in its colours."""
    from faultinject.audit.reports.text import RESULT, wrapped

    styles = {**STYLES, RESULT: RESULTS[judgement.conclusion.result]} if in_colours() else {}
    for look, line in wrapped(paragraphs, judgement.findings, width=width()):
        click.echo(click.style(line, **styles[look]) if line and look in styles else line)


def width() -> int:
    """Characters of a line: the terminal's, or what COLUMNS says; 120 where neither is known."""
    from faultinject.audit.reports.text import WIDTH

    return max(NARROWEST, shutil.get_terminal_size((WIDTH, 24)).columns)


def in_colours() -> bool:
    """Whether standard output is a terminal that shows colours, and NO_COLOR (https://no-color.org) does not forbid them."""
    if sys.stdout is None or not sys.stdout.isatty() or os.environ.get("NO_COLOR"):
        return False
    return os.environ.get("TERM", "dumb") != "dumb"


def draws() -> bool:
    """Whether standard output is a terminal that rich can draw on."""
    if sys.stdout is None or not sys.stdout.isatty():
        return False
    try:
        from rich.console import Console
    except ImportError:
        return False
    return not Console().is_dumb_terminal


def picture(judgement: Judgement) -> Iterator[Any]:
    """What rich draws of a judgement that may change: neither the calls that show what is wrong, nor reasons."""
    from rich.text import Text

    from faultinject.audit.reports import sentences
    from faultinject.audit.reports.text import wrong_of

    findings = sentences.merged(judgement.findings)
    yield Text(sentences.title(judgement), style="bold")
    tally = [
        (f"{SIGNS[verdict]} {n} {word}  ", COLOURS[verdict]) for verdict, n, word in sentences.tally(findings)
    ]
    yield Text.assemble(*tally)
    yield Text(" ".join(sentences.provenance(judgement)), style="dim")
    if wrong_of(findings):
        yield _table(findings)
    if passed := sentences.passed(findings):
        yield Text.assemble((f"{SIGNS[PASS]} passed: ", COLOURS[PASS]), passed)
    if unknown := sentences.names(findings, INCONCLUSIVE):
        yield Text(f"{SIGNS[INCONCLUSIVE]} not decided: {unknown}")


def _table(findings: Sequence[Finding]) -> Any:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from faultinject.audit.reports.text import COLUMNS, rows, wrong_of

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for name in COLUMNS:
        table.add_column(name, justify="right" if name == "n" else "left", overflow="fold")
    for finding, cells in zip(wrong_of(findings), rows(findings), strict=True):
        verdict, *rest = cells
        table.add_row(Text(verdict, style=COLOURS[finding.verdict]), *map(Text, rest))
    return table
