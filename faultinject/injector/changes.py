"""What may be changed while an app runs, by its own code, by the control API, or by a file: rules, their counts, on and off."""

from __future__ import annotations

from faultinject.exceptions import ConfigurationError
from faultinject.injector.in_force import InForce
from faultinject.injector.state import State
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

    def use(self, scenario: Rules, *, seed: str | int | None = None, expected: int | None = None) -> State:
        """Swap the scenario: running requests keep the old one, its waits end, counts begin at zero.

        As with every change, all processes of the store have it at their next request, with a Redis server a second later.

        Args:
            scenario: the new one.
            seed: its seed; by default the scenario's own, otherwise the current one.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: the new scenario is wrong; the old one stays in force.
            Conflict: another generation is in force.
            StoreUnavailable: the store cannot be written; the old scenario stays in force.
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

    def add(self, rules: Rules, *, expected: int | None = None) -> State:
        """Add rules after those in force; these keep their counts and draws.

        Args:
            rules: the rules.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: a rule is wrong; the scenario in force stays.
            Conflict: another generation is in force.
            StoreUnavailable: the store cannot be written; nothing is added.
        """
        more = Scenario.of(rules).rules
        return self._told(self._edit(lambda now: now.with_more(more), expected), more)

    def replace(self, name: str, rule: str | Rule, *, expected: int | None = None) -> State:
        """Replace one rule; the new one counts from zero, and all others keep their counts and draws.

        A rule that was switched off stays so.

        Args:
            name: the name of the old rule, as in `counts()`.
            rule: the new rule. The same rule again changes nothing.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: there is no rule of that name, or the new one is wrong.
            Conflict: another generation is in force.
            StoreUnavailable: the store cannot be written; nothing is replaced.
        """
        given = Scenario.of(rule).rules
        return self._told(self._edit(lambda now: now.with_rule(name, given), expected), given)

    def remove(self, name: str, *, expected: int | None = None) -> State:
        """Remove one rule; all others keep their counts and draws.

        Args:
            name: the name of the rule, as in `counts()`.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: there is no rule of that name.
            Conflict: another generation is in force.
            StoreUnavailable: the store cannot be written; the rule stays.
        """
        return self._edit(lambda now: now.without_rule(name), expected)

    def enable_rule(self, name: str, *, expected: int | None = None) -> State:
        """Let requests match a rule again that was switched off; it keeps its counts.

        Args:
            name: the name of the rule, as in `counts()`.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: there is no rule of that name.
            Conflict: another generation is in force.
            StoreUnavailable: the store cannot be written.
        """
        return self._edit(lambda now: now.with_rule_switched(name, on=True), expected)

    def disable_rule(self, name: str, *, expected: int | None = None) -> State:
        """Let no request match a rule; it keeps its counts, and all others keep their draws.

        Args:
            name: the name of the rule, as in `counts()`.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: there is no rule of that name.
            Conflict: another generation is in force.
            StoreUnavailable: the store cannot be written.
        """
        return self._edit(lambda now: now.with_rule_switched(name, on=False), expected)

    def reset(self, *, expected: int | None = None) -> State:
        """Set the counts of all rules to zero.

        Args:
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            Conflict: another generation is in force.
            StoreUnavailable: the store cannot be written; the counts stay.
        """
        return self._edit(State.from_zero, expected, anew=True)

    def enable(self, *, until: float | None = None, expected: int | None = None) -> State:
        """Switch faults on in all processes of the store, unless the environment of one switches them off there.

        Args:
            until: unix seconds at which they switch off again, as with FAULTINJECT_EXPIRES; None: never.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            ConfigurationError: `until` is not in the future.
            Conflict: another generation is in force.
            StoreUnavailable: the store cannot be written; nothing is switched on.
        """
        if until is not None:
            until = _moment(until, self.clock())
        return self._edit(lambda now: now.switched_on(until), expected)

    def disable(self, *, why: str = "", expected: int | None = None) -> State:
        """Switch off in all processes of the store: every request passes untouched, waits end; counts and journal stay.

        Args:
            why: the reason, if no person did it; `state.why_off` has it until faults are switched on again.
            expected: the generation to change; by default the current one.

        Returns:
            The new state.

        Raises:
            Conflict: another generation is in force.
            StoreUnavailable: the store cannot be written; this process is off until it sees a later change.
        """
        return self._switch_off(why, expected)

    def _told(self, made: State, new: Sequence[Rule]) -> State:
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
