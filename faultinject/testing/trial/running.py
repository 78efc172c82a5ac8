"""Runs the suite: against a store of this process, or with faults in the apps that it starts itself."""

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
from faultinject.exceptions import ConfigurationError, InjectionFailed
from faultinject.injector.session_sync import Session
from faultinject.journal.outcome import Outcome
from faultinject.rules.faults import OWN
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.triggers import TRIGGERS
from faultinject.rules.values import nearest
from faultinject.rules.vocabulary import reading_as
from faultinject.store import stores
from faultinject.testing.exploration import Program, ProgramFailed, choices_of, ended_by
from faultinject.testing.exploration.choices import Choice
from faultinject.testing.inject import Faults
from faultinject.testing.storage import served
from faultinject.testing.trial.comparison import (
    Result,
    SuiteComparison,
    SuiteRun,
    by_test,
    of_go,
    of_junit,
    spelled,
)
from faultinject.vendors.operations import operations_of
from faultinject.vendors.vendor import Addressing, with_placeholders

ONCE = {"times": "1", "per": "call"}
"""Of every call the first request fails, and a retry succeeds."""


def faults_of(given: Sequence[str], speaks: str) -> list[tuple[Rule, ...]]:
    """The rules of each run.

    Args:
        speaks: the vendor whose requests they meet.
        given: a vendor id, with conditions if need be, for its standard set; or rules, which get `times=1,per=call` unless
            they have triggers of their own.

    Raises:
        ConfigurationError: a rule is wrong, or a text has none.
    """
    found: list[tuple[Rule, ...]] = []
    names = operations_of(vendors.get(speaks)).names
    with reading_as(None if "PutObject" in names else speaks):
        for text in given:
            vendor = text.strip().partition(",")[0]
            if vendor not in OWN and vendors.known(vendor):
                choices = filter(_passes, choices_of([text]))
                found += filter(None, (tuple(_once(each)) for each in choices))
            else:
                rules = Scenario.parse(text).rules
                if not rules:
                    raise ConfigurationError("there is no rule: give one, such as 'cos:SlowDown,times=2'")
                found.append(tuple(map(_triggered, rules)))
    return list(dict.fromkeys(found))


def _passes(choice: Choice) -> bool:
    """Whether a client that retries gets over it, and every suite may go on in time."""
    return not (choice.lasts or choice.moves or choice.needs_checksum or choice.slow)


def _once(choice: Choice) -> Iterator[Rule]:
    """A rule for each place where the vendor's document has the fault, and the user wants it."""
    meant = operations_of(choice.rule.vendor).meant
    for where in choice.where or (choice.rule,):
        conditions: dict[str, tuple[str, ...]] = {}
        unless: dict[str, tuple[str, ...]] = {}
        for rule in dict.fromkeys((where, choice.rule, choice.within or choice.rule)):
            for key, values in rule.conditions.items():
                known = conditions.setdefault(key, values)
                if key == "method":
                    conditions[key] = tuple(each for each in known if each.upper() in map(str.upper, values))
                elif key == "operation" and known != values:
                    conditions[key] = tuple(sorted(meant(known) & meant(values)))
            for key, values in rule.unless.items():
                unless[key] = (*unless.get(key, ()), *values)
        if choice.invisible_on("HEAD") and conditions.keys().isdisjoint(("method", "operation")):
            unless["method"] = ("HEAD", *unless.get("method", ()))
        options = {**choice.rule.options, **ONCE}
        if all(conditions.values()):  # else no request is in both
            yield Rule.of_parts(choice.rule.fault, (None, conditions, unless, options))


def _triggered(rule: Rule) -> Rule:
    if any(key in TRIGGERS for key in rule.options):
        return rule
    name, conditions, unless, options = rule.parts
    return Rule.of_parts(rule.fault, (name, conditions, unless, {**options, **ONCE}))


BESIDE = Path(__file__).with_name("beside")
"""The folder of the plugins."""
LEEWAY, TIMES = 300.0, 10
"""A run may take so many seconds, and so many times the longest without faults."""
SEED = "0"
MAX_BYTES = 1024**3
"""What the store holds: some suites leave what they wrote to the last."""
TRIES = 4
"""How many requests are tried as the one that breaks a test."""
NO_TESTS = (
    "the command reported no test. pytest and Node's test runner need no option; run go test with -json; let any other runner"
    " write JUnit XML, and name its file with --junit"
)
NO_REQUEST = (
    "no test sent a request to the embedded store, so there is nothing to try. Its address is in the variable ENDPOINT and"
    " in those of the SDKs; for a server that the suite starts itself, give --app"
)
NO_REQUEST_OF_APP = (
    "no app that the suite starts saw a request, so there is nothing to try. Faults reach apps of a Python that has"
    " faultinject; without --app the suite gets a store"
)


LOOK = 1.0
"""Seconds after which the listening thread looks whether the run is over, where it could not be woken."""


class Teller:
    """For its block, listens on loopback.

    Args:
        begin: called before a test begins, if tests run one after another and their runner waits; it has the test's id.

    Attributes:
        results: what was said of tests that have ended, in that order.
    """

    def __init__(self, begin: Callable[[str], None]) -> None:
        self.results: list[Result] = []
        self._begin = begin
        self._began: dict[str, float] = {}
        self._lock = Lock()
        hear = self._hear

        class Connection(StreamRequestHandler):
            """One process of the suite."""

            def handle(self) -> None:
                """Answer each line when what it says is done; it ends where its process was killed, or is no runner."""
                with suppress(ConnectionError, json.JSONDecodeError):
                    for line in self.rfile:
                        hear(json.loads(line))
                        self.wfile.write(b"\n")

        self._server = ThreadingTCPServer(("127.0.0.1", 0), Connection)
        self._server.timeout = LOOK
        self._over = False
        self._thread = Thread(target=self._listen, daemon=True)

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of the suite needs for this."""
        return {"TRIED_SUITE": f"127.0.0.1:{self._server.server_address[1]}"}

    def _hear(self, said: dict[str, Any]) -> None:
        now = time.time()
        test = said.get("test") or said.get("begin") or said["started"]
        with self._lock:
            if "begin" in said:
                self._begin(test)
            if "test" not in said:
                self._began[test] = now
                return
            ended, began = said.get("ended", now), self._began.get(test)
            if "seconds" in said:  # it is Node's
                began = ended - said["seconds"]
            self.results.append(
                Result(test, said["outcome"], said["said"], began, ended, exact="seconds" not in said)
            )

    def _listen(self) -> None:
        while not self._over:
            self._server.handle_request()

    def __enter__(self) -> Teller:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over, port = True, self._server.server_address[1]
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", port), LOOK).close()  # wakes the thread
        self._thread.join()
        self._server.timeout = 0
        self._server.handle_request()  # one that came just now
        self._server.server_close()  # what is on its way is heard before


class Suite:
    """A command that runs tests; for its block the store is there.

    Args:
        command: its words.
        vendor: the vendor whose API it speaks.
        endpoints: the user's own host suffixes.
        sock: where the store listens; None: faults come in the apps that the suite starts.
        junit: the file of JUnit XML that the command writes; None: its runner is heard in another way.
        faster: the variables by which its clocks run faster, where they may.
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
        self._session: Session | None = None
        self._environ = {**os.environ, **_heard(os.environ)}
        if sock is None:
            self._session = Session()
            self._environ |= self._session.variables
            self._environ["PYTHONPATH"] += os.pathsep + str(BESIDE)
            return
        self._store, self._server = served(vendor, endpoints, sock=sock, max_bytes=MAX_BYTES)
        self._environ |= stores.find(vendor).environment(*sock.getsockname()[:2])

    def __enter__(self) -> Suite:
        if self.has_store:
            self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._session is None:
            self._server.stop()
        else:
            self._session.close()

    def run(
        self,
        rules: tuple[Rule, ...] = (),
        *,
        only: str | None = None,
        within: float | None = None,
        fast: bool = False,
    ) -> SuiteRun:
        """Run it once.

        Args:
            rules: the faults; none: no fault.
            only: the one test that is wanted, which pytest runs alone.
            within: seconds after which it is ended.
            fast: whether its clocks run faster, where they may.

        Raises:
            ConfigurationError: it cannot be started, or no runner was heard.
        """
        if self.has_store:
            self._store.reset()
        if self._junit is not None:
            Path(self._junit).unlink(missing_ok=True)
        test: str | None = None
        outcomes: dict[tuple[int, int], Outcome] = {}
        faults = Faults(Scenario.of_rules(rules, SEED), test=lambda: test, session=self._session)
        faults.injector.journal.reading = self._reading

        def note(found: Outcome) -> None:
            """Keep a request; where its end comes after the next test has begun, without that."""
            key = found.pid, found.seq
            if key not in outcomes or outcomes[key].test == found.test:
                outcomes[key] = found

        faults.injector.journal.follow(note)

        def note_elsewhere() -> None:
            """Keep the requests of the apps that the suite has started."""
            if self._session is not None:
                for each in faults.outcomes:
                    note(each)
                self._session.forget()

        def begin(following: str) -> None:
            """From here on each call gets its fault anew."""
            nonlocal test
            note_elsewhere()
            test = following
            faults.clear()
            if rules:
                faults.add(Scenario.of_rules(rules, None))

        heard: list[Result] = []
        environ = {**self._environ, **(self.faster if fast else {})}
        if only is not None:
            environ["TRIED_TEST"] = only
        began = time.monotonic()
        # A request without its fault breaks no test.
        with suppress(InjectionFailed), faults, Teller(begin) as teller:
            environ |= teller.variables
            program = Program(self.command, environ)
            try:
                code, output = program.run(within, read=lambda file: heard.extend(of_go(file)))
                ended = ended_by(code) if code else ""
            except ProgramFailed as error:
                output, ended = error.output, str(error)
        seconds = time.monotonic() - began
        note_elsewhere()
        heard += teller.results
        if self._junit is not None:
            heard += of_junit(self._junit)
        if not heard and not rules:
            raise ConfigurationError(f"{NO_TESTS}\nits output:\n{output}" if output else NO_TESTS)
        in_order = sorted(outcomes.values(), key=lambda each: each.arrived)
        return SuiteRun(rules, by_test(heard), in_order, seconds, ended)


def _heard(environ: Mapping[str, str]) -> dict[str, str]:
    """The variables by which pytest and Node's test runner load what tells of their tests."""
    added = {
        "PYTEST_ADDOPTS": "-p faultinject_trial",
        "NODE_OPTIONS": f"--test-reporter={(BESIDE / 'node_reporter.mjs').as_uri()}",
        "PYTHONPATH": str(BESIDE),
    }
    between = {"PYTHONPATH": os.pathsep}
    return {
        name: between.get(name, " ").join(filter(None, (environ.get(name), value)))
        for name, value in added.items()
    }


class Trial:
    """All runs: two without faults (three where the second was faster and ended in another way), one for each fault, one for each cause that was found.

    Args:
        suite: what is run.
        faults: the rules of each run.
        only: the one test that is judged; None: all.
        within: seconds that a run may take; None: many times what one without faults takes.
        watch: called when a run begins.

    Attributes:
        comparison: what is known; None before the runs without faults are over.
        smallest: by test, for one test of each cause, the smallest rule that breaks it, where one was found.
        tried: by test, with how many of its requests alone a run was made.
        too_fast: the tests that end in another way without faults when clocks run faster; they may be flaky, too.
        doing: what is done now.
    """

    def __init__(
        self,
        suite: Suite,
        faults: Sequence[tuple[Rule, ...]],
        *,
        only: str | None = None,
        within: float | None = None,
        watch: Callable[[], object],
    ) -> None:
        self.comparison: SuiteComparison | None = None
        self.smallest: dict[str, Rule] = {}
        self.tried = Counter[str]()
        self.too_fast: list[str] = []
        self.doing = "run without faults"
        self._suite = suite
        self._faults = faults
        self._only = only
        self._within = within
        self._watch = watch
        self._took: list[float] = []
        self._began = 0.0
        self._left = len(faults) + 2

    def how_far(self) -> str:
        """What is done now, and the time that is left where it is known: not in a run that takes longer than those before."""
        done = time.monotonic() - self._began
        usual = sum(self._took) / max(1, len(self._took))
        if done >= usual:
            return self.doing
        left = self._left * usual - done
        return (
            f"{self.doing}, about {left / 60:.0f} min left"
            if left > 90
            else f"{self.doing}, about {left:.0f} s left"
        )

    def carry_out(self) -> None:
        """Make one run after the other.

        Raises:
            ConfigurationError: nothing could be judged, or there is no test of that name; the message says why.
        """
        bare = []
        within = self._within
        for fast in (False, True):
            bare.append(self._run((), within, fast=fast))
            within = self._within or TIMES * max(each.seconds for each in bare) + LEEWAY
            self._refuse_only(bare[0])
            if not bare[0].outcomes and not bare[0].fails:
                raise ConfigurationError(NO_REQUEST if self._suite.has_store else NO_REQUEST_OF_APP)
            self._left -= 1
        comparison = SuiteComparison(bare, self._only)
        if self._suite.faster and (comparison.flaky or comparison.ended):
            differ = comparison.flaky
            bare[1] = self._run((), within)  # the speed may be why
            comparison = SuiteComparison(bare, self._only)
            self.too_fast = [each for each in differ if each not in comparison.flaky]
        self.comparison = comparison
        if not comparison.judged or not bare[0].outcomes:
            return
        self._left = len(self._faults)
        for number, rules in enumerate(self._faults, 1):
            self.doing = f"fault {number} of {len(self._faults)} ({spelled(rules)})"
            run = self._run(rules, within, fast=True)
            if self._suite.faster and (comparison.broken_in(run) or comparison.missing_in(run)):
                self.doing += ", in real time"
                run = self._run(rules, within)  # the speed may be why
            comparison.runs.append(run)
            self._left -= 1
        groups = comparison.groups
        self._took.clear()
        self._left = len(groups)
        for number, (first, *_) in enumerate(groups, 1):
            self.doing = f"smallest rule {number} of {len(groups)}"
            for rule in first.smaller[:TRIES]:
                run = self._run((rule,), within, only=first.test)
                self.tried[first.test] += 1
                if first.test in {each.test for each in comparison.broken_in(run)}:
                    self.smallest[first.test] = rule
                    break
            self._left -= 1

    def _run(
        self, rules: tuple[Rule, ...], within: float | None, only: str | None = None, *, fast: bool = False
    ) -> SuiteRun:
        self._began = time.monotonic()
        self._watch()
        run = self._suite.run(rules, only=only or self._only, within=within, fast=fast)
        self._took.append(run.seconds)
        return run if self.comparison is None else self.comparison.named(run)

    def _refuse_only(self, run: SuiteRun) -> None:
        if self._only is None or self._only in run.results:
            return
        if with_placeholders(self._only) not in {each.alike for each in run.results.values()}:
            raise ConfigurationError(
                f"--only {self._only}: the suite has no such test{nearest(self._only, run.results)}"
            )
