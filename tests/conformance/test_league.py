"""The league: its form as data, its page, and the page in a real Chromium."""

import re
import sys
from copy import deepcopy

import pytest

from faultinject.conformance.league import markdown, page
from faultinject.exceptions import MissingExtraError
from tests.audit.browser import Browser, command

from .test_results import NUMBERS, OLD, results

EVIL = "</style></title></script><script>owned = 1</script><img src=http://127.0.0.1:9/x onerror='owned = 1'>\"'\u202e"


def clients():
    """A client of each sort: one that waits, one that does not, one of which nothing was seen."""
    return [(each, NUMBERS[each]) for each in ("waits", "quick", "unseen")]


def league(**more):
    """Results of several clients, as plain data."""
    found = deepcopy(OLD)
    [one] = found["clients"]
    found["clients"] = [
        deepcopy(one) | {"client": name, "title": name, "numbers": each} for name, each in clients()
    ]
    return found | more


MISSING = {
    "complete": False,
    "skipped": [{"client": "b", "title": "B's SDK", "install": "pip install b"}],
    "failed": [{"client": "c", "reason": "no Java"}],
}


def test_the_page_says_what_was_measured(golden):
    """A row for each client with waits, end and verdicts, and the missing clients with reasons."""
    pytest.importorskip("jinja2")
    found = league(**MISSING)
    found["clients"][0]["failure"] = "it ended with exit code 5"
    text = page(results(found))
    shown = re.sub(r"<[^>]*>", "", text)
    cells = [
        [
            " ".join(re.sub(r"<[^>]*>", " ", each).split())
            for each in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)
        ]
        for row in re.findall(r"<tr.*?</tr>", text.partition('league">')[2], re.DOTALL)
    ]
    head, *rows = [each for each in cells if each][: 1 + len(found["clients"])]
    told = {row[0].split()[0]: zip(head, row, strict=True) for row in rows}
    golden("league.txt", lambda name: "\n".join(f"{title}: {cell}".rstrip() for title, cell in told[name]))
    for said in (
        "Interrupted: clients are missing.", "it ended with exit code 5", "B&#39;s SDK is not installed: pip install b",
        "c could not be started: no Java", "not as its reference asks: gives up: measured (RFC 9110)",
    ):  # fmt: skip
        assert said in shown


def test_a_page_has_one_table():
    """All clients stand in one table; what was found about each is a list below it."""
    pytest.importorskip("jinja2")
    found = results(league(**MISSING))
    assert (page(found).count("<table"), len(re.findall(r"^\| ---", markdown(found), re.MULTILINE))) == (1, 1)


def test_a_page_without_jinja2(monkeypatch):
    """A sentence says what is missing."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtraError, match=r" install .*\[report\]"):
        page(results(league()))


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Chromium, as the tests of the HTML report use it."""
    if command() is None:
        pytest.skip("needs Chromium")
    found = Browser(tmp_path_factory.mktemp("browser"))
    yield found
    found.close()


ORDER = "[...document.querySelectorAll('table.league tbody th')].map(each => each.textContent)"
TOO_WIDE = """[...document.querySelectorAll("body *")]
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest(".scroll"))
    .map(each => each.outerHTML.slice(0, 200))"""


def head(title):
    """The button of a column."""
    return (
        "[...document.querySelectorAll('table.league thead th button')].find(each => "
        f"each.textContent.startsWith({title!r}))"
    )


def show(browser, tmp_path, found, **look):
    """Open the page, which asks for nothing else."""
    pytest.importorskip("jinja2")
    path = tmp_path / "league.html"
    path.write_text(page(results(found)), "utf-8")
    browser.look(**look)
    browser.open(path.as_uri())
    assert browser.requests == [path.as_uri()]


@pytest.mark.slow
@pytest.mark.parametrize("look", [{"width": 1600}, {"width": 1600, "dark": True}, {"width": 400}])
def test_sorting_in_a_browser(browser, tmp_path, look):
    """Sorting works by number and text, both ways, by keyboard too; missing values come last.

    The console is silent.
    """
    show(browser, tmp_path, league(), **look)
    assert (browser.evaluate(TOO_WIDE), browser.evaluate(ORDER)) == (
        [],
        ["waits 1.0", "quick 1.0", "unseen 1.0"],
    )
    browser.evaluate(f"{head('wait: throttled')}.click()")
    assert browser.evaluate(ORDER) == ["quick 1.0", "waits 1.0", "unseen 1.0"]
    browser.evaluate(f"{head('wait: throttled')}.click()")
    assert browser.evaluate(ORDER) == ["waits 1.0", "quick 1.0", "unseen 1.0"]
    browser.evaluate(f"{head('client')}.focus()")
    for kind in ("keyDown", "keyUp"):
        browser.ask(
            "Input.dispatchKeyEvent",
            type=kind,
            key="Enter",
            code="Enter",
            text="\r",
            windowsVirtualKeyCode=13,
        )
    assert browser.evaluate(ORDER) == ["quick 1.0", "unseen 1.0", "waits 1.0"]
    marks = "[...document.querySelectorAll('[aria-sort]')].map(each => each.getAttribute('aria-sort'))"
    assert (browser.evaluate(marks), browser.complaints) == (["ascending"], [])


@pytest.mark.slow
def test_texts_that_mean_harm_in_a_browser(browser, tmp_path):
    """They are shown, and nothing else."""
    found = league(made=EVIL, seed=EVIL, skipped=[{"client": EVIL, "title": EVIL, "install": EVIL}])
    for client in found["clients"]:
        client |= {"client": EVIL, "title": EVIL, "version": EVIL, "language": EVIL, "service": EVIL}
        client["numbers"]["retried"].append({"answer": EVIL, "documented": EVIL, "calls": 1, "retried": 1})
        client["report"]["findings"][1] |= {"message": EVIL, "reference": EVIL, "subject": EVIL}
    show(browser, tmp_path, found, width=1600)
    changed = [browser.evaluate(each) for each in ("typeof owned", "document.querySelectorAll('img').length")]
    assert (changed, browser.complaints) == (["undefined", 0], [])
