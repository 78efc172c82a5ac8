"""The control page in a real Chromium, with real clicks and keys, on a real server."""

from __future__ import annotations

import json
import signal

import pytest

from faultinject import vendors
from faultinject.control.events import MOST_STREAMS
from faultinject.rules.conditions import CONDITIONS
from faultinject.rules.effects import EFFECTS
from faultinject.rules.triggers import TRIGGERS
from tests.audit.browser import Browser, command
from tests.control.page import (
    GUNICORN,
    GUNICORN_WITH_THREADS,
    Server,
    choose,
    counts,
    enter,
    fill,
    open_form,
    row,
    shows,
    tab_to,
    text,
)

pytestmark = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(command() is None, reason="no Chromium is installed"),
]

LOOKS = {
    "light": {"width": 1100},
    "dark": {"width": 1100, "dark": True},
    "telephone": {"width": 360},
    "telephone and dark": {"width": 360, "dark": True},
}
TOO_WIDE = """[...document.querySelectorAll('body *')].filter(each => each.checkVisibility() && !each.closest('.unseen')
    && each.getBoundingClientRect().right > innerWidth + 1).map(each => each.outerHTML.slice(0, 120))"""
READ = """
    const parts = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => {
        const [r, g, b] = parts(colour).map(each => each / 255)
            .map(each => each <= 0.04045 ? each / 12.92 : ((each + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = each => {
        for (let box = each; box; box = box.parentElement) {
            const colour = getComputedStyle(box).backgroundColor;
            if ((parts(colour)[3] ?? 1) === 1) return light(colour);
        }
        return light(getComputedStyle(document.body).backgroundColor);
    };
    const ratio = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
"""
# Texts whose contrast with what is behind them is below what WCAG 2 asks for (AA: 4.5).
PALE = f"""(() => {{
    {READ}
    return [...document.querySelectorAll('body *')]
        .filter(each => each.checkVisibility() && [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
        .filter(each => ratio(light(getComputedStyle(each).color), behind(each)) < 4.5)
        .map(each => each.outerHTML.slice(0, 160));
}})()"""
# The contrast of the chart's bars with what is behind them (AA: 3).
BARS = f"""(() => {{
    {READ}
    const bars = document.querySelector('#chart .all');
    return ratio(light(getComputedStyle(bars).fill), behind(bars));
}})()"""
EVIL = "/<img src=x onerror='owned=1'>\u202egpj.exe<script>owned=1</script>"


def written(path):
    """A path as it stands in a request line."""
    return "".join(
        each if each.isascii() and each not in " <>'" else "".join(f"%{byte:02X}" for byte in each.encode())
        for each in path
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """One for all tests of this file."""
    found = Server(tmp_path_factory.mktemp("page"))
    found.start()
    yield found
    found.stop()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    """One for all tests of this file: it takes half a second to begin."""
    found = Browser(tmp_path_factory.mktemp("browser"))
    yield found
    found.close()


@pytest.fixture
def browser(chromium):
    """A window that complains of nothing but of the statuses that a test asked for."""
    chromium.look(width=1100)
    chromium.ask("Emulation.setFocusEmulationEnabled", enabled=True)
    yield chromium
    assert unexpected(chromium) == []
    chromium.open("about:blank")


def unexpected(browser):
    """What the console says, apart from answers that are errors and servers that are gone."""
    browser.evaluate("0")
    return [each for each in browser.complaints if not each.startswith("Failed to load resource")]


@pytest.fixture
def opened(browser, server):
    """A function that opens the page with rules in force."""

    def open_page(rules="", **look):
        server.put(rules)
        if look:
            browser.look(**look)
        enter(browser, server)
        shows(browser, "#link", "connected")
        return browser

    return open_page


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
    browser.click("#timed-go")
    shows(browser, "#power-left", "They switch off by themselves in 0:")
    state = server.state()
    assert 50 < state["until"] - state["now"] <= 60
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

    assert server.request("/photos/cat.jpg")[0] == 503
    assert "cos:SlowDown" in text(browser, row(browser, "/photos/cat.jpg"))
    browser.until("document.querySelector('[data-rule=slow] .injected dd').innerText === '1'")
    assert counts(browser, "slow") == ("1", "1")
    tab_to(browser, "#strip button")
    browser.press("Home", "Enter")
    shows(browser, "#detail .bytes", "<Code>SlowDown</Code>")
    shows(browser, "#detail", "Rule slow answered with cos:SlowDown (503)")
    shows(browser, "#detail", "Status, length and ids agree with the journal.")
    [line] = server.ask("GET", "/journal")[1]["outcomes"][-1:]
    assert line["request_id"] in text(browser, "#detail .bytes")
    shows(browser, "#detail .fields", "/photos/cat.jpg")
    browser.press("Escape")
    browser.until("document.activeElement.closest('#strip li')")
    server.request("/photos/dog.jpg")
    server.request("/photos/dog.jpg")
    shows(browser, "[data-rule=slow] .state", "used up")
    assert counts(browser, "slow") == ("3", "2")
    shows(browser, "#chart-note", "injections")


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
    shows(browser, "#wrong", "Nothing of yours was done.")
    assert [each["fault"] for each in server.state()["rules"]] == ["http:500", "http:504"]


def test_what_others_do_is_said(opened, server):
    """The switch, the rules, and that the time is over."""
    browser = opened("http:503")
    for method, path, data, words in (
        ("POST", "/off", None, "Faults were switched off elsewhere."),
        ("POST", "/on", {"for": "9m"}, "Faults were switched on elsewhere."),
        ("POST", "/on", {"for": "8m"}, "Elsewhere it was changed when faults switch off."),
        ("PUT", "/rules", {"text": "http:500"}, "The rules were changed elsewhere."),
        ("POST", "/on", {"for": "2s"}, "The time is over: faults are off."),
    ):
        server.ask(method, path, data)
        shows(browser, "#said", words)
    shows(browser, "#power-left", "They switched off by themselves at ")


def test_hostile_texts(opened, server):
    """Paths and messages that would be markup are text, and what cannot be seen is written out; no script runs."""
    browser = opened(f"http:503,message={json.dumps('<b>x</b><script>owned=1</script>')},name=a")
    server.request(written(EVIL), **{"User-Agent": "<img src=x onerror=owned=1>"})
    found = row(browser, "/<img src=x onerror='owned=1'>\\u202egpj.exe<script>owned=1</script>")
    shows(browser, "#rules", "<script>owned=1</script>")
    browser.click(found)
    shows(browser, "#detail .bytes", "<b>x</b><script>owned=1</script>")
    shows(browser, "#detail .fields", "<img src=x onerror=owned=1>")
    assert "\u202e" not in browser.evaluate("document.body.innerText")
    browser.press("Escape")
    open_form(browser, "[aria-label='Edit a']")
    shows(browser, "#preview-out", "<script>owned=1</script>")
    fill(browser, "#preview-path", EVIL)
    browser.press("Enter")
    shows(browser, "#preview-out", "<script>owned=1</script>")
    assert browser.evaluate("typeof owned") == "undefined"
    assert (
        browser.evaluate("document.querySelectorAll('main img, main b, main script, dialog script').length")
        == 0
    )


TRIES = {
    "markup": "document.body.insertAdjacentHTML('beforeend', '<p>x</p>')",
    "a script": "const made = document.createElement('script'); made.textContent = 'owned = 1'; document.body.append(made)",
    "a script from elsewhere": "await import('data:text/javascript,globalThis.owned = 1')",
    "a picture from elsewhere": "const made = new Image(); made.src = 'http://127.0.0.1:9/x'; await made.decode()",
    "a request elsewhere": "await fetch('http://127.0.0.1:9/y')",
}


@pytest.mark.parametrize("what", TRIES)
def test_its_policy_holds(opened, what):
    """Even what got into the page could run nothing and load nothing from elsewhere."""
    browser = opened()
    tried = browser.evaluate(
        f"(async () => {{ try {{ {TRIES[what]}; return 'done' }} catch (error) {{ return error.name }} }})()"
    )
    assert tried in {"TypeError", "EncodingError"}
    assert browser.evaluate("typeof owned") == "undefined"
    assert [each for each in browser.complaints if "Content Security Policy" in each or "Trusted" in each]
    browser.complaints.clear()


def test_the_server_goes_and_comes_back(browser, tmp_path):
    """The page says so, keeps what it knows and what is typed, and goes on; a new token is asked for."""
    server = Server(tmp_path, FAULTINJECT_RULES="http:503,name=a")
    server.start()
    enter(browser, server)
    shows(browser, "#rules", "http:503,name=a")
    server.request("/first")
    shows(browser, "#strip", "/first")
    open_form(browser, "#add")
    browser.type("cos:Slow")
    browser.press("Escape")
    server.stop(signal.SIGKILL)
    shows(browser, "#link", "The server does not answer")
    assert "What you see is from" in text(browser, "#link")
    assert "http:503,name=a" in text(browser, "#rules")
    assert "/first" in text(browser, "#strip")
    browser.click("#switch")
    shows(browser, "#wrong", "Whether the change was made is not known")
    server.start()
    browser.click("#retry")
    shows(browser, "#link", "connected")
    server.request("/second")
    shows(browser, "#strip", "/second")
    server.stop(signal.SIGKILL)
    shows(browser, "#link", "The server does not answer")
    server.token = "the-token-2"
    server.start()
    browser.until("document.querySelector('#login').open")
    shows(browser, "#login-wrong", "The server no longer takes the token")
    browser.type(server.token)
    browser.press("Enter")
    shows(browser, "#link", "connected")
    assert browser.evaluate("document.querySelector('#fault').value") == "cos:Slow"
    server.stop()


SHOWN = """import("./static/power.js").then(({show}) => {
    show(%s);
    return [document.querySelector("#power-now").innerText, document.querySelector("#power-left").innerText,
        [...document.querySelectorAll("#notices p")].map(each => each.innerText)];
})"""


def test_what_stands_in_the_way_is_said(opened, server):
    """Disarmed and why, production, the end of all faults, what passed undecided, what was one too many."""
    browser = opened("http:503")
    state = server.state()

    def shown(**changed):
        return browser.evaluate(SHOWN % json.dumps({**state, **changed}))

    assert shown() == ["Faults are on", "They stay on until somebody switches them off.", []]
    assert shown(rules=[])[0] == "Faults are on, but there is no rule to follow"
    now, left, notices = shown(on=False, enabled=False, disarmed="5xx>5%/1m: 12 of 100 failed.")
    assert (now, left) == ("Faults are off: the injector disarmed itself", "")
    assert notices == [
        "The injector switched itself off: 5xx>5%/1m: 12 of 100 failed. It stays off until you switch it on again."
    ]
    now, _, notices = shown(enabled=False, production="FLASK_ENV=production")
    assert now == "Faults are switched on, but none is injected"
    assert notices[0].startswith("FLASK_ENV=production looks like production")
    now, _, notices = shown(expires=state["now"] - 60)
    assert now == "Faults are switched on, but none is injected"
    assert "nothing is injected any more" in notices[0]
    assert "FAULTINJECT_EXPIRES ends all faults on" in shown(expires=state["now"] + 60)[2][0]
    _, _, notices = shown(undecided=1, failures=2, refused=1200)
    assert [each.partition(":")[0] for each in notices] == [
        "1 request passed undecided",
        "faultinject itself failed 2 times. The server's log says why.",
        "1,200 faults left out",
    ]
    assert "at most 100 may be under way" in notices[2]
    assert (
        "in 1:01:01, at " in shown(until=state["now"] + 3661)[1]
        or "in 1:01:00" in shown(until=state["now"] + 3661)[1]
    )
    now, left, _ = shown(on=False, until=state["now"] - 1)
    assert now == "Faults are off"
    assert left.startswith("They switched off by themselves at ")


def test_without_a_stream_it_asks_now_and_then(opened, server):
    """Where all streams are taken, the requests come a second later."""
    server.put("http:503,path=b/,name=a")
    taken = [server.stream() for _ in range(MOST_STREAMS + 1)]
    assert {status for status, _ in taken} == {200, 503}
    browser = opened("http:503,path=b/,name=a")
    shows(browser, "#strip-state", "asked for each second")
    server.request("/b/without-a-stream")
    row(browser, "/b/without-a-stream")
    for _, connection in taken:
        connection.close()
    server.request("/b/one-more")  # a stream that has lost its client notices when it writes
    shows(browser, "#strip-state", "(live)")


def test_a_worker_without_threads_has_no_stream(tmp_path):
    """gunicorn's sync worker would do nothing else meanwhile: the stream is refused, and the journal can be asked for."""
    server = Server(tmp_path, line=GUNICORN, FAULTINJECT_RULES="http:503,path=b/,name=a")
    server.start()
    try:
        status, found = server.ask("GET", "/journal/stream")
        assert (status, "have no threads" in found["error"]["message"]) == (503, True)
        assert server.request("/b/1")[0] == 503
        assert [each["path"] for each in server.ask("GET", "/journal")[1]["outcomes"]] == ["/b/1"]
    finally:
        server.stop()


def test_a_stream_that_ends_goes_on(browser, tmp_path):
    """Of a WSGI server it does after 25 s: no request is lost, and none comes twice."""
    server = Server(tmp_path, line=GUNICORN_WITH_THREADS, FAULTINJECT_RULES="http:503,path=b/,name=a")
    server.start()
    try:
        server.request("/b/0")
        enter(browser, server)
        row(browser, "/b/0")
        shows(browser, "#strip-state", "(live)")
        sent = 1
        while len(streams := [each for each in browser.requests if "/journal/stream?" in each]) < 2:
            server.request(f"/b/{sent}")
            row(browser, f"/b/{sent}")
            sent += 1
        row(browser, f"/b/{sent - 1}")
        shows(browser, "#strip-state", "(live)")
        came = browser.evaluate(
            "[...document.querySelectorAll('#strip .target')].map(each => each.innerText)"
        )
        assert sorted(came) == sorted(f"/b/{number}" for number in range(sent))[-len(came) :]
        assert len(set(came)) == len(came) >= min(sent, 120)
        assert all(each.rpartition("after=")[2] for each in streams)
    finally:
        server.stop()


def test_production_cannot_be_armed(browser, tmp_path):
    """The page says why, and what is asked for all the same is refused with the reason."""
    server = Server(tmp_path, FLASK_ENV="production")
    server.start()
    try:
        enter(browser, server)
        shows(browser, "#notices", "FLASK_ENV=production looks like production")
        browser.click("#timed-go")
        shows(browser, "#wrong", "FLASK_ENV=production looks like production")
    finally:
        server.stop()


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


def test_the_form_knows_every_word(opened):
    """Each condition, trigger and effect, each vendor, group and documented error, with its status and message."""
    browser = opened()
    open_form(browser, "#add")
    browser.type("@")
    browser.until("document.querySelector('#fault-list [role=option]')")
    for name, known in (
        ("conditions", {*CONDITIONS, "vendor"}),
        ("triggers", TRIGGERS),
        ("effects", EFFECTS),
    ):
        there = browser.evaluate(
            f"[...document.querySelectorAll('#more-{name} option, #group-{name} .row')].map(each => each.value ?? each.dataset.key)"
        )
        assert set(there) == set(known), name
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


@pytest.mark.parametrize("look", LOOKS)
def test_it_can_be_read(opened, server, look):
    """Nothing runs off the page and nothing is pale, with the form and a request open; what has the focus shows it."""
    browser = opened("cos:SlowDown,path=photos/,name=a latency,delay=1ms,name=b", **LOOKS[look])
    server.request("/photos/cat.jpg")
    server.request(f"/{'long' * 60}/{written('/é')}")
    found = row(browser, "longlong")
    found = row(browser, "/photos/cat.jpg")
    browser.click("[data-rule=b] [role=switch]")
    open_form(browser, "[aria-label='Edit a']")
    shows(browser, "#preview-out", "<Code>SlowDown</Code>")
    browser.evaluate("scrollTo(0, 0)")
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert browser.evaluate(TOO_WIDE) == []
    assert browser.evaluate(PALE) == []
    assert browser.evaluate(BARS) >= 3
    browser.press("Tab")
    assert browser.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert browser.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is bool(
        LOOKS[look].get("dark")
    )
    browser.press("Escape")
    browser.click(found)
    shows(browser, "#detail .bytes", "<Code>SlowDown</Code>")
    assert browser.evaluate(TOO_WIDE) == []
    assert browser.evaluate(PALE) == []


def test_every_control_has_a_name(opened, server):
    """A screen reader says what each field and button is."""
    browser = opened("http:503,name=a")
    server.request("/x")
    browser.until("document.querySelector('#strip li')")
    open_form(browser, "#add")
    nodes = browser.ask("Accessibility.getFullAXTree")["nodes"]
    kinds = {"button", "textbox", "combobox", "switch", "checkbox", "radio", "searchbox", "listbox", "image"}
    nameless = [
        each["role"]["value"]
        for each in nodes
        if not each["ignored"]
        and each["role"]["value"] in kinds
        and not each.get("name", {}).get("value", "").strip()
    ]
    assert nameless == []
