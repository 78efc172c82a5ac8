"""The verdicts on a block: whether its rules injected anything, and how its client reacted."""

from __future__ import annotations

import sys
import warnings
from contextvars import ContextVar

from faultinject.audit.findings import FAIL, INCONCLUSIVE, SIGNS, WARN, Finding
from faultinject.audit.grouping import group
from faultinject.engine.entry import LONGEST_TEXT
from faultinject.engine.shown import quoted
from faultinject.exceptions import RetryAssertionError, RuleNotMatchedError
from faultinject.journal.call_window import CallWindow, text_of
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

EXAMPLES = 3
"""The most calls of a finding that are shown."""
DROPPED = "no longer in memory"
"""The reason why requests that the journal has dropped are not judged."""

REQUIRE = "To make the test fail instead, say what has to be decided, for example require='retries'."
"""The advice if no check was decided."""

_within: ContextVar[tuple[float, ...]] = ContextVar("faultinject_within", default=())
"""The beginnings of the named calls around the running code, the outermost first."""

ended: list[Callable[[Sequence[CallWindow]], None]] = []
"""Functions that are called with the windows of each block after its end."""


class Verdicts:
    """The verdicts on one block of the object `faults`."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._named: list[CallWindow] = []
        self._blocks: list[CallWindow] = []
        self._began: float | None = None
        self._began_in: str | None = None
        self._warned: set[tuple[str, ...]] = set()

    @property
    def windows(self) -> list[CallWindow]:
        """The times of calls: of those that the test has named, then of the block itself."""
        return [*self._named, *self._blocks]

    def begin(self) -> None:
        """Begin the block."""
        self._began, self._began_in = self._now(), self._test

    def end(self) -> None:
        """End the block, and its named calls."""
        self._blocks += self._under_way()
        self._began = None
        journal = self._faults.injector.journal
        if journal.path is not None and (self._named or self._faults.attempts):
            journal.write_calls(self.windows, self._faults._elsewhere())  # noqa: SLF001 - one of ours
            for tell in ended:
                tell(self.windows)

    def call(self, name: str) -> NamedCall:
        """A context manager around one call of the test."""
        return NamedCall(name, self._named, self._test, self._now)

    def _now(self) -> float:
        """The time by the journal's clock, as a test may have stopped other clocks."""
        return self._faults.injector.own_plan.services.monotonic()

    @property
    def calls(self) -> list[Call]:
        """The calls so far, by their first attempt."""
        calls = group(of_outcomes(self._faults.outcomes), windows=self.windows, until=self._now())
        return sorted(calls, key=lambda call: call.first.arrived)

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
            windows=[*self.windows, *self._under_way()],
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
        """Fail if a check says FAIL, or a required one is undecided; warn of a WARN.

        With `strict` it fails at a WARN, too.
        """
        __tracebackhide__ = True
        from faultinject.audit.conclusion import undecided
        from faultinject.audit.reports.content import merged

        judgement = self.judgement(profile, ignore, require)
        if not judgement.attempts:
            cause = judgement.evidence.silence.error
            reason = f"no request arrived: {cause}" if cause else "no request was seen"
            raise RetryAssertionError(f"there is nothing to judge: {reason}")
        findings = merged(judgement.findings)
        failed, warned = (
            [finding for finding in findings if finding.verdict == verdict] for verdict in (FAIL, WARN)
        )
        refused = failed + warned * strict
        lines = [*_finding_lines(refused, judgement, self._faults.outcomes)] if refused else []
        if missing := undecided(judgement.findings, judgement.require, driven=False):
            lines += _undecided_lines(missing)
        if lines:
            raise RetryAssertionError("\n".join(lines))
        if warned:
            text = "\n".join(_finding_lines(warned, judgement, self._faults.outcomes))
        elif judgement.conclusion.result == "undecided":
            text = f"{judgement.conclusion.sentence} {REQUIRE}"
        else:
            return
        # Compare names of checks, as the numbers in the text change with each call.
        checks = tuple(finding.full_name for finding in warned)
        if checks not in self._warned:
            self._warned.add(checks)
            # A test gets the warning class of pytest and its plugins, so filters that name this class apply, and
            # `-W error` makes the test fail.
            category = getattr(sys.modules.get("pytest"), "PytestWarning", UserWarning)
            warnings.warn(f"assert_retries(): {text}", category, stacklevel=3)

    def assert_all_fired(self) -> None:
        """Fail if a rule injected nothing.

        Raises:
            RuleNotMatchedError: an AssertionError that names each rule, and whether requests met its conditions.
        """
        __tracebackhide__ = True
        faults, outcomes = self._faults, self._faults.outcomes
        unused_rules: list[str] = []
        counts = faults.injector.counts()
        for number, ((name, count), rule) in enumerate(zip(counts.items(), faults.rules, strict=True)):
            if count.injected or any(outcome.injected and outcome.rule == name for outcome in outcomes):
                continue
            matched = faults.matched(number)
            if matched:
                reason = f"{matched} {'request' if matched == 1 else 'requests'} met its conditions"
            else:
                reason = nearest_request(rule, outcomes, faults.injector.own_plan)
            unused_rules.append(f"{name} ({rule}) injected nothing: {reason}")
        if unused_rules:
            raise RuleNotMatchedError("\n".join(unused_rules))

    def _under_way(self) -> list[CallWindow]:
        """The window of the block that is under way; empty if there is none."""
        if self._began is None:
            return []
        # The block of a wider fixture belongs to several tests.
        test = self._test if self._test == self._began_in else None
        return [CallWindow(None, self._began, self._now(), test=test)]

    @property
    def _test(self) -> str | None:
        """The running test, as the journal names it."""
        test = self._faults.injector.journal.test
        name = None if test is None else test()
        return name and name[:LONGEST_TEXT]


class NamedCall:
    """A call that the test itself names; its result is known at the end of the block.

    Attributes:
        name: its name in the test.
        returned: whether it returned (True) or raised (False); None before its end.
        error: the error that it raised, in one line.
    """

    def __init__(
        self, name: str, windows: list[CallWindow], test: str | None, now: Callable[[], float]
    ) -> None:
        self.name = name
        self.returned: bool | None = None
        self.error: str | None = None
        self._windows = windows
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
            self.error = text_of(error, str(error).strip().partition("\n")[0])
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


def _finding_lines(
    findings: Sequence[Finding], judgement: Judgement, outcomes: Sequence[Outcome]
) -> Iterator[str]:
    """The lines about findings, with their requests by number, and advice."""
    from faultinject.audit.reports.content import finding_text, story

    numbers = {(outcome.pid, outcome.seq): number for number, outcome in enumerate(outcomes, 1)}
    for finding in findings:
        text = finding_text(finding)
        yield f"{SIGNS[text.verdict]} {text.line}"
        for call in finding.calls[:EXAMPLES]:
            shown = [numbers[attempt.pid, attempt.seq] for attempt in call.attempts]
            yield f"    {_requests(shown)}: {story(call)}"
        yield f"    → {text.action}"
    if dropped := judgement.skipped.get(DROPPED):
        yield f"{dropped} requests are {DROPPED}"


def _undecided_lines(missing: Mapping[str, Finding | None]) -> Iterator[str]:
    """The lines about required checks that are undecided, and the calls that they need."""
    from faultinject.audit.reports.content import undecided

    yield f"required but not decided: {quoted(', '.join(missing))}"
    for reason in undecided([finding for finding in missing.values() if finding is not None]):
        yield f"{SIGNS[INCONCLUSIVE]} {reason}"


def _requests(numbers: Sequence[int]) -> str:
    if len(numbers) == 1:
        return f"request {numbers[0]}"
    if numbers[-1] - numbers[0] == len(numbers) - 1:
        return f"requests {numbers[0]} to {numbers[-1]}"
    return f"requests {', '.join(map(str, numbers))}"
