"""Choices on the control page, and the list of changes."""

from tests.control.page import (
    SLOWLY_IN_CHROMIUM,
    Server,
    choose,
    click_and_see,
    enter,
    open_form,
    row,
    shows,
    text,
)

pytestmark = SLOWLY_IN_CHROMIUM

TEXT = "document.querySelector('#rule-text').value"


def test_a_vendors_error_is_chosen(opened, server):
    """The error that is chosen stands in the rule, whose conditions stay."""
    browser = opened()
    open_form(browser, "#add")
    browser.until("document.querySelector('#vendor').options.length > 20")
    choose(browser, "#fault", "latency,delay=2s")
    browser.until(f"{TEXT} === 'latency,delay=2s'")
    browser.evaluate("document.querySelector('#rule-text').focus()")
    browser.press("End")
    browser.type(",path=photos/")
    choose(browser, "#vendor", "cos")
    browser.until("document.querySelector('#fault').dataset.vendor === 'cos'")
    shown = "[...document.querySelector('#fault').options].find(each => each.value === 'cos:SlowDown').text"
    assert browser.evaluate(shown).startswith("SlowDown 503")
    browser.evaluate(
        "{const list = document.querySelector('#fault'); list.value = 'cos:SlowDown';"
        " list.dispatchEvent(new Event('change'))}"
    )
    assert browser.evaluate(TEXT) == "cos:SlowDown,path=photos/"
    shows(browser, "#preview-out", "<Code>SlowDown</Code>")
    click_and_see(browser, "#save", "#rules", "cos:SlowDown,path=photos/")
    assert server.ask_app("/photos/cat.jpg") == 503


def test_only_my_browser(opened, server):
    """The rule meets the requests of this browser alone, by a cookie that it has for the app."""
    browser = opened()
    open_form(browser, "#add")
    browser.type("http:418")
    browser.click("#mine")
    assert "header.cookie=*faultinject=" in browser.evaluate(TEXT)
    browser.click("#mine")
    assert browser.evaluate(TEXT) == "http:418"
    browser.click("#mine")
    click_and_see(browser, "#save", "#rules", "http:418,header.cookie=*faultinject=")
    ours = "fetch('/photos/cat.jpg').then(answer => answer.status)"
    assert (browser.evaluate(ours), server.ask_app("/photos/cat.jpg")) == (418, 200)
    open_form(browser, "[aria-label='Edit rule-1']")
    assert browser.evaluate("document.querySelector('#mine').checked")


def test_all_rules_that_matched_are_named(opened, server):
    """Of a request that no rule has fired for."""
    browser = opened("http:503,skip=9,name=a http:500,skip=9,name=b http:500,path=c/,name=c")
    server.ask_app("/photos/both.jpg")
    click_and_see(
        browser,
        row(browser, "/photos/both.jpg"),
        "#detail",
        "Rules a, b matched and did not fire: the app answered",
    )


def test_who_has_changed_what(browser, tmp_path):
    """By the names of the tokens, the newest first, with the time."""
    with Server(tmp_path, FAULTINJECT_TOKEN="alice=open-sesame,bob=shut-sesame") as server:
        server.token = "open-sesame"
        server.start()
        enter(browser, server)
        shows(browser, "#changes-empty", "Nobody has changed anything")
        server.change("POST", "/off")
        server.token = "shut-sesame"
        server.change("PUT", "/rules", {"text": "http:503,name=a"})
        shows(browser, "#changes", "put 1 rule in force")
        lines = text(browser, "#changes").split("\n")
        assert ["bob" in each or "alice" in each for each in lines].count(True) == 2
        assert text(browser, "#changes").index("bob") < text(browser, "#changes").index("alice")
        shows(browser, "#changes", "switched faults off")
