"""The control page and its server: gone and back, without threads, disarmed, in production."""

import json
import re
import signal

from tests.control.page import GUNICORN, SLOWLY_IN_CHROMIUM, Server, enter, open_form, row, shows, text

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
        browser.click("#switch")
        shows(browser, "#wrong", "Whether the change was made is not known")
        browser.evaluate(ONLY_BY_HAND)
        browser.click("#retry")
        browser.until("asleep")
        server.start()
        browser.evaluate("byItself()")
        browser.click("#retry")
        shows(browser, "#link", "connected")
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

    def shown(**changed):
        return browser.evaluate(SHOWN % json.dumps({**state, **changed}))

    assert shown() == ["Faults are on", "They stay on until somebody switches them off.", []]
    assert shown(rules=[])[0] == "Faults are on, but there is no rule to follow"
    now, left, notices = shown(on=False, enabled=False, disarmed="5xx>5%/1m: 12 of 100 failed.")
    assert (now, left) == ("Faults are off: abort has ended them", "")
    assert notices == [
        "Faults ended because of abort: 5xx>5%/1m: 12 of 100 failed. They stay off until you switch them on again."
    ]
    now, _, notices = shown(enabled=False, production="FLASK_ENV=production")
    assert now == "Faults are switched on, but none is injected"
    assert notices[0].startswith("FLASK_ENV=production looks like production")
    now, _, notices = shown(expires=state["now"] - 60)
    assert now == "Faults are switched on, but none is injected"
    assert "nothing is injected any more" in notices[0]
    _, left, notices = shown(expires=state["now"] + 3661)
    assert re.search("^They switch off by themselves in 1:01:0[01], at ", left)
    assert "FAULTINJECT_EXPIRES ends all faults on" in notices[0]
    for first, second in ((3661, 9000), (9000, 3661)):
        left = shown(until=state["now"] + first, expires=state["now"] + second)[1]
        assert re.search("in 1:01:0[01], at ", left), "the first of both"
    _, _, notices = shown(undecided=1, failures=2, refused=1200)
    assert [each.partition(":")[0] for each in notices] == [
        "1 request passed undecided in the process that answers",
        "faultinject itself failed 2 times in the process that answers. The server's log says why.",
        "1,200 faults left out in the process that answers",
    ]
    assert shown(undecided=2, shared=True)[2][0].startswith("2 requests passed undecided in all processes: ")
    assert "at most 100 may be under way" in notices[2]
    later = state["now"] + 100
    assert re.search("in 1:01:0[01], at ", shown(now=later, until=later + 3661)[1])
    now, left, _ = shown(on=False, until=state["now"] - 1)
    assert now == "Faults are off"
    assert left.startswith("They switched off by themselves at ")


TOTALS = """import("./static/power.js").then(({show}) => {
    show(%s);
    return [...document.querySelectorAll("#totals div")].map(each => each.innerText.replace(/\\s+/g, " "));
})"""


def test_whose_totals_these_are(opened, server):
    """Totals are of all processes that count together; faults under way of one process."""
    browser, state = (
        opened("http:503"),
        {**server.state(), "totals": {"matched": 7, "injected": 2, "failed": 0}},
    )

    def shown(shared):
        return browser.evaluate(TOTALS % json.dumps({**state, "shared": shared}))

    active = "faults under way in the process that answers (FAULTINJECT_MAX_ACTIVE) 0 of 100"
    for shared, whose in ((False, "in the process that answers"), (True, "in all processes")):
        assert shown(shared)[:3] == [
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
        browser.click("#timed-go")
        shows(browser, "#wrong", "FLASK_ENV=production looks like production")
