"""The page in a real Chromium: light and dark, on a telephone, on paper, with hostile texts."""

import pytest

from faultinject.audit.reports import render

from .browser import Browser, command
from .judged import attempt, call, finding, judgement
from .rows import FAIL, WARN
from .test_html_report import Page

pytestmark = [pytest.mark.slow, pytest.mark.skipif(command() is None, reason="no Chromium is installed")]

LOOKS = {
    "light": {},
    "dark": {"dark": True},
    "telephone": {"width": 360},
    "paper": {"width": 760, "media": "print"},
}
EVIL = (
    "</style></title><script>owned = 1</script><img src=http://127.0.0.1:9/x onerror='owned = 1'>\"'\u202e"
    + "א" * 90
)

# What is wider than the page, except what can be scrolled.
TOO_WIDE = """
[...document.querySelectorAll("body *")]
    .filter(each => each.getBoundingClientRect().right > innerWidth + 1 && !each.closest("svg, .scroll"))
    .map(each => each.outerHTML.slice(0, 200))
"""
# Texts whose contrast with the page is below what WCAG 2 asks for (AA: 4.5).
PALE = """
(() => {
    const light = text => {
        const [r, g, b] = text.match(/[\\d.]+/g).map(each => each / 255)
            .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const paper = light(getComputedStyle(document.body).backgroundColor);
    const ratio = ink => (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
    return [...document.querySelectorAll("body *")]
        .filter(each => [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
        .filter(each => !["title", "desc"].includes(each.tagName))
        .map(each => [getComputedStyle(each)[each.closest("svg") ? "fill" : "color"], each.textContent])
        .filter(([ink]) => ratio(light(ink)) < 4.5);
})()
"""


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """One for all tests of this file: it takes half a second to begin."""
    found = Browser(tmp_path_factory.mktemp("browser"))
    yield found
    found.close()


@pytest.fixture
def opened(browser, tmp_path):
    """A function that opens the page about a judgement."""

    def open_page(judgement, **look):
        file = tmp_path / "report.html"
        file.write_text(render(judgement, "html"), "utf-8")
        browser.look(**look)
        browser.open(file.as_uri())
        assert (browser.requests, browser.complaints) == ([file.as_uri()], [])
        return browser

    return open_page


def judged(count=40, more=None, name=None, **fields):
    """A client with calls of several sorts, some of which findings point at."""
    calls = []
    for number in range(count):
        fault, status = [("cos:SlowDown", 503), ("http:500", 500), ("reset", None)][number % 3]
        did = "reset" if fault == "reset" else "answered"
        attempts = [
            attempt(
                each,
                number / 7 + 0.3 * each,
                fault,
                status,
                did=did,
                hint=2.0 if number % 5 == 4 else None,
                **fields,
            )
            for each in range(1 + number % 4)
        ]
        calls.append(call(*attempts, name=name))
    findings = [
        finding("retry-after", FAIL, calls=calls[4:6]),
        finding("retry budget", WARN, calls=calls[:2]),
    ]
    return judgement(*judgement().findings[2:], *findings, made=calls, profile="aws-2026", **(more or {}))


@pytest.mark.parametrize("look", LOOKS)
def test_it_can_be_read(opened, look):
    """On each screen and on paper the page fits, is readable, and loads nothing."""
    browser = opened(judged(), **LOOKS[look])
    fits = "document.documentElement.scrollWidth <= innerWidth"
    shown = (
        "[...document.querySelectorAll('figure')].map(each => each.className + ' ' + (each.offsetHeight > 0))"
    )
    said = [browser.evaluate(each) for each in (fits, TOO_WIDE, PALE, shown)]
    assert said == [True, [], [], ["scroll true"]]


def test_it_is_read_as_it_is_written(opened):
    """No element is closed, opened or moved by the browser: the markup is right."""

    tags = "[...document.querySelectorAll('*')].map(each => each.tagName.toLowerCase())"
    assert opened(judged()).evaluate(tags) == Page(render(judged(), "html")).tags


def test_dark_is_dark(opened):
    """The page follows what the reader's system says."""
    brightness = "getComputedStyle(document.body).backgroundColor"
    looks = ({}, {"dark": True}, {"dark": True, "media": "print"})
    said = [opened(judged(), **look).evaluate(brightness) for look in looks]
    assert said == ["rgb(255, 255, 255)", "rgb(20, 24, 29)", "rgb(255, 255, 255)"]


def test_paper_shows_what_is_folded(opened):
    """Paper, which cannot be clicked, shows all that a screen can unfold."""
    folded = (
        "[...document.querySelectorAll('details > :not(summary)')]"
        ".map(each => each.checkVisibility({contentVisibilityAuto: true}))"
    )
    shown = [{*opened(judged(), media=media).evaluate(folded)} for media in ("screen", "print")]
    assert shown == [{False}, {True}]
    assert opened(judged()).pdf().startswith(b"%PDF")


@pytest.mark.parametrize("look", LOOKS)
def test_hostile_texts(opened, look):
    """Paths, user agents and names that would be markup are texts, and none runs off the page."""
    texts = {"method": EVIL, "path": f"/{EVIL * 9}", "query": EVIL, "user_agent": EVIL}
    shows = [call(attempt(1, 0.0, **texts), name=EVIL, error=EVIL)] * 3
    wrong = finding(EVIL, FAIL, EVIL, reference=EVIL, subject=EVIL, calls=shows)
    evil = judged(more={"client": EVIL, "findings": [wrong]}, name=EVIL, **texts)
    browser = opened(evil, **LOOKS[look])
    elements = "document.querySelectorAll('script, img, iframe, object, link').length"
    said = [
        browser.evaluate(each) for each in ("typeof owned", elements, TOO_WIDE, "document.title.slice(0, 35)")
    ]
    assert said == ["undefined", 0, [], "Retries of </style></title><script>"]


def test_its_policy_holds(opened):
    """Even what got into the page could load nothing and do nothing."""
    browser = opened(judged())
    browser.evaluate(
        """(async () => {
            const body = document.body;
            const hostile = "<img src='http://127.0.0.1:9/x'><p style='color: red' onclick='owned = 1'>x</p>";
            body.insertAdjacentHTML("beforeend", hostile);
            body.lastChild.click();
            const script = document.createElement("script");
            script.textContent = "owned = 1";
            body.append(script);
            await fetch("http://127.0.0.1:9/y").catch(() => 0);
        })()"""
    )
    red = "getComputedStyle(document.querySelector('p[onclick]')).color === 'rgb(255, 0, 0)'"
    assert [browser.evaluate(each) for each in ("typeof owned", red)] == ["undefined", False]
    # Chromium tells of a request that its policy stopped, but makes none.
    assert sum("Content Security Policy" in each for each in browser.complaints) >= 4


@pytest.mark.slow
def test_ten_thousand_calls(opened):
    """A page about many calls is no heavier than one about few: what is drawn is bounded."""
    browser = opened(judged(10_000))
    assert browser.evaluate("document.querySelectorAll('*').length") < 4_000
    assert "of 10,000 calls have a row" in browser.evaluate("document.body.textContent")
