"""Findings as a CI shows them beside the code: annotations of GitHub Actions, and SARIF 2.1.0 for code scanning."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from faultinject.audit.findings import FAIL, Finding
from faultinject.audit.judging import Judgement
from faultinject.audit.reports.content import merged, told
from faultinject.engine.shown import quoted
from faultinject.rules.printed_json import json_text

ERROR, WARNING = "error", "warning"
"""What an annotation is: GitHub and SARIF have the same words."""
SOMEWHERE = "faultinject-report"
"""What stands for the file of a finding without a test: code scanning refuses results without a file."""
MARK = "faultinject"
"""What a decorator has in it that marks a test."""


class Annotation(NamedTuple):
    """A finding at its place.

    Attributes:
        level: `ERROR` or `WARNING`.
        check: the name of its check.
        reference: the document that asks for it.
        text: what was observed, the requests that show it, and what to do.
        path: the file of the first test that shows it; empty if the journal names no test.
        line: the line of the test's marker, or of the test; 1 if the file does not show it.
    """

    level: str
    check: str
    reference: str
    text: str
    path: str
    line: int


def annotated(judgement: Judgement) -> Iterator[Annotation]:
    """The failures and warnings of a judgement; a warning is an error where it is strict."""
    for each in merged(judgement.findings):
        if each.wrong:
            words = told(each)
            text = "\n".join([words.so, *(story for story, _ in words.calls), f"→ {words.action}"])
            level = ERROR if each.verdict == FAIL or judgement.strict else WARNING
            yield Annotation(level, each.check, each.reference, text, *_place(each))


def github(judgement: Judgement) -> str:
    """Workflow commands, one a finding, which GitHub shows beside the test; empty if nothing is wrong."""
    lines = []
    if judgement.conclusion.result == "undecided":
        lines.append(f"::error::{_data(judgement.conclusion.sentence)}\n")
    for each in annotated(judgement):
        path = _data(quoted(each.path)).replace(":", "%3A").replace(",", "%2C")
        place = f" file={path},line={each.line}" if path else ""
        lines.append(f"::{each.level}{place}::{_data(each.text)}\n")
    return "".join(lines)


def sarif(judgement: Judgement) -> str:
    """A SARIF log of one run; where nothing was decided the run is not successful."""
    from faultinject import __version__

    found = [*annotated(judgement)]
    rules = {each.check: {"id": each.check, "help": {"text": each.reference}} for each in found}
    decided = judgement.conclusion.result != "undecided"
    notes = [{"level": ERROR, "message": {"text": judgement.conclusion.sentence}}]
    invocation = {
        "executionSuccessful": decided,
        "toolExecutionNotifications": [] if decided else notes,
    }
    driver = {"name": "faultinject", "version": __version__, "rules": [*rules.values()]}
    run = {
        "tool": {"driver": driver},
        "invocations": [invocation],
        "results": [_result(each) for each in found],
    }
    log = {
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [run],
    }
    return json_text(log, 2) + "\n"


def _result(found: Annotation) -> dict[str, object]:
    place = {
        "artifactLocation": {"uri": quote(found.path or SOMEWHERE)},
        "region": {"startLine": found.line},
    }
    return {
        "ruleId": found.check,
        "level": found.level,
        "message": {"text": found.text},
        "locations": [{"physicalLocation": place}],
    }


def _data(text: str) -> str:
    """A text as a workflow command has it (https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts)."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _place(finding: Finding) -> tuple[str, int]:
    """File and line of the first test that shows a finding: of its marker, of its class's marker, or of its name."""
    tests = (each.first.test or "" for each in finding.calls)
    path, _, names = next((each for each in tests if "::" in each), "").partition("::")
    line, marks = 1, list[int]()
    try:
        body = ast.parse(Path(path).read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return path, line
    for name in names.partition("[")[0].split("::"):
        for each in body:
            if isinstance(each, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and each.name == name:
                own = [mark.lineno for mark in each.decorator_list if MARK in ast.unparse(mark)]
                marks = own or marks
                line = marks[0] if marks else each.lineno
                body = each.body
                break
    return path, line
