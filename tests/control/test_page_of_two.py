"""The control page where somebody else changes the rules or the switch meanwhile."""

from __future__ import annotations

from tests.control.page import IN_CHROMIUM, enter, fill, open_form, shows, text, unexpected

pytestmark = IN_CHROMIUM


def test_two_windows(opened, server, chromium):
    """Who is slower is told that somebody was faster, sees how things are now, and keeps what is typed."""
    browser = opened("http:503,name=a")
    other = chromium.another()
    try:
        other.look(width=1100)
        other.ask("Emulation.setFocusEmulationEnabled", enabled=True)
        enter(other, server)
        shows(other, "#rules", "http:503,name=a")
        open_form(browser, "[aria-label='Edit a']")
        fill(browser, "[data-key=times] .key-value", "5")
        open_form(other, "[aria-label='Edit a']")
        fill(other, "[data-key=times] .key-value", "9")
        other.press("Enter")
        shows(other, "#rules", "http:503,times=9,name=a")
        shows(browser, "#rules", "http:503,times=9,name=a")
        shows(browser, "#editor-changed", "Somebody else has just changed")
        browser.click("#save")
        shows(
            browser,
            "#editor-changed",
            "Nothing was done: somebody else has changed the rules in the meantime",
        )
        assert browser.evaluate("document.querySelector('[data-key=times] .key-value').value") == "5"
        assert server.state()["rules"][0]["text"] == "http:503,times=9,name=a"
        browser.click("#save")
        shows(other, "#rules", "http:503,times=5,name=a")
        shows(browser, "#rules", "http:503,times=5,name=a")
        assert unexpected(other) == []
    finally:
        other.leave()


def test_a_rule_that_is_called_by_its_position(opened, server):
    """It is followed where others change the positions; where somebody deletes it, what is typed becomes a new rule."""
    browser = opened("http:503,path=a/ http:500,path=b/")
    open_form(browser, "[aria-label='Edit rule-2']")
    fill(browser, "[data-key=times] .key-value", "5")
    server.ask("DELETE", "/rules/rule-1")
    shows(browser, "#editor-title", "Edit rule rule-1")
    shows(browser, "#editor-changed", "Somebody else has just changed")
    browser.click("#save")
    shows(browser, "#editor-changed", "Nothing was done")
    browser.click("#save")
    shows(browser, "#rules", "http:500,path=b/,times=5")
    assert [each["text"] for each in server.state()["rules"]] == ["http:500,path=b/,times=5"]
    open_form(browser, "[aria-label='Edit rule-1']")
    fill(browser, "[data-key=times] .key-value", "6")
    server.ask("PATCH", "/rules/rule-1", {"method": "PUT"})
    shows(browser, "#editor-changed", "Somebody else has just changed")
    assert text(browser, "#editor-title") == "Edit rule rule-1"
    server.ask("DELETE", "/rules/rule-1")
    shows(browser, "#editor-changed", "Somebody else has deleted rule rule-1.")
    assert (text(browser, "#editor-title"), text(browser, "#save")) == ("Add a rule", "Add the rule")
    browser.click("#save")
    browser.until("document.activeElement.id === 'editor-title'")
    browser.click("#save")
    shows(browser, "#rules", "http:500,path=b/,times=6")


def test_no_other_rule_is_deleted(opened, server):
    """By a dialog that was open when somebody else deleted a rule before it."""
    browser = opened("http:503,path=a/ http:500,path=b/ http:504,path=c/")
    browser.click("[aria-label='Delete rule-2']")
    server.ask("DELETE", "/rules/rule-1")
    shows(browser, "#rules-count", "(2)")
    browser.click("#sure-yes")
    shows(browser, "#wrong", "Your change was not made.")
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
        server.ask(method, path, data)
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
    server.ask("POST", "/on", {"for": "1s"})
    while server.state()["on"]:
        pass
    browser.evaluate("goOn()")
    shows(browser, "#said", "The time is over: faults are off.")


def test_what_was_typed_is_shown_for_no_other_rule(opened, server):
    """A form that was closed keeps it, but not for the rule that has come to the position of the one it was for."""
    browser = opened("http:503,path=a/ http:500,path=b/ http:504,path=c/")
    value = "[document.querySelector('#fault').value, document.querySelector('[data-key=times] .key-value').value]"
    open_form(browser, "[aria-label='Edit rule-2']")
    fill(browser, "[data-key=times] .key-value", "5")
    browser.press("Escape")
    open_form(browser, "[aria-label='Edit rule-2']")
    assert browser.evaluate(value) == ["http:500", "5"]
    browser.press("Escape")
    server.ask("DELETE", "/rules/rule-1")
    shows(browser, "#rules-count", "(2)")
    open_form(browser, "[aria-label='Edit rule-2']")
    assert browser.evaluate(value) == ["http:504", ""]
