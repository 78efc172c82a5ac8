"""The league: its form as data, its page, and the page in a real Chromium."""

from __future__ import annotations

import re
import sys
from copy import deepcopy

import pytest

from faultinject.cli.schemas.league import league as league_schema
from faultinject.conformance.league import page
from faultinject.conformance.league.columns import COLUMNS
from faultinject.conformance.results import Result, document
from faultinject.exceptions import MissingExtra
from faultinject.installation import install_extra
from tests.audit.browser import Browser, command
from tests.audit.made import INTERNAL, RESET

from .test_numbers import calls, measured, named
from .test_results import OLD

EVIL = "</style></title></script><script>owned = 1</script><img src=http://127.0.0.1:9/x onerror='owned = 1'>\"'\u202e"


def clients():
    """A client of each sort: one that waits, one that does not, one of which nothing was seen."""
    waiting = measured(
        named("thr", 3, 1.0, 2.0), named("srv", 3, 0.1, kind=INTERNAL), named("out", 9, 0.2, 0.4, kind=INTERNAL)
    )  # fmt: skip
    quick = measured(named("thr", 3, 0.001), named("out", 9, 0.001, kind=INTERNAL), calls(3, 0.1, kind=RESET))
    return [("waits", waiting), ("quick", quick), ("unseen", measured())]


def league(**more):
    """Results of several clients, as plain data."""
    found = deepcopy(OLD)
    [one] = found["clients"]
    found["clients"] = [
        deepcopy(one) | {"client": name, "title": name, "numbers": each} for name, each in clients()
    ]
    return found | more


def test_results_keep_to_the_schema():
    """Of a real run, and of those that were interrupted or are not whole."""
    jsonschema = pytest.importorskip("jsonschema")
    from faultinject.conformance import run

    from .conftest import Direct, short

    schema = league_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    done = run(Direct, name="direct", phases=short("cal", "thr", "ra", "okerr"))
    found = document(
        [Result("direct", "Direct", "", None, done, "Python", "cos")],
        day="2026-11-22", version="0.1.0", deadline=30.0, complete=False, whole=True,
        skipped=[{"client": "a", "title": "A", "install": "pip install a"}],
        failed=[{"client": "b", "reason": "no"}],
    )  # fmt: skip
    jsonschema.validate(found, schema)
    for name, each in clients():
        client = found["clients"][0] | {"client": name, "numbers": each}
        jsonschema.validate({**found, "clients": [client]}, schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({name: each for name, each in found.items() if name != "seed"}, schema)


def test_the_page_says_what_the_columns_say():
    """Every text of every column, and what each means."""
    pytest.importorskip("jinja2")
    found = league(complete=False)
    found["clients"][0]["failure"] = "it ended with exit code 5"
    found["skipped"] = [{"client": "b", "title": "B's SDK", "install": "pip install b"}]
    found["failed"] = [{"client": "c", "reason": "no Java"}]
    text = page(found)
    shown = re.sub(r"<[^>]*>", "", text)
    for column in COLUMNS:
        assert column.about in shown
        for client in found["clients"]:
            assert column.text(client) in shown
    for said in (
        "Interrupted: clients are missing.", "it ended with exit code 5", "B&#39;s SDK is not installed: pip install b",
        "c could not be started: no Java", "not as its reference asks: gives up: measured (RFC 9110)",
    ):  # fmt: skip
        assert said in shown


def test_pictures_have_common_axes():
    """A wait of one second stands at the same place for everybody, and a bar is as high as it has requests."""
    pytest.importorskip("jinja2")
    from faultinject.conformance.league.pictures import EDGE, TALL, Pictures

    found = list(league()["clients"])
    pictures = Pictures(found)
    [(_, _, half, middle), _] = pictures.curve(found[0], "throttle").rows
    assert middle == {word: place for place, word in pictures.ticks}["1"] == half[0] == half[1]
    [(_, _, _, shortest)] = pictures.curve(found[1], "throttle").rows
    assert shortest == EDGE
    bars = pictures.outage(found[1]).bars
    assert max(TALL - each.y for each in bars) <= TALL
    assert sum(each.height for each in bars) * pictures.most / TALL == pytest.approx(18)
    assert pictures.outage(found[2]).bars == pictures.curve(found[2], "server").rows == []


def test_pictures_of_nothing():
    """There is an axis all the same."""
    from faultinject.conformance.league.pictures import Pictures

    pictures = Pictures([])
    assert ([word for _, word in pictures.ticks], pictures.most) == (["0.01", "0.1", "1"], 0)


def test_a_page_without_jinja2(monkeypatch):
    """A sentence says what is missing."""
    monkeypatch.setitem(sys.modules, "jinja2", None)
    with pytest.raises(MissingExtra, match=re.escape(install_extra("report"))):
        page(league())


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
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest("svg, .scroll"))
    .map(each => each.outerHTML.slice(0, 200))"""


def head(title):
    """The button of a column."""
    number = [each.title for each in COLUMNS].index(title)
    return f"document.querySelectorAll('table.league thead th')[{number}].querySelector('button')"


@pytest.mark.live
@pytest.mark.parametrize("look", [{"width": 1600}, {"width": 1600, "dark": True}, {"width": 400}])
def test_sorting_in_a_browser(browser, tmp_path, look):
    """By number and by text, up and down, by keyboard too; who has no value comes last; the console is silent."""
    pytest.importorskip("jinja2")
    path = tmp_path / "league.html"
    path.write_text(page(league()), "utf-8")
    browser.look(**look)
    browser.open(path.as_uri())
    assert browser.requests == [path.as_uri()]
    assert browser.evaluate(TOO_WIDE) == []
    assert browser.evaluate(ORDER) == ["waits 1.0", "quick 1.0", "unseen 1.0"]
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
    assert browser.evaluate(marks) == ["ascending"]
    assert browser.complaints == []


@pytest.mark.live
def test_texts_that_mean_harm_in_a_browser(browser, tmp_path):
    """They are shown, and nothing else."""
    pytest.importorskip("jinja2")
    found = league(made=EVIL, seed=EVIL, skipped=[{"client": EVIL, "title": EVIL, "install": EVIL}])
    for client in found["clients"]:
        client |= {"client": EVIL, "title": EVIL, "version": EVIL, "language": EVIL, "service": EVIL}
        client["numbers"]["retried"].append({"answer": EVIL, "documented": EVIL, "calls": 1, "retried": 1})
        client["report"]["findings"][1] |= {"message": EVIL, "reference": EVIL, "subject": EVIL}
    path = tmp_path / "league.html"
    path.write_text(page(found), "utf-8")
    browser.look(width=1600)
    browser.open(path.as_uri())
    assert browser.requests == [path.as_uri()]
    assert browser.complaints == []
    assert browser.evaluate("typeof owned") == "undefined"
    assert browser.evaluate("document.querySelectorAll('img').length") == 0
