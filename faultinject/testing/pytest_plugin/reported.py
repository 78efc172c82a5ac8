"""Writes a report on the clients of all tests at the session's end: `--faultinject-report`.

All processes write one journal: that of FAULTINJECT_JOURNAL, or a temporary one. A process whose test names another
journal writes to both. At the end, the process that the user started judges the lines of this session.
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
from faultinject.journal.named_calls import read_named_calls
from faultinject.journal.reading import read
from faultinject.journal.sources import noted_lines
from faultinject.journal.writing import report_files
from faultinject.rules.printed_json import json_text
from faultinject.rules.variables import value_of
from faultinject.testing import verdicts

FOLDER = "faultinject_report"
"""The key under which xdist's workers get the paths of the folder and the journal."""
VARIABLE, JOURNAL, ERRORS = "FAULTINJECT_JOURNAL", "journal.jsonl", ".errors"
# A call: its name, its beginning and its test.
Key = tuple[str | None, float, str | None]


def collect(config: pytest.Config) -> None:
    """Collect for the report; the process that the user started also writes it.

    Raises:
        pytest.UsageError: the report could not be written.
    """
    paths = getattr(config, "workerinput", {}).get(FOLDER)
    if paths is None:
        report = SessionReport(config)
        config.pluginmanager.register(report, "faultinject-report")
        paths = report.folder, report.journal
    folder, journal = paths
    write = partial(note_errors, Path(folder))
    verdicts.ended.append(write)
    config.add_cleanup(lambda: verdicts.ended.remove(write))
    report_files.append(journal)
    config.add_cleanup(lambda: report_files.remove(journal))


def note_errors(folder: Path, windows: Sequence[CallWindow]) -> None:
    """Write the messages of the calls' errors, which no journal has, to a file of this process."""
    with (folder / f"{os.getpid()}{ERRORS}").open("a", encoding="utf-8") as file:
        for window in windows:
            if window.error is not None:
                # Not by msgspec, which refuses half of a surrogate pair; an error's text may have one.
                file.write(f"{json_text([_key(window), window.error])}\n")


def _key(window: CallWindow) -> Key:
    return window.name, window.began, window.test


class SessionReport:
    """The report on the whole session.

    Attributes:
        folder: the folder of the files with the messages of errors.
        journal: the path of the journal of all processes.

    Raises:
        pytest.UsageError: the report could not be written.
    """

    def __init__(self, config: pytest.Config) -> None:
        path_text: str = config.getoption("faultinject_report")
        self._path_text = path_text
        self._fails = config.getoption("faultinject_report_fail")
        self._path = config.invocation_params.dir / path_text
        try:
            self._format = format_of(path_text, "html", option="--faultinject-report")
        except ConfigurationError as error:
            raise pytest.UsageError(str(error)) from None
        if not self._path.parent.is_dir():
            raise pytest.UsageError(f"--faultinject-report: there is no folder {str(self._path.parent)!r}")
        if self._path.is_dir():
            raise pytest.UsageError(
                f"--faultinject-report: {path_text!r} is a folder; name a file, such as report.html"
            )
        if self._format == "html" and find_spec("jinja2") is None:
            raise pytest.UsageError(
                "--faultinject-report: HTML needs jinja2:"
                ' pip install "faultinject[report]"; or name a file .txt or .json'
            )
        self._user_journal = given_journal(config.invocation_params.dir)
        self._temporary = tempfile.TemporaryDirectory(prefix="faultinject-report-")
        self.folder = self._temporary.name
        self._journal = Path(self.folder, JOURNAL)
        # The user's own journal may have lines of earlier runs.
        self._size_at_start = (
            self._user_journal.stat().st_size
            if self._user_journal is not None and self._user_journal.exists()
            else 0
        )
        self._environ = pytest.MonkeyPatch()
        # An absolute path: tests may change the working directory.
        self.journal = str(self._user_journal or self._journal)
        self._environ.setenv(VARIABLE, self.journal)
        self._summary = ""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Hand the paths to an xdist worker."""
        node.workerinput[FOLDER] = self.folder, self.journal

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge what was collected, and write the report."""
        try:
            judgement = self._judge()
            if judgement is None:
                self._summary = f"{self._path_text} is not written: no test with faults made a request"
                return
            self._path.write_text(render(judgement, self._format), encoding="utf-8")
        except (FaultInjectError, OSError) as error:
            self._summary = f"{self._path_text} is not written: {error}"
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
            return
        self._summary = f"{self._path_text}: {quoted(judgement.conclusion.sentence)}"
        if self._fails and judgement.conclusion.result == "fail":
            self._summary += "; so the run fails (--faultinject-report-fail)"
            if session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name the report and its conclusion."""
        terminalreporter.section("faultinject: report")
        terminalreporter.write_line(self._summary)

    def _judge(self) -> Judgement | None:
        """Judge the session's lines of the journal; None if there is no journal."""
        if self._user_journal is not None and self._user_journal.exists():
            with self._user_journal.open("rb") as file, self._journal.open("wb") as own:
                file.seek(self._size_at_start)
                shutil.copyfileobj(file, own)
        return judge_journal(self._journal, Path(self.folder)) if self._journal.exists() else None

    def pytest_unconfigure(self) -> None:
        """Remove the collected files."""
        self._environ.undo()
        self._temporary.cleanup()


def given_journal(directory: Path) -> Path | None:
    """The file of FAULTINJECT_JOURNAL; None if the environment names none.

    Raises:
        pytest.UsageError: it cannot be read again, such as a terminal.
    """
    path_text = value_of(os.environ, VARIABLE)
    if path_text is None:
        return None
    path = directory / path_text
    if path.exists() and not path.is_file():
        raise pytest.UsageError(
            f"--faultinject-report: {VARIABLE}: {path_text!r} is no file that can be read"
        )
    return path


def judge_journal(journal: Path, folder: Path) -> Judgement | None:
    """Judge a run's journal as `report --finished` does; None without requests.

    Args:
        journal: the journal.
        folder: the folder of the files with the messages of errors.
    """
    lines = (line for path in folder.glob(f"*{ERRORS}") for line in path.read_text("utf-8").splitlines())
    errors: dict[Key, str] = {(*key,): error for key, error in map(json.loads, lines)}
    paths = [str(journal)]
    windows = [
        replace(window, error=errors.get(_key(window), window.error))
        for window in read_named_calls(noted_lines(paths))
    ]
    skipped: dict[str, int] = {}
    requests = read(paths, skipped=skipped, one_machine=bool(windows))
    judgement = judge(requests, windows=windows, until=inf, skipped=skipped)
    return judgement if judgement.attempts else None
