"""`inject()`: for a block, these rules stand in the place of those of every middleware in the process."""

from __future__ import annotations

from faultinject.core.rule import Rule
from faultinject.exceptions import ConfigurationError, InjectionFailed, RuleNotMatched
from faultinject.injector import Injector
from faultinject.settings.scenario import Scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType
    from typing import Any

    from faultinject.core.outcome import Outcome
    from faultinject.runs import Exploration


def inject(
    rule: str | Rule | Scenario, /, *rules: str | Rule, seed: str | int | None = None, **keys: Any
) -> Faults:
    """A context manager, also `async with`: faults for its block, everywhere in the process.

    Args:
        rule: a rule as text or `Rule`; text may hold several. Or a whole `Scenario`.
        rules: more of them.
        seed: the seed; by default the scenario's or the environment's.
        keys: keys of the rule, as in `Rule`; they need exactly one rule.

    Returns:
        What the fixture `faults` gives: numbers, outcomes, and ways to change the rules meanwhile.

    Raises:
        ConfigurationError: a rule is wrong.

    >>> with inject("cos:SlowDown", times=2) as faults:
    ...     faults.injected
    0
    """
    return Faults(gather(rule, *rules, **keys), seed=seed)


def gather(rule: str | Rule | Scenario, /, *rules: str | Rule, **keys: Any) -> Scenario:
    """A scenario of rules in any spelling; `keys` belong to the one rule."""
    if isinstance(rule, Scenario):
        if rules or keys:
            raise ConfigurationError("a Scenario stands alone: give it no further rules or keys")
        return rule
    if keys and not rules and isinstance(rule, str) and "," not in rule and len(rule.split()) == 1:
        return Scenario([Rule(rule, **keys)])
    scenario = Scenario([rule, *rules])
    if not keys:
        if not scenario.rules:
            raise ConfigurationError("there is no rule: give one, such as 'cos:SlowDown,times=2'")
        return scenario
    if len(scenario.rules) != 1:
        raise ConfigurationError(f"{', '.join(keys)}: keys need exactly one fault, such as 'cos:SlowDown'")
    given: dict[str, Any] = scenario.rules[0].to_dict()
    twice = sorted(given.keys() & keys.keys())
    if twice:
        raise ConfigurationError(f"{', '.join(twice)}: given in the rule itself and as a key")
    return Scenario([Rule(given.pop("fault"), **given, **keys)])


class Faults:
    """The faults of one block: what was done so far, and ways to change it meanwhile.

    Args:
        scenario: the rules to begin with.
        seed: stands above the scenario's own.
        test: a function to the id of the running test, for the journal.
    """

    def __init__(
        self,
        scenario: Scenario,
        *,
        seed: str | int | None = None,
        test: Callable[[], str | None] | None = None,
    ) -> None:
        self._injector = Injector(scenario, seed=seed, test=test, everything=True)

    @property
    def injected(self) -> int:
        """How many requests got a fault."""
        return self._injector.injected

    @property
    def attempts(self) -> int:
        """How many requests were seen, with and without a fault."""
        return self._injector.journal.requests

    @property
    def outcomes(self) -> list[Outcome]:
        """What happened to each request, in order."""
        return self._injector.journal.outcomes

    @property
    def injector(self) -> Injector:
        """The injector behind it."""
        return self._injector

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules in force."""
        return self._injector.scenario.rules

    @property
    def seed(self) -> str:
        """The seed's text."""
        return self._injector.seed

    def add(self, rule: str | Rule | Scenario, /, *rules: str | Rule, **keys: Any) -> None:
        """Add rules behind those in force, whose counts and draws go on.

        Raises:
            ConfigurationError: a rule is wrong; those in force stay.
        """
        self._injector.add(gather(rule, *rules, **keys))

    def clear(self) -> None:
        """Take all rules away; what happened so far stays on record."""
        self._injector.use(Scenario([]))

    def explore(
        self,
        *faults: str | Rule,
        depth: int = 1,
        max_runs: int = 500,
        allow: type[BaseException] | tuple[type[BaseException], ...] = (),
    ) -> Exploration:
        """As `faultinject.explore`, with the rules in force standing beside the explored ones in every run."""
        from faultinject.runs import Exploration

        return Exploration(
            faults,
            depth=depth,
            max_runs=max_runs,
            allow=allow,
            beside=self._injector.scenario,
            test=self._injector.journal.test,
        )

    def pause(self) -> Pause:
        """A context manager that hides a test's own requests from faults, counts and the record."""
        return Pause(self._injector)

    def unmatched(self) -> list[str]:
        """The names of the rules whose conditions no request met."""
        counts = self._injector.counts()
        return [name for name, count in counts.items() if not count["matched"]]

    def assert_all_fired(self) -> None:
        """Fail when a rule injected nothing.

        Raises:
            RuleNotMatched: an AssertionError that names each rule, and says whether requests met its conditions.
        """
        silent = []
        counts = self._injector.counts()
        for (name, count), rule in zip(counts.items(), self.rules, strict=True):
            if not count["injected"]:
                met = (
                    f"{count['matched']} requests met its conditions"
                    if count["matched"]
                    else self.nearest(rule)
                )
                silent.append(f"{name} ({rule}) injected nothing: {met}")
        if silent:
            raise RuleNotMatched("\n".join(silent))

    def nearest(self, rule: Rule) -> str:
        """For a rule that matched nothing: the request seen that is most like it, and what kept it away."""
        from faultinject.audit.nearest import nearest_request

        return nearest_request(rule, self.outcomes, self._injector.own_plan)

    def __enter__(self) -> Faults:
        self._injector.put_in_force()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._injector.take_out_of_force()
        if error is None and self._injector.errors:
            raise InjectionFailed("an error inside faultinject let requests pass") from self._injector.errors[
                0
            ]

    async def __aenter__(self) -> Faults:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.__exit__(kind, error, trace)


class Pause:
    """For its block, requests pass untouched and unrecorded."""

    def __init__(self, injector: Injector) -> None:
        self._injector = injector

    def __enter__(self) -> None:
        self._injector.pause()

    def __exit__(self, *_: object) -> None:
        self._injector.pause(-1)
