"""A real server with the page on it, and what its tests do to both."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.audit.browser import command
from tests.ports import ReservedPort

IN_CHROMIUM = [
    pytest.mark.live,
    pytest.mark.slow,
    pytest.mark.skipif(command() is None, reason="no Chromium is installed"),
]
ROOT = Path(__file__).parents[2]
MOUNT = "/_faultinject"
UVICORN = ("uvicorn", "--port", "{port}", "--log-level", "warning", "tests.control.looked_at:app")
GUNICORN = (
    "gunicorn",
    "-b",
    "127.0.0.1:{port}",
    "-w",
    "1",
    "--no-control-socket",
    "--log-level",
    "warning",
    "tests.control.looked_at_wsgi:app",
)
STARTS_WITHIN = 60.0
ENDS_WITHIN = 60.0


class Server:
    """A server with an app and the control API below `MOUNT`, in a process of its own, which can go and come back."""

    def __init__(self, folder, token="the-token-1", line=UVICORN, **environ):
        self._reserved = ReservedPort()
        self.port = self._reserved.number
        self.token, self.page = token, f"http://127.0.0.1:{self.port}{MOUNT}/"
        self._log, self._environ, self._process = folder / "server.log", environ, None
        self._line = [each.format(port=self.port) for each in line]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self._process is not None and self._process.poll() is None:
            self.stop()
        self._reserved.close()

    def start(self):
        """Begin, and wait until it answers."""
        try:
            self._start()
        except BaseException:
            self._process.kill()
            self._process.wait()
            raise

    def _start(self):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
        ours = {
            "FAULTINJECT_CONTROL": MOUNT,
            "FAULTINJECT_TOKEN": self.token,
            "FAULTINJECT_SEED": "7",
            "PYTHONPATH": str(ROOT),
        }
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *self._line], cwd=ROOT, env={**kept, **ours, "FAULTINJECT_ENABLED": "1", **self._environ}, stdout=log, stderr=log,
            )  # fmt: skip
        end = time.monotonic() + STARTS_WITHIN
        while True:
            try:
                if self.ask("GET", "/health")[0] == 200:
                    return
            except OSError:
                assert self._process.poll() is None, self.log
                assert time.monotonic() < end, self.log
                time.sleep(0.05)

    def stop(self, number=signal.SIGTERM):
        """End it."""
        self._process.send_signal(number)
        try:
            self._process.wait(ENDS_WITHIN)
        finally:
            self._process.kill()
            self._process.wait()

    @property
    def log(self):
        """All that it has written."""
        return self._log.read_text(encoding="utf-8")

    def request(self, path, method="GET", body=None, **headers):
        """What the app, or a fault, answers: status and body."""
        return self._exchange(method, path, body, headers)

    def ask(self, method, path, data=None, authorized=True):
        """Call the control API."""
        headers = {"Authorization": f"Bearer {self.token}"} if authorized else {}
        body = None
        if method != "GET":
            headers["Content-Type"], body = "application/json", json.dumps(data or {})
        status, raw = self._exchange(method, f"{MOUNT}{path}", body, headers)
        return status, json.loads(raw)

    def state(self):
        """What it says of itself."""
        return self.ask("GET", "/state")[1]

    def put(self, rules):
        """Begin anew with rules as text, switched on; returns the state."""
        status, found = self.ask("PUT", "/rules", {"text": rules})
        assert status == 200, found
        return self.ask("POST", "/on")[1]

    def _exchange(self, method, path, body, headers):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=300)
        try:
            # As it is written: the target of a hostile request is no URL.
            connection.putrequest(method, path, skip_accept_encoding=True)
            raw = (body or "").encode()
            for name, value in {
                **headers,
                **({"Content-Length": len(raw)} if raw or method != "GET" else {}),
            }.items():
                connection.putheader(name, str(value))
            connection.endheaders(raw)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()


def enter(browser, server, token=None):
    """Open the page and give it the token, by the keyboard."""
    browser.open(server.page)
    browser.until("document.activeElement.id === 'token'")
    browser.type(token or server.token)
    browser.press("Enter")


def text(browser, selector):
    """What a reader sees of the first element of a selector."""
    return browser.evaluate(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")


def shows(browser, selector, words):
    """Wait until it has these words."""
    wanted = (
        f"(document.querySelector({json.dumps(selector)})?.innerText ?? '').includes({json.dumps(words)})"
    )
    browser.until(wanted)


def shows_counts(browser, rule, matched, injected):
    """Wait until it has these of a rule: it may have asked in the middle of what the test did."""
    found = f"[...document.querySelectorAll('[data-rule={json.dumps(rule)}] dd')].slice(0, 2).map(each => each.innerText)"
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
    """What the console says, apart from answers that are errors and servers that are gone."""
    browser.evaluate("0")
    return [each for each in browser.complaints if not each.startswith("Failed to load resource")]
