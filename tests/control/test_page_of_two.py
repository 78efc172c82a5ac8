"""The control page where somebody else changes the rules or the switch meanwhile."""

from tests.control.page import SLOWLY_IN_CHROMIUM, click_and_see, fill, open_form, shows
from tests.until import until

pytestmark = SLOWLY_IN_CHROMIUM


def test_who_is_slower(opened, server):
    """If the edited rule was changed meanwhile, nothing is saved, and the typed text stays.

    The form can be opened again.
    """
    browser = opened("http:503,path=a/ http:500,path=b/")
    open_form(browser, "[aria-label='Edit rule-2']")
    fill(browser, "#rule-text", "http:500,path=b/,times=5")
    server.change("DELETE", "/rules/rule-1")
    shows(browser, "#said", "The rules were changed elsewhere.")
    click_and_see(
        browser,
        "#save",
        "#editor-wrong",
        "Rule rule-2 was changed or deleted elsewhere, and nothing was done.",
    )
    assert browser.evaluate("document.querySelector('#rule-text').value") == "http:500,path=b/,times=5"
    assert [each["text"] for each in server.state()["rules"]] == ["http:500,path=b/"]
    browser.click("#cancel")
    open_form(browser, "[aria-label='Edit rule-1']")
    fill(browser, "#rule-text", "http:500,path=b/,times=5")
    browser.press("Enter")
    shows(browser, "#rules", "http:500,path=b/,times=5")


def test_no_other_rule_is_deleted(opened, server):
    """By a dialog that was open when somebody else deleted a rule before it."""
    browser = opened("http:503,path=a/ http:500,path=b/ http:504,path=c/")
    browser.click("[aria-label='Delete rule-2']")
    server.change("DELETE", "/rules/rule-1")
    shows(browser, "#rules-count", "(2)")
    click_and_see(browser, "#sure-yes", "#wrong", "Your change was not made.")
    assert [each["fault"] for each in server.state()["rules"]] == ["http:500", "http:504"]


def test_what_others_do_is_said(opened, server):
    """The switch, the rules, and that the time is over."""
    browser = opened("http:503")
    for method, path, data, words in (
        ("POST", "/off", None, "Faults were switched off elsewhere."),
        ("POST", "/on", {"for": "9m"}, "Faults were switched on elsewhere."),
        ("POST", "/on", {"for": "8m"}, "Somebody else has changed when faults switch off."),
        ("PUT", "/rules", {"text": "http:500"}, "The rules were changed elsewhere."),
        ("POST", "/on", {"for": "3s"}, "The time is over: faults are off."),
    ):
        server.change(method, path, data)
        shows(browser, "#said", words)
    shows(browser, "#power-left", "They switched off by themselves at ")


def test_a_time_that_was_over_before_the_page_knew_of_it(opened, server):
    """It is said to be over, not that somebody has switched faults off."""
    browser = opened("http:503")
    browser.evaluate("""{
        const ask = window.fetch.bind(window);
        window.fetch = async (url, options) => {
            if (String(url).endsWith("/state")) await new Promise((resolve) => (window.goOn = resolve));
            return ask(url, options);
        };
    }""")
    browser.until("window.goOn")
    server.change("POST", "/on", {"for": "1s"})
    until(lambda: not server.state()["on"])
    browser.evaluate("goOn()")
    shows(browser, "#said", "The time is over: faults are off.")
