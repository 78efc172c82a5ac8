"""The hooks around tests that are marked or use the fixture `faults`.

The plugin imports this module if it has collected such a test.
"""

from __future__ import annotations

import os
import shlex
import unittest
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import pytest

from faultinject.counts.filelock import AVAILABLE
from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError, FaultInjectError
from faultinject.injector.session_sync import Session
from faultinject.journal.outcome import Outcome
from faultinject.rules.environment import is_switched_on
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario, gather
from faultinject.testing import unwrapped
from faultinject.testing.decorating import decorate
from faultinject.testing.inject import Faults
from faultinject.testing.nearest import met_conditions, nearest_request
from faultinject.testing.pytest_plugin import MARKERS, SEED, UNMATCHED, needs_faults, patch

if TYPE_CHECKING:
    from _pytest.nodes import Node

    from faultinject.testing.pytest_plugin.explored import ExploredRun


TEST_CLIENT = "testclient"
"""The client's address of Starlette's and FastAPI's test client."""
SHOWN = 20
"""The most requests that are shown at the beginning, and again at the end."""
LONGEST = 100
"""The most characters of a request that are shown."""
Row = tuple[str, str, str, str, str]


def failure_text(faults: Faults, config: pytest.Config) -> str:
    """The rules, the seed and a table of the requests; text from requests is escaped."""
    outcomes = faults.outcomes
    head = [*hint_if_app_got_faults(outcomes, faults.rules, config), f"seed {quoted(faults.seed)}"]
    head += [
        f"{name}: {quoted(str(rule))}"
        for name, rule in zip(faults.injector.counts(), faults.rules, strict=True)
    ]
    head.append(
        f"{faults.injected} of {len(outcomes)} requests got a fault" if outcomes else "no request was seen"
    )
    head += [f"error inside faultinject: {quoted(repr(error))}" for error in faults.injector.errors]
    return "\n".join([*head, *_table(list(_rows(outcomes)))])


def hint_if_app_got_faults(
    outcomes: Iterable[Outcome], rules: Iterable[Rule], config: pytest.Config
) -> list[str]:
    """A hint if the app under test got faults, although the session has a store.

    Requests to the store come over a connection, and requests of a test client do not. If a rule has a path or a host,
    there is no hint, as the rule may be meant for the app.
    """
    stored: Any = config.pluginmanager.get_plugin("faultinject-stored")
    named = any({"path", "host"} & rule.conditions.keys() for rule in rules)
    if named or stored is None or not list(stored.factory):
        return []
    for outcome in outcomes:
        if outcome.injected and _is_of_app(outcome):
            asked = quoted(f"{outcome.method} {outcome.path}")
            return [f"a fault met {asked} of your own app; add host=127.0.0.1 to inject at the store alone"]
    return []


def _is_of_app(outcome: Outcome) -> bool:
    return outcome.connection is None or outcome.client == TEST_CLIENT


def replay(item: pytest.Item, session_seed: str) -> str:
    """The command line that runs a test with the same faults."""
    config = item.config
    invoked_in = config.invocation_params.dir
    path, _, rest = item.nodeid.partition("::")
    node = f"{_relative(item.path, invoked_in)}::{rest}"
    node = node.replace("'", "'\"'\"'")  # always in quotes: the user may edit it
    command = f"pytest '{node}' --faultinject-seed={shlex.quote(session_seed)}"
    if ini := config.getoption("inifilename"):
        command += f" -c {shlex.quote(ini)}"
    counted_from = item.path.parents[path.count("/")]
    if config.inipath is None or config.getoption("rootdir") or counted_from != config.rootpath:
        # The seed depends on the node id, and without an ini file the node id depends on pytest's arguments.
        command += f" --rootdir={shlex.quote(_relative(counted_from, invoked_in))}"
    if scenario := config.getoption("faultinject_scenario"):
        command += f" --faultinject-scenario={shlex.quote(scenario)}"
    return f"replay: {command}"


def _relative(path: Path, to: Path) -> str:
    return os.path.relpath(path, to).replace(os.sep, "/")


def _rows(outcomes: Sequence[Outcome]) -> Iterator[Row]:
    for number, outcome in enumerate(outcomes, 1):
        if len(outcomes) > 2 * SHOWN and SHOWN < number <= len(outcomes) - SHOWN:
            if number == SHOWN + 1:
                yield "", "", f"… {len(outcomes) - 2 * SHOWN} more …", "", ""
            continue
        yield (
            str(number),
            f"+{outcome.arrived - outcomes[0].arrived:.3f}s",
            request_line(outcome),
            "-" if outcome.status is None else str(outcome.status),
            f"{outcome.rule}: {outcome.fault}{_besides(outcome, 'answered')}"
            if outcome.injected
            else f"app{_besides(outcome, 'passed')}",
        )


def _besides(outcome: Outcome, usual: str) -> str:
    return "" if outcome.did == usual else f" ({outcome.did})"


def request_line(outcome: Outcome) -> str:
    """Method and target of a request, escaped; a long one is cut in the middle."""
    line = quoted(f"{outcome.method} {outcome.path}{'?' if outcome.query else ''}{outcome.query}")
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 20]}…{line[-19:]}"


def _table(rows: Sequence[Row]) -> list[str]:
    if not rows:
        return []
    rows = [("", "arrived", "request", "status", "answered by"), *rows]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(
            cell.rjust(width) if at == 0 else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


MARK = "faultinject"
EXPLORE = "faultinject_explore"
FAST_FORWARD = "fast_forward"
EXPLORED: pytest.StashKey[ExploredRun] = pytest.StashKey()
"""The current run of an explored test."""


class MarkedRules:
    """The rules of the markers of one test.

    Attributes:
        scenario: the rules of all markers, in order.
        seed: the innermost marker's seed, or None.
        fast_forward: whether waits are skipped: the innermost marker with this key decides.
        own: the positions of the rules from markers of the function and the parameter.
        shared: the positions of the rules from markers of classes and modules.
    """

    def __init__(self, item: pytest.Item) -> None:
        rules: list[Rule] = []
        problems: list[str] = []
        self.seed: str | None = None
        self.fast_forward = False
        self.own: list[int] = []
        self.shared: list[int] = []
        for node, mark in markers(item):
            try:
                marked_scenario = _read(mark)
            except FaultInjectError as error:
                problems.append(f"{item.nodeid}: marker faultinject of {node.name}: {error}")
                continue
            self.fast_forward = mark.kwargs.get(FAST_FORWARD, self.fast_forward)
            positions = self.own if node is item else self.shared
            positions += range(len(rules), len(rules) + len(marked_scenario.rules))
            rules += marked_scenario.rules
            self.seed = marked_scenario.seed if marked_scenario.seed is not None else self.seed
        try:
            self.scenario = Scenario([] if problems else rules)
        except FaultInjectError as error:
            problems.append(f"{item.nodeid}: markers faultinject together: {error}")
        if problems:
            raise ConfigurationError(problems)


def markers(item: pytest.Item) -> list[tuple[Node, pytest.Mark]]:
    """The markers of a test with their nodes: module, base class, class, function, parameter."""
    return [(node, mark) for node in item.listchain() for mark in _in_order(node) if mark.name == MARK]


def explored(item: pytest.Item) -> pytest.Mark | None:
    """The innermost marker of an explored test."""
    return item.get_closest_marker(EXPLORE)


def _read(mark: pytest.Mark) -> Scenario:
    keys: dict[str, Any] = dict(mark.kwargs)
    seed = keys.pop("seed", None)
    keys.pop(FAST_FORWARD, None)
    if not mark.args:
        raise ConfigurationError("no rule is given; a marker needs one, such as faultinject('cos:SlowDown')")
    scenario = gather(*mark.args, **keys)
    return scenario if seed is None else Scenario(scenario.rules, seed=seed)


def _in_order(node: Node) -> Iterator[pytest.Mark]:
    """The markers of one node in the order written: pytest lists decorators from the bottom up."""
    own = node.own_markers
    if isinstance(node, pytest.Class):
        written = [mark for kind in reversed(node.obj.__mro__) for mark in _marks_of_class(kind)]
        yield from _in_both(own, written)
        yield from _only_in_first(own, written)
    elif isinstance(node, pytest.Item):
        of_parameter = getattr(getattr(node, "callspec", None), "marks", ())
        yield from reversed(list(_only_in_first(own, of_parameter)))
        yield from _in_both(own, of_parameter)
    else:
        yield from own


def _marks_of_class(cls: type) -> list[pytest.Mark]:
    attribute = vars(cls).get("pytestmark", [])
    listed = attribute if isinstance(attribute, list) else [attribute]
    marks = [mark.mark if isinstance(mark, pytest.MarkDecorator) else mark for mark in listed]
    # A list in the class's body has its marks in the order written; decorators append theirs from the bottom up.
    return marks if any(isinstance(mark, pytest.MarkDecorator) for mark in listed) else marks[::-1]


def _in_both(own: Iterable[pytest.Mark], listed: Iterable[pytest.Mark]) -> Iterator[pytest.Mark]:
    ids = {id(mark) for mark in own}
    return (mark for mark in listed if id(mark) in ids)


def _only_in_first(own: Iterable[pytest.Mark], listed: Iterable[pytest.Mark]) -> Iterator[pytest.Mark]:
    dropped = {id(mark) for mark in listed}
    return (mark for mark in own if id(mark) not in dropped)


NAME = "faultinject-marked"


def begin(config: pytest.Config) -> MarkedTests:
    """The session's hooks around marked tests; registered on first use."""
    hooks = config.pluginmanager.get_plugin(NAME)
    if hooks is None:
        hooks = MarkedTests(config)
        config.pluginmanager.register(hooks, NAME)
    assert isinstance(hooks, MarkedTests)
    return hooks


class MarkedTest:
    """One test with faults.

    Attributes:
        faults: the faults of the test.
        markers: the number of its markers when they were read.
        entered: whether its faults were ever in force.

    Raises:
        ConfigurationError: a marker's rule, or a variable of the environment, is wrong.
    """

    def __init__(
        self, item: pytest.Item, session_seed: str, session: Session | None, only: Scenario | None
    ) -> None:
        marked_rules = MarkedRules(item)
        if only is not None:
            marked_rules.scenario, marked_rules.own, marked_rules.shared = only, [], [*range(len(only.rules))]
        seed = f"{session_seed}/{item.nodeid}" if marked_rules.seed is None else marked_rules.seed
        self.item = item
        run = item.stash.get(EXPLORED, None)
        if run is not None:
            self.faults: Faults = run.begin(marked_rules.scenario, seed, item, session)
        else:
            self.faults = Faults(marked_rules.scenario, seed=seed, test=lambda: item.nodeid, session=session)
        if marked_rules.fast_forward:
            self.faults.fast_forward()
        # In a run with an explored fault, the code may end before the requests that a marker's rule matches.
        self._judged = run is None or not run.scenario.rules
        self._rules, self._only = marked_rules, only
        self.markers = _marker_count(item)
        self.entered = self._returned = False
        self._plan = self.faults.injector.own_plan
        self._matched_rules: set[int] = set()
        self._outcomes: list[Outcome] = []
        if not self.faults.injector.enabled:
            self.faults.injector.announce()

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Put its faults in force for the test's body, which Hypothesis runs many times."""
        self.entered = True
        try:
            with self.faults:
                # A test may clear its rules: the counts of the first plan show whether they matched.
                self._plan = self.faults.injector.own_plan
                yield
            self._returned = True
        finally:
            self._matched_rules.update(filter(self._matched, [*self._rules.own, *self._rules.shared]))
            self._outcomes = self.faults.outcomes or self._outcomes

    def judge(self) -> None:
        """Fail or warn about rules that matched no request, after a test that passed."""
        if not self.entered:
            _fail(self.item, NEVER)
        if self.faults.unfinished:
            _fail(self.item, "faults.explore(): the loop was left before its end")
        self._warn_if_only_app_got_faults()
        reaction = self.item.config.getini("faultinject_unmatched")
        if reaction == "ignore" or not (self._judged and self._returned) or not (missed := self._missed()):
            return
        lines = [*self._reason_for_nothing(), "faultinject: no request met the conditions of"]
        for number in missed:
            lines.append(f"  {self._plan.names[number]} ({self._plan.rules[number]})")
            lines.append(f"    {nearest_request(self._plan.rules[number], self._outcomes, self._plan)}")
        if not self._outcomes and len(lines) == 1 + 2 * len(missed):
            lines.append(unwrapped.advice())
        message = "\n".join(lines)
        if self._only is not None:
            # The option may give one test's rules to a whole session; tests that do not match them have not failed.
            self.item.user_properties.append((UNMATCHED, message))
        elif reaction == "error":
            _fail(self.item, message)
        else:
            self.item.warn(pytest.PytestWarning(message))

    def _warn_if_only_app_got_faults(self) -> None:
        """Warn about a test with a store if all faults met the app, and none the store."""
        at_store = any(outcome.injected and not _is_of_app(outcome) for outcome in self._outcomes)
        if at_store or not self._judged or "faultinject_store" not in getattr(self.item, "fixturenames", ()):
            return
        for hint in hint_if_app_got_faults(self._outcomes, self._rules.scenario.rules, self.item.config):
            self.item.warn(pytest.PytestWarning(f"faultinject: {hint}"))

    def _reason_for_nothing(self) -> list[str]:
        """The reason why nothing could be injected, whatever the requests were."""
        injector = self.faults.injector
        if injector.production is not None:
            why = f"{injector.production} looks like production; unset it where tests run"
        elif injector.elsewhere:
            why = injector.elsewhere
        elif injector.own_plan.expired:
            why = "FAULTINJECT_EXPIRES has passed"
        else:
            return []
        return [f"faultinject: nothing is injected, because {why}"]

    def _missed(self) -> list[int]:
        """The rules that matched no request.

        Rules of classes and modules count only if none of them matched: they are for several tests.
        """
        marked_rules = self._rules
        own = [position for position in marked_rules.own if position not in self._matched_rules]
        return (
            sorted([*marked_rules.shared, *own])
            if self._matched_rules.isdisjoint(marked_rules.shared)
            else own
        )

    def _matched(self, rule: int) -> bool:
        """Whether a request of this block met a rule's conditions."""
        plan = self._plan
        return (
            rule in self.faults.matched_while_exploring
            or self.faults.matched(rule, plan) > 0
            # Requests before `begin` or after `end` are not counted, but they may meet the conditions.
            or (
                not plan.rules[rule].options.keys().isdisjoint(("begin", "end"))
                and any(met_conditions(plan.rules[rule], outcome, plan) for outcome in self.faults.outcomes)
            )
        )


MARKED = pytest.StashKey[MarkedTest]()
PACKAGE = f"{Path(__file__).parents[2]}{os.sep}"
FAILURE = pytest.StashKey[BaseException]()
"""The error by which the plugin has failed a test."""
NEVER = (
    "faultinject: the test passed, but its faults were never in force: its body did not run, or a plugin or"
    " its class ran it in a way of its own. Use `with faultinject.inject(...)` in the body in place of the"
    " marker and of the fixture faults."
)
STATEFUL = (
    "faultinject: a marker on a state machine of Hypothesis is not supported: counts would go on from one"
    " example to the next. Enter faultinject.inject(...) in the machine's __init__, and leave it in its"
    " teardown()."
)
EXPLORED_GIVEN = (
    "faultinject_explore: a test with @given draws other examples in each run, which cannot be compared."
    " Loop over faultinject.explore(...) in its body, or draw the faults:"
    " faultinject.strategies.scenarios(...)."
)


class MarkedTests:
    """The hooks of a session that has a test with faults."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._seed = config.stash[SEED]
        self._debugs = config.getoption("usepdb", default=False)
        try:
            self._off = "--faultinject-off" if config.getoption("faultinject_off") else _off()
            only = config.getoption("faultinject_scenario")
            self._only = None if only is None else Scenario.parse(only, where="--faultinject-scenario")
        except FaultInjectError as error:
            raise pytest.UsageError(str(error)) from None
        if not self._off:
            patch(config)
        # Without file locks, as on Windows, no other process can get the faults.
        self._session = Session() if AVAILABLE and not self._off else None
        self._environ = pytest.MonkeyPatch()
        if self._session is not None:
            for name, value in self._session.variables.items():
                self._environ.setenv(name, value)

    def expect(self, items: Sequence[pytest.Item]) -> None:
        """Get ready to explore; if faults are off, skip the tests that need them."""
        if self._off:
            for item in items:
                if needs_faults([item]):
                    item.add_marker(pytest.mark.skip(reason=f"faultinject is off: {self._off}"))
        elif self._only is None and any(map(explored, items)):
            from faultinject.testing.pytest_plugin.explored import ExploredTests

            self._config.pluginmanager.register(ExploredTests(self._config), f"{NAME}-explored")

    def faults(self, request: pytest.FixtureRequest) -> Faults:
        """The value of the fixture."""
        if self._off:
            pytest.skip(f"faultinject is off: {self._off}")
        item: pytest.Item = request.node
        if MARKED not in item.stash:
            # The test called `request.getfixturevalue("faults")`, which the collection could not see.
            marked = self._prepare(item)
            if os.environ.get("PYTEST_CURRENT_TEST", "").endswith("(call)"):
                marked.entered = True
                marked.faults.__enter__()
                request.addfinalizer(lambda: marked.faults.__exit__(None, None, None))
        return item.stash[MARKED].faults

    def _prepare(self, item: pytest.Item) -> MarkedTest:
        if self._session is not None:  # pragma: no branch - Windows
            # Not done earlier, as the outcomes of an explored test are read after its tear-down.
            self._session.forget()
        try:
            item.stash[MARKED] = marked = MarkedTest(item, self._seed, self._session, self._only)
        except FaultInjectError as error:
            _fail(item, str(error))
        return marked

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Read the markers before the first fixture is set up."""
        if not self._off and needs_faults([item]):
            self._prepare(item)

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Put the faults in force around the test itself."""
        marked = item.stash.get(MARKED, None)
        if marked is None:
            return (yield)
        run = item.stash.get(EXPLORED, None)
        result = None
        with _around_body(item, marked):
            try:
                result = yield
            except Exception as error:
                if run is None or not run.run_again(item, error):
                    raise
        marked.judge()
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Add the requests and the replay to a failed test, and fail one without its faults."""
        marked = item.stash.get(MARKED, None)
        if marked is not None and call.when == "call" and call.excinfo is None and not marked.entered:
            # The test passed, as a plugin ran its body outside of the hook above.
            call.excinfo = pytest.CallInfo.from_call(lambda: _fail(item, NEVER), "call").excinfo
        if marked is not None and call.excinfo is not None:
            call.excinfo = _seen_from_outside(call.excinfo)
        report = yield
        if self._debugs and call.excinfo is not None and call.excinfo.value is item.stash.get(FAILURE, None):
            # The debugger would stop in the frames of this plugin.
            call.excinfo = None
        if marked is not None:
            if report.when == "call" and report.failed and EXPLORED not in item.stash:
                text = f"{failure_text(marked.faults, self._config)}\n{replay(item, self._seed)}"
                report.sections.append(("faultinject", text))
            if call.when == "teardown":
                del item.stash[MARKED]
        return report

    @pytest.hookimpl(wrapper=True)
    def pytest_exception_interact(
        self, node: Node, report: pytest.CollectReport | pytest.TestReport
    ) -> Generator[None, object, object]:
        """Show the requests at the prompt of `--pdb`, where the test's faults are in force."""
        marked = node.stash.get(MARKED, None)
        if marked is None or not self._debugs or report.when != "call":
            return (yield)
        terminal = self._config.get_terminal_writer()
        terminal.line()
        terminal.sep(">", "faultinject")
        terminal.write(f"{failure_text(marked.faults, self._config)}\n")
        with marked.faults._resume():  # noqa: SLF001 - one of ours
            return (yield)

    def pytest_unconfigure(self) -> None:
        """Leave the environment as it was."""
        self._environ.undo()
        if self._session is not None:
            self._session.close()


def _seen_from_outside(excinfo: pytest.ExceptionInfo[BaseException]) -> pytest.ExceptionInfo[BaseException]:
    """The error without this package's frames: an injected error comes from deep inside it."""
    frames = []
    entry: TracebackType | None = excinfo.tb
    while entry is not None:
        frames.append(entry)
        entry = entry.tb_next
    outside = None
    for entry in reversed(frames):
        if not entry.tb_frame.f_code.co_filename.startswith(PACKAGE):
            outside = TracebackType(outside, entry.tb_frame, entry.tb_lasti, entry.tb_lineno)
    return pytest.ExceptionInfo.from_exc_info((excinfo.type, excinfo.value, outside or excinfo.tb))


def refuse_late(item: pytest.Item) -> None:
    """Fail a test after its set-up if it has a marker that was not read."""
    config = item.config
    marked = item.stash.get(MARKED, None)
    late = _marker_count(item) > (0 if marked is None else marked.markers)
    replayed = config.getoption("faultinject_scenario") is not None
    late = late or (explored(item) is not None and EXPLORED not in item.stash and not replayed)
    if late and not config.getoption("faultinject_off") and not _off():
        _fail(
            item,
            f"{item.nodeid}: a marker {' or '.join(MARKERS)} was added after the markers were read."
            " Let the fixture call faults.add(), mark the parameter: pytest.param(…, marks=…), or add it in"
            " pytest_collection_modifyitems",
        )


def _marker_count(item: pytest.Item) -> int:
    return sum(marker.name in MARKERS for marker in item.iter_markers())


def _fail(item: pytest.Item, message: str) -> NoReturn:
    """Fail a test with a message of the plugin."""
    item.stash[FAILURE] = failure = pytest.fail.Exception(message, pytrace=False)
    raise failure from None


def _around_body(item: Any, marked: MarkedTest) -> AbstractContextManager[None]:
    """Put the test's faults in force each time that its body runs."""
    test: Any = getattr(item, "obj", None)
    if getattr(test, "is_hypothesis_test", False):
        if EXPLORED in item.stash:
            _fail(item, EXPLORED_GIVEN)
        if hasattr(test, "hypothesis"):
            return _around_examples(test.hypothesis, marked)
        if marked.markers:
            _fail(item, STATEFUL)
    if isinstance(getattr(item, "instance", None), unittest.TestCase):
        return _around_method(item, marked)
    return marked.in_force()


@contextmanager
def _around_examples(hypothesis: Any, marked: MarkedTest) -> Iterator[None]:
    """Give each example of Hypothesis the faults, with counts from zero.

    Hypothesis documents `inner_test` as the attribute that plugins may replace.
    """
    body = hypothesis.inner_test
    hypothesis.inner_test = decorate(body, marked.in_force)
    try:
        yield
    finally:
        hypothesis.inner_test = body


@contextmanager
def _around_method(item: Any, marked: MarkedTest) -> Iterator[None]:
    """Give the method of a unittest.TestCase the faults.

    pytest's call phase also runs setUp and tearDown, which get none.
    """
    method, instance = item.obj, item.instance
    # pytest calls `obj`; a plugin that replaces it, such as pytest-django, calls the instance's method.
    item.obj = decorate(method, marked.in_force)
    setattr(instance, item.name, item.obj)
    try:
        yield
    finally:
        item.obj = method
        vars(instance).pop(item.name, None)


def _off() -> str:
    """The variable that switches faults off, with its value; empty if none does."""
    return "FAULTINJECT_ENABLED=0" if is_switched_on(os.environ) is False else ""
