"""A plugin of the pytest whose suite `faultinject trial` runs: it says which test begins, and how each has ended.

It is loaded by a Python that need not have faultinject, so it imports nothing of it.
"""

from __future__ import annotations

import json
import os
import socket
from typing import Any

import pytest


class Trial:
    """Tells a trial over one connection, and waits for its word: the faults of a test are in force before it begins.

    The connection is made before any test: some suites allow none.

    Args:
        alone: whether no other process runs tests of this suite.
    """

    def __init__(self, *, alone: bool) -> None:
        # Beside other processes that run tests it can say which test runs, and not that no other does.
        self._word = "begin" if alone else "started"
        host, _, port = os.environ["TRIED_SUITE"].rpartition(":")
        self._stream = socket.create_connection((host, int(port))).makefile("rwb")
        self._only = os.environ.get("TRIED_TEST")
        self._ended: tuple[str, str] = ("passed", "")

    def tell(self, **said: Any) -> None:
        """Say it."""
        self._stream.write(json.dumps(said).encode() + b"\n")
        self._stream.flush()
        self._stream.readline()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Leave the one test that is wanted; if it is not there, name those that are."""
        if self._only is None:
            return
        wanted = [each for each in items if each.nodeid == self._only]
        for each in [] if wanted else items:
            self.tell(test=each.nodeid, outcome="skipped", said="")
        items[:] = wanted

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A file that cannot be loaded is a test that fails."""
        if report.failed:
            self.tell(test=report.nodeid, outcome="failed", said=str(report.longrepr).splitlines()[-1])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Called only in the process that runs the test, with its set-up and its end."""
        self._ended = ("passed", "")
        self.tell(**{self._word: item.nodeid})
        done = yield
        outcome, said = self._ended
        self.tell(test=item.nodeid, outcome=outcome, said=said)
        return done

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """The first phase that does not pass says how the test has ended, as pytest shows it: the test may run in a child."""
        if report.outcome == "passed" or self._ended[0] == "failed":
            return
        shown = report.longrepr
        crash = getattr(shown, "reprcrash", None)
        said = shown[2] if isinstance(shown, tuple) else str(shown) if crash is None else crash.message
        # One that plugins run again has failed, too: the next time no fault comes.
        self._ended = ("skipped" if report.skipped else "failed", said.rstrip())


def pytest_configure(config: pytest.Config) -> None:
    """Begin: who loads this listens."""
    trial = Trial(alone=not hasattr(config, "workerinput"))
    config.pluginmanager.register(trial, "faultinject-trial-connection")
