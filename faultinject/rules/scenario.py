"""A scenario: rules in order, and a seed, as frozen data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Any, Unpack

from faultinject.exceptions import ConfigurationError
from faultinject.rules import data
from faultinject.rules.abort import bound_text
from faultinject.rules.diagnosis import Diagnosis
from faultinject.rules.rule import Rule
from faultinject.rules.text import read_rules
from faultinject.rules.values import seed_text, shown
from faultinject.rules.variables import read_variables

if TYPE_CHECKING:
    from os import PathLike

    from faultinject.rules.rule_keys import RuleKeys


@dataclass(frozen=True, init=False)
class Scenario:
    """The rules and the seed of an injector.

    Args:
        rules: text with any number of rules, a `Rule`, or a list of either.
        seed: the seed of the draws; text or an int (`42` and `"42"` are the same). None: one is chosen at start.
        abort: `5xx>5%/1m`: when more than 5 % of the app's own answers within a minute are failures, all faults end
            until somebody switches them on again. There must be 20 answers, or as many as `5xx>5%/1m,min=50` says;
            `injected=yes` counts injected failures, too.

    Raises:
        ConfigurationError: something is wrong; `problems` has every mistake.

    Attributes:
        rules: the rules, in order.
        seed: the seed's text or None.
        abort: the limit of the app's own failures as text, or None.
        display_names: the name of each rule in answers and in the journal: its own, or `rule-1` and so on.

    >>> print(Scenario("http:503,times=1; latency,delay=2s", seed=42).to_toml())
    seed = "42"
    <BLANKLINE>
    [[rules]]
    fault = "http:503"
    times = 1
    <BLANKLINE>
    [[rules]]
    fault = "latency"
    delay = "2s"
    <BLANKLINE>
    """

    rules: tuple[Rule, ...]
    seed: str | None
    abort: str | None
    display_names: tuple[str, ...]

    def __init__(
        self,
        rules: str | Rule | Sequence[str | Rule] = (),
        *,
        seed: str | int | None = None,
        abort: str | None = None,
    ) -> None:
        diagnosis = Diagnosis()
        rules_read = read_any(rules, diagnosis)
        text = diagnosis.read(seed_text, seed, "")
        bound = diagnosis.read(bound_text, abort, "")
        diagnosis.close()
        _fill(self, rules_read, text, bound)

    @classmethod
    def of(cls, rules: Rules) -> Scenario:
        """Make a scenario of rules in any form."""
        return rules if isinstance(rules, Scenario) else cls(rules)

    @classmethod
    def of_rules(cls, rules: Iterable[Rule], seed: str | None, abort: str | None = None) -> Scenario:
        """The scenario of rules with unique names, which are not checked."""
        scenario = cls.__new__(cls)
        _fill(scenario, rules, seed, abort)
        return scenario

    @classmethod
    def parse(cls, text: str, *, seed: str | int | None = None, where: str = "") -> Scenario:
        """The scenario of a text; `where` names the text in messages.

        Raises:
            ConfigurationError: has every mistake, with its rule, place and excerpt.
        """
        diagnosis = Diagnosis()
        rules = read_rules(text, where, diagnosis)
        seed_read = diagnosis.read(seed_text, seed, where)
        diagnosis.close()
        return cls.of_rules(rules, seed_read)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Scenario:
        """The scenario of a TOML file, or of a JSON file whose name ends in `.json`.

        Raises:
            ConfigurationError: the file cannot be read, or has mistakes; each has its line.
        """
        return cls._read(data.read_file, path)

    @classmethod
    def from_toml(cls, text: str, *, where: str = "") -> Scenario:
        """The scenario of a TOML text."""
        return cls._read(data.read_toml, text, where)

    @classmethod
    def from_json(cls, text: str, *, where: str = "") -> Scenario:
        """The scenario of a JSON text."""
        return cls._read(data.read_json, text, where)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Scenario:
        """The scenario of `FAULTINJECT_FILE`, `_RULES`, `_RULE_<NAME>` and `_SEED`.

        It is read whether it is switched on or not.
        """
        return cls._read(read_variables, environ)

    @classmethod
    def _read(
        cls, read: Callable[..., tuple[Iterable[Rule], str | None, str | None]], *arguments: Any
    ) -> Scenario:
        """Make the scenario that a reader reads; the reader gets the diagnosis as its last argument."""
        diagnosis = Diagnosis()
        parts = read(*arguments, diagnosis)
        diagnosis.close()
        return cls.of_rules(*parts)

    def to_toml(self) -> str:
        """The scenario as TOML."""
        return data.to_toml(self.rules, self.seed, self.abort)

    def to_json(self) -> str:
        """The scenario as JSON."""
        return data.to_json(self.rules, self.seed, self.abort)

    def __str__(self) -> str:
        """The rules as text, without seed and `abort`."""
        return " ".join(map(str, self.rules))

    def __repr__(self) -> str:
        abort = "" if self.abort is None else f", abort={self.abort!r}"
        return f"Scenario({str(self)!r}, seed={self.seed!r}{abort})"


Rules = str | Rule | Sequence[str | Rule] | Scenario
"""Rules as Python code gives them.

A text with any number of rules, a `Rule`, a list of either, or a `Scenario`.
"""


def gather(rule: str | Rule | Scenario, /, *rules: str | Rule, **keys: Unpack[RuleKeys]) -> Scenario:
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
    keys_of_rule: dict[str, Any] = scenario.rules[0].to_dict()
    twice = sorted(keys_of_rule.keys() & keys.keys())
    if twice:
        raise ConfigurationError(f"{', '.join(twice)}: given in the rule itself and as a key")
    return Scenario([Rule(keys_of_rule.pop("fault"), **keys_of_rule, **keys)])


def _fill(scenario: Scenario, rules: Iterable[Rule], seed: str | None, abort: str | None) -> None:
    rules = tuple(rules)
    attributes = {"rules": rules, "seed": seed, "abort": abort, "display_names": _display_names(rules)}
    for name, value in attributes.items():
        object.__setattr__(scenario, name, value)


def read_any(rules: object, diagnosis: Diagnosis) -> list[Rule]:
    """The rules of any value that stands for rules in Python."""
    if isinstance(rules, str):
        return read_rules(rules, "", diagnosis)
    if isinstance(rules, Rule):
        return [rules]
    if not isinstance(rules, list | tuple):
        diagnosis.add(f"{shown(repr(rules))} is not rules: give text, a Rule, or a list of either")
        return []
    read: list[Rule] = []
    for index, rule in enumerate(rules):
        place = f"rules[{index}]"
        if isinstance(rule, Rule):
            read.append(rule)
            if rule.name is not None:
                diagnosis.claim(rule.name, place, f"{place}.name")
        elif isinstance(rule, str):
            read += read_rules(rule, place if len(rules) > 1 else "", diagnosis)
        else:
            diagnosis.add(f"{shown(repr(rule))} is not a rule: give text or a Rule", place)
    return read


def _display_names(rules: tuple[Rule, ...]) -> tuple[str, ...]:
    used = {rule.name for rule in rules if rule.name is not None}
    names = []
    for number, rule in enumerate(rules, 1):
        name = rule.name or f"rule-{number}"
        if rule.name is None and name in used:
            name = next(
                candidate for extra in count(2) if (candidate := f"rule-{number}-{extra}") not in used
            )
            used.add(name)
        names.append(name)
    return tuple(names)
