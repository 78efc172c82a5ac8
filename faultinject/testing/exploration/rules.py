"""From a point and a fault to the rule that injects it there, and nowhere else."""

from __future__ import annotations

from faultinject.rules.rule import Rule
from faultinject.testing.exploration.points import exact, masked
from faultinject.vendors.operations import operations_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from faultinject.testing.exploration.choices import Choice
    from faultinject.testing.exploration.points import Point
    from faultinject.vendors.vendor import Vendor


def rule_at(point: Point, choice: Choice, vendor: Vendor | None = None) -> Rule:
    """The rule that injects a fault at that point and nowhere else.

    Args:
        point: where.
        choice: what.
        vendor: whose way of reading requests the point's operation is of.
    """
    keys: dict[str, Any] = {}
    conditions, its_own = point.conditions, choice.rule.vendor
    operation = conditions.get("operation")
    if operation is not None and its_own is not None and operation not in operations_of(its_own).names:
        # The fault's vendor has other words than the one that the requests were read as.
        conditions = masked(point.outcome) or exact(point.outcome)
    for full, text in conditions.items():
        _put(keys, full, text)
    if point.skip:
        keys["skip"] = point.skip
    for full, text in choice.rule.options.items():
        _put(keys, full, text)
    keys.setdefault("times", "1")
    if "operation" in keys and vendor is not None and choice.rule.vendor is None:
        keys["vendor"] = vendor.id
    return Rule(choice.rule.fault, **keys)


def folded(first: Rule, second: Rule) -> tuple[Rule, ...]:
    """Both; one rule with more `times` where the second follows on the first."""
    follows = first.value("skip") + first.value("times") == second.value("skip")
    if follows and _without_counts(first) == _without_counts(second):
        name, conditions, unless, options = first.parts
        options["times"] = str(first.value("times") + second.value("times"))
        return (Rule.of_parts(first.fault, (name, conditions, unless, options)),)
    return first, second


def _put(keys: dict[str, Any], full: str, text: str) -> None:
    key, dot, name = full.partition(".")
    if dot:
        keys.setdefault(key, {})[name] = text
    else:
        keys[key] = text


def _without_counts(rule: Rule) -> tuple[object, ...]:
    options = {key: text for key, text in rule.options.items() if key not in ("skip", "times")}
    return rule.fault, dict(rule.conditions), options
