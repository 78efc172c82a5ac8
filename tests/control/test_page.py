"""What one does on the control page: a real Chromium, real clicks and keys, a real server."""

from __future__ import annotations

import json
import re

from faultinject import vendors
from tests.control.page import (
    IN_CHROMIUM,
    ROOT,
    choose,
    enter,
    fill,
    open_form,
    row,
    shows,
    shows_counts,
    tab_to,
    text,
)

pytestmark = IN_CHROMIUM


def test_it_asks_for_the_token_and_keeps_it_nowhere(browser, server):
    """A wrong one is told and asked for again; the right one is in no address, cookie or storage."""
    server.put("")
    enter(browser, server, token="wrong")
    shows(browser, "#login-wrong", "This is not the token of this server.")
    assert browser.evaluate("document.querySelector('#login').open && document.activeElement.id === 'token'")
    browser.press("Escape", "Escape")  # there is nothing to see behind it
    assert browser.evaluate("document.querySelector('#login').open")
    browser.type(server.token)  # the wrong one is selected
    browser.press("Enter")
    shows(browser, "#power-now", "Faults are on")
    assert browser.evaluate("document.querySelector('#login').open") is False
    assert browser.evaluate("document.querySelector('#token').value") == ""
    assert browser.evaluate("[document.cookie, localStorage.length, sessionStorage.length, location.href, document.title]") == [
        "", 0, 0, server.page, f"● on · faultinject · 127.0.0.1:{server.port}",
    ]  # fmt: skip
    assert [each for each in browser.requests if server.token in each] == []
    assert [each for each in browser.requests if not each.startswith((server.page, "data:"))] == []


def test_on_for_a_minute(opened, server):
    """The page counts down, and the switch works by click and by key."""
    browser = opened("http:503")
    assert server.request("/x")[0] == 503
    browser.click("#switch")
    shows(browser, "#power-now", "Faults are off")
    shows(browser, "#said", "Faults are off.")
    assert server.request("/x")[0] == 200
    fill(browser, "#timed-for", "1m")
    assert text(browser, "#timed-go") == "On for 1 minute"
    before = server.state()["now"]
    browser.click("#timed-go")
    shows(browser, "#power-left", "They switch off by themselves in 0:")
    state = server.state()
    assert before + 60 <= state["until"] <= state["now"] + 60
    assert server.request("/x")[0] == 503
    assert browser.evaluate("document.querySelector('#switch').getAttribute('aria-checked')") == "true"
    browser.evaluate("document.querySelector('#switch').focus()")
    browser.press(" ")
    shows(browser, "#power-now", "Faults are off")
    fill(browser, "#timed-for", "soon")
    browser.press("Enter")
    shows(browser, "#wrong", "soon")
    assert browser.evaluate("document.querySelector('#timed-for').value") == "soon"


def test_a_rule_by_keyboard_alone(opened, server):
    """From the first Tab to the bytes that were sent: search, fields, preview, live counts, a row, its bytes."""
    browser = opened()
    assert "There is no rule yet" in text(browser, "#rules-empty")
    assert "No request has come yet" in text(browser, "#strip-empty") or text(browser, "#strip")
    tab_to(browser, "#add")
    browser.press("Enter")
    assert browser.evaluate("document.activeElement.id") == "fault"
    browser.until("!document.querySelector('#save').disabled")
    browser.type("reduce your cos")  # of the message, and the vendor
    browser.until("document.querySelectorAll('#fault-list [role=option]').length === 1")
    assert text(browser, "#fault-list").split() == [
        "cos:SlowDown",
        "503",
        "Reduce",
        "your",
        "request",
        "rate",
    ]
    browser.press("ArrowDown", "Enter")
    assert browser.evaluate("document.querySelector('#fault').value") == "cos:SlowDown"
    shows(browser, "#preview-out", "<Code>SlowDown</Code>")
    tab_to(browser, "[data-key=path] .key-value")
    browser.type("photos/")
    tab_to(browser, "[data-key=times] .key-value")
    browser.type("2")
    tab_to(browser, "#more-effects")
    choose(browser, "#more-effects", "retry_after")
    browser.press("Tab", "Enter")
    assert browser.evaluate("document.activeElement.matches('[data-key=retry_after] .key-value')")
    browser.type("3s")
    shows(browser, "#preview-out", "Retry-After: 3")
    tab_to(browser, "#rule-name")
    browser.type("slow")
    browser.press("Enter")
    shows(browser, "#rules", "cos:SlowDown,path=photos/,times=2,retry_after=3s,name=slow")
    assert browser.evaluate("document.activeElement.id") == "add"
    assert browser.evaluate("document.querySelector('#editor').hidden")

    assert server.request("/photos/kitten.jpg")[0] == 503
    assert "cos:SlowDown" in text(browser, row(browser, "/photos/kitten.jpg"))
    browser.until("document.querySelector('[data-rule=slow] .injected dd').innerText === '1'")
    shows_counts(browser, "slow", 1, 1)
    tab_to(browser, "#strip button")
    browser.press("Home", "Enter")
    shows(browser, "#detail .bytes", "<Code>SlowDown</Code>")
    shows(browser, "#detail", "Rule slow answered with cos:SlowDown (503)")
    shows(browser, "#detail", "Status, length and ids agree with the journal.")
    [line] = server.ask("GET", "/journal")[1]["outcomes"][-1:]
    assert line["request_id"] in text(browser, "#detail .bytes")
    shows(browser, "#detail .fields", "/photos/kitten.jpg")
    browser.press("Escape")
    browser.until("document.activeElement.closest('#strip li')")
    server.request("/photos/dog.jpg")
    server.request("/photos/dog.jpg")
    shows(browser, "[data-rule=slow] .state", "used up")
    shows_counts(browser, "slow", 3, 2)
    shows(browser, "#chart-note", "injections")


def test_who_is_quick_is_asked_again(opened, server):
    """The dialog's event of the first question comes when the second is asked already: its answer counts."""
    browser = opened("http:503,name=a http:500,name=b")
    browser.click("[data-rule=a] [aria-label='Delete a']")
    shows(browser, "#sure", "http:503,name=a")
    browser.evaluate(
        "document.getElementById('sure').close('no'); document.querySelector('[aria-label=\"Delete b\"]').click()"
    )
    shows(browser, "#sure", "http:500,name=b")
    browser.click("#sure-yes")
    browser.until("!document.querySelector('[data-rule=b]')")
    assert server.request("/x")[0] == 503


def test_a_rule_is_disabled_and_deleted(opened, server):
    """Its counts stay while it is disabled, and the focus stays in the list."""
    browser = opened("http:503,name=a http:500,name=b")
    assert server.request("/x")[0] == 503
    browser.click("[data-rule=a] [role=switch]")
    shows(browser, "[data-rule=a] .state", "disabled")
    assert browser.evaluate("document.activeElement.closest('li').dataset.rule") == "a"
    assert server.request("/x")[0] == 500
    browser.press(" ")
    browser.until("document.querySelector('[data-rule=a]').dataset.enabled === 'true'")
    assert server.request("/x")[0] == 503
    browser.click("[data-rule=a] [aria-label='Delete a']")
    shows(browser, "#sure", "http:503,name=a")
    browser.press("Escape")
    assert browser.evaluate("document.activeElement.getAttribute('aria-label')") == "Delete a"
    browser.press("Enter")
    browser.click("#sure-yes")
    browser.until("!document.querySelector('[data-rule=a]')")
    browser.until("document.activeElement.closest('li')?.dataset.rule === 'b'")
    assert [each["name"] for each in server.state()["rules"]] == ["b"]


def test_a_mistake_is_shown_where_it_is(opened, server):
    """The parser's own words, with its caret under the text; nothing is lost, and the mended rule is taken."""
    browser = opened("cos:SlowDown,probability=0.5,header.x-a=1,header.x-b=2,name=a http:500,times=1,name=b")
    for _ in range(3):
        server.request("/x")
    before = server.state()["rules"][1]["matched"]
    open_form(browser, "[aria-label='Edit a']")
    browser.click("input[value=text]")
    browser.until("!document.querySelector('#as-text').hidden")
    fill(browser, "#rule-text", "cos:SlowDown,probabilty=0.5,name=a")
    browser.click("#save")
    shows(browser, "#editor-wrong", "probability")
    excerpt = browser.evaluate("document.querySelector('#editor-wrong .excerpt').textContent").split("\n")
    assert excerpt[0].strip() == "cos:SlowDown,probabilty=0.5,name=a"
    assert excerpt[0][excerpt[1].index("^") :].startswith("probabilty")
    assert (
        "mono"
        in browser.evaluate(
            "getComputedStyle(document.querySelector('#editor-wrong .excerpt')).fontFamily"
        ).lower()
    )
    assert browser.evaluate("document.activeElement.id") == "rule-text"
    assert (
        browser.evaluate("document.querySelector('#rule-text').value") == "cos:SlowDown,probabilty=0.5,name=a"
    )
    assert (
        server.state()["rules"][0]["text"] == "cos:SlowDown,header.x-a=1,header.x-b=2,probability=0.5,name=a"
    )
    fill(browser, "#rule-text", "cos:SlowDown,probability=0.25,header.x-a=1,header.x-b=2,name=a")
    browser.click("input[value=fields]")
    browser.until("document.querySelector('[data-key=probability] .key-value')?.value === '0.25'")
    fill(browser, "[data-key=probability] .key-value", "1.5")
    browser.click("#save")
    shows(browser, "#editor-wrong", "1.5 is not between 0 and 1")
    assert browser.evaluate("document.activeElement.closest('.row').dataset.key") == "probability"
    fill(browser, "[data-key=probability] .key-value", "0.75")
    browser.click("[data-key=header]:nth-of-type(1) .remove")
    browser.click("#save")
    browser.until("document.querySelector('#editor').hidden")
    assert server.state()["rules"][0]["text"].endswith("probability=0.75,name=a")
    assert "x-a" not in server.state()["rules"][0]["text"]
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
    """What comes in the meantime is counted and shown afterwards; a kind or a word narrows it."""
    browser = opened("http:503,path=b/,name=a latency,delay=1ms,path=c/,name=slow,times=1")
    server.request("/b/first")
    row(browser, "/b/first")
    browser.click("#pause")
    for path in ("/b/second", "/c/late", "/c/passed"):
        server.request(path)
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
    browser.click(row(browser, "/c/passed"))
    shows(browser, "#detail", "Rule slow matched and did not fire: the app answered")
    shows(browser, "#detail", "faultinject does not keep it")


def test_groups_and_vendors_are_offered(opened):
    """A vendor narrows the list, its groups are in it, and effects are those that the fault takes."""
    browser = opened()
    open_form(browser, "#add")
    choose(browser, "#vendor", "oss")
    browser.evaluate("document.querySelector('#fault').focus()")
    browser.type("@thr")
    browser.until("document.querySelectorAll('#fault-list [role=option]').length === 1")
    assert text(browser, "#fault-list").startswith("oss:@throttle")
    browser.press("ArrowDown", "Enter")
    effects = "[...document.querySelector('#more-effects').options].map(each => each.value)"
    assert "retry_after" in browser.evaluate(effects)
    fill(browser, "#fault", "drip")
    assert browser.evaluate(effects) == ["delay", "of", "rate"]
    shows(browser, "#preview-out", "drip needs a rate")
    storage = "[...document.querySelectorAll('#more-conditions option')].map(each => each.value)"
    assert {"method", "path", "header", "size", "vendor"} <= set(browser.evaluate(storage))


EACH_IS_FOUND = """(async rows => {
    const field = document.querySelector('#fault');
    const missed = [];
    for (const [name, status, message] of rows) {
        field.value = name;
        field.dispatchEvent(new Event('input', {bubbles: true}));
        const [first, second, third] = document.querySelector('#fault-list [role=option]')?.children ?? [];
        if (first?.textContent !== name || second.textContent !== status || !third.textContent.startsWith(message)) missed.push(name);
    }
    return missed;
})(%s)"""


def test_the_form_knows_every_word(opened, server):
    """Each condition, trigger and effect, each vendor, group and documented error, with its status and message."""
    browser = opened()
    open_form(browser, "#add")
    browser.type("@")
    browser.until("document.querySelector('#fault-list [role=option]')")
    words = server.ask("GET", "/vocabulary")[1]
    for name in ("conditions", "triggers", "effects"):
        known = {each["key"] for each in words[name]} | ({"vendor"} if name == "conditions" else set())
        there = browser.evaluate(
            f"[...document.querySelectorAll('#more-{name} option, #group-{name} .row')].map(each => each.value ?? each.dataset.key)"
        )
        assert set(there) == known, name
    ids = browser.evaluate("[...document.querySelectorAll('#vendor option')].map(each => each.value)")
    assert ids == ["", *vendors.names()]
    rows = [
        [each.address, str(each.status or ""), (each.message or "").split("\n")[0][:20].rstrip("\\ ")]
        for name in vendors.names()
        for each in vendors.get(name).errors
    ]
    rows += [
        [f"{name}:{group}", "", "One of its errors"]
        for name in vendors.names()
        for group in vendors.get(name).groups
    ]
    assert browser.evaluate(EACH_IS_FOUND % json.dumps(rows)) == []
    fill(browser, "#fault", "http:41")
    shows(browser, "#fault-list", "http: takes any status from 400 to 599.")


GUIDE = ROOT / "docs" / "how-to" / "control-page.md"


def test_the_guide_can_be_followed(browser, server):
    """Its steps, by the words that it has in bold: each is on the page where the guide says so."""
    steps = (
        GUIDE.read_text(encoding="utf-8")
        .partition("## Inject a fault for ten minutes")[2]
        .partition("## ")[0]
    )
    words = iter(re.findall(r"\*\*(.+?)\*\*", steps))

    def label(kind):
        """The selector of what has the next of these words."""
        word = next(words)
        found = f"[...document.querySelectorAll({json.dumps(kind)})].find(each => each.checkVisibility() && each.innerText.startsWith({json.dumps(word)}))"
        browser.until(found)
        browser.evaluate(f"{found}.setAttribute('data-guide', {json.dumps(word)})")
        return f"[data-guide={json.dumps(word)}]"

    server.put("")
    server.ask("POST", "/off")
    browser.open(server.page)
    browser.click(label("label"))
    browser.type(server.token)
    browser.click(label("button"))
    browser.until("!document.querySelector('#timed-go').disabled")
    browser.click(label("button"))
    shows(browser, "#power-left", "They switch off by themselves in ")
    open_form(browser, label("button"))
    browser.click(label("label"))
    browser.type("slow cos")
    browser.until("document.querySelectorAll('#fault-list [role=option]').length === 1")
    browser.press("ArrowDown", "Enter")
    browser.click(label("label"))
    browser.type("photos/")
    browser.click(label("label"))
    browser.type("2")
    label("summary")
    shows(browser, "#preview-out", "<Code>SlowDown</Code>")
    browser.click(label("button"))
    shows(browser, "#rules", "cos:SlowDown,path=photos/,times=2")
    assert [server.request("/photos/cat.jpg")[0] for _ in range(3)] == [503, 503, 200]
    label("h2")
    ours = "[...document.querySelectorAll('#strip li')].filter(each => each.innerText.includes('/photos/cat.jpg'))"
    browser.until(f"{ours}.length === 3")
    assert sorted(browser.evaluate(f"{ours}.map(each => each.className)")) == ["hit", "hit", "pass"]
    key = browser.evaluate(f"{ours}.find(each => each.className === 'hit').dataset.key")
    shows(browser, "[data-rule=rule-1] .state", "used up")
    shows_counts(browser, "rule-1", 3, 2)
    browser.click(f"#strip li[data-key='{key}'] button")
    label("h3")
    label("h3")
    shows(browser, "#detail .bytes", "<Code>SlowDown</Code>")
    browser.press("Escape")
    browser.click(label("button"))
    shows(browser, "#power-now", "Faults are off")
    assert list(words) == []
