"""What may be changed while an app runs, by its own code, by the control API, or by a file: rules, their counts, on and off."""

from __future__ import annotations

from faultinject.exceptions import ConfigurationError
from faultinject.injector.in_force import InForce
from faultinject.injector.standing import Standing
from faultinject.journal import log
from faultinject.rules.scenario import Scenario
from faultinject.rules.values import shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.rules.rule import Rule
    from faultinject.rules.scenario import Rules

_LAST = 253_402_300_800.0
"""The end of the year 9999, in unix seconds."""


class Changes(InForce):
    """Each change is in force whole or not at all, and in all processes that count together."""

    def use(self, scenario: Rules, *, seed: str | int | None = None, expected: int | None = None) -> Standing:
        """Swap the scenario: requests under way keep the old one, waits of it end, counts begin at zero.

        As with every change, all processes of the store have it at their next request, on a Redis server a second later.

        Args:
            scenario: the new one.
            seed: its seed; by default the scenario's own, else the one in force so far.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: the new scenario is wrong; the old one stays in force.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; the old scenario stays in force.
        """
        given = Scenario.of(scenario)
        own_seed = given_seed(given, seed)
        made = self._edit(
            lambda now: now.swapped(given, own_seed, self.clock()), expected, anew=True, in_any_case=True
        )
        if own_seed is not None:
            self._chosen = False
        log.doubtful(given.rules, given.display_names)
        return made

    def add(self, rules: Rules, *, expected: int | None = None) -> Standing:
        """Put more rules behind those in force, whose counts and draws go on.

        Args:
            rules: the rules.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: a rule is wrong; the scenario in force stays.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; nothing is added.
        """
        more = Scenario.of(rules).rules
        return self._told(self._edit(lambda now: now.with_more(more), expected), more)

    def replace(self, name: str, rule: str | Rule, *, expected: int | None = None) -> Standing:
        """Put another rule in the place of one; it counts from zero, and the counts and draws of all others go on.

        A rule that was switched off stays so.

        Args:
            name: what the rule that goes is called, as in `counts()`.
            rule: the one that comes. The same one again changes nothing.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: there is no rule of that name, or the new one is wrong.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; nothing is replaced.
        """
        given = Scenario.of(rule).rules
        return self._told(self._edit(lambda now: now.with_rule(name, given), expected), given)

    def remove(self, name: str, *, expected: int | None = None) -> Standing:
        """Take one rule away; the counts and draws of all others go on.

        Args:
            name: what the rule is called, as in `counts()`.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: there is no rule of that name.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; the rule stays.
        """
        return self._edit(lambda now: now.without_rule(name), expected)

    def enable_rule(self, name: str, *, expected: int | None = None) -> Standing:
        """Let requests match a rule again that was switched off; its counts go on.

        Args:
            name: what the rule is called, as in `counts()`.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: there is no rule of that name.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told.
        """
        return self._edit(lambda now: now.with_rule_switched(name, on=True), expected)

    def disable_rule(self, name: str, *, expected: int | None = None) -> Standing:
        """Let no request match a rule; its counts stay, and the draws of all others are what they were.

        Args:
            name: what the rule is called, as in `counts()`.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: there is no rule of that name.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told.
        """
        return self._edit(lambda now: now.with_rule_switched(name, on=False), expected)

    def reset(self, *, expected: int | None = None) -> Standing:
        """Let the counts of all rules begin at zero.

        Args:
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; the counts go on.
        """
        return self._edit(Standing.from_zero, expected, anew=True)

    def enable(self, *, until: float | None = None, expected: int | None = None) -> Standing:
        """Switch faults on in all processes of the store, unless the environment of one switches them off there.

        Args:
            until: unix seconds at which they are switched off again by themselves, as by FAULTINJECT_EXPIRES; None: never.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            ConfigurationError: `until` is no moment to come.
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; nothing is switched on.
        """
        if until is not None:
            until = _moment(until, self.clock())
        return self._edit(lambda now: now.switched_on(until), expected)

    def disable(self, *, why: str = "", expected: int | None = None) -> Standing:
        """Switch off in all processes of the store: every request passes untouched, waits end; counts and journal stay.

        Args:
            why: the reason, where nobody asked for it; `standing.why_off` says it until faults are switched on again.
            expected: the generation that is changed; by default whichever is in force.

        Returns:
            What is in force now.

        Raises:
            Conflict: another generation is in force.
            StoreUnavailable: the other processes cannot be told; this one is off until it hears of a later change.
        """
        return self._switch_off(why, expected)

    def _told(self, made: Standing, new: Sequence[Rule]) -> Standing:
        """What is in force; the log says what hardly any request can match."""
        known = {*new}
        pairs = zip(made.scenario.rules, made.scenario.display_names, strict=True)
        named = [(rule, name) for rule, name in pairs if rule in known]
        log.doubtful([rule for rule, _ in named], [name for _, name in named])
        return made


def given_seed(scenario: Scenario, seed: str | int | None) -> str | None:
    """The seed that is given with a scenario, or by it."""
    return scenario.seed if seed is None else Scenario([], seed=seed).seed


def _moment(until: float, now: float) -> float:
    """A moment to come, in unix seconds."""
    if isinstance(until, bool) or not isinstance(until, int | float) or not now < until < _LAST:
        raise ConfigurationError(
            f"until: {shown(repr(until))} is not a moment to come, in unix seconds; now it is {now:.0f}"
        )
    return float(until)
