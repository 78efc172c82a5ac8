"""A judgement on standard output: drawn in colours with rich on a terminal, else plain text."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, SIGNS, WARN

if TYPE_CHECKING:
    from faultinject.audit.findings import Finding
    from faultinject.audit.judge import Judgement

COLOURS = {FAIL: "bold red", WARN: "yellow", INCONCLUSIVE: "dim", PASS: "green"}
RESULTS = {"fail": "bold red", "warn": "bold yellow", "undecided": "bold yellow", "pass": "bold green"}


def show(judgement: Judgement) -> None:
    """Write the whole text report."""
    if draws():
        from rich.console import Console

        Console(highlight=False).print(*picture(judgement), sep="\n")
        return
    from faultinject.audit.reports import render

    click.echo(render(judgement, "text"), nl=False)


def draws() -> bool:
    """Whether standard output is a terminal that rich can draw on."""
    if sys.stdout is None or not sys.stdout.isatty():
        return False
    try:
        from rich.console import Console
    except ImportError:
        return False
    return not Console().is_dumb_terminal


def picture(judgement: Judgement, *, brief: bool = False) -> Iterator[Any]:
    """What rich draws, from top to bottom; `brief`: neither the calls that show what is wrong, nor reasons."""
    from rich.padding import Padding
    from rich.text import Text

    from faultinject.audit.reports import sentences
    from faultinject.audit.reports.text import EXAMPLES, wrong_of

    findings = sentences.merged(judgement.findings)
    if not brief:
        yield Text(sentences.result(judgement), style=RESULTS[judgement.conclusion.result])
    yield Text(sentences.title(judgement), style="bold")
    tally = [
        (f"{SIGNS[verdict]} {n} {word}  ", COLOURS[verdict]) for verdict, n, word in sentences.tally(findings)
    ]
    yield Text.assemble(*tally)
    yield Text(" ".join(sentences.provenance(judgement)), style="dim")
    wrong = wrong_of(findings)
    if wrong:
        yield _table(findings)
    for finding in () if brief else wrong:
        if finding.calls:
            yield Text(
                f"{SIGNS[finding.verdict]} {sentences.subject_of(finding)}", style=COLOURS[finding.verdict]
            )
        for call in finding.calls[:EXAMPLES]:
            yield Padding(Text(f"{sentences.story(call)}  [{sentences.place(call)}]"), (0, 0, 0, 4))
    if passed := sentences.passed(findings):
        yield Text.assemble((f"{SIGNS[PASS]} passed: ", COLOURS[PASS]), passed)
    unknown = sentences.undecided(findings)
    if brief and unknown:
        yield Text(f"{SIGNS[INCONCLUSIVE]} not decided: {sentences.names(findings, INCONCLUSIVE)}")
        return
    if unknown:
        yield Text(f"{SIGNS[INCONCLUSIVE]} not decided:")
    for what, why in unknown:
        yield Padding(Text.assemble(f"{what}: ", (why, "dim")), (0, 0, 0, 4))


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
