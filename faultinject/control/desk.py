"""The injector as the control API sees it."""

# ruff: noqa: D102, SLF001 - goes when the injector has all of it

from __future__ import annotations

from threading import RLock
from types import SimpleNamespace

from faultinject.control.answers import Refusal
from faultinject.rules.scenario import Scenario

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from faultinject.engine.journal_entry import Outcome
    from faultinject.injector.injector import Injector
    from faultinject.rules.rule import Rule
    from faultinject.rules.scenario import Rules


class Desk:
    """The names of the interface over what an injector has today; goes when the injector has them all."""

    def __init__(self, injector: Injector) -> None:
        self.injector = injector
        self._lock = RLock()
        self._number = 0
        self._disabled: set[str] = set()
        self._whole = injector.scenario
        self._until: float | None = None
        injector.let_watch()

    @property
    def standing(self) -> Any:
        found = self.injector
        if self._until is not None and found.clock() >= self._until:
            self.disable()
        return SimpleNamespace(
            scenario=self._whole,
            seed=found.seed,
            disabled=frozenset(self._disabled),
            on=found._enabled,
            until=self._until,
            armed_by="",
            generation=self._number,
        )

    def _expect(self, expected: int | None) -> None:
        if expected is not None and expected != self._number:
            raise Refusal(412, f"the rules are of generation {self._number} by now, not {expected}")

    def _put(self, scenario: Scenario, disabled: set[str]) -> None:
        named = (
            [rule.named(name) for name, rule in zip(scenario.display_names, scenario.rules, strict=True)]
            if disabled
            else list(scenario.rules)
        )
        left = [
            rule for name, rule in zip(scenario.display_names, named, strict=True) if name not in disabled
        ]
        self.injector.use(Scenario(left, seed=scenario.seed))
        self._whole, self._disabled = scenario, disabled
        self._number += 1

    def use(self, scenario: Rules, *, seed: str | None = None, expected: int | None = None) -> None:
        with self._lock:
            self._expect(expected)
            given = Scenario.of(scenario)
            self._put(given if seed is None else Scenario(given.rules, seed=seed), set())

    def add(self, rules: Rules, *, expected: int | None = None) -> None:
        with self._lock:
            self._expect(expected)
            self._put(
                Scenario([*self._whole.rules, *Scenario.of(rules).rules], seed=self._whole.seed),
                self._disabled,
            )

    def replace(self, name: str, rule: Rule, *, expected: int | None = None) -> None:
        with self._lock:
            self._expect(expected)
            rules = list(self._whole.rules)
            rules[self._whole.display_names.index(name)] = rule
            self._put(Scenario(rules, seed=self._whole.seed), self._disabled - {name})

    def remove(self, name: str, *, expected: int | None = None) -> None:
        with self._lock:
            self._expect(expected)
            rules = list(self._whole.rules)
            del rules[self._whole.display_names.index(name)]
            self._put(Scenario(rules, seed=self._whole.seed), self._disabled - {name})

    def enable_rule(self, name: str) -> None:
        with self._lock:
            self._put(self._whole, self._disabled - {name})

    def disable_rule(self, name: str) -> None:
        with self._lock:
            self._put(self._whole, self._disabled | {name})

    def enable(self, *, until: float | None = None) -> None:
        with self._lock:
            self._until = until
            self.injector.enable()
            self._number += 1

    def disable(self) -> None:
        with self._lock:
            self._until = None
            self.injector.disable()
            self._number += 1

    def reset(self, *, expected: int | None = None) -> None:
        with self._lock:
            self._expect(expected)
            self._put(self._whole, self._disabled)

    def counts(self) -> dict[str, dict[str, int]]:
        return self.injector.counts()

    def events(self, after: str = "", limit: int = 500) -> tuple[list[Outcome], str, int]:
        return self.injector.events(after, limit)
