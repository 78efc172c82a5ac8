"""The judgement for a terminal: what is wrong as a table, what shows it, and a line of what passed."""

from __future__ import annotations

from textwrap import wrap

from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, SIGNS, WARN
from faultinject.audit.reports import sentences
from faultinject.engine.journal_entry import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.audit.findings import Finding
    from faultinject.audit.judge import Judgement

COLUMNS = ("verdict", "check", "measured", "n", "reference")
WIDTH = 120
"""Characters in a line of sentences."""
NO_BREAK = "\N{NO-BREAK SPACE}"
EXAMPLES = 3
"""Calls that are told of each finding."""


def text(judgement: Judgement) -> str:
    """The whole report in plain text; cells and calls are not wrapped."""
    findings = sentences.merged(judgement.findings)
    told = wrap(" ".join(sentences.provenance(judgement)), WIDTH, break_on_hyphens=False)
    result = _wrapped(sentences.result(judgement), findings)
    lines = [*result, sentences.title(judgement), counts(findings), *told, ""]
    if wrong := rows(findings):
        lines += [*aligned([COLUMNS, *wrong]), ""]
    lines += shown_by(findings)
    return "\n".join([*lines, *foot(findings)]) + "\n"


def counts(findings: Sequence[Finding]) -> str:
    """`✕ 2 fail  ! 1 warning  ? 1 not decided  ✓ 17 pass`."""
    return "  ".join(f"{SIGNS[verdict]} {n} {word}" for verdict, n, word in sentences.tally(findings))


def wrong_of(findings: Sequence[Finding]) -> list[Finding]:
    """Failures, then warnings."""
    return [each for verdict in (FAIL, WARN) for each in findings if each.verdict == verdict]


def rows(findings: Sequence[Finding]) -> list[tuple[str, ...]]:
    """The cells of what is wrong, below `COLUMNS`."""
    return [
        (
            f"{SIGNS[each.verdict]} {each.verdict}",
            sentences.subject_of(each),
            sentences.measured(each),
            str(each.n),
            quoted(each.reference),
        )
        for each in wrong_of(findings)
    ]


def shown_by(findings: Sequence[Finding]) -> list[str]:
    """The calls that show what is wrong, below each check's name; an empty line at the end."""
    lines = []
    for each in wrong_of(findings):
        stories = [
            f"    {sentences.story(call)}  [{sentences.place(call)}]" for call in each.calls[:EXAMPLES]
        ]
        if stories:
            lines += [f"{SIGNS[each.verdict]} {sentences.subject_of(each)}", *stories, ""]
    return lines


def foot(findings: Sequence[Finding]) -> list[str]:
    """What passed and what could not be told."""
    lines = []
    if found := sentences.passed(findings):
        lines += _wrapped(f"{SIGNS[PASS]} passed: {found}", findings, "    ")
    if unknown := sentences.undecided(findings):
        lines.append(f"{SIGNS[INCONCLUSIVE]} not decided:")
        lines += aligned([(f"    {what}", why) for what, why in unknown])
    return lines


def aligned(lines: Sequence[Sequence[str]]) -> list[str]:
    """Cells as lines whose columns begin below each other."""
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    ]


def _wrapped(text: str, findings: Sequence[Finding], indent: str = "") -> list[str]:
    """A sentence as lines, none of which ends within the name of a check."""
    for name in {each.check for each in findings}:
        text = text.replace(name, name.replace(" ", NO_BREAK))
    lines = wrap(text, WIDTH, subsequent_indent=indent, break_on_hyphens=False)
    return [line.replace(NO_BREAK, " ") for line in lines]
