"""The loop form: `for run in explore(...): with run: ...`, in one process, under pytest or anywhere."""

from __future__ import annotations

import time

from faultinject.exceptions import ExplorationFailed
from faultinject.exploration.choices import choices
from faultinject.exploration.report import as_data, groups, incomplete, report
from faultinject.exploration.sweep import Sweep
from faultinject.session import Faults
from faultinject.settings.scenario import Scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from types import TracebackType

    from faultinject.core.outcome import Outcome
    from faultinject.core.rule import Rule
    from faultinject.exploration.sweep import Made


class RunAway(BaseException):
    """The code under test makes requests without end; no `except Exception` of a client may hide it."""


def explore(
    *faults: str | Rule,
    depth: int = 1,
    max_runs: int = 500,
    allow: type[BaseException] | tuple[type[BaseException], ...] = (),
) -> Exploration:
    """Run code once without faults, and then once for every request that it makes and every fault.

    Args:
        faults: rules, whose conditions say where; a vendor id stands for its standard set, a group for each member.
        depth: 2: also a second fault in what the code does because of the first.
        max_runs: runs with faults at most; more needed is an error.
        allow: exceptions with which the code may give up; such a run has not failed.

    Raises:
        ConfigurationError: a rule is wrong, or says itself where it comes.

    >>> for run in explore("cos:SlowDown", "reset,when=after"):  # doctest: +SKIP
    ...     with run:
    ...         upload(client)
    """
    return Exploration(faults, depth=depth, max_runs=max_runs, allow=allow)


def record(code: Callable[[], object]) -> list[Outcome]:
    """The requests of one run without faults: what `strategies.scenarios` draws from."""
    with Faults(Scenario([])) as faults:
        code()
    return faults.outcomes


class Exploration:
    """All runs of some code under test; iterate over it, and run the code in `with run:`.

    Attributes:
        runs: the runs with faults that were made.
        seconds: how long it took so far.
    """

    def __init__(
        self,
        faults: Sequence[str | Rule],
        *,
        depth: int = 1,
        max_runs: int = 500,
        allow: type[BaseException] | tuple[type[BaseException], ...] = (),
        beside: Scenario | None = None,
        test: Callable[[], str | None] | None = None,
        incomplete_fails: bool = True,
    ) -> None:
        allowed = allow if isinstance(allow, tuple) else (allow,)
        self.sweep = Sweep(choices(faults), depth=depth, max_runs=max_runs, allow=allowed)
        self._beside = beside or Scenario([])
        self._test = test
        self._incomplete_fails = incomplete_fails
        self._started = time.monotonic()
        self.seconds = 0.0

    @property
    def runs(self) -> list[Made]:
        """The runs with faults that were made."""
        return self.sweep.made

    def report(self) -> str:
        """What was found, in words."""
        return report(self.sweep, self.seconds)

    def to_json(self) -> str:
        """What was found, as JSON."""
        import json

        return json.dumps(as_data(self.sweep, self.seconds), indent=2, ensure_ascii=False)

    def __iter__(self) -> Iterator[Run]:
        while (scenario := self.sweep.next()) is not None:
            run = Run(self, scenario)
            yield run
            if not run.left:
                raise ExplorationFailed("the loop's body did not enter its run: write `with run:`")
        self.judge()

    def faults(self, scenario: Scenario) -> Faults:
        """The faults of one run: the scenario's rules, then those that stand beside it in every run."""
        rules = [*scenario.rules, *self._beside.rules]
        faults = Faults(Scenario.of_rules(rules, scenario.seed), test=self._test)
        limit = self.sweep.limit
        if limit is not None:
            faults.injector.journal.follow(Watch(faults, limit))
        return faults

    def judge(self) -> None:
        """The verdict at the end.

        Raises:
            ExplorationFailed: a run failed, or the sweep is no proof.
        """
        self.seconds = time.monotonic() - self._started
        found = groups(self.sweep.made)
        if found:
            raise ExplorationFailed(self.report()) from found[0].smallest.error
        if self._incomplete_fails and incomplete(self.sweep):
            raise ExplorationFailed(self.report())


class Run:
    """One run of the code under test.

    Attributes:
        scenario: what is injected.
        requests: the requests that were made; known afterwards.
        error: what the code raised, or None.
        left: whether it is over.
    """

    def __init__(self, exploration: Exploration, scenario: Scenario) -> None:
        self.scenario = scenario
        self.requests: list[Outcome] = []
        self.error: BaseException | None = None
        self.left = False
        self._exploration = exploration
        self._faults = exploration.faults(scenario)
        self._began = 0.0

    def __enter__(self) -> Faults:
        self._began = time.monotonic()
        return self._faults.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        seconds = time.monotonic() - self._began
        self._faults.__exit__(kind, error, trace)
        self.left = True
        self.requests = self._faults.outcomes
        self.error = error
        stops = error is not None and not isinstance(error, Exception | RunAway) and not _is_outcome(error)
        if stops:
            return False
        sweep = self._exploration.sweep
        without = sweep.points is None and not self.scenario.rules
        made = sweep.record(self.requests, error, seconds)
        self._exploration.seconds = time.monotonic() - self._exploration._started  # noqa: SLF001 - one module
        # A run without faults that fails is a plain failure.
        return error is not None and not (without and made.failed)


class Watch:
    """Ends a run that makes requests without end: first with answers that nobody retries, then for good."""

    def __init__(self, faults: Faults, limit: int) -> None:
        self._faults = faults
        self._limit = limit
        self._seen = 0
        self._over = False

    def __call__(self, outcome: Outcome) -> None:
        """Count one request."""
        self._seen += outcome.final is None
        if self._seen > 2 * self._limit:
            raise RunAway(f"more than {2 * self._limit} requests in one run")
        if self._seen > self._limit and not self._over:
            self._over = True
            self._faults.injector.use(
                Scenario('http:410,message="too many requests in one run",name=run-away')
            )


def _is_outcome(error: BaseException) -> bool:
    """Whether a test framework says with it that the test failed."""
    return type(error).__name__ == "Failed" and type(error).__module__.startswith("_pytest")
