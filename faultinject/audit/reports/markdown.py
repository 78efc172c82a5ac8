"""The report for a pull request or the summary of a CI job: GitHub's Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable

from faultinject.audit.findings import INCONCLUSIVE, PASS, SIGNS
from faultinject.audit.judging import Judgement
from faultinject.audit.reports.content import ADDRESS, FindingText, content

SPECIAL = {
    **{sign: f"\\{sign}" for sign in "\\`*_[]|~$"},
    "<": "&lt;",
    ">": "&gt;",
    "&": "&amp;",
    # GitHub looks for mentions, issues and addresses when the text is HTML already: an entity does not stop it.
    "@": "@<!-- -->",
    "#": "#<!-- -->",
    "://": ":<!-- -->//",
    "www.": "www<!-- -->.",
}
"""Characters that begin something in Markdown, and replacements that show them."""


def markdown(judgement: Judgement) -> str:
    """The whole report; no text from a request becomes a link, a mention or HTML."""
    report = content(judgement)
    blocks = [f"## Retries of {plain(report.title)}", f"### {plain(report.result)}", _list(report.facts)]
    for finding in report.wrong:
        blocks += problem(finding)
    if report.passed:
        blocks.append(f"{SIGNS[PASS]} **passed:** {plain(report.passed)}")
    if report.undecided:
        blocks += [f"{SIGNS[INCONCLUSIVE]} **not decided:**", _list(report.undecided)]
    blocks += ["<details><summary>How this was measured</summary>", _list(report.measured), "</details>"]
    return "\n\n".join(blocks) + "\n"


def problem(finding: FindingText) -> list[str]:
    """A finding: the observation, the calls that show it, and what to do."""
    observation = (
        f"{SIGNS[finding.verdict]} **{plain(finding.name)}**: {plain(finding.message)} (n = {finding.n:,})"
    )
    calls = "\n".join(f"- {code(story)}" for story, _ in finding.calls)
    return [part for part in (observation, calls, f"→ {linked(finding.action)}") if part]


def linked(text: str) -> str:
    """The text of an action, whose addresses are links."""
    return "".join(
        f"<{part}>" if number % 2 else plain(part) for number, part in enumerate(ADDRESS.split(text))
    )


def _list(lines: Iterable[str]) -> str:
    return "\n".join(f"- {plain(line)}" for line in lines)


def plain(text: str) -> str:
    r"""The text as Markdown that shows it, and nothing else.

    >>> plain("*a* <b> @c")
    '\\*a\\* &lt;b&gt; @<!-- -->c'
    """
    return re.sub(r"://|www\.|[\\`*_\[\]|~$<>&@#]", lambda match: SPECIAL[match[0]], text)


def code(text: str) -> str:
    """A span of code; its fence is longer than any run of backticks in it."""
    fence = "`"
    while fence in text:
        fence += "`"
    return f"{fence} {text} {fence}" if "`" in text else f"`{text}`"
