"""A user works on the control page: a real Chromium, real clicks and keys, a real server."""

import json
import re

from tests.control.page import (
    ROOT,
    SLOWLY_IN_CHROMIUM,
    choose,
    click_and_see,
    enter,
    fill,
    open_form,
    row,
    shows,
    shows_counts,
    tab_to,
    text,
)

pytestmark = SLOWLY_IN_CHROMIUM


def test_it_asks_for_the_token_and_keeps_it_nowhere(browser, server):
    """A wrong token is asked for again; the right one is in no address, cookie or storage."""
    server.put("")
    enter(browser, server, token="wrong")
    shows(browser, "#login-wrong", "This is not the token of this server.")
    assert browser.evaluate("document.querySelector('#login').open && document.activeElement.id === 'token'")
    browser.press("Escape", "Escape")  # there is nothing to see behind it
    assert browser.evaluate("document.querySelector('#login').open")
    browser.type(server.token)  # the wrong one is selected
    browser.press("Enter")
    shows(browser, "#power-now", "Faults are on")
    found = (
        "[document.querySelector('#login').open, document.querySelector('#token').value, document.cookie, "
        "localStorage.length, sessionStorage.length, location.href, document.title]"
    )
    title = f"● on · faultinject · 127.0.0.1:{server.port}"
    assert browser.evaluate(found) == [False, "", "", 0, 0, server.page, title]
    ours = (server.page, "data:")
    assert [each for each in browser.requests if server.token in each or not each.startswith(ours)] == []


def test_on_for_a_minute(opened, server):
    """The page counts down, and the switch works by click and by key."""
    browser = opened("http:503")
    assert server.ask_app("/x") == 503
    click_and_see(browser, "#switch", "#power-now", "Faults are off")
    shows(browser, "#said", "Faults are off.")
    assert server.ask_app("/x") == 200
    fill(browser, "#timed-for", "1m")
    assert text(browser, "#timed-go") == "On for 1 minute"
    before = server.state()["now"]
    click_and_see(browser, "#timed-go", "#power-left", "They switch off by themselves in 0:")
    state = server.state()
    assert before + 60 <= state["until"] <= state["now"] + 60
    assert server.ask_app("/x") == 503
    assert browser.evaluate("document.querySelector('#switch').getAttribute('aria-checked')") == "true"
    browser.evaluate("document.querySelector('#switch').focus()")
    browser.press(" ")
    shows(browser, "#power-now", "Faults are off")
    fill(browser, "#timed-for", "soon")
    browser.press("Enter")
    shows(browser, "#wrong", "soon")
    assert browser.evaluate("document.querySelector('#timed-for').value") == "soon"


def test_a_rule_by_keyboard_alone(opened, server):
    """A rule is made by keyboard alone: text, live preview, counts, row and journal."""
    browser = opened()
    assert "There is no rule yet" in text(browser, "#rules-empty")
    assert "No request has come yet" in text(browser, "#strip-empty") or text(browser, "#strip")
    tab_to(browser, "#add")
    browser.press("Enter")
    assert browser.evaluate("document.activeElement.id") == "rule-text"
    browser.type("cos:SlowDwn")
    shows(browser, "#editor-wrong", "did you mean cos:SlowDown?")
    for _ in "wn":
        browser.press("Backspace")
    browser.type("own,path=photos/,times=2,retry_after=3s,name=slow")
    shows(browser, "#preview-out", "<Code>SlowDown</Code>")
    shows(browser, "#preview-out", "Retry-After: 3")
    assert browser.evaluate("document.querySelector('#editor-wrong').hidden")
    browser.press("Enter")
    shows(browser, "#rules", "cos:SlowDown,path=photos/,times=2,retry_after=3s,name=slow")
    browser.until("document.activeElement.id === 'add'")
    assert browser.evaluate("document.querySelector('#editor').hidden")

    assert server.ask_app("/photos/kitten.jpg") == 503
    assert "cos:SlowDown" in text(browser, row(browser, "/photos/kitten.jpg"))
    browser.until("document.querySelector('[data-rule=slow] .injected dd').innerText === '1'")
    shows_counts(browser, "slow", 1, 1)
    tab_to(browser, "#strip button")
    browser.press("Home", "Enter")
    shows(browser, "#detail", "Rule slow answered with cos:SlowDown (503)")
    [line] = server.get("/journal").data["outcomes"][-1:]
    shows(browser, "#detail .fields", line["request_id"])
    shows(browser, "#detail .fields", "/photos/kitten.jpg")
    browser.press("Escape")
    browser.until("document.activeElement.closest('#strip li')")
    server.ask_app("/photos/dog.jpg")
    server.ask_app("/photos/dog.jpg")
    shows(browser, "[data-rule=slow] .state", "used up")
    shows_counts(browser, "slow", 3, 2)
    shows(browser, "#chart-note", "injections")


def test_what_is_typed_stays(opened, server):
    """A closed form keeps a new rule, an empty one is refused, and an edited rule is read again."""
    browser = opened("http:503,name=a")
    open_form(browser, "#add")
    shows(browser, "#preview-out", "Write a rule to see its bytes.")
    click_and_see(browser, "#save", "#editor-wrong", "The rule is empty")
    browser.type("http:500")
    browser.press("Escape")
    assert browser.evaluate("document.activeElement.id") == "add"
    open_form(browser, "#add")
    value = "document.querySelector('#rule-text').value"
    assert browser.evaluate(value) == "http:500"
    open_form(browser, "[aria-label='Edit a']")
    assert (browser.evaluate(value), text(browser, "#save")) == ("http:503,name=a", "Save the rule")
    browser.type("b")
    browser.click("#cancel")
    open_form(browser, "[aria-label='Edit a']")
    assert browser.evaluate(value) == "http:503,name=a"


def test_who_is_quick_is_asked_again(opened, server):
    """The answer to the second question counts, though the first dialog's event comes late."""
    browser = opened("http:503,name=a http:500,name=b")
    click_and_see(browser, "[data-rule=a] [aria-label='Delete a']", "#sure", "http:503,name=a")
    browser.evaluate(
        "document.getElementById('sure').close('no'); document.querySelector('[aria-label=\"Delete b\"]').click()"
    )
    shows(browser, "#sure", "http:500,name=b")
    browser.click("#sure-yes")
    browser.until("!document.querySelector('[data-rule=b]')")
    assert server.ask_app("/x") == 503


def test_a_rule_is_disabled_and_deleted(opened, server):
    """Its counts stay while it is disabled, and the focus stays in the list."""
    browser = opened("http:503,name=a http:500,name=b")
    assert server.ask_app("/x") == 503
    click_and_see(browser, "[data-rule=a] [role=switch]", "[data-rule=a] .state", "disabled")
    assert browser.evaluate("document.activeElement.closest('li').dataset.rule") == "a"
    assert server.ask_app("/x") == 500
    browser.press(" ")
    browser.until("document.querySelector('[data-rule=a]').dataset.enabled === 'true'")
    assert server.ask_app("/x") == 503
    click_and_see(browser, "[data-rule=a] [aria-label='Delete a']", "#sure", "http:503,name=a")
    browser.press("Escape")
    assert browser.evaluate("document.activeElement.getAttribute('aria-label')") == "Delete a"
    browser.press("Enter")
    browser.click("#sure-yes")
    browser.until("!document.querySelector('[data-rule=a]')")
    browser.until("document.activeElement.closest('li')?.dataset.rule === 'b'")
    assert [each["name"] for each in server.state()["rules"]] == ["b"]


EXCERPT = """{
    const excerpt = document.querySelector("#editor-wrong .excerpt");
    [excerpt.textContent.split("\\n").slice(0, 2), getComputedStyle(excerpt).fontFamily, document.activeElement.id,
        document.querySelector("#rule-text").value];
}"""


def test_a_mistake_is_shown_where_it_is(opened, server):
    """The parser's words stand under the text with a caret, and the corrected rule is taken."""
    browser = opened("cos:SlowDown,probability=0.5,header.x-a=1,header.x-b=2,name=a http:500,times=1,name=b")
    for _ in range(3):
        server.ask_app("/x")
    before = server.state()["rules"][1]["matched"]
    open_form(browser, "[aria-label='Edit a']")
    fill(browser, "#rule-text", "cos:SlowDown,probabilty=0.5,name=a")
    click_and_see(browser, "#save", "#editor-wrong", "probability")
    [wrong, caret], font, focus, value = browser.evaluate(EXCERPT)
    assert [wrong.strip(), focus, value] == [
        "cos:SlowDown,probabilty=0.5,name=a",
        "rule-text",
        "cos:SlowDown,probabilty=0.5,name=a",
    ]
    assert wrong[caret.index("^") :].startswith("probabilty")
    assert "mono" in font.lower()
    assert (
        server.state()["rules"][0]["text"] == "cos:SlowDown,header.x-a=1,header.x-b=2,probability=0.5,name=a"
    )
    fill(browser, "#rule-text", "cos:SlowDown,probability=0.25,header.x-a=1,header.x-b=2,name=a")
    browser.press("Enter")
    browser.until("document.querySelector('#editor').hidden")
    assert server.state()["rules"][0]["text"].endswith("probability=0.25,name=a")
    assert (server.state()["rules"][1]["matched"], before) == (3, 3)


def test_a_thousand_rules(opened):
    """Those that are drawn are bounded, and the others are found by typing."""
    browser = opened(" ".join(f"http:503,path=p{number}/,name=r{number}" for number in range(1000)))
    browser.until("document.querySelectorAll('#rules > li').length === 200")
    assert text(browser, "#rules-count") == "(1,000)"
    assert text(browser, "#rules-more").startswith("800 more rules")
    fill(browser, "#rules-filter", "p997/")
    browser.until("document.querySelectorAll('#rules > li').length === 1")
    shows(browser, "#rules", "http:503,path=p997/,name=r997")


def test_the_strip_pauses_and_finds(opened, server):
    """A paused strip counts new requests and shows them later; a kind or a word filters it."""
    browser = opened("http:503,path=b/,name=a latency,delay=1ms,path=c/,name=slow,times=1")
    server.ask_app("/b/first")
    row(browser, "/b/first")
    browser.click("#pause")
    for path in ("/b/second", "/c/late", "/c/passed"):
        server.ask_app(path)
    shows(browser, "#strip-said", "3 requests came since the pause.")
    assert "/b/second" not in text(browser, "#strip")
    browser.press(" ")
    row(browser, "/b/second")
    row(browser, "/c/passed")
    fill(browser, "#strip-find", "/c/")
    browser.until("!document.querySelector('#strip').innerText.includes('/b/second')")
    choose(browser, "#strip-show", "pass")
    browser.until("document.querySelector('#strip').innerText.includes('/c/passed')")
    assert "/c/late" not in text(browser, "#strip")
    click_and_see(
        browser, row(browser, "/c/passed"), "#detail", "Rule slow matched and did not fire: the app answered"
    )


GUIDE = ROOT / "docs" / "how-to" / "running-server.md"


def test_the_guide_can_be_followed(browser, server):
    """Its steps, by the words that it has in bold: each is on the page where the guide says so."""
    steps = (
        GUIDE.read_text(encoding="utf-8").partition("## On a web page")[2].partition("- **A wrong rule**")[0]
    )
    words = iter(re.findall(r"\*\*(.+?)\*\*", steps))

    def label(kind):
        """The selector of what has the next of these words."""
        word = next(words)
        found = (
            f"[...document.querySelectorAll({json.dumps(kind)})].find(each => each.checkVisibility() "
            f"&& each.innerText.startsWith({json.dumps(word)}))"
        )
        browser.until(found)
        browser.evaluate(f"{found}.setAttribute('data-guide', {json.dumps(word)})")
        return f"[data-guide={json.dumps(word)}]"

    server.put("")
    server.change("POST", "/off")
    browser.open(server.page)
    browser.click(label("label"))
    browser.type(server.token)
    browser.click(label("button"))
    browser.until("!document.querySelector('#timed-go').disabled")
    click_and_see(browser, label("button"), "#power-left", "They switch off by themselves in ")
    open_form(browser, label("button"))
    browser.click(label("label"))
    browser.type("cos:SlowDown,path=photos/,times=2")
    label("h3")
    shows(browser, "#preview-out", "<Code>SlowDown</Code>")
    click_and_see(browser, label("button"), "#rules", "cos:SlowDown,path=photos/,times=2")
    assert [server.ask_app("/photos/cat.jpg") for _ in range(3)] == [503, 503, 200]
    label("h2")
    ours = "[...document.querySelectorAll('#strip li')].filter(each => each.innerText.includes('/photos/cat.jpg'))"
    browser.until(f"{ours}.length === 3")
    assert sorted(browser.evaluate(f"{ours}.map(each => each.className)")) == ["hit", "hit", "pass"]
    key = browser.evaluate(f"{ours}.find(each => each.className === 'hit').dataset.key")
    shows(browser, "[data-rule=rule-1] .state", "used up")
    shows_counts(browser, "rule-1", 3, 2)
    browser.click(f"#strip li[data-key='{key}'] button")
    label("h3")
    browser.press("Escape")
    click_and_see(browser, label("button"), "#power-now", "Faults are off")
    assert list(words) == []
