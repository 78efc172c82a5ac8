"""The control page in light and dark, wide and narrow, and for a screen reader."""

import json

import pytest

from tests.control.page import SLOWLY_IN_CHROMIUM, click_and_see, open_form, row, shows

pytestmark = SLOWLY_IN_CHROMIUM


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
        .filter(each => each.checkVisibility())
        .filter(each => [...each.childNodes].some(node => node.nodeType === 3 && node.data.trim()))
        .filter(each => ratio(light(getComputedStyle(each).color), behind(each)) < 4.5)
        .map(each => each.outerHTML.slice(0, 160));
}})()"""

# The contrast of the chart's bars with what is behind them (AA: 3).
BARS = f"""(() => {{
    {READ}
    const bars = document.querySelector('#chart .all');
    return ratio(light(getComputedStyle(bars).fill), behind(bars));
}})()"""


@pytest.mark.parametrize("look", LOOKS)
def test_it_can_be_read(opened, server, look):
    """Nothing overflows or is pale, with the form and a request open, and the focus is visible."""
    browser = opened("cos:SlowDown,path=photos/,name=a latency,delay=1ms,name=b", **LOOKS[look])
    server.ask_app("/photos/cat.jpg")
    server.ask_app(f"/{'long' * 60}/%C3%A9")
    row(browser, "longlong")
    found = row(browser, "/photos/cat.jpg")
    browser.click("[data-rule=b] [role=switch]")
    open_form(browser, "[aria-label='Edit a']")
    shows(browser, "#preview-out", "<Code>SlowDown</Code>")
    browser.evaluate("scrollTo(0, 0)")
    assert browser.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert [browser.evaluate(TOO_WIDE), browser.evaluate(PALE)] == [[], []]
    assert browser.evaluate(BARS) >= 3
    browser.press("Tab")
    assert browser.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    assert browser.evaluate("matchMedia('(prefers-color-scheme: dark)').matches") is bool(
        LOOKS[look].get("dark")
    )
    browser.press("Escape")
    click_and_see(browser, found, "#detail .fields", "/photos/cat.jpg")
    assert [browser.evaluate(TOO_WIDE), browser.evaluate(PALE)] == [[], []]


# Shows one state after the other, with that many requests in the chart, and where each control is then.
PLACES = """Promise.all(
    ["power", "rules", "chart"].map(each => import(`./static/${each}.js`))
).then(([power, rules, chart]) => {
    const svg = document.querySelector("#chart"), note = document.querySelector("#chart-note");
    return %s.map(([requests, state]) => {
        for (let each = 0; each < requests; each += 1) chart.note(state.now, true);
        note.textContent = chart.show(svg, state.now);
        power.show(state);
        rules.show(state);
        return Object.fromEntries([...document.querySelectorAll("main button, main input, main select")]
            .filter(each => each.checkVisibility())
            .map((each, index) => {
                const {left, top, width, height} = each.getBoundingClientRect();
                return [each.id || each.ariaLabel || `switch ${index}`, [left, top, width, height].map(Math.round)];
            }));
    });
})"""


@pytest.mark.parametrize("width", [360, 720, 721, 1100])
def test_nothing_moves_away_under_the_mouse(opened, server, width):
    """Requests and time alone never move a button on the page."""
    rules = [f"cos:SlowDown,path={'photos/' * number},name={'a' * number}" for number in range(1, 16)]
    opened("\n".join(rules), width=width)
    state = server.state()
    busy = {
        **state,
        "totals": dict.fromkeys(state["totals"], 999_999),
        "active": 100,
        "rules": [
            {**each, "matched": 999_999, "injected": 999_999, "failed": 999_999, "spent": True}
            for each in state["rules"]
        ],
    }
    ends = {**busy, "until": state["now"] + 35_999}
    over = {**busy, "on": False, "until": state["now"] - 1}
    browser = opened("\n".join(rules), width=width)
    said = json.dumps([[0, state], [1, state], [12_344, busy], [0, ends], [0, over]])
    idle, *later = browser.evaluate(PLACES % said)
    assert len(idle) > 3 * len(rules)
    for each in later:
        assert {name: (was, each[name]) for name, was in idle.items() if each[name] != was} == {}


@pytest.mark.parametrize("width", [360, 720, 1100])
def test_the_form_stands_still_while_its_choices_load(opened, width):
    """Its choices come after it is open; a click at the text must not meet them."""
    browser = opened("http:503,name=a", width=width)
    top = "document.querySelector('{}').getBoundingClientRect().top"
    place = f"{top.format('#rule-text')} - {top.format('#editor')}"
    at_first = browser.evaluate(f"(document.querySelector('#add').click(), {place})")
    for choice in ("#vendor", "#fault"):
        browser.until(f"document.querySelector('{choice}').options.length > 1")
    assert browser.evaluate(place) == at_first


def test_every_control_has_a_name(opened, server):
    """A screen reader says what each field and button is."""
    browser = opened("http:503,name=a")
    server.ask_app("/x")
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
