"""The program in this process, and as a process of its own."""

import glob
import queue
import signal
import subprocess
import sys
import threading
from functools import cached_property

import pytest

from faultinject.conformance.sdks import SDKS, Sdk
from tests.console import command
from tests.console import plain_environment as plain_environment  # a fixture

from .journals import text


@pytest.fixture
def run():
    """Run the program here: exit code, standard output, standard error."""

    def call(*words, **options):
        result = command(*words, **options)
        return result.exit_code, result.stdout, result.stderr

    return call


@pytest.fixture
def succeeds(run):
    """Run the program, which says nothing on standard error: what it says on standard output."""

    def call(*words, **options):
        code, out, err = run(*words, **options)
        assert (code, err) == (0, "")
        return out

    return call


@pytest.fixture
def refused(run):
    """Run the program, which must refuse with exit code 2 and no output; gives its message."""

    def call(*words, **options):
        code, out, err = run(*words, **options)
        assert (code, out) == (2, ""), err
        return err

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
    """A wide terminal as standard output."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "150")


@pytest.fixture
def journal(tmp_path):
    """Write a journal, of lines or of a text: its path."""

    def write(content, name="journal.jsonl"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else text(content))
        return str(path)

    return write


@pytest.fixture
def libfaketime(monkeypatch):
    """A library name that is found and does not exist.

    The linker says so and goes on, nothing is faster, and the variables are there.
    """
    monkeypatch.setattr(
        glob, "glob", lambda place, **_: ["/none/libfaketimeMT.so.1"] if "/local/" in place else []
    )


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

    def __init__(self, process):
        self.process = process
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)

    def line(self):
        return self._lines.get(timeout=100)

    def until(self, beginning):
        lines = []
        while (line := self.line()) is not None:
            lines.append(line)
            if line.startswith(beginning):
                return lines
        raise AssertionError(lines)

    @cached_property
    def head(self):
        """The lines with which a server begins."""
        return self.until("Ctrl-C")

    @property
    def url(self):
        """The address of its first line with one."""
        return next(line for line in self.head if " on http" in line).rpartition(" on ")[2]

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
        code = self.process.wait(timeout=100)
        rest = []
        while (line := self.line()) is not None:
            rest.append(line)
        return code, rest


@pytest.fixture
def start(launcher):
    """Start the program as a process of its own; `anew` as a user does, with its own imports."""
    running = []

    def call(*arguments, anew=False, **options):
        if anew:
            command = [sys.executable, "-W", "error", "-m", "faultinject", *arguments]
            process = subprocess.Popen(
                command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options
            )
        else:
            process = launcher.start(arguments, **options)
        running.append(Running(process))
        return running[-1]

    yield call
    for each in running:
        each.leave()


@pytest.fixture
def serve(start):
    """Start `serve` as a process of its own, on any free port; it serves when this returns."""

    def call(*words, **options):
        process = start("serve", *words, "--port", "0", **options)
        assert process.head
        return process

    return call
