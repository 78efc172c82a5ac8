"""The program in this process, and as a process of its own."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading

import pytest

from faultinject.conformance import SDKS, Sdk
from tests.console import command


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """No variable of the machine says anything to faultinject, nor that this is production."""
    for name in [*os.environ]:
        if re.match(r"FAULTINJECT_|K8S_|DJANGO_|DD_|OTEL_|.*(ENV|STAGE)", name):
            monkeypatch.delenv(name)


@pytest.fixture
def run():
    """Run the program here: exit code, standard output, standard error."""

    def call(*words, **options):
        result = command(*words, **options)
        return result.exit_code, result.stdout, result.stderr

    return call


@pytest.fixture
def run_bytes():
    """Run the program here: exit code, the bytes of standard output, standard error."""

    def call(*words, **options):
        result = command(*words, **options)
        return result.exit_code, result.stdout_bytes, result.stderr

    return call


@pytest.fixture
def terminal(monkeypatch):
    """What is run here writes to a terminal, which is wide."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")


@pytest.fixture
def sdks(monkeypatch):
    """Say which SDKs there are: by name the command, and what else `Sdk` takes."""

    def there(**found):
        for name in [*SDKS]:
            monkeypatch.delitem(SDKS, name)
        for name, about in found.items():
            made = {"title": name.title(), "vendor": "cos", "home": "pip", "package": "pytest", **about}
            monkeypatch.setitem(SDKS, name, Sdk(name, made.pop("title"), made.pop("vendor"), **made))

    return there


class Running:
    """A process of the program; `line()` waits for its next line."""

    def __init__(self, arguments, **options):
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "faultinject", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def line(self):
        return self._lines.get(timeout=300)

    def until(self, beginning):
        lines = []
        while (line := self.line()) is not None:
            lines.append(line)
            if line.startswith(beginning):
                return lines
        raise AssertionError(lines)

    def interrupt(self):
        """Ctrl-C: the exit code and the lines that were left."""
        return self.end(signal.SIGINT)

    def leave(self):
        """Kill it if it goes on; who reads what it says is through before that is closed."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self._reader.join(60)
        self.process.stdout.close()

    def end(self, number):
        """Send a signal: the exit code and the lines that were left."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self):
        """Wait until it ends by itself: the exit code and the lines that were left."""
        code = self.process.wait(timeout=300)
        rest = []
        while (line := self.line()) is not None:
            rest.append(line)
        return code, rest


@pytest.fixture
def start():
    """Start the program as a process of its own."""
    running = []

    def call(*arguments, **options):
        running.append(Running(arguments, **options))
        return running[-1]

    yield call
    for each in running:
        each.leave()
