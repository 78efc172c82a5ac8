"""Runs a test suite against a store in this process, or with faults in the suite's apps."""

from __future__ import annotations

import json
import os
import socket
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Lock, Thread
from types import MappingProxyType, TracebackType
from typing import Any

from faultinject import vendors
from faultinject.exceptions import ConfigurationError, InjectionFailedError, ProgramFailedError
from faultinject.injector.session_sync import Session
from faultinject.journal.outcome import Outcome
from faultinject.processes import cause_in
from faultinject.rules.faults import OWN
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.triggers import TRIGGERS
from faultinject.rules.values import nearest
from faultinject.rules.vocabulary import reading_as
from faultinject.testing.exploration.choices import Choice, choices_of
from faultinject.testing.exploration.programs import Program, ended_by
from faultinject.testing.inject import Faults
from faultinject.testing.trial.comparison import (
    Place,
    Result,
    SuiteComparison,
    SuiteRun,
    by_test,
    lasts,
    of_go,
    of_junit,
    spelled,
)
from faultinject.vendors.addressing import Addressing, with_placeholders
from faultinject.vendors.operations import operations_of

ONCE = {"times": "1", "per": "call"}
"""The triggers of a fault at the first request of every call: a retry succeeds."""
FOR_GOOD = {"from": "1"}
"""The trigger of a fault at all requests."""
WRITES = ("PUT", "POST", "PATCH", "DELETE")


def faults_of(texts: Sequence[str], speaks: str) -> list[tuple[Rule, ...]]:
    """The rules of each run.

    Args:
        texts: a vendor id, with conditions or without, stands for its standard set; rules get
            `times=1,per=call` unless they have triggers of their own.
        speaks: the vendor of the store.

    Raises:
        ConfigurationError: a rule is wrong, or a text has none.
    """
    runs: list[tuple[Rule, ...]] = []
    names = operations_of(vendors.get(speaks)).names
    with reading_as(None if "PutObject" in names else speaks):
        for text in texts:
            vendor = text.strip().partition(",")[0]
            if vendor not in OWN and vendors.known(vendor):
                choices = choices_of([text])
                passing = filter(_passes, choices)
                runs += filter(None, (tuple(_rules_once(choice)) for choice in passing))
                runs += _lasting_faults(choices)
            else:
                rules = Scenario.parse(text).rules
                if not rules:
                    raise ConfigurationError("there is no rule: give one, such as 'cos:SlowDown,times=2'")
                runs.append(tuple(map(_with_triggers, rules)))
    return list(dict.fromkeys(runs))


def _passes(choice: Choice) -> bool:
    """Whether a client that retries copes with a fault without a long wait."""
    return not (choice.lasts or choice.replaces_object or choice.needs_checksum or choice.slow)


def _lasting_faults(choices: Sequence[Choice]) -> list[tuple[Rule, ...]]:
    """The faults of a set that stay: an outage of all writes, and expired credentials."""
    within = choices[0].within
    _, conditions, unless, _ = (None, {}, {}, {}) if within is None else within.parts
    vendor = next(
        (choice.rule.options.get("vendor") for choice in choices if choice.rule.fault == "reset"), None
    )
    options = {**FOR_GOOD, **({"vendor": vendor} if vendor else {})}
    outage = Rule.of_parts("http:503", (None, {"method": WRITES, **conditions}, unless, options))
    expired = [
        Rule.of_parts(choice.rule.fault, (None, conditions, unless, FOR_GOOD))
        for choice in choices
        if choice.lasts
    ]
    return [(rule,) for rule in (outage, *expired)]


def _rules_once(choice: Choice) -> Iterator[Rule]:
    """A rule for each place in which the vendor's document has the fault and the user wants it."""
    recognised_for = operations_of(choice.rule.vendor).recognised_for
    for where in choice.where or (choice.rule,):
        conditions: dict[str, tuple[str, ...]] = {}
        unless: dict[str, tuple[str, ...]] = {}
        for rule in dict.fromkeys((where, choice.rule, choice.within or choice.rule)):
            for key, values in rule.conditions.items():
                known = conditions.setdefault(key, values)
                if key == "method":
                    conditions[key] = tuple(
                        method for method in known if method.upper() in map(str.upper, values)
                    )
                elif key == "operation" and known != values:
                    conditions[key] = tuple(sorted(recognised_for(known) & recognised_for(values)))
            for key, values in rule.unless.items():
                unless[key] = (*unless.get(key, ()), *values)
        if choice.invisible_on("HEAD") and conditions.keys().isdisjoint(("method", "operation")):
            unless["method"] = ("HEAD", *unless.get("method", ()))
        options = {**choice.rule.options, **ONCE}
        if all(conditions.values()):  # an empty value means that no request meets both conditions
            yield Rule.of_parts(choice.rule.fault, (None, conditions, unless, options))


def _with_triggers(rule: Rule) -> Rule:
    if any(key in TRIGGERS for key in rule.options):
        return rule
    name, conditions, unless, options = rule.parts
    return Rule.of_parts(rule.fault, (name, conditions, unless, {**options, **ONCE}))


BESIDE = Path(__file__).with_name("beside")
"""The folder of the plugins for the suite's own pytest and Node."""
LEEWAY, TIMES = 300.0, 10
"""The time limit of a run: 300 seconds, and 10 times the longest run without faults."""
SEED = "0"
MAX_BYTES = 1024**3
"""The maximum size of the store in bytes: some suites remove nothing before their end."""
MAX_SMALLER_RULES = 4
"""The maximum number of requests that are tried as the one that breaks a test."""
NO_TESTS = "the command reported no test"
HOW_TESTS_ARE_REPORTED = (
    "pytest and Node's test runner need no option; run go test with -json; let"
    " any other runner write JUnit XML, and name its file with --results"
)
NO_REQUEST = (
    "no test sent a request to the embedded store, so there is nothing to try. Its address is in the variable"
    " ENDPOINT and in those of the SDKs; for a server that the suite starts itself, give --app"
)
NO_REQUEST_OF_APP = (
    "no app that the suite starts saw a request, so there is nothing to try. Faults reach apps of a Python"
    " that has faultinject; without --app the suite gets a store"
)
WITHOUT_US = (
    "moto answers the requests in a Python that has no faultinject: install faultinject in the environment"
    " of the suite, so that faults come inside mock_aws"
)


POLL_SECONDS = 0.05
"""Seconds after which the listening thread checks again whether the run is over."""


class RunnerListener:
    """Listens on loopback to the test runners of a suite.

    Args:
        begin: called with the id of a test before it begins, if one process runs all tests, one after another.
        enter: called with true before the body of such a test, and with false after it.

    Attributes:
        results: the results of finished tests, in order.
        mocked_without_us: the library, such as moto, that mocks storage in a Python of the suite that has no
            faultinject; empty: none.
    """

    def __init__(self, begin: Callable[[str], None], enter: Callable[[bool], None]) -> None:
        self.results: list[Result] = []
        self.mocked_without_us = ""
        self._begin = begin
        self._enter = enter
        self._began: dict[str, float] = {}
        self._lock = Lock()
        take = self._take

        class RunnerConnection(StreamRequestHandler):
            """The connection of one process of the suite."""

            def handle(self) -> None:
                """Take each line, and answer it: the runner waits for the answer."""
                # The process may be killed, or may not be a test runner.
                with suppress(ConnectionError, json.JSONDecodeError):
                    for line in self.rfile:
                        take(json.loads(line))
                        self.wfile.write(b"\n")

        self._server = ThreadingTCPServer(("127.0.0.1", 0), RunnerConnection)

    @property
    def variables(self) -> dict[str, str]:
        """The variables by which the suite finds this listener."""
        return {"TRIED_SUITE": f"127.0.0.1:{self._server.server_address[1]}"}

    def _take(self, event: dict[str, Any]) -> None:
        now = time.time()
        if "lacks" in event:
            self.mocked_without_us = event["lacks"]
            return
        if "body" in event:
            self._enter(event["body"])
            return
        test = event.get("test") or event.get("begin") or event["started"]
        with self._lock:
            if "begin" in event:
                self._begin(test)
            if "test" not in event:
                self._began[test] = now
                return
            ended, began = event.get("ended", now), self._began.get(test)
            of_node = "seconds" in event
            if of_node:
                began = ended - event["seconds"]
            self.results.append(
                Result(
                    test,
                    event["outcome"],
                    event["said"],
                    began,
                    ended,
                    exact=not of_node,
                    shown=event.get("shown", ""),
                    refused=event.get("refused", ""),
                    own=event.get("own", ""),
                )
            )

    def __enter__(self) -> RunnerListener:
        Thread(target=self._server.serve_forever, args=(POLL_SECONDS,), daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.timeout = 0
        self._server.handle_request()  # a connection that came just now
        self._server.server_close()  # waits for the lines of all connections


class SuiteCommand:
    """A command that runs tests, and the store that it uses.

    Args:
        command: the program and its arguments.
        vendor: the vendor of the store.
        endpoints: the user's own host suffixes.
        sock: the socket of the store; None: faults come in the apps that the suite starts.
        junit: the file of JUnit XML that the command writes; None: its test runner reports in another way.
        faster: the variables by which the clocks of the command run faster; empty: they never do.

    Attributes:
        mocked_without_us: as for `RunnerListener`, in the last run.
        reports_bodies: whether its runner reports when the body of a test begins.
    """

    def __init__(
        self,
        command: Sequence[str],
        vendor: str,
        endpoints: tuple[str, ...],
        *,
        sock: socket.socket | None,
        junit: str | None = None,
        faster: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.command = command
        self.faster = faster
        self.has_store = sock is not None
        self._junit = junit
        self._reading = Addressing(vendors.get(vendor), endpoints)
        self._session = Session()
        self.mocked_without_us = ""
        self.reports_bodies = False
        self._environ = {
            **os.environ,
            **_reporter_variables(os.environ),
            "TRIED_SESSION": self._session.path,
            "TRIED_STORE": "",
        }
        if sock is None:
            self._environ |= self._session.variables
            self._environ["PYTHONPATH"] += os.pathsep + str(BESIDE)
            return
        from faultinject.store import stores
        from faultinject.testing.storage import own_injector, store_and_server

        host, store_port = sock.getsockname()[:2]
        self._environ["TRIED_STORE"] = f"{host}:{store_port}"
        self._store, self._server = store_and_server(
            vendor, endpoints, own_injector(), sock=sock, max_bytes=MAX_BYTES
        )
        self._environ |= stores.find(vendor).environment(host, store_port)

    def __enter__(self) -> SuiteCommand:
        if self.has_store:
            self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.has_store:
            self._server.stop()
        self._session.close()

    def run(
        self,
        rules: tuple[Rule, ...] = (),
        *,
        only: str | None = None,
        within: float | None = None,
        fast: bool = False,
    ) -> SuiteRun:
        """Run the command once.

        Args:
            rules: the faults; empty: none.
            only: the test that pytest runs alone; None: all tests.
            within: seconds after which the command is ended.
            fast: whether its clocks run faster.

        Raises:
            ConfigurationError: it cannot be started, or no test runner reported a test.
        """
        if self.has_store:
            self._store.reset()
        if self._junit is not None:
            Path(self._junit).unlink(missing_ok=True)
        test: str | None = None
        outcomes: dict[tuple[int, int], Outcome] = {}
        stays = lasts(rules)
        faults = Faults(
            Scenario.of_rules(() if stays else rules, SEED), test=lambda: test, session=self._session
        )
        faults.injector.journal.reading = self._reading

        def note(outcome: Outcome) -> None:
            """Keep a request; an update that comes after the next test has begun is dropped."""
            key = outcome.pid, outcome.seq
            if key not in outcomes or outcomes[key].test == outcome.test:
                outcomes[key] = outcome

        faults.injector.journal.follow(note)

        def note_elsewhere() -> None:
            """Keep the requests to apps in other processes, and to moto."""
            for outcome in faults.outcomes:
                note(outcome)
            self._session.forget()

        def begin(following: str) -> None:
            """Reset the counts of the faults, so that each call of the test gets its own."""
            nonlocal test
            note_elsewhere()
            test = following
            faults.clear()
            if rules and not stays:
                faults.add(Scenario.of_rules(rules, None))

        def enter(body_begins: bool) -> None:
            """Begin a fault that stays with the body of a test, and end it there."""
            self.reports_bodies = True
            if stays and body_begins:
                faults.add(Scenario.of_rules(rules, None))
            elif stays:
                faults.clear()

        results: list[Result] = []
        environ = {**self._environ, **(self.faster if fast else {})}
        if only is not None:
            environ["TRIED_TEST"] = only
        began = time.monotonic()
        # An internal error lets a request pass without its fault, which breaks no test.
        with suppress(InjectionFailedError), faults, RunnerListener(begin, enter) as listener:
            environ |= listener.variables
            program = Program(self.command, environ)
            try:
                code, output = program.run(within, read=lambda file: results.extend(of_go(file)))
                ended = ended_by(code) if code else ""
            except ProgramFailedError as error:
                output, ended = error.output, str(error)
        seconds = time.monotonic() - began
        note_elsewhere()
        self.mocked_without_us = listener.mocked_without_us
        results += listener.results
        if self._junit is not None:
            results += of_junit(self._junit)
        if not results and not rules:
            cause = cause_in(output) if ended else ""
            problem = f"{NO_TESTS}: {cause}\n" if cause else f"{NO_TESTS}. "
            more = f"\nits output:\n{output}" if output else ""
            raise ConfigurationError(f"{problem}{HOW_TESTS_ARE_REPORTED}{more}")
        in_order = sorted(outcomes.values(), key=lambda outcome: outcome.arrived)
        return SuiteRun(rules, by_test(results), in_order, seconds, ended)


def _reporter_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables by which pytest and Node's test runner load our reporters."""
    added = {
        "PYTEST_ADDOPTS": "-p faultinject_trial",
        "NODE_OPTIONS": f"--test-reporter={(BESIDE / 'node_reporter.mjs').as_uri()}",
        "PYTHONPATH": str(BESIDE),
    }
    separators = {"PYTHONPATH": os.pathsep}
    return {
        name: separators.get(name, " ").join(filter(None, (environ.get(name), value)))
        for name, value in added.items()
    }


class SuiteTrial:
    """Runs the suite twice without faults, once per fault, and once per cause that was found.

    Args:
        suite: the suite.
        faults: the rules of each run.
        only: the one test that is judged; None: all tests.
        within: the time limit of a run in seconds; None: many times the time without faults.
        watch: called when a run begins.

    Attributes:
        comparison: the results so far; None before the runs without faults are over.
        smallest: by place of a breakage, for one test of each cause, the smallest rule that breaks it, if one was
            found.
        tried: by place, the number of the test's requests that got a run of their own.
        too_fast: the tests with another outcome without faults if clocks run faster; they may be flaky, too.
        doing: the present step, for the progress line.
    """

    def __init__(
        self,
        suite: SuiteCommand,
        faults: Sequence[tuple[Rule, ...]],
        *,
        only: str | None = None,
        within: float | None = None,
        watch: Callable[[], object],
    ) -> None:
        self.comparison: SuiteComparison | None = None
        self.smallest: dict[Place, Rule] = {}
        self.tried = Counter[Place]()
        self.too_fast: list[str] = []
        self.doing = "run without faults"
        self._suite = suite
        self._faults = faults
        self._only = only
        self._within = within
        self._watch = watch
        self._durations: list[float] = []
        self._began = 0.0
        self._left = len(faults) + 2

    def how_far(self) -> str:
        """The present step, and the time left unless the run is already longer than usual."""
        done = time.monotonic() - self._began
        usual = sum(self._durations) / max(1, len(self._durations))
        if done >= usual:
            return self.doing
        seconds_left = self._left * usual - done
        return (
            f"{self.doing}, about {seconds_left / 60:.0f} min left"
            if seconds_left > 90
            else f"{self.doing}, about {seconds_left:.0f} s left"
        )

    def carry_out(self) -> None:
        """Make one run after the other.

        Raises:
            ConfigurationError: no test made a request, or there is no test of that name.
        """
        bare = []
        within = self._within
        for fast in (False, True):
            bare.append(self._run((), within, fast=fast))
            within = self._within or TIMES * max(run.seconds for run in bare) + LEEWAY
            self._refuse_only(bare[0])
            if self._suite.mocked_without_us and (bare[0].fails or not bare[0].outcomes):
                raise ConfigurationError(WITHOUT_US)
            if not bare[0].outcomes and not bare[0].fails:
                raise ConfigurationError(NO_REQUEST if self._suite.has_store else NO_REQUEST_OF_APP)
            self._left -= 1
        comparison = SuiteComparison(bare, self._only)
        if self._suite.faster and (comparison.flaky or comparison.ended):
            # The second run had faster clocks and another result: a third run shows whether the speed is the reason.
            flaky = comparison.flaky
            bare[1] = self._run((), within)
            comparison = SuiteComparison(bare, self._only)
            self.too_fast = [test for test in flaky if test not in comparison.flaky]
        self.comparison = comparison
        if not comparison.judged or not bare[0].outcomes:
            return
        if not self._suite.reports_bodies:
            self._faults = [rules for rules in self._faults if not lasts(rules)]
        self._left = len(self._faults)
        for number, rules in enumerate(self._faults, 1):
            self.doing = f"fault {number} of {len(self._faults)} ({spelled(rules)})"
            run = self._run(rules, within, fast=True)
            if self._suite.faster and (comparison.broken_in(run) or comparison.missing_in(run)):
                self.doing += ", in real time"
                run = self._run(rules, within)  # the speed may be the reason
            comparison.runs.append(run)
            self._left -= 1
        groups = comparison.groups
        self._durations.clear()
        self._left = len(groups)
        for number, (first, *_) in enumerate(groups, 1):
            self.doing = f"smallest rule {number} of {len(groups)}"
            for rule in () if first.run.lasts else first.smaller[:MAX_SMALLER_RULES]:
                run = self._run((rule,), within, only=first.test)
                self.tried[first.place] += 1
                if first.test in {breakage.test for breakage in comparison.broken_in(run)}:
                    self.smallest[first.place] = rule
                    break
            self._left -= 1

    def _run(
        self, rules: tuple[Rule, ...], within: float | None, only: str | None = None, *, fast: bool = False
    ) -> SuiteRun:
        self._began = time.monotonic()
        self._watch()
        run = self._suite.run(rules, only=only or self._only, within=within, fast=fast)
        self._durations.append(run.seconds)
        return run if self.comparison is None else self.comparison.named(run)

    def _refuse_only(self, run: SuiteRun) -> None:
        if self._only is None or self._only in run.results:
            return
        if with_placeholders(self._only) not in {result.stable_id for result in run.results.values()}:
            raise ConfigurationError(
                f"--only {self._only}: the suite has no such test{nearest(self._only, run.results)}"
            )
