"""`--faultinject-report`: what the clients of all tests did about their faults, judged at the end of the session.

Each process that runs tests writes the journal of every block that ends to a file of its own; the one that the user
started reads them all.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from msgspec import convert
from msgspec.structs import asdict, replace

from faultinject.audit.judging import Judgement, judge
from faultinject.audit.reports import format_of, render
from faultinject.engine.request import LONGEST_TEXT
from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError, FaultInjectError
from faultinject.journal.call_window import CallWindow
from faultinject.journal.writing import JournalFile
from faultinject.rules.printed_json import json_text
from faultinject.testing import verdicts
from faultinject.testing.inject import Faults
from faultinject.testing.verdicts import DROPPED

FOLDER = "faultinject_report"
"""What xdist's workers are told: where they write."""
JOURNAL, TOLD = ".jsonl", ".told"


def collect(config: pytest.Config) -> None:
    """Collect for the report, and write it if this is the process that the user started.

    Raises:
        pytest.UsageError: it could not be written.
    """
    folder = getattr(config, "workerinput", {}).get(FOLDER)
    if folder is None:
        report = SessionReport(config)
        config.pluginmanager.register(report, "faultinject-report")
        folder = report.folder
    write = partial(note, Path(folder))
    verdicts.ended.append(write)
    config.add_cleanup(lambda: verdicts.ended.remove(write))


def note(folder: Path, faults: Faults, windows: Sequence[CallWindow]) -> None:
    """Write what happened in a block that is over, to the files of this process."""
    outcomes = faults.outcomes
    if not outcomes:
        return
    # A block of `inject()` knows of no test; pytest does.
    running = os.environ.get("PYTEST_CURRENT_TEST", "").rpartition(" ")[0][:LONGEST_TEXT] or None
    journal = JournalFile(str(folder / f"{os.getpid()}{JOURNAL}"))
    for outcome in outcomes:
        outcome.test = outcome.test or running
        journal.append(outcome)
    journal.close()
    with (folder / f"{os.getpid()}{TOLD}").open("a", encoding="utf-8") as file:
        for each in windows:
            # Not by msgspec: the text of an error may have half of a surrogate pair, as a name of a file has.
            file.write(f"{json_text(asdict(replace(each, test=each.test or running)))}\n")
        if dropped := faults.injector.journal.dropped:
            file.write(f"{dropped}\n")


class SessionReport:
    """The report on the whole session.

    Attributes:
        folder: where the processes that run tests write.

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
            from faultinject.installation import install_extra

            raise pytest.UsageError(
                f"--faultinject-report: HTML needs jinja2: {install_extra('report')}; or name a file .txt or .json"
            )
        self._kept = tempfile.TemporaryDirectory(prefix="faultinject-report-")
        self.folder = self._kept.name
        self._said = ""

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell an xdist worker where to write."""
        node.workerinput[FOLDER] = self.folder

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Judge what was collected, and write the report."""
        try:
            judgement = judge_folder(Path(self.folder))
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
        """Say where it is, and what it comes to."""
        terminalreporter.section("faultinject: report")
        terminalreporter.write_line(self._said)

    def pytest_unconfigure(self) -> None:
        """Remove what was collected."""
        self._kept.cleanup()


def judge_folder(folder: Path) -> Judgement | None:
    """The judgement of what all processes wrote; None when that is nothing."""
    from faultinject.journal.reading import read

    paths = sorted(map(str, folder.glob(f"*{JOURNAL}")))
    if not paths:
        return None
    windows = []
    skipped: dict[str, int] = {}
    for path in folder.glob(f"*{TOLD}"):
        for found in map(json.loads, path.read_text("utf-8").splitlines()):
            if isinstance(found, int):
                skipped[DROPPED] = skipped.get(DROPPED, 0) + found
            else:
                windows.append(convert(found, CallWindow))
    return judge(read(paths, skipped=skipped, one_machine=True), told=windows, skipped=skipped)
