"""`--faultinject-report`: the reactions of all tests' clients, judged at the session's end.

All processes write one journal: that of FAULTINJECT_JOURNAL, or one that is removed afterwards; if a test or a worker
names another one, both. The process that the user started judges the lines that came to it during the session.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from math import inf
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from faultinject.audit.judging import Judgement, judge
from faultinject.audit.reports import format_of, render
from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError, FaultInjectError
from faultinject.journal.call_window import CallWindow
from faultinject.journal.reading import read
from faultinject.journal.sources import noted_lines
from faultinject.journal.told_calls import told_of
from faultinject.journal.writing import of_report
from faultinject.rules.printed_json import json_text
from faultinject.rules.variables import value_of
from faultinject.testing import verdicts

FOLDER = "faultinject_report"
"""The folder of the journal, and of notes about errors, whose path xdist's workers get."""
VARIABLE, JOURNAL, TOLD = "FAULTINJECT_JOURNAL", "journal.jsonl", ".told"
# A window of a call: what it is called, when it began and its test.
Key = tuple[str | None, float, str | None]


def collect(config: pytest.Config) -> None:
    """Collect for the report, and write it if this is the process that the user started.

    Raises:
        pytest.UsageError: it could not be written.
    """
    told = getattr(config, "workerinput", {}).get(FOLDER)
    if told is None:
        report = SessionReport(config)
        config.pluginmanager.register(report, "faultinject-report")
        told = report.folder, report.journal
    folder, journal = told
    write = partial(note_errors, Path(folder))
    verdicts.ended.append(write)
    config.add_cleanup(lambda: verdicts.ended.remove(write))
    of_report.append(journal)
    config.add_cleanup(lambda: of_report.remove(journal))


def note_errors(folder: Path, windows: Sequence[CallWindow]) -> None:
    """Write the messages of errors, which no journal has, to the file of this process."""
    with (folder / f"{os.getpid()}{TOLD}").open("a", encoding="utf-8") as file:
        for window in windows:
            if window.error is not None:
                # Not by msgspec: the text of an error may have half of a surrogate pair, as a name of a file has.
                file.write(f"{json_text([_key(window), window.error])}\n")


def _key(window: CallWindow) -> Key:
    return window.name, window.began, window.test


class SessionReport:
    """The report on the whole session.

    Attributes:
        folder: where the processes that run tests write what errors say.
        journal: the journal of all processes.

    Raises:
        pytest.UsageError: it could not be written.
    """

    def __init__(self, config: pytest.Config) -> None:
        given: str = config.getoption("faultinject_report")
        self._given = given
        self._fails = config.getoption("faultinject_report_fail")
        self._path = config.invocation_params.dir / given
        try:
            self._format = format_of(given, "html", option="--faultinject-report")
        except ConfigurationError as error:
            raise pytest.UsageError(str(error)) from None
        if not self._path.parent.is_dir():
            raise pytest.UsageError(f"--faultinject-report: there is no folder {str(self._path.parent)!r}")
        if self._path.is_dir():
            raise pytest.UsageError(
                f"--faultinject-report: {given!r} is a folder; name a file, such as report.html"
            )
        if self._format == "html" and find_spec("jinja2") is None:
            raise pytest.UsageError(
                "--faultinject-report: HTML needs jinja2:"
                ' pip install "faultinject[report]"; or name a file .txt or .json'
            )
        self._shared = given_journal(config.invocation_params.dir)
        self._kept = tempfile.TemporaryDirectory(prefix="faultinject-report-")
        self.folder = self._kept.name
        self._journal = Path(self.folder, JOURNAL)
        # Lines of earlier runs may stand in the user's own.
        self._begins = (
            self._shared.stat().st_size if self._shared is not None and self._shared.exists() else 0
        )
        self._environ = pytest.MonkeyPatch()
        # Tests may go to another directory.
        self.journal = str(self._shared or self._journal)
        self._environ.setenv(VARIABLE, self.journal)
        self._said = ""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker where to write."""
        node.workerinput[FOLDER] = self.folder, self.journal

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge what was collected, and write the report."""
        try:
            judgement = self._judge()
            if judgement is None:
                self._said = f"{self._given} is not written: no test with faults made a request"
                return
            self._path.write_text(render(judgement, self._format), encoding="utf-8")
        except (FaultInjectError, OSError) as error:
            self._said = f"{self._given} is not written: {error}"
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
            return
        self._said = f"{self._given}: {quoted(judgement.conclusion.sentence)}"
        if self._fails and judgement.conclusion.result == "fail":
            self._said += "; so the run fails (--faultinject-report-fail)"
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name the report, and sum it up."""
        terminalreporter.section("faultinject: report")
        terminalreporter.write_line(self._said)

    def _judge(self) -> Judgement | None:
        """The judgement of the journal's lines of this session; None if there is no journal."""
        if self._shared is not None and self._shared.exists():
            with self._shared.open("rb") as file, self._journal.open("wb") as own:
                file.seek(self._begins)
                shutil.copyfileobj(file, own)
        return judge_journal(self._journal, Path(self.folder)) if self._journal.exists() else None

    def pytest_unconfigure(self) -> None:
        """Remove the collected files."""
        self._environ.undo()
        self._kept.cleanup()


def given_journal(directory: Path) -> Path | None:
    """The file of FAULTINJECT_JOURNAL; None if the environment names none.

    Raises:
        pytest.UsageError: it is none that can be read again, such as a terminal.
    """
    given = value_of(os.environ, VARIABLE)
    if given is None:
        return None
    path = directory / given
    if path.exists() and not path.is_file():
        raise pytest.UsageError(f"--faultinject-report: {VARIABLE}: {given!r} is no file that can be read")
    return path


def judge_journal(journal: Path, folder: Path) -> Judgement | None:
    """The judgement of a run's journal, as `report --finished`; None without requests.

    Args:
        journal: the journal.
        folder: what the errors of calls say.
    """
    lines = (line for path in folder.glob(f"*{TOLD}") for line in path.read_text("utf-8").splitlines())
    words: dict[Key, str] = {(*key,): error for key, error in map(json.loads, lines)}
    paths = [str(journal)]
    told = [
        replace(window, error=words.get(_key(window), window.error)) for window in told_of(noted_lines(paths))
    ]
    skipped: dict[str, int] = {}
    requests = read(paths, skipped=skipped, one_machine=bool(told))
    judgement = judge(requests, told=told, until=inf, skipped=skipped)
    return judgement if judgement.attempts else None
