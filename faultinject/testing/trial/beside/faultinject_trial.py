"""The plugin of a suite's pytest: it reports the beginning and the end of each test.

`faultinject trial` runs that suite. The plugin is loaded by a Python that need not have faultinject; if moto answers
requests, faults come only with it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from importlib.util import find_spec
from typing import Any

import pytest


class Trial:
    """Reports tests over one connection, and waits for an answer before each test.

    So the faults of a test are in force before it begins. The connection is made before any test: some suites allow
    none.

    Args:
        alone: whether no other process runs tests of this suite.
    """

    def __init__(self, *, alone: bool) -> None:
        # Beside other processes that run tests it can say which test runs, and not that no other does.
        self._word = "begin" if alone else "started"
        host, _, port = os.environ["TRIED_SUITE"].rpartition(":")
        self._stream = socket.create_connection((host, int(port))).makefile("rwb")
        self._only = os.environ.get("TRIED_TEST")
        self._ended: tuple[str, str, str] = ("passed", "", "")
        self._reaches_moto = _reach_moto()

    def tell(self, **said: Any) -> None:
        """Send a line, and wait for the answer."""
        self._stream.write(json.dumps(said).encode() + b"\n")
        self._stream.flush()
        self._stream.readline()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the one wanted test; if it is not there, name those that are."""
        if self._only is None:
            return
        wanted = [item for item in items if item.nodeid == self._only]
        for item in [] if wanted else items:
            self.tell(test=item.nodeid, outcome="skipped", said="")
        items[:] = wanted

    def pytest_collection_finish(self) -> None:
        """Say where moto answers requests that no fault can reach."""
        if "moto" in sys.modules and not self._reaches_moto:
            self.tell(lacks="moto")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Report a file that cannot be loaded as a test that fails."""
        if report.failed:
            self.tell(test=report.nodeid, outcome="failed", said=str(report.longrepr).splitlines()[-1])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Called only in the process that runs the test, with its set-up and its end."""
        self._ended = ("passed", "", "")
        self.tell(**{self._word: item.nodeid})
        done = yield
        outcome, said, shown = self._ended
        self.tell(test=item.nodeid, outcome=outcome, said=said, shown=shown)
        return done

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Any:
        """Faults that stay come in the body of the test: with them no fixture would get anywhere."""
        if self._word != "begin":
            return (yield)
        self.tell(body=True)
        try:
            return (yield)
        finally:
            self.tell(body=False)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first phase that does not pass as the end of the test, as pytest shows it.

        The test may run in a child.
        """
        if report.outcome == "passed" or self._ended[0] == "failed":
            return
        shown = report.longrepr
        crash = getattr(shown, "reprcrash", None)
        said = shown[2] if isinstance(shown, tuple) else str(shown) if crash is None else crash.message
        # A test that plugins run again has failed, too: the next time no fault comes.
        self._ended = ("skipped" if report.skipped else "failed", said.rstrip(), report.longreprtext)


def _reach_moto() -> bool:
    """Put faults into the moto of this Python; no if moto is there without faultinject.

    It must be done before any of the suite's files is loaded.
    """
    if find_spec("moto") is None:
        return True
    try:
        from faultinject.testing.trial import mocked
    except ImportError:
        return False
    mocked.begin(os.environ["TRIED_SESSION"], os.environ["TRIED_STORE"])
    return True


def pytest_configure(config: pytest.Config) -> None:
    """Register a connection to the listener: this plugin is loaded only if there is one."""
    trial = Trial(alone=not hasattr(config, "workerinput"))
    config.pluginmanager.register(trial, "faultinject-trial-connection")
