"""A plugin for a suite's own pytest, which reports the beginning and the end of each test.

`faultinject trial` runs the suite. The suite's Python needs faultinject only if moto answers its requests, as faults
inside moto need it.
"""

from __future__ import annotations

import json
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

import pytest

TEST_CLIENTS = {
    "werkzeug.test": ("Client", "open"),
    "starlette.testclient": ("TestClient", "request"),
    "django.test.client": ("Client", "request"),
}
"""By module, the client for a test's own app, and its method that returns the answer."""


class Reporter:
    """Reports tests over one connection, and waits for an answer before each test.

    The wait ensures that the faults of a test are in force before it begins. The connection is made before any test, as
    some suites forbid connections in tests.

    Args:
        alone: whether no other process runs tests of this suite.
    """

    def __init__(self, *, alone: bool) -> None:
        # `begin` means that no other test runs, but a worker of xdist does not know that.
        self._begin_key = "begin" if alone else "started"
        host, _, port = os.environ["TRIED_SUITE"].rpartition(":")
        self._stream = socket.create_connection((host, int(port))).makefile("rwb")
        self._only = os.environ.get("TRIED_TEST")
        self._ended: tuple[str, str, str] = ("passed", "", "")
        self._unseen: dict[int, str] = {}
        self._asks_app = False
        self._own = ""
        self._unwatched = dict(TEST_CLIENTS)
        self._moto = MotoWatch()
        self._moto.begin()

    def tell(self, **event: Any) -> None:
        """Send a line, and wait for the answer."""
        self._stream.write(json.dumps(event).encode() + b"\n")
        self._stream.flush()
        self._stream.readline()

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Keep the one wanted test; without it, report the names of all tests."""
        if self._only is None:
            return
        wanted = [item for item in items if item.nodeid == self._only]
        for item in [] if wanted else items:
            self.tell(test=item.nodeid, outcome="skipped", said="")
        items[:] = wanted

    def pytest_collection_finish(self) -> None:
        """Report a moto that faults cannot reach."""
        if "moto" in sys.modules and not self._moto.is_reached:
            self.tell(lacks="moto")

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Report a file that cannot be loaded as a test that fails."""
        if report.failed:
            self.tell(test=report.nodeid, outcome="failed", said=str(report.longrepr).splitlines()[-1])

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Any:
        """Report the beginning and the end of a test, with its set-up and tear-down."""
        self._ended = ("passed", "", "")
        self._unseen.clear()
        self._asks_app, self._own = False, ""
        self._watch_clients()
        self.tell(**{self._begin_key: item.nodeid})
        done = yield
        outcome, message, shown = self._ended
        refused = next(iter(self._unseen.values()), "")
        own = self._own if self._asks_app else ""
        self.tell(test=item.nodeid, outcome=outcome, said=message, shown=shown, refused=refused, own=own)
        return done

    def _watch_clients(self) -> None:
        """Note the errors of the app under test from now on, for test clients that are imported."""
        for name in self._unwatched.keys() & sys.modules.keys():
            kind, method = self._unwatched.pop(name)
            client = getattr(sys.modules[name], kind)
            setattr(client, method, self._noting_errors(getattr(client, method)))

    def _noting_errors(self, ask: Any) -> Any:
        @wraps(ask)
        def ask_and_note(*args: Any, **options: Any) -> Any:
            self._asks_app = True
            answer = ask(*args, **options)
            status = getattr(answer, "status_code", 0)
            if status >= 500:
                number = len(self._unseen)
                self._unseen[number] = f"{_request_line(answer.request)} got {status}"
                _call_when_read(answer, lambda: self._unseen.pop(number, None))
            return answer

        return ask_and_note

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self) -> Any:
        """Report the body of a test: faults that stay come there, as they would break its fixtures."""
        if self._begin_key != "begin":
            return (yield)
        self.tell(body=True)
        try:
            return (yield)
        finally:
            self.tell(body=False)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the first phase that does not pass as the result of the test.

        The report has the text also if the test ran in a child process.
        """
        if report.outcome == "passed" or self._ended[0] == "failed":
            return
        shown = report.longrepr
        crash = getattr(shown, "reprcrash", None)
        if isinstance(shown, tuple):
            message = shown[2]
        elif crash is None:
            message = str(shown)
        else:
            message = crash.message
        # A test that a plugin runs again counts as failed; its next attempt gets no fault.
        self._ended = ("skipped" if report.skipped else "failed", message.rstrip(), report.longreprtext)
        self._own = _own_request(report)


CLIENTS = {"boto3", "botocore"}
"""The packages of clients by which a test may ask the store itself."""
STATUS = ("status_code", "status", "ok", "is_success", "is_error", "is_server_error", "raise_for_status")
"""The attributes of answers by which a test sees that a request failed."""


def _call_when_read(answer: Any, seen: Callable[[], object]) -> None:
    """Call a function when somebody reads the status of an answer."""
    kind = type(answer)

    class Watched(kind):  # type: ignore[misc, valid-type]
        def __getattribute__(self, name: str) -> Any:
            if name in STATUS:
                seen()
            return super().__getattribute__(name)

        def __repr__(self) -> str:
            # pytest calls this to show the answer of a failed assertion; the test itself has not read the status.
            self.__class__ = kind
            try:
                return repr(self)
            finally:
                self.__class__ = Watched

    Watched.__name__, Watched.__qualname__, Watched.__module__ = (
        kind.__name__,
        kind.__qualname__,
        kind.__module__,
    )
    with suppress(TypeError):  # a class with slots
        answer.__class__ = Watched


def _own_request(report: pytest.TestReport) -> str:
    """The line of the test's file whose call of botocore's client failed, or an empty text."""
    entries = getattr(getattr(report.longrepr, "reprtraceback", None), "reprentries", ())
    places = [place for entry in entries if (place := getattr(entry, "reprfileloc", None))]
    file = report.nodeid.partition("::")[0]
    inner = next((number for number, place in enumerate(places) if not place.path.endswith(file)), 0)
    if not inner or CLIENTS.isdisjoint(places[inner].path.replace("\\", "/").split("/")):
        return ""
    return f"{file}:{places[inner - 1].lineno}"


def _request_line(request: Any) -> str:
    """The method and the path of a request of any of the test clients."""
    if isinstance(request, dict):
        return f"{request['REQUEST_METHOD']} {request['PATH_INFO']}"
    return f"{request.method} {request.path if hasattr(request, 'path') else request.url.path}"


class MotoWatch:
    """A finder that finds no module, but injects faults into moto when the suite imports it.

    A suite that uses no moto does not wait for faultinject to load.

    Attributes:
        is_reached: whether faults reach this Python's moto; None before moto is imported.
    """

    def __init__(self) -> None:
        self.is_reached: bool | None = None

    def begin(self) -> None:
        """Watch from now on; if moto is loaded already, inject at once."""
        sys.meta_path.insert(0, self)
        if "moto" in sys.modules:
            self.find_spec("moto")

    def find_spec(self, name: str, path: object = None, target: object = None) -> None:  # noqa: ARG002 - a finder's
        """Inject faults before the first import of moto."""
        if name != "moto" or self.is_reached is not None:
            return
        try:
            from faultinject.testing.trial import mocked
        except ImportError:
            self.is_reached = False
        else:
            self.is_reached = True
            mocked.begin(os.environ["TRIED_SESSION"], os.environ["TRIED_STORE"])


def pytest_configure(config: pytest.Config) -> None:
    """Connect to the listener of `faultinject trial`, which has loaded this plugin."""
    reporter = Reporter(alone=not hasattr(config, "workerinput"))
    config.pluginmanager.register(reporter, "faultinject-trial-connection")
