"""What is in force and what came of it, as plain data."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from faultinject.injector.injector import Injector
    from faultinject.rules.rule import Rule

VERSION = 1
_NONE = {"matched": 0, "injected": 0, "failed": 0}


def state(injector: Injector) -> dict[str, Any]:
    """All that a client shows: switch, rules, counts and limits."""
    counts = injector.counts()
    in_force = injector.state
    now = injector.clock()
    services, watch = injector.own_plan.services, injector.own_plan.watch
    names = in_force.scenario.display_names
    rules = [
        rule_data(name, rule, enabled=name not in in_force.disabled, counts=counts.get(name, {}))
        for name, rule in zip(names, in_force.scenario.rules, strict=True)
    ]
    return {
        "v": VERSION,
        "generation": in_force.generation,
        "on": in_force.on and (in_force.until is None or now < in_force.until),
        "enabled": injector.enabled,
        "until": in_force.until,
        "expires": injector.expires,
        "now": now,
        "seed": in_force.seed,
        "production": injector.production,
        "store": injector.store,
        "max_active": services.most_active,
        "active": services.active,
        "refused": services.refused,
        "undecided": injector.undecided,
        "failures": injector.failures,
        "disarmed": in_force.why_off,
        "abort": None if watch is None else watch.text,
        "rules": rules,
        "totals": {key: sum(each[key] for each in rules) for key in ("matched", "injected", "failed")},
    }


def rule_data(name: str, rule: Rule, *, enabled: bool, counts: dict[str, int]) -> dict[str, Any]:
    """A rule with its counts."""
    vendor = rule.resolved.vendor
    numbers = {**_NONE, **counts}
    times = rule.value("times")
    return {
        "name": name,
        "given": rule.name,
        "text": str(rule),
        "rule": rule.to_dict(),
        "fault": rule.fault,
        "vendor": None if vendor is None else vendor.id,
        "says": rule.resolved.in_words(rule),
        "enabled": enabled,
        **numbers,
        "times": times,
        "spent": times is not None and rule.value("per") == "rule" and numbers["injected"] >= times,
    }
