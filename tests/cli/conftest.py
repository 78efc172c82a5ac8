"""The program in this process, and as a process of its own."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading

import pytest
from click.testing import CliRunner

from faultinject.cli.program import program
from faultinject.rules.production import production_reason


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    """No variable of the machine says anything to faultinject."""
    for name in [*os.environ]:
        if name.startswith("FAULTINJECT_") or production_reason({name: os.environ[name]}):
            monkeypatch.delenv(name)


@pytest.fixture
def run():
    """Run the program here: exit code, standard output, standard error."""

    def call(*arguments, env=None):
        result = CliRunner().invoke(program, [*arguments], env=env, prog_name="faultinject")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout, result.stderr

    return call


@pytest.fixture
def run_bytes():
    """Run the program here: exit code, the bytes of standard output, standard error."""

    def call(*arguments, env=None):
        result = CliRunner().invoke(program, [*arguments], env=env, prog_name="faultinject")
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result.exit_code, result.stdout_bytes, result.stderr

    return call


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
        return self._lines.get(timeout=30)

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
        self._reader.join(30)
        self.process.stdout.close()

    def end(self, number):
        """Send a signal: the exit code and the lines that were left."""
        self.process.send_signal(number)
        code = self.process.wait(timeout=30)
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
