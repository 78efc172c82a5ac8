"""The documentation site builds without warnings, its links work, and a browser shows it."""

import fcntl
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

from tests.audit.browser import Browser, command
from tests.documents import DOCS, PAGES

pytestmark = pytest.mark.slow

LOOKS = {
    "light": {"width": 1200},
    "dark": {"width": 1200, "dark": True},
    "narrow": {"width": 400},
    "narrow and dark": {"width": 400, "dark": True},
}
FITS = "document.documentElement.scrollWidth <= innerWidth"
DARK = "matchMedia('(prefers-color-scheme: dark)').matches"
SHOWN = ("index", "reference/rules", "reference/vendors/cos", "reference/python", "explanation/verdict")
# What stands out of the window's right edge, unless it is scrolled in a box of its own.
TOO_WIDE = """[...document.querySelectorAll('article *')].filter(each => {
    for (let box = each; box; box = box.parentElement)
        if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(box).overflowX) && box !== document.documentElement
            && box !== document.body) return false;
    return each.getBoundingClientRect().right > innerWidth + 1;
}).map(each => each.outerHTML.slice(0, 90))"""
# The brightness of text and of what is behind it differ.
CONTRAST = """(() => {
    const light = colour => { const [r, g, b] = colour.match(/[\\d.]+/g).map(Number); return r + g + b; };
    return Math.abs(light(getComputedStyle(document.querySelector('article p')).color)
        - light(getComputedStyle(document.body).backgroundColor));
})()"""


@pytest.fixture(scope="module")
def site(tmp_path_factory, worker_id):
    """The folder of the built site; a warning is an error.

    One worker builds it for all, which takes 20 s of a processor.
    """
    pytest.importorskip("sphinx", reason="of the group docs")
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "site"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "built").exists():
            done = subprocess.run(
                [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-d", str(folder / "doctrees"), str(DOCS), str(folder / "html")],
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            assert (done.returncode, done.stderr) == (0, "")
            (folder / "built").touch()
    return folder / "html"


class Links(HTMLParser):
    """The links of a page, and its anchors."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.anchors: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self.targets += [given[name] for name in ("href", "src") if given.get(name)]
        self.anchors |= {given[name] for name in ("id", "name") if given.get(name)}


def test_every_page_is_built(site):
    """And search has an index."""
    pages = [page.removeprefix("docs/").removesuffix("md") for page in PAGES if page.startswith("docs/")]
    files = [*(f"{page}html" for page in pages), "searchindex.js"]
    assert [each for each in files if not (site / each).is_file()] == []


def test_every_link_leads_somewhere(site):
    """Every link leads to a file and an anchor that exist.

    No link outside goes to a private machine, or to one without TLS.
    """
    pages = {path: Links(path) for path in site.rglob("*.html")}
    broken = []
    for path, page in pages.items():
        assert [each for each in page.targets if re.match(r"http:|file:|//", each)] == [], path.name
        for target in page.targets:
            parts = urlsplit(target)
            place = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            lost = parts.fragment and place in pages and unquote(parts.fragment) not in pages[place].anchors
            if not (parts.scheme or parts.netloc) and (lost or not place.is_file()):
                broken.append((path.relative_to(site).as_posix(), target))
    assert sum(len(each.targets) for each in pages.values()) > 1000
    assert broken == []


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Chromium, as the tests of the HTML report use it."""
    if command() is None:
        pytest.skip("needs Chromium")
    found = Browser(tmp_path_factory.mktemp("browser"))
    yield found
    found.close()


@pytest.mark.parametrize("page", SHOWN)
def test_page_in_a_browser(site, browser, page):
    """No page is too wide; text has contrast, the console is silent, and all files are its own."""
    for name, look in LOOKS.items():
        browser.look(**look)
        browser.open((site / f"{page}.html").as_uri())
        foreign = [each for each in browser.requests if not each.startswith(("file:", "data:"))]
        assert (browser.complaints, foreign) == ([], []), name
        said = [browser.evaluate(each) for each in (FITS, TOO_WIDE, f"{CONTRAST} > 300", DARK)]
        assert said == [True, [], True, look.get("dark", False)], name


def test_pages_are_readable_without_javascript(site, browser):
    """Text, tables, code and navigation are shown."""
    browser.ask("Emulation.setScriptExecutionDisabled", value=True)
    try:
        browser.look(width=1200)
        browser.open((site / "reference/rules.html").as_uri())
        root = browser.ask("DOM.getDocument")["root"]["nodeId"]
        # The theme's script takes this class away.
        [page] = browser.ask("DOM.querySelectorAll", nodeId=root, selector="html.no-js")["nodeIds"]
        for selector in ("article h1", "article p", "article table", ".sidebar-tree", "article .highlight"):
            node = browser.ask("DOM.querySelector", nodeId=page, selector=selector)["nodeId"]
            box = browser.ask("DOM.getBoxModel", nodeId=node)["model"]  # an error where it is not shown
            assert (box["width"] > 100, box["height"] > 10) == (True, True), selector
        assert not browser.complaints
    finally:
        browser.ask("Emulation.setScriptExecutionDisabled", value=False)


def test_a_wide_table_keeps_the_names_of_its_rows_in_sight(site, browser):
    """Scrolled to its right end, and nothing of another column shows beside them."""
    browser.look(width=1200)
    browser.open((site / "reference/vendors/s3.html").as_uri())
    table = "[...document.querySelectorAll('.table-wrapper')].find(each => each.scrollWidth > each.clientWidth + 300)"
    browser.evaluate(f"{table}.scrollLeft = 1e6")
    cell = f"{table}.querySelector('tbody tr > :first-child').getBoundingClientRect()"
    outside = f"{cell}.left - {table}.getBoundingClientRect().left"
    assert -1 <= browser.evaluate(outside) <= 1
