"""Prints a judgement: the text report, in colours on a terminal."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Any

import click

from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN
from faultinject.audit.judging import Judgement
from faultinject.audit.reports.text import RESULT, WIDTH, paragraphs, wrapped

STYLES: dict[str, dict[str, Any]] = {
    FAIL: {"fg": "red", "bold": True},
    WARN: {"fg": "yellow"},
    INCONCLUSIVE: {"dim": True},
    PASS: {"fg": "green"},
    "title": {"bold": True},
    "quiet": {"dim": True},
}
"""The styles of the report's lines, by kind of line."""
RESULTS: dict[str, dict[str, Any]] = {
    "fail": {"fg": "red", "bold": True},
    "warn": {"fg": "yellow", "bold": True},
    "undecided": {"fg": "yellow", "bold": True},
    "pass": {"fg": "green", "bold": True},
}
NARROWEST = 30
"""The least characters of a line, also on a terminal that is narrower."""


def show(judgement: Judgement, *, verbose: bool = False) -> None:
    """Print the whole text report, as wide as the terminal.

    Args:
        judgement: the verdicts.
        verbose: whether it shows the needs of each undecided check, and how calls and waits were measured.
    """
    styles = {**STYLES, RESULT: RESULTS[judgement.conclusion.result]} if in_colours() else {}
    for kind, line in wrapped(paragraphs(judgement, verbose=verbose), width=width()):
        click.echo(click.style(line, **styles[kind]) if line and kind in styles else line)


def width() -> int:
    """The characters of a line, by COLUMNS or the terminal; 120 if neither is known."""
    return max(NARROWEST, shutil.get_terminal_size((WIDTH, 24)).columns)


def in_colours() -> bool:
    """Whether standard output is a terminal with colours, and NO_COLOR is not set.

    The variable is described at https://no-color.org.
    """
    on_terminal = sys.stdout is not None and sys.stdout.isatty()
    return on_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM", "dumb") != "dumb"
