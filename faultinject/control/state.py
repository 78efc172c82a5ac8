"""What is in force and what came of it, as plain data."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.injector.injector import Injector
    from faultinject.rules.rule import Rule

VERSION = 1


class Counts(Struct):
    """The counts of rules.

    Attributes:
        matched: How many requests met the conditions.
        injected: How many got the fault.
        failed: How many could not be decided.
    """

    matched: int
    injected: int
    failed: int


class RuleState(Struct):
    """A rule with its counts.

    Attributes:
        name: What the rule is called.
        given: The name that it was given; null where its place names it.
        text: Its text.
        rule: Its keys, as in a file of rules.
        fault: Its fault.
        vendor: The vendor of a documented error, or null.
        says: The fault in words.
        enabled: Whether requests can match it.
        matched: How many requests met the conditions.
        injected: How many got the fault.
        failed: How many could not be decided.
        times: How many faults it gives at most; null: no limit.
        spent: Whether it has given all of them.
    """

    name: str
    given: str | None
    text: str
    rule: dict[str, Any]
    fault: str
    vendor: str | None
    says: str
    enabled: bool
    matched: int
    injected: int
    failed: int
    times: int | None
    spent: bool


class ServerState(Struct):
    """The state of a server.

    Attributes:
        v: The version of the format.
        generation: How many changes came before.
        on: Whether faults are switched on.
        enabled: Whether the process that answers may inject.
        until: When that ends, unix seconds; null: never.
        expires: What FAULTINJECT_EXPIRES says, unix seconds, or null.
        now: The server's time, unix seconds.
        seed: What the draws depend on.
        production: The variable that says that this is production, or null.
        store: Where counts are kept.
        max_active: How many faults at the same time in a process.
        active: How many are under way in the process that answers.
        refused: How many were not given because that were too many.
        undecided: How many requests passed because of the store.
        failures: How many errors there were in faultinject itself.
        disarmed: Why faults were switched off where nobody asked for it, or empty.
        abort: The bound of the app's own failures, which ends all faults.
        rules: The rules in order.
        totals: Their sums.
    """

    v: int
    generation: int
    on: bool
    enabled: bool
    until: float | None
    expires: float | None
    now: float
    seed: str
    production: str | None
    store: str
    max_active: int
    active: int
    refused: int
    undecided: int
    failures: int
    disarmed: str
    abort: str | None
    rules: list[RuleState]
    totals: Counts


def state(injector: Injector) -> ServerState:
    """All that a client shows: switch, rules, counts and limits."""
    counts = injector.counts()
    in_force = injector.state
    now = injector.clock()
    services, watch = injector.own_plan.services, injector.own_plan.watch
    names = in_force.scenario.display_names
    rules = [
        rule_state(name, rule, enabled=name not in in_force.disabled, counts=counts.get(name, {}))
        for name, rule in zip(names, in_force.scenario.rules, strict=True)
    ]
    return ServerState(
        v=VERSION,
        generation=in_force.generation,
        on=in_force.on and (in_force.until is None or now < in_force.until),
        enabled=injector.enabled,
        until=in_force.until,
        expires=injector.expires,
        now=now,
        seed=in_force.seed,
        production=injector.production,
        store=injector.store,
        max_active=services.most_active,
        active=services.active,
        refused=services.refused,
        undecided=injector.undecided,
        failures=injector.failures,
        disarmed=in_force.why_off,
        abort=None if watch is None else watch.text,
        rules=rules,
        totals=Counts(
            sum(each.matched for each in rules),
            sum(each.injected for each in rules),
            sum(each.failed for each in rules),
        ),
    )


def rule_state(name: str, rule: Rule, *, enabled: bool, counts: dict[str, int]) -> RuleState:
    """A rule with its counts."""
    vendor = rule.resolved.vendor
    times = rule.value("times")
    injected = counts.get("injected", 0)
    return RuleState(
        name=name,
        given=rule.name,
        text=str(rule),
        rule=rule.to_dict(),
        fault=rule.fault,
        vendor=None if vendor is None else vendor.id,
        says=rule.resolved.in_words(rule),
        enabled=enabled,
        matched=counts.get("matched", 0),
        injected=injected,
        failed=counts.get("failed", 0),
        times=times,
        spent=times is not None and rule.value("per") == "rule" and injected >= times,
    )
