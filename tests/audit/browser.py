"""A real Chromium, driven through two pipes by the protocol of its developer tools."""

import json
import os
import select
import subprocess
import sys
import time
from base64 import b64decode
from itertools import count
from shutil import which

from tests.until import STARTS_WITHIN

COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--hide-scrollbars",
    "--disable-background-networking", "--remote-debugging-pipe",
)  # fmt: skip

# The protocol is read from 3 and written to 4, which may be taken: out of the way first.
LAUNCH = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(each), fcntl.F_DUPFD, 20) for each in sys.argv[1:3]]
os.dup2(ends[0], 3)
os.dup2(ends[1], 4)
os.execvp(sys.argv[3], sys.argv[3:])
"""


def command():
    """The command of the browser that is installed here, or None."""
    return next(filter(None, map(which, COMMANDS)), None)


KEYS = {
    "Tab": 9, "Enter": 13, "Escape": 27, " ": 32, "End": 35, "Home": 36, "ArrowLeft": 37, "ArrowUp": 38, "ArrowRight": 39,
    "ArrowDown": 40, "Backspace": 8,
}  # fmt: skip
"""The keys that do something else than to write themselves, with their Windows codes."""
CONTROL = 2
# Read until two frames agree: the content above may still grow, and Chromium scrolls a frame later.
WHERE = """(async () => {
    let middle = null;
    for (let frame = 0; frame < 100; frame += 1) {
        const found = [...document.querySelectorAll(%s)].find(each => each.checkVisibility());
        if (!found) return null;
        found.scrollIntoView({block: "center", behavior: "instant"});
        await new Promise(painted => { requestAnimationFrame(painted); setTimeout(painted, 500); });
        const {left, top, width, height} = found.getBoundingClientRect();
        const before = middle;
        middle = [left + width / 2, top + height / 2];
        if (before && before[0] === middle[0] && before[1] === middle[1]) return middle;
    }
    throw new Error("it does not stand still");
})()"""


class Pipe:
    """The messages between us and the browser, for all its windows."""

    def __init__(self, home):
        theirs_in, self._to = os.pipe()
        self._from, theirs_out = os.pipe()
        self.windows = {}
        self._numbers, self._rest = count(1), b""
        self.process = subprocess.Popen(
            [sys.executable, "-c", LAUNCH, str(theirs_in), str(theirs_out), command(), *OPTIONS, f"--user-data-dir={home}", "about:blank"],
            pass_fds=(theirs_in, theirs_out), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(theirs_in)
        os.close(theirs_out)

    def ask(self, session, method, params):
        """Call a method of the protocol, of a window or of the browser."""
        message = {"id": next(self._numbers), "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while (answer := self.read()).get("id") != message["id"]:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def read(self):
        """The next message; its window notes an event."""
        while b"\0" not in self._rest:
            ready, _, _ = select.select([self._from], [], [], STARTS_WITHIN)
            more = os.read(self._from, 1 << 20) if ready else b""
            if not more:
                self.process.kill()
            assert more, "the browser has gone, or does not answer"
            self._rest += more
        raw, _, self._rest = self._rest.partition(b"\0")
        message = json.loads(raw)
        window = self.windows.get(message.get("sessionId"))
        if window is not None and "method" in message:
            window.note(message["method"], message.get("params", {}))
        return message

    def close(self):
        """End the browser."""
        self.ask(None, "Browser.close", {})
        self.process.wait(STARTS_WITHIN)
        os.close(self._to)
        os.close(self._from)


class Browser:
    """One page, without a window that anybody sees.

    `requests` are the addresses that it asked for since it was opened, `complaints` what it had to say of it.
    """

    def __init__(self, home, pipe=None):
        self.requests, self.complaints = [], []
        self._loaded = set()
        self._pipe = pipe or Pipe(home)
        self._session = None
        if pipe:
            page = self.ask("Target.createTarget", url="about:blank", newWindow=True)
        else:
            [page] = [each for each in self.ask("Target.getTargets")["targetInfos"] if each["type"] == "page"]
        self._target = page["targetId"]
        self._session = self.ask("Target.attachToTarget", targetId=self._target, flatten=True)["sessionId"]
        self._pipe.windows[self._session] = self
        for domain in ("Page", "Network", "Log", "Runtime"):
            self.ask(f"{domain}.enable")
        self.ask("Page.setLifecycleEventsEnabled", enabled=True)

    def another(self):
        """A second window of the same browser."""
        return Browser(None, self._pipe)

    def leave(self):
        """Close a window that `another` has given."""
        del self._pipe.windows[self._session]
        self._session = None
        self.ask("Target.closeTarget", targetId=self._target)

    def ask(self, method, **params):
        """Call a method of the protocol."""
        return self._pipe.ask(self._session, method, params)

    def look(self, *, width=1000, dark=False, media="screen"):
        """Set the width of the window, and the medium for which pages are laid out."""
        self.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=900,
            deviceScaleFactor=1,
            mobile=width < 500,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.ask("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def open(self, url):
        """Load a page to its end."""
        self.requests.clear()
        self.complaints.clear()
        loader = self.ask("Page.navigate", url=url)["loaderId"]
        while loader not in self._loaded:  # what was there before may be through only now
            self._pipe.read()

    def evaluate(self, expression):
        """The value of a JavaScript expression in the page."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def pdf(self):
        """The page as it is printed."""
        return b64decode(self.ask("Page.printToPDF")["data"])

    def click(self, selector):
        """Press the mouse in the middle of the first element of that selector that is shown."""
        place = self.evaluate(WHERE % json.dumps(selector))
        assert place is not None, f"nothing of {selector} is shown"
        point = {"x": place[0], "y": place[1], "button": "left", "clickCount": 1}
        for kind in ("mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, **point)

    def press(self, *keys, modifiers=0):
        """Press keys, one after the other, wherever the focus is."""
        for key in keys:
            text = {"Enter": "\r"}.get(key, key if len(key) == 1 else "")
            code = KEYS.get(key) or (ord(key.upper()) if key.isalnum() else 0)
            down = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
            if text and not modifiers & CONTROL:
                self.ask("Input.dispatchKeyEvent", type="keyDown", text=text, **down)
            else:
                command = {"commands": ["selectAll"]} if key == "a" else {}
                self.ask("Input.dispatchKeyEvent", type="rawKeyDown", **down, **command)
            self.ask("Input.dispatchKeyEvent", type="keyUp", **down)

    def type(self, text):
        """Write a text with the keyboard, wherever the focus is."""
        self.press(*text)

    def until(self, expression, patience=STARTS_WITHIN):
        """Wait until an expression is true in the page, or an element."""
        end = time.monotonic() + patience
        while not self.evaluate(f"Boolean({expression})"):
            assert time.monotonic() < end, f"never: {expression}"
            time.sleep(0.05)

    def note(self, method, params):
        """Keep what an event of this window says."""
        match method:
            case "Page.lifecycleEvent" if params["name"] == "load":
                self._loaded.add(params["loaderId"])
            case "Network.requestWillBeSent":
                self.requests.append(params["request"]["url"])
            case "Log.entryAdded":
                self.complaints.append(params["entry"]["text"])
            case "Runtime.consoleAPICalled" | "Runtime.exceptionThrown":
                self.complaints.append(json.dumps(params))

    def close(self):
        """End the browser with all its windows."""
        self._pipe.close()
