"""Hypothesis strategies: scenarios to draw and to shrink, with the extra `hypothesis`."""

from __future__ import annotations

from faultinject.exceptions import ConfigurationError, MissingExtraError
from faultinject.rules.scenario import Scenario
from faultinject.testing import unwrapped
from faultinject.testing.exploration.bounds import WHOLE, Bounds, convert_argument
from faultinject.testing.exploration.points import Trace, exact_conditions
from faultinject.testing.exploration.sweep import sweep_of

try:
    from hypothesis import strategies
except ImportError:
    raise MissingExtraError('scenarios() needs Hypothesis: pip install "faultinject[hypothesis]"') from None

from collections.abc import Sequence

from hypothesis.strategies import SearchStrategy

from faultinject.journal.outcome import Outcome
from faultinject.rules.rule import Rule


def scenarios(
    requests: Sequence[Outcome], *faults: str | Rule, max_faults: int = 2
) -> SearchStrategy[Scenario]:
    """Scenarios of up to `max_faults` faults at the requests of a recorded run.

    Args:
        requests: the requests of a run, from `faultinject.record(code)`.
        faults: rules, whose conditions select the requests; a vendor id stands for the vendor's standard set. `hang`
            is drawn only for the requests of a test client, where it costs no time. A fault that lasts for
            the rest of a run (with the trigger `from`) is never drawn.
        max_faults: the number of slots; each may stay empty, so a failure shrinks to the fewest faults.

    Raises:
        ConfigurationError: a rule is wrong, there are no requests, or no fault matches any of the requests.
    """
    sweep = sweep_of(faults, Bounds())
    if not requests:
        raise ConfigurationError(f"there are no requests to draw from: none was seen. {unwrapped.advice()}")
    trace = Trace(sorted(requests, key=lambda outcome: outcome.arrived), sweep.reading)
    points = [trace.point(number, exact_conditions(outcome)) for number, outcome in enumerate(trace.outcomes)]
    over_network = any(outcome.connection is not None for outcome in requests)
    rules = [
        sweep.rule_at(point, choice)
        for choice in sweep.run.choices
        for point in points
        if not (choice.lasts or choice.replaces_object)
        and sweep.applies(choice, point)
        and not (over_network and choice.slow)
    ]
    if not rules:
        raise ConfigurationError("none of the faults fits any of the requests")
    slot = strategies.none() | strategies.sampled_from(rules)

    def scenario(drawn: tuple[Rule | None, ...]) -> Scenario:
        rules_drawn = [rule for rule in drawn if rule is not None]
        return Scenario.of_rules(tuple(dict.fromkeys(rules_drawn)), "0")

    return strategies.tuples(*[slot] * convert_argument("max_faults", max_faults, *WHOLE)).map(scenario)
