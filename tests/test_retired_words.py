"""Phrases that the product no longer uses do not come back in what users read."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import faultinject
from faultinject.audit.checks import CHECKS
from tests.documents import PAGES, ROOT
from tests.rows import row_by_row

PACKAGE = Path(faultinject.__file__).parent
READ = (
    *PAGES,
    "CHANGELOG.md",
    ".github/CONTRIBUTING.md",
    ".github/SECURITY.md",
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "examples").glob("*/README.md"))),
)
RETIRED = {
    "stands above": "overrides",
    "the S3 way": "as an S3 request",
    "the take is given back": "the count is returned",
    "by looks": "by fingerprint",
    "its looks": "its fingerprint",
    "their looks": "their fingerprint",
    "told call": "named call",
    "seen, ": "Not enough data: 2 of 3 calls.",
    " decide: ": "Not enough data: 2 of 3 calls.",
    "would decide": "say what to do: Add calls",
    "would tell": "say what to do: Add calls",
    "tried again": "retried",
    "tries it again": "retries it",
    "says no": "failed",
    "say no": "failed",
    "which is a failure here": "strict: a warning is a failure",
    "joined by": "grouped into calls by",
    "were joined": "grouped into calls by",
    "looks alone": "grouped by fingerprint alone",
    "word of the test": "test label",
    "come back within": "retry within",
    "Judged as": "Profile:",
    "too many under way": "more at the same time than ... allows",
    "when all is well": "without faults",
    "more alike": "similar",
    "hardly any": "almost no",
    "store is away": "the store is unavailable",
    "keeps every fault away": "switches all faults off",
    "seen by themselves": "need no set-up",
    "which cannot be told apart": "which mixes their attempts",
    "though required": "required but not decided",
    "sent again": "retried",
    "fails all the same": "also fail a run",
    "found something wrong": "found a problem",
    "too few for any check": "not enough data for any check",
    "store has no ": "does not support",
    "made anew": "replaced",
    "not asked yet": "pauses before it uses the store again",
    "is never matched": "no rule matches",
    "knows is like this": "has this form",
    "compared decoded": "values are compared after decoding",
    "for the server to say": "is the server's choice",
    "what became of it": "reports each key",
    "server lets us": "the server allows it",
    "stand round": "enclose",
    "go round": "enclose",
    "is read as": "reads requests as",
    "for the request of": "needs a request",
    "time was up": "at the time limit",
    "Python itself": "is not Python",
    "told to slow down": "gets a throttle error",
    "answer of the contract": "line of the contract",
    "is left alone": "does not match",
    "who asked": "the client, the caller, the test",
    "who asks": "the client, the caller, the test",
    "has put other rules in force": "has changed the rules",
    "each counts for itself": "count separately",
    "by and by": "in the background",
    "heeds": "honours",
    " as ever": "say it",
    "what is told": "what is reported",
    "in force anew": "in force again",
    "of its own making": "self-signed",
    "Whose dialect": "storage API that ... speaks",
    "next to nothing": "almost nothing",
    "it is said": "a line on standard error says so",
    "none of the server's": "not for the server",
    "Nor does": "does not ... either",
    "Nor do": "do not ... either",
    "So does": "does so too",
    "So do": "do so too",
    "nobody can tell": "is not known",
    "behind the other": "after the other",
    "disarmed itself": "abort has ended the faults",
    "cannot be had": "is unavailable",
    "made again": "repeated, rendered again",
    "no Python app": "not a Python app",
    "became of": "the result, the outcome",
    "is none of": "is not one of",
    "is told it": "matches it",
    "told by the path": "matched by the path",
    "likewise": "say it",
    "broken before": "fails without faults",
    "what is so": "what was observed",
    "came in no run": "was injected in no run",
}
"""What is said instead, by what was said."""
END = r"(?!\w)"
IN_PAGES = frozenset(RETIRED) - {"seen, ", "sent again", "made anew", "is read as"}
"""Those that are messages, or are never needed in prose either."""
OF_OTHERS = ("docs/reference/vendors/", "docs/reference/python.md")
"""Pages that are made from vendors' own words and from docstrings."""


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The pieces of text in a module that are no docstrings, with their lines."""
    documented = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    for each in ast.walk(tree):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in documented:
            yield each.lineno, each.value


def found_in(text: str) -> list[str]:
    """The retired phrases in a text: as words, so that `says nothing` does not hold `says no`."""
    return [
        phrase
        for phrase in RETIRED
        if phrase in text and re.search(rf"{re.escape(phrase)}{END if phrase[-1].isalnum() else ''}", text)
    ]


@pytest.mark.slow
def test_no_sentence_of_the_package_has_a_retired_phrase() -> None:
    """Messages, help texts, reports and log lines, wherever they are written."""
    found = [
        f"{path.relative_to(PACKAGE).as_posix()}:{line}: {phrase!r} (say: {RETIRED[phrase]})"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in texts(ast.parse(path.read_text(encoding="utf-8")))
        for phrase in found_in(text)
    ]
    assert found == []


@row_by_row("name", CHECKS)
def test_no_demand_has_a_retired_phrase(name: str) -> None:
    """The docstring of a check is printed in reports and on the page of checks."""
    assert found_in(CHECKS[name].__doc__ or "") == []


def test_no_page_of_the_html_report_has_a_retired_phrase() -> None:
    """The templates hold sentences of their own."""
    pages = sorted((PACKAGE / "audit" / "reports" / "html").glob("*.html"))
    assert [(page.name, found_in(page.read_text(encoding="utf-8"))) for page in pages] == [
        (page.name, []) for page in pages
    ]


def test_no_page_has_a_retired_phrase() -> None:
    """The README, the documentation, the changelog and the pages of contributors; a message is quoted as it is today."""
    found = {}
    for page in READ:
        if not page.startswith(OF_OTHERS):
            text = " ".join((ROOT / page).read_text(encoding="utf-8").split())
            found[page] = [(phrase, RETIRED[phrase]) for phrase in found_in(text) if phrase in IN_PAGES]
    assert {page: phrases for page, phrases in found.items() if phrases} == {}


def test_a_retired_phrase_is_found() -> None:
    """The check sees through f-strings and joined literals, and leaves docstrings alone."""
    source = 'def f(n):\n    """tried again"""\n    return f"{n} calls " f"tried again: {n}"\n'
    assert [phrase for _, text in texts(ast.parse(source)) for phrase in found_in(text)] == ["tried again"]
    assert (found_in("a check says no"), found_in("it says nothing")) == (["says no"], [])
