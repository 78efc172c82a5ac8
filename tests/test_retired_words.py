"""Phrases that the product no longer uses do not come back in what users read."""

import ast
import runpy
from collections.abc import Iterator
from pathlib import Path

import pytest

import faultinject
from faultinject.audit.checks import CHECKS
from tests.documents import PAGES, ROOT

PACKAGE = Path(faultinject.__file__).parent
READ = (
    *PAGES,
    "CHANGELOG.md",
    ".github/CONTRIBUTING.md",
    ".github/SECURITY.md",
    *(path.relative_to(ROOT).as_posix() for path in sorted((ROOT / "examples").glob("*/README.md"))),
)
LANGUAGE = runpy.run_path(str(ROOT / ".ci" / "language.py"))
RETIRED, IN_PROSE, retired_in = (LANGUAGE[name] for name in ("RETIRED", "IN_PROSE", "retired_in"))
OF_OTHERS = ("docs/reference/vendors/", "docs/reference/python.md")
"""Pages that are made from vendors' own words and from docstrings."""


def texts(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """The strings of a module but for its docstrings, with their lines."""
    documented = {id(each.value) for each in ast.walk(tree) if isinstance(each, ast.Expr)}
    for each in ast.walk(tree):
        if isinstance(each, ast.Constant) and isinstance(each.value, str) and id(each) not in documented:
            yield each.lineno, each.value


@pytest.mark.slow
def test_no_sentence_of_the_package_has_a_retired_phrase() -> None:
    """Messages, help texts, reports and log lines use the phrases of today."""
    found = [
        f"{path.relative_to(PACKAGE).as_posix()}:{line}: {phrase!r} (say: {RETIRED[phrase]})"
        for path in sorted(PACKAGE.rglob("*.py"))
        for line, text in texts(ast.parse(path.read_text(encoding="utf-8")))
        for phrase in retired_in(text)
    ]
    assert found == []


def test_no_demand_has_a_retired_phrase() -> None:
    """The docstring of a check is printed in reports and on the page of checks."""
    assert {name: found for name, check in CHECKS.items() if (found := retired_in(check.__doc__ or ""))} == {}


def test_no_page_of_the_html_report_has_a_retired_phrase() -> None:
    """The templates hold sentences of their own."""
    pages = sorted((PACKAGE / "audit" / "reports" / "html").glob("*.html"))
    assert [(page.name, retired_in(page.read_text(encoding="utf-8"))) for page in pages] == [
        (page.name, []) for page in pages
    ]


def test_no_page_has_a_retired_phrase() -> None:
    """The documentation uses the phrases of today, and so quotes messages as they are."""
    found = [
        (page, phrase, RETIRED[phrase])
        for page in READ
        if not page.startswith(OF_OTHERS)
        for phrase in retired_in(" ".join((ROOT / page).read_text(encoding="utf-8").split()))
        if phrase in IN_PROSE
    ]
    assert found == []


def test_a_retired_phrase_is_found() -> None:
    """The check reads f-strings and joined literals; `.ci/language.py` reads docstrings."""
    source = 'def f(n):\n    """tried again"""\n    return f"{n} calls " f"tried again: {n}"\n'
    assert [phrase for _, text in texts(ast.parse(source)) for phrase in retired_in(text)] == ["tried again"]
    assert (retired_in("a check says no"), retired_in("it says nothing")) == (["says no"], [])
