"""A real server with the page on it, and what its tests do to both."""

import json
import signal
from pathlib import Path

import pytest

from tests.audit.browser import command
from tests.ports import ReservedPort

from .programs import MOUNT, Client, Program, wait_for

SLOWLY_IN_CHROMIUM = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(command() is None, reason="no Chromium is installed"),
]
ROOT = Path(__file__).parents[2]
UVICORN = ("uvicorn", "--port", "PORT", "--log-level", "warning", "asgi:app")
GUNICORN = ("gunicorn", "-b", "127.0.0.1:PORT", "--no-control-socket", "--log-level", "warning", "wsgi:app")


class Server(Client):
    """A server process with an app and the control API below `MOUNT`, which can stop and start."""

    def __init__(self, folder, line=UVICORN, **environ):
        self._reserved = ReservedPort()
        port = self._reserved.number
        super().__init__(None, (port, MOUNT), port)
        self.page = f"http://127.0.0.1:{port}{MOUNT}/"
        self._folder, self._environ, self._program = folder, environ, None
        self._line = [each.replace("PORT", str(port)) for each in line]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._program is not None:
            self.stop()
        self._reserved.close()

    def start(self):
        """Begin, and wait until it answers."""
        given = {"FAULTINJECT_CONTROL": MOUNT, "FAULTINJECT_TOKEN": self.token, "FAULTINJECT_SEED": "7"}
        self._program = Program(self._folder, *self._line, **(given | self._environ))
        wait_for(self._program, self)

    def stop(self, number=signal.SIGTERM):
        """End it."""
        self._program.stop(number)

    def put(self, rules):
        """Begin anew with rules as text, switched on."""
        self.change("PUT", "/rules", {"text": rules})
        self.change("POST", "/on")


def enter(browser, server, token=None):
    """Open the page and give it the token, by the keyboard."""
    browser.open(server.page)
    browser.until("document.activeElement.id === 'token'")
    browser.type(token or server.token)
    browser.press("Enter")


def text(browser, selector):
    """The visible text of the first element of a selector."""
    return browser.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")


def shows(browser, selector, words):
    """Wait until it has these words."""
    browser.until(
        f"(document.querySelector({json.dumps(selector)})?.innerText ?? '').includes({json.dumps(words)})"
    )


def click_and_see(browser, selector, where, words):
    """Click, and wait until an element has these words."""
    browser.click(selector)
    shows(browser, where, words)


def shows_counts(browser, rule, matched, injected):
    """Wait until it has these of a rule: it may have asked in the middle of what the test did."""
    found = (
        f"[...document.querySelectorAll('[data-rule={json.dumps(rule)}] dd')].slice(0, 2).map(each => "
        "each.innerText)"
    )
    browser.until(f"{found}.join() === '{matched},{injected}'")


def fill(browser, selector, words):
    """Write into a field, in place of what it has."""
    browser.click(selector)
    browser.press("a", modifiers=2)
    browser.press("Backspace")
    browser.type(words)


def open_form(browser, selector):
    """Click the button that opens the form, and wait until it is there."""
    browser.click(selector)
    browser.until("!document.querySelector('#editor').hidden && document.activeElement.id === 'rule-text'")


def tab_to(browser, selector, most=80):
    """Press the key Tab until an element has the focus."""
    for _ in range(most):
        browser.press("Tab")
        if browser.evaluate(f"document.activeElement.matches({json.dumps(selector)})"):
            return
    raise AssertionError(f"Tab never comes to {selector}")


def row(browser, words):
    """The selector of the newest row of the strip with these words, when it has come."""
    found = f"[...document.querySelectorAll('#strip li')].find(each => each.innerText.includes({json.dumps(words)}))"
    browser.until(found)
    key = browser.evaluate(f"{found}.dataset.key")
    return f"#strip li[data-key='{key}'] button"


def choose(browser, selector, value):
    """Give a list the focus and go down it by the arrow key, to a value."""
    browser.evaluate(f"document.querySelector({json.dumps(selector)}).focus()")
    there = f"document.activeElement.value === {json.dumps(value)}"
    for _ in range(80):
        if browser.evaluate(there):
            return
        browser.press("ArrowDown")
    raise AssertionError(f"{selector} has no {value}")


def unexpected(browser):
    """The messages of the console, except failed answers and servers that have gone."""
    browser.evaluate("0")
    return [each for each in browser.complaints if not each.startswith("Failed to load resource")]
