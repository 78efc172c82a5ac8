"""The judgement for a pull request or the summary of a CI job: GitHub's Markdown."""

from __future__ import annotations

import re

from faultinject.audit.findings import INCONCLUSIVE, PASS, SIGNS
from faultinject.audit.reports import sentences
from faultinject.audit.reports.text import COLUMNS, EXAMPLES, counts, rows, wrong_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.audit.findings import Finding
    from faultinject.audit.judge import Judgement

SPECIAL = {
    **{each: f"\\{each}" for each in "\\`*_[]|~$"},
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
    # GitHub looks for mentions, issues and addresses when the text is HTML already: an entity does not stop it.
    "@": "@<!-- -->",
    "#": "#<!-- -->",
    "://": ":<!-- -->//",
    "www.": "www<!-- -->.",
}
"""What begins something in Markdown, and what shows it instead."""


def markdown(judgement: Judgement) -> str:
    """The whole report; what a request said cannot make a link, a mention or HTML of itself."""
    findings = sentences.merged(judgement.findings)
    blocks = [
        f"### {plain(sentences.result(judgement))}",
        f"**{plain(sentences.title(judgement))}: {counts(findings)}**",
        plain(" ".join(sentences.provenance(judgement))),
    ]
    if found := rows(findings):
        blocks.append(_table(found))
    blocks += _examples(findings)
    if good := sentences.passed(findings):
        blocks.append(f"{SIGNS[PASS]} **passed:** {plain(good)}")
    if unknown := sentences.undecided(findings):
        told = "\n".join(f"- {plain(what)}: {plain(why)}" for what, why in unknown)
        head = f"{SIGNS[INCONCLUSIVE]} <b>not decided:</b> {plain(sentences.names(findings, INCONCLUSIVE))}"
        blocks += [f"<details><summary>{head}</summary>", told, "</details>"]
    if faults := sentences.faults_by_rule(judgement):
        told = "\n".join(f"- {plain(each)}" for each in faults)
        blocks += ["<details><summary>Faults by rule</summary>", told, "</details>"]
    return "\n\n".join(blocks) + "\n"


def plain(text: str) -> str:
    r"""The text as Markdown that shows it, and nothing else.

    >>> plain("*a* <b> @c")
    '\\*a\\* &lt;b&gt; @<!-- -->c'
    """
    return re.sub(r"://|www\.|[\\`*_\[\]|~$<>&@#]", lambda found: SPECIAL[found[0]], text)


def _table(found: Sequence[Sequence[str]]) -> str:
    lines = [
        COLUMNS,
        ("---", "---", "---", "---:", "---"),
        *([plain(cell) for cell in line] for line in found),
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _examples(findings: Sequence[Finding]) -> list[str]:
    told = []
    for each in wrong_of(findings):
        lines = [f"- {_code(sentences.story(call))}" for call in each.calls[:EXAMPLES]]
        if lines:
            told.append("\n".join([f"**{plain(sentences.subject_of(each))}**", "", *lines]))
    if not told:
        return []
    return ["<details><summary>What shows it</summary>", *told, "</details>"]


def _code(text: str) -> str:
    """A span of code; its fence is longer than any run of backticks in it."""
    fence = "`"
    while fence in text:
        fence += "`"
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"
