"""Findings beside the code, as a CI shows them: GitHub's annotations, and SARIF 2.1.0."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from msgspec import to_builtins

from faultinject import __version__
from faultinject.audit.findings import FAIL
from faultinject.audit.judging import Judgement
from faultinject.audit.reports.content import finding_text, merged
from faultinject.engine.shown import quoted
from faultinject.rules.printed_json import json_text

SOMEWHERE = "faultinject-report"
"""The file of a finding without a test, because code scanning requires one."""


class Annotation(NamedTuple):
    """A finding at its place.

    Attributes:
        level: `error` or `warning`, which are GitHub's words and those of SARIF.
        check: the name of its check.
        reference: the document that requires the checked behaviour.
        text: the observation, the requests that show it, and the advice.
        path: the file of the first test that shows it; empty if the journal names no test.
        line: the line of the test's marker, or of the test; 1 if the file does not show it.
        basis: `evidence`, the kinds of proof, and `documents`, each with the clients that the document binds.
    """

    level: str
    check: str
    reference: str
    text: str
    path: str
    line: int
    basis: dict[str, object]


def annotated(judgement: Judgement) -> Iterator[Annotation]:
    """The failures and warnings of a judgement; if it is strict, a warning is an error."""
    for finding in merged(judgement.findings):
        if finding.wrong:
            words = finding_text(finding)
            text = "\n".join([words.line, *(story for story, _ in words.calls), f"→ {words.action}"])
            level = "error" if finding.verdict == FAIL or judgement.strict else "warning"
            basis = {"evidence": [*finding.evidence], "documents": to_builtins([*finding.documents])}
            tests = (call.first.test or "" for call in finding.calls)
            place = place_of(next((test for test in tests if "::" in test), ""))
            yield Annotation(level, finding.check, finding.reference, text, *place, basis)


def github(judgement: Judgement) -> str:
    """A GitHub workflow command for each finding; a notice if nothing was judged."""
    return commands(annotated(judgement), _undecided(judgement))


def sarif(judgement: Judgement) -> str:
    """A SARIF log of one run; the run is not successful if nothing was decided."""
    return sarif_log([*annotated(judgement)], _undecided(judgement))


def _undecided(judgement: Judgement) -> str:
    return judgement.conclusion.sentence if judgement.conclusion.result == "undecided" else ""


def commands(annotations: Iterable[Annotation], undecided: str) -> str:
    """Workflow commands of GitHub.

    Args:
        annotations: one for each command.
        undecided: the reason why nothing was judged, for a notice; empty if something was.
    """
    lines = [f"::notice::{_data(undecided)}\n"] if undecided else []
    for annotation in annotations:
        path = _data(quoted(annotation.path)).replace(":", "%3A").replace(",", "%2C")
        place = f" file={path},line={annotation.line}" if path else ""
        lines.append(f"::{annotation.level}{place}::{_data(annotation.text)}\n")
    return "".join(lines)


def sarif_log(annotations: Sequence[Annotation], undecided: str) -> str:
    """A SARIF log; the arguments are those of `commands`."""
    rules = {
        annotation.check: {"id": annotation.check, "help": {"text": annotation.reference}}
        for annotation in annotations
    }
    return (
        json_text(
            {
                "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
                "version": "2.1.0",
                "runs": [
                    {
                        "tool": {
                            "driver": {
                                "name": "faultinject",
                                "version": __version__,
                                "rules": [*rules.values()],
                            }
                        },
                        "invocations": [
                            {
                                "executionSuccessful": not undecided,
                                "toolExecutionNotifications": (
                                    [{"level": "note", "message": {"text": undecided}}] if undecided else []
                                ),
                            }
                        ],
                        "results": [_result(annotation) for annotation in annotations],
                    }
                ],
            },
            2,
        )
        + "\n"
    )


def _result(annotation: Annotation) -> dict[str, object]:
    return {
        "ruleId": annotation.check,
        "level": annotation.level,
        "message": {"text": annotation.text},
        "locations": [
            {
                "physicalLocation": {
                    "artifactLocation": {"uri": quote(annotation.path or SOMEWHERE)},
                    "region": {"startLine": annotation.line},
                }
            }
        ],
        "properties": annotation.basis,
    }


def _data(text: str) -> str:
    """A text with the escapes of workflow commands.

    https://github.com/actions/toolkit/blob/main/packages/core/src/command.ts
    """
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def place_of(test: str) -> tuple[str, int]:
    """File and line of a test: the line of its marker, of its class's marker, or of the test."""
    path, _, names = test.partition("::")
    line, marks = 1, list[int]()
    try:
        body = ast.parse(Path(path).read_bytes()).body
    except (OSError, SyntaxError, ValueError):
        return path, line
    for name in names.partition("[")[0].split("::"):
        for statement in body:
            if (
                isinstance(statement, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
                and statement.name == name
            ):
                marks = [
                    mark.lineno for mark in statement.decorator_list if "faultinject" in ast.unparse(mark)
                ] or marks
                line = marks[0] if marks else statement.lineno
                body = statement.body
                break
    return path, line
