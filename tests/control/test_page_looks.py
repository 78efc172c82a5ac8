"""How the control page looks, in light and dark, wide and narrow, and what a screen reader has of it."""

from __future__ import annotations

import pytest

from tests.control.page import IN_CHROMIUM, open_form, row, shows

pytestmark = IN_CHROMIUM


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


@pytest.mark.parametrize("look", LOOKS)
def test_it_can_be_read(opened, server, look):
    """Nothing runs off the page and nothing is pale, with the form and a request open; what has the focus shows it."""
    browser = opened("cos:SlowDown,path=photos/,name=a latency,delay=1ms,name=b", **LOOKS[look])
    server.request("/photos/cat.jpg")
    server.request(f"/{'long' * 60}/%C3%A9")
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
