"""The control page and its server: gone and back, without threads, disarmed, in production."""

import json
import re
import signal

from tests.control.page import (
    GUNICORN,
    SLOWLY_IN_CHROMIUM,
    Server,
    click_and_see,
    enter,
    open_form,
    row,
    shows,
    text,
)

pytestmark = SLOWLY_IN_CHROMIUM

# The page sleeps for ever between two questions about the state, from the next one that fails: `asleep` says that it
# does.
ONLY_BY_HAND = """{
    const wait = window.setTimeout.bind(window), ask = window.fetch.bind(window);
    window.asleep = false;
    window.setTimeout = (act, milliseconds, ...more) => milliseconds > 500 ? 0 : wait(act, milliseconds, ...more);
    window.fetch = async (url, options) => {
        try {
            return await ask(url, options);
        } catch (error) {
            if (String(url).endsWith("/state")) wait(() => (asleep = true));
            throw error;
        }
    };
    window.byItself = () => void Object.assign(window, {setTimeout: wait, fetch: ask});
}"""


def test_the_server_goes_and_comes_back(browser, tmp_path):
    """The page says that the server has gone, keeps everything typed, and goes on afterwards.

    A new token is asked for.
    """
    with Server(tmp_path, FAULTINJECT_RULES="http:503,name=a") as server:
        server.start()
        enter(browser, server)
        shows(browser, "#rules", "http:503,name=a")
        server.ask_app("/first")
        shows(browser, "#strip", "/first")
        open_form(browser, "#add")
        browser.type("cos:Slow")
        server.stop(signal.SIGKILL)
        shows(browser, "#link", "The server does not answer")
        assert "What you see is from" in text(browser, "#link")
        assert "http:503,name=a" in text(browser, "#rules")
        assert "/first" in text(browser, "#strip")
        click_and_see(browser, "#switch", "#wrong", "Whether the change was made is not known")
        browser.evaluate(ONLY_BY_HAND)
        browser.click("#retry")
        browser.until("asleep")
        server.start()
        browser.evaluate("byItself()")
        click_and_see(browser, "#retry", "#link", "connected")
        server.ask_app("/second")
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
        assert browser.evaluate("document.querySelector('#rule-text').value") == "cos:Slow"


SHOWN = """Promise.all([import("./static/power.js"), import("./static/api.js")]).then(([{show}, {noteClock}]) => {
    const state = %s;
    noteClock(state.now);
    show(state);
    return [document.querySelector("#power-now").innerText, document.querySelector("#power-left").innerText,
        [...document.querySelectorAll("#notices p")].map(each => each.innerText)];
})"""


def test_what_stands_in_the_way_is_said(opened, server):
    """The page says why faults do not come.

    Disarmed and why, production, the end of all faults, requests passed undecided, one fault too many.
    """
    browser = opened("http:503")
    state = server.state()
    now = state["now"]
    on, off, kept = "Faults are on", "Faults are off", "Faults are switched on, but none is injected"
    stay, in_an_hour = (
        "They stay on until somebody switches them off.",
        "They switch off by themselves in 1:01:0[01], at .*",
    )
    disarmed = "5xx>5%/1m: 12 of 100 failed."
    ends_all = ".*FAULTINJECT_EXPIRES ends all faults on.*"
    for changed, *said in (
        ({}, on, stay),
        ({"rules": []}, f"{on}, but there is no rule to follow", ".*"),
        (
            {"on": False, "enabled": False, "disarmed": disarmed},
            f"{off}: abort has ended them",
            "",
            f"Faults ended because of abort: {disarmed} They stay off until you switch them on again.",
        ),
        (
            {"enabled": False, "production": "FLASK_ENV=production"},
            kept,
            ".*",
            "FLASK_ENV=production looks like production.*",
        ),
        ({"expires": now - 60}, kept, ".*", ".*nothing is injected any more.*"),
        ({"expires": now + 3661}, on, in_an_hour, ends_all),
        # The first of both.
        ({"until": now + 3661, "expires": now + 9000}, on, in_an_hour, ends_all),
        ({"until": now + 9000, "expires": now + 3661}, on, in_an_hour, ends_all),
        (
            {"undecided": 1, "failures": 2, "refused": 1200},
            on,
            stay,
            "1 request passed undecided in the process that answers:.*",
            "faultinject itself failed 2 times in the process that answers. The server's log says why.",
            "1,200 faults left out in the process that answers:.*at most 100 may be under way.*",
        ),
        ({"undecided": 2, "shared": True}, on, stay, "2 requests passed undecided in all processes: .*"),
        ({"now": now + 100, "until": now + 3761}, on, in_an_hour),
        ({"on": False, "until": now - 1}, off, "They switched off by themselves at .*"),
    ):
        power, left, notices = browser.evaluate(SHOWN % json.dumps({**state, **changed}))
        for pattern, words in zip(said, [power, left, *notices], strict=True):
            assert re.fullmatch(f"(?s){pattern}", words), changed


TOTALS = """import("./static/power.js").then(({show}) => {
    show(%s);
    return [...document.querySelectorAll("#totals div")].map(each => each.innerText.replace(/\\s+/g, " "));
})"""


def test_whose_totals_these_are(opened, server):
    """Totals are of all processes that count together; faults under way of one process."""
    browser = opened("http:503")
    state = {**server.state(), "totals": {"matched": 7, "injected": 2, "failed": 0}}
    active = "faults under way in the process that answers (FAULTINJECT_MAX_ACTIVE) 0 of 100"
    for shared, whose in ((False, "in the process that answers"), (True, "in all processes")):
        assert browser.evaluate(TOTALS % json.dumps({**state, "shared": shared}))[:3] == [
            f"requests that matched a rule, {whose} 7",
            f"injections, {whose} 2",
            active,
        ]


def test_a_worker_without_threads(browser, tmp_path):
    """gunicorn's sync worker answers the page between two requests of the app."""
    with Server(tmp_path, line=GUNICORN, FAULTINJECT_RULES="http:503,path=b/,name=a") as server:
        server.start()
        enter(browser, server)
        assert server.ask_app("/b/1") == 503
        row(browser, "/b/1")


def test_production_cannot_be_armed(browser, tmp_path):
    """The page says why, and what is asked for all the same is refused with the reason."""
    with Server(tmp_path, FLASK_ENV="production") as server:
        server.start()
        enter(browser, server)
        shows(browser, "#notices", "FLASK_ENV=production looks like production")
        click_and_see(browser, "#timed-go", "#wrong", "FLASK_ENV=production looks like production")
