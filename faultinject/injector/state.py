"""The state in force for all processes of a store: rules, seed, switches and generation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, replace
from functools import cached_property
from typing import Any, Literal, Self

from faultinject.engine.compiled_rule import duplicate_indices
from faultinject.exceptions import ConfigurationError, FaultInjectError, StoreUnavailableError
from faultinject.journal.changes import ControlChange
from faultinject.rules.descriptions import count
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import nearest, shown

KEPT_SWITCHES = ("on", "until", "why_off")
"""Switches survive a new scenario.

Faults that were switched off, by hand or by `abort`, stay off until `enable()`.
"""


CHANGES_KEPT = 20
"""The changes that a state keeps; older ones are in the log and in the journal's file."""


@dataclass(frozen=True, slots=True)
class RuleCounts:
    """The counts of one rule, since counts began at zero.

    Attributes:
        matched: how many requests met its conditions.
        injected: how many got its fault.
        failed: how many met its conditions and passed because of the store, or of an error in faultinject.
    """

    matched: int
    injected: int
    failed: int = 0

    def __getitem__(self, name: Literal["matched", "injected", "failed"]) -> int:
        """Read a count by its name, as in the JSON of the control API.

        Raises:
            KeyError: no count has this name.
        """
        return {"matched": self.matched, "injected": self.injected, "failed": self.failed}[name]


@dataclass(frozen=True, eq=False, repr=False)
class State:
    """The state that all processes of one store share; frozen: a change makes another state.

    Each rule is counted under a number, its place. An unchanged rule keeps its place, and so its counts and draws. A
    changed or new rule gets a place that no rule had before, so its counts begin at zero.

    Args:
        scenario: the rules.
        seed: the seed of their draws.
        began: unix seconds at which the scenario took effect; later changes of single rules do not move it.
        places: the places under which rules are counted; by default 0, 1, 2, …
        duplicates: for each rule the number of earlier rules with the same label.
        next_place: the first place that no rule has had.
        switched_off: the places of rules that match no request.
        on: whether faults may be injected at all.
        until: unix seconds at which faults end by themselves, or None.
        why_off: the reason why `abort` has switched faults off; else empty.
        armed: the number of times that faults were switched on again.
        over_http: whether a process that accepts rules over HTTP has changed it.
        by: the process that put it in force.
        changes: the last changes by the control API, the oldest first.
        generation: the number of states that were in force before.

    Attributes:
        disabled: the names of the rules that are switched off, in order.
    """

    scenario: Scenario
    seed: str
    _: KW_ONLY
    began: float
    places: Sequence[int] = ()
    duplicates: tuple[int, ...] = ()
    next_place: int = -1
    switched_off: frozenset[int] = frozenset()
    on: bool = True
    until: float | None = None
    why_off: str = ""
    armed: int = 0
    over_http: bool = False
    by: int = 0
    changes: tuple[ControlChange, ...] = ()
    generation: int = 0

    def __post_init__(self) -> None:
        if self.next_place < 0:
            rules = len(self.scenario.rules)
            object.__setattr__(self, "places", range(rules))
            object.__setattr__(self, "next_place", rules)

    @cached_property
    def text(self) -> str:
        """The scenario as JSON."""
        return self.scenario.to_json()

    @property
    def disabled(self) -> tuple[str, ...]:
        """The names of the rules that are switched off, in order."""
        return tuple(self.scenario.display_names[number] for number in self.off)

    @property
    def off(self) -> tuple[int, ...]:
        """The numbers of the rules that are switched off, in the order written."""
        if not self.switched_off:
            return ()
        return tuple(number for number, place in enumerate(self.places) if place in self.switched_off)

    def with_changes(self, **changes: Any) -> Self:
        """A copy with these changes."""
        copy = replace(self, **changes)
        if copy.scenario is self.scenario and "text" in self.__dict__:
            copy.__dict__["text"] = self.text
        return copy

    def decides_as(self, other: State) -> bool:
        """Whether both states have the same rules, places and seed, whether or not faults are on."""
        return (
            self.places == other.places
            and self.switched_off == other.switched_off
            and self.seed == other.seed
            and (self.scenario is other.scenario or self.text == other.text)
        )

    def with_scenario(self, scenario: Scenario, seed: str | None, now: float) -> Self:
        """A state with another scenario, counted from zero; it stays on or off.

        Args:
            scenario: the new scenario.
            seed: its seed; None keeps the present one.
            now: unix seconds.
        """
        return self.with_changes(
            scenario=scenario,
            seed=self.seed if seed is None else seed,
            began=now,
            duplicates=(),
            next_place=-1,
            switched_off=frozenset(),
        )

    def with_faults_on(self, until: float | None) -> Self:
        """A copy in which faults are on, until that moment or for good."""
        return self.with_changes(on=True, until=until, why_off="", armed=self.armed + (not self.on))

    def with_zero_counts(self) -> Self:
        """A copy whose counts begin at zero."""
        return self.with_changes(duplicates=(), next_place=-1, switched_off=frozenset(self.off))

    def with_more(self, rules: Sequence[Rule]) -> Self:
        """A state with more rules after these.

        Raises:
            ConfigurationError: one has a name that is taken.
        """
        origins = range(len(self.scenario.rules))
        return self._with_rules([*self.scenario.rules, *rules], [*origins, *[None] * len(rules)])

    def with_rule(self, name: str, new_rules: Sequence[Rule]) -> Self:
        """A state with one rule replaced; it stays switched off if the old one was.

        Args:
            name: the old rule's name, as in `Scenario.display_names`.
            new_rules: exactly one rule; the same rule again keeps its counts.

        Raises:
            ConfigurationError: there is no such rule, there is not one new rule, or its name is taken.
        """
        number = self.find(name)
        if len(new_rules) != 1:
            raise ConfigurationError(f"{name}: one rule is replaced by one rule, not by {len(new_rules)}")
        if new_rules[0] == self.scenario.rules[number]:
            return self
        rules, origins = list(self.scenario.rules), list[int | None](range(len(self.scenario.rules)))
        rules[number], origins[number] = new_rules[0], None
        state = self._with_rules(rules, origins)
        if self.places[number] in self.switched_off:
            state = state.with_changes(switched_off=state.switched_off | {state.places[number]})
        return state

    def without_rule(self, name: str) -> Self:
        """A state without one rule.

        Raises:
            ConfigurationError: there is no such rule.
        """
        number = self.find(name)
        origins = [index for index in range(len(self.scenario.rules)) if index != number]
        return self._with_rules([self.scenario.rules[index] for index in origins], origins)

    def with_rule_switched(self, name: str, *, on: bool) -> Self:
        """A state with one rule switched on or off; its counts stay, as do the others' draws.

        Raises:
            ConfigurationError: there is no such rule.
        """
        place = self.places[self.find(name)]
        off = self.switched_off - {place} if on else self.switched_off | {place}
        return self.with_changes(switched_off=off)

    def find(self, name: str) -> int:
        """The number of a rule, by its name.

        Raises:
            ConfigurationError: there is none.
        """
        names = self.scenario.display_names
        try:
            return names.index(name)
        except ValueError:
            message = (
                f"{shown(name)} is not the name of a rule{nearest(name, names)}"
                if names
                else "there is no rule"
            )
            raise ConfigurationError(message) from None

    def to_data(self) -> dict[str, Any]:
        """The state as JSON data; without its generation, which is stored elsewhere."""
        data: dict[str, Any] = {"scenario": self.text, "seed": self.seed, "began": self.began, "by": self.by}
        data |= {
            "on": self.on,
            "until": self.until,
            "why_off": self.why_off,
            "armed": self.armed,
            "over_http": self.over_http,
            "next_place": self.next_place,
        }
        data["changes"] = self.changes
        data["places"] = None if isinstance(self.places, range) else list(self.places)
        return data | {"duplicates": self.duplicates, "switched_off": sorted(self.switched_off)}

    @classmethod
    def from_data(cls, data: dict[str, Any], generation: int, like: State) -> State:
        """The state of JSON data.

        Args:
            data: the result of `to_data`.
            generation: the generation of the state.
            like: a state; if its scenario is the same, the scenario is not parsed again.

        Raises:
            ConfigurationError: the scenario cannot be read.
            ValueError, TypeError, KeyError: another field cannot be read.
        """
        text = data["scenario"]
        scenario = like.scenario if text == like.text else Scenario.from_json(text)
        places = data["places"]
        rules = len(scenario.rules)
        state = cls(
            scenario,
            str(data["seed"]),
            began=float(data["began"]),
            places=range(rules) if places is None else tuple(map(int, places)),
            duplicates=tuple(map(int, data["duplicates"])),
            next_place=int(data["next_place"]),
            switched_off=frozenset(map(int, data["switched_off"])),
            on=bool(data["on"]),
            until=None if data["until"] is None else float(data["until"]),
            why_off=str(data["why_off"]),
            armed=int(data.get("armed", 0)),
            over_http=bool(data.get("over_http", False)),
            by=int(data["by"]),
            changes=tuple(ControlChange(*change) for change in data.get("changes", ())),
            generation=generation,
        )
        if len(state.places) != rules or len(state.duplicates) not in {0, rules}:
            raise ValueError("it does not have one number for each rule")
        state.__dict__["text"] = text
        return state

    def __repr__(self) -> str:
        return f"<State {summary(self.scenario, self.seed, on=self.on)}, generation {self.generation}>"

    def _with_rules(self, rules: Sequence[Rule], origins: Sequence[int | None]) -> Self:
        """A state with other rules.

        Args:
            rules: the rules.
            origins: for each rule its index so far, or None for a new rule.

        Raises:
            ConfigurationError: a new rule has a name that is taken.
        """
        names_kept = {rule.name for rule, origin in zip(rules, origins, strict=True) if origin is not None}
        for rule, origin in zip(rules, origins, strict=True):
            if origin is None and rule.name is not None and rule.name in names_kept:
                raise ConfigurationError(
                    f"{rule.name} is already the name of another rule; names must be unique"
                )
        scenario = Scenario.of_rules(rules, self.scenario.seed, self.scenario.abort)
        fresh = iter(range(self.next_place, self.next_place + len(rules)))
        places = [next(fresh) if origin is None else self.places[origin] for origin in origins]
        appended = origins[: len(self.places)] == list(range(len(self.places)))
        return self.with_changes(
            scenario=scenario,
            places=tuple(places),
            # Rules that are appended do not change the numbers of the others.
            duplicates=()
            if appended and not self.duplicates
            else tuple(self._number_duplicates(scenario.rules, origins)),
            next_place=next(fresh, self.next_place + len(rules)),
            switched_off=self.switched_off & {*places},
        )

    def _number_duplicates(self, rules: Sequence[Rule], origins: Sequence[int | None]) -> Iterator[int]:
        """Yield for each rule its number among the rules with its label.

        A kept rule keeps its number, a new rule gets the first free one.
        """
        numbers_before = self.duplicates or duplicate_indices(self.scenario.rules)
        used = {
            (rule.label, numbers_before[origin])
            for rule, origin in zip(rules, origins, strict=True)
            if origin is not None
        }
        free: dict[str, int] = {}
        for rule, origin in zip(rules, origins, strict=True):
            if origin is not None:
                yield numbers_before[origin]
                continue
            label = rule.label
            number = free.get(label, 0)
            while (label, number) in used:
                number += 1
            free[label] = number + 1
            yield number


def summary(scenario: Scenario, seed: str, *, on: bool) -> str:
    """A text such as `2 rules, seed 42, on`, for the repr of an object."""
    return f"{count(len(scenario.rules), 'rule')}, seed {shown(seed)}, {'on' if on else 'off'}"


def read_state(data: dict[str, Any], generation: int, like: State, path: str) -> State:
    """Read another process's state; a scenario that `like` has is not parsed again."""
    try:
        return State.from_data(data, generation, like)
    except FaultInjectError:
        raise
    except (ValueError, TypeError, KeyError) as error:
        raise StoreUnavailableError(f"the scenario of {path} cannot be read: {error}") from error
