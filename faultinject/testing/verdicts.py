"""What the requests of a block say: of its rules, whether they did anything, and of the client, whether it did right."""

from __future__ import annotations

import sys
import warnings
from contextvars import ContextVar

from faultinject.audit.findings import FAIL, INCONCLUSIVE, SIGNS, WARN, Finding
from faultinject.audit.grouping import group
from faultinject.engine.request import LONGEST_TEXT
from faultinject.engine.shown import quoted
from faultinject.exceptions import RetryAssertionError, RuleNotMatched
from faultinject.journal.call_window import CallWindow
from faultinject.journal.calls import Call
from faultinject.journal.outcome import Outcome
from faultinject.journal.reading import of_outcomes
from faultinject.testing.nearest import nearest_request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from types import TracebackType

    from faultinject.audit.judging import Judgement
    from faultinject.audit.profiles import Profile
    from faultinject.testing.inject import Faults

LONGEST = 200
"""Characters of an error's text that are kept."""
EXAMPLES = 3
"""Calls that are shown of a finding."""
DROPPED = "no longer in memory"
"""Why requests are not judged that the ring of the journal has dropped."""

REQUIRE = "To make the test fail instead, say what has to be decided, for example require='retries'."
"""What to do where an assertion has decided nothing."""

_within: ContextVar[tuple[float, ...]] = ContextVar("faultinject_within", default=())
"""When the named calls began that this thread or task is in, the outermost first."""

ended: list[Callable[[Faults, Sequence[CallWindow]], None]] = []
"""Told of every block of this process when it is over, with its windows."""


class Verdicts:
    """The verdicts on one block, for the object `faults` of it."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._named: list[CallWindow] = []
        self._blocks: list[CallWindow] = []
        self._began: float | None = None
        self._warned: set[tuple[str, ...]] = set()

    @property
    def windows(self) -> list[CallWindow]:
        """The windows in which calls were made: those that the test named, then those of the block itself."""
        return [*self._named, *self._blocks]

    def begin(self) -> None:
        """The block begins."""
        self._began = self._now()

    def end(self) -> None:
        """It is over, and with it all that was asked for in it."""
        self._blocks += self._under_way()
        self._began = None
        for tell in ended:
            tell(self._faults, self.windows)

    def call(self, name: str) -> NamedCall:
        """A context manager around one thing that the test asks for."""
        return NamedCall(name, self._named, self._test, self._now)

    def _now(self) -> float:
        """The time by the journal's clock: a test may have stopped the others."""
        return self._faults.injector.own_plan.services.monotonic()

    @property
    def calls(self) -> list[Call]:
        """The calls so far, by their first attempt."""
        found = group(of_outcomes(self._faults.outcomes), told=self.windows, until=self._now())
        return sorted(found, key=lambda each: each.first.arrived)

    def judgement(
        self,
        profile: Profile | str | None,
        ignore: str | Collection[str] = (),
        require: str | Collection[str] = (),
    ) -> Judgement:
        """The judgement of the calls so far."""
        from faultinject.audit.judging import judge

        dropped = self._faults.injector.journal.dropped
        return judge(
            of_outcomes(self._faults.outcomes),
            profile=profile,
            ignore=ignore,
            require=require,
            told=[*self.windows, *self._under_way()],
            skipped={DROPPED: dropped} if dropped else None,
        )

    def assert_retries(
        self,
        profile: Profile | str | None,
        ignore: str | Collection[str],
        require: str | Collection[str],
        *,
        strict: bool,
    ) -> None:
        """Fail where a check says FAIL, or one that is required is not decided; warn of a WARN; `strict`: fail at it too."""
        __tracebackhide__ = True
        from faultinject.audit.conclusion import undecided

        judgement = self.judgement(profile, ignore, require)
        if not judgement.attempts:
            raise RetryAssertionError("there is nothing to judge: no request was seen")
        failed, warned = (
            [each for each in judgement.findings if each.verdict == verdict] for verdict in (FAIL, WARN)
        )
        wrong = failed + warned * strict
        lines = [*_said(wrong, judgement, self._faults.outcomes)] if wrong else []
        if missing := undecided(judgement.findings, judgement.require, driven=False):
            lines += _unanswered(missing)
        if lines:
            raise RetryAssertionError("\n".join(lines))
        if warned:
            text = "\n".join(_said(warned, judgement, self._faults.outcomes))
        elif judgement.conclusion.result == "undecided":
            text = f"{judgement.conclusion.sentence} {REQUIRE}"
        else:
            return
        what = tuple(each.full_name for each in warned)  # the numbers change with each call
        if what not in self._warned:
            self._warned.add(what)
            # In a test it is what pytest and its plugins warn by: filters that name it hold, and `-W error` makes it fail.
            category = getattr(sys.modules.get("pytest"), "PytestWarning", UserWarning)
            warnings.warn(f"assert_retries(): {text}", category, stacklevel=3)

    def assert_all_fired(self) -> None:
        """Fail when a rule injected nothing.

        Raises:
            RuleNotMatched: an AssertionError that names each rule, and says whether requests met its conditions.
        """
        __tracebackhide__ = True
        faults, outcomes = self._faults, self._faults.outcomes
        silent: list[str] = []
        counts = faults.injector.counts()
        for number, ((name, count), rule) in enumerate(zip(counts.items(), faults.rules, strict=True)):
            if count["injected"] or any(each.injected and each.rule == name for each in outcomes):
                continue
            matched = faults.matched(number)
            if matched:
                met = f"{matched} {'request' if matched == 1 else 'requests'} met its conditions"
            else:
                met = nearest_request(rule, outcomes, faults.injector.own_plan)
            silent.append(f"{name} ({rule}) injected nothing: {met}")
        if silent:
            raise RuleNotMatched("\n".join(silent))

    def _under_way(self) -> list[CallWindow]:
        """The block up to now, as a window; none where it has not begun, or is over."""
        if self._began is None:
            return []
        return [CallWindow(None, self._began, self._now(), test=self._test)]

    @property
    def _test(self) -> str | None:
        """The running test, as the journal names it."""
        test = self._faults.injector.journal.test
        name = None if test is None else test()
        return name and name[:LONGEST_TEXT]


class NamedCall:
    """A call that the test itself names: when the block is left, the call is over, and its result is known.

    Attributes:
        name: its name in the test.
        returned: whether it came to its end (True) or raised (False); None before.
        error: the error that it raised, in one line.
    """

    def __init__(self, name: str, tell: list[CallWindow], test: str | None, now: Callable[[], float]) -> None:
        self.name = name
        self.returned: bool | None = None
        self.error: str | None = None
        self._windows = tell
        self._test = test
        self._now = now
        self._began = 0.0
        self._within: tuple[float, ...] = ()

    def __enter__(self) -> NamedCall:
        self._began = self._now()
        self._within = _within.get()
        _within.set((*self._within, self._began))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended = self._now()
        _within.set(self._within)
        self.returned = error is None
        if error is not None:
            text = str(error).strip().partition("\n")[0]
            self.error = f"{type(error).__name__}: {text}"[:LONGEST]
        window = CallWindow(
            self.name,
            self._began,
            ended,
            self.returned,
            self.error,
            test=self._test,
            within=self._within,
        )
        self._windows.append(window)

    async def __aenter__(self) -> NamedCall:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


def _said(wrong: Sequence[Finding], judgement: Judgement, outcomes: Sequence[Outcome]) -> Iterator[str]:
    """What is so, the requests that show it by their numbers in the order of arrival, and what to do; the worst finding first."""
    from faultinject.audit.reports import sentences
    from faultinject.audit.reports.content import merged, told

    numbers = {(each.pid, each.seq): number for number, each in enumerate(outcomes, 1)}
    for finding in merged(wrong):
        said = told(finding)
        yield f"{SIGNS[said.verdict]} {said.so}"
        for call in finding.calls[:EXAMPLES]:
            shown = [numbers[each.pid, each.seq] for each in call.attempts]
            yield f"    {_requests(shown)}: {sentences.story(call)}"
        yield f"    → {said.action}"
    if dropped := judgement.skipped.get(DROPPED):
        yield f"{dropped} requests are {DROPPED}"


def _unanswered(missing: Mapping[str, Finding | None]) -> Iterator[str]:
    """The checks that were required and not decided, and what would decide them."""
    from faultinject.audit.reports.content import undecided

    yield f"required but not decided: {quoted(', '.join(missing))}"
    for reason in undecided([each for each in missing.values() if each is not None]):
        yield f"{SIGNS[INCONCLUSIVE]} {reason}"


def _requests(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"request {numbers[0]}"
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"requests {numbers[0]} to {numbers[-1]}"
    return f"requests {', '.join(map(str, numbers))}"
