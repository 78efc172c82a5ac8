"""Calculates how often each rule fires, how likely a call fails, and which rules never fire."""

from __future__ import annotations

from collections.abc import Sequence
from math import lcm, prod

from faultinject.engine.compiled_rule import asks_for_options
from faultinject.rules.key import any_of, case_insensitive_test
from faultinject.rules.rule import Rule
from faultinject.rules.sample import read_sample
from faultinject.rules.triggers import DECIDING
from faultinject.rules.values import listed
from faultinject.vendors.addressing import Addressing
from faultinject.vendors.operations import operations_of
from faultinject.vendors.targets import can_name

MOST_ATTEMPTS = 5
LONGEST_CYCLE = 10_000
"""The longest cycle of `every` that is calculated attempt by attempt."""
EVERY = [("", "")]
"""The stand-in for the conditions of a rule without conditions."""


def rates(rules: Sequence[Rule]) -> list[float]:
    """The share of attempts that each rule answers, and last the share that no rule answers.

    All attempts meet the conditions of all rules; the first rule that passes its triggers fires. The calculation
    assumes that `times` is not used up, that windows are open, and that no rate of `above` is exceeded.
    """
    start = max(map(_spared_attempts, rules), default=0)
    cycle = lcm(*(rule.value("every") for rule in rules))
    live = [_never(rule) is None for rule in rules]
    shares = [0.0] * (len(rules) + 1)
    # In a longer cycle, the rules are assumed to be independent.
    places = range(start, start + cycle) if cycle <= LONGEST_CYCLE else (None,)
    for place in places:
        remaining = 1.0
        for number, rule in enumerate(rules):
            chance = _mean_chance(rule) if place is None else _chance(rule, place)
            fires = remaining * chance if live[number] else 0.0
            shares[number] += fires / len(places)
            remaining -= fires
        shares[-1] += remaining / len(places)
    return [_precise(share) for share in shares]


def all_fail(rules: Sequence[Rule], most: int = MOST_ATTEMPTS) -> list[float]:
    """The chance that the first 1, 2, … attempts of one call all fail.

    It is the first call, and no other runs. An attempt fails if a rule breaks it, or answers it with a status of 400
    or more. The attempts meet the conditions of all rules; windows are open, and rates are not exceeded.
    """
    states = {(0,) * len(rules): 1.0}
    live = [_never(rule) is None for rule in rules]
    chances = []
    for place in range(most):
        after: dict[tuple[int, ...], float] = {}
        for taken, chance_so_far in states.items():
            for number, rule in enumerate(rules):
                times = rule.value("times")
                if not live[number] or (times is not None and taken[number] >= times):
                    continue
                fires = chance_so_far * _chance(rule, place)
                chance_so_far -= fires  # noqa: PLW2901 - the rest is for the later rules
                if failing := fires * rule.resolved.fails(rule):
                    now = (*taken[:number], taken[number] + 1, *taken[number + 1 :]) if times else taken
                    after[now] = after.get(now, 0.0) + failing
        states = after
        chances.append(_precise(sum(states.values())))
    return chances


def sampled(rule: Rule) -> float:
    """The share of users, tenants or keys that the rule's sample chooses; 1 without one."""
    if "sample" not in rule.conditions:
        return 1.0
    unchosen: dict[tuple[str, str], float] = {}
    for word, name, share in map(read_sample, rule.conditions["sample"]):
        # Of two samples of the same values, the larger one contains the smaller.
        unchosen[word, name] = min(1 - share, unchosen.get((word, name), 1.0))
    return _precise(1 - prod(unchosen.values()))


def counts(rule: Rule) -> bool:
    """Whether the rule's rate depends on more than chance."""
    return not rule.options.keys().isdisjoint(DECIDING)


def dead_rules(rules: Sequence[Rule], names: Sequence[str]) -> dict[int, str]:
    """The rules that certainly never fire, with the reason."""
    reasons: dict[int, str] = {}
    # The rules that always fire, by their rarest condition: any rule that such a rule hides has this condition, too.
    wide: dict[tuple[str, str], list[int]] = {}
    for number, rule in enumerate(rules):
        reason = _never(rule)
        if reason is None:
            places = [[(key, text) for text in sorted(_folded(key, rule))] for key in rule.conditions]
            before = sorted(at for place in (EVERY, *places) for at in wide.get(place[0], ()))
            cover = next((at for at in before if covers(rules[at], rule)), None)
            if cover is not None:
                reason = f"{names[cover]} answers every request that it matches"
            elif _always(rule):
                rarest = min(
                    places,
                    key=lambda place: sum(len(wide.get(condition, ())) for condition in place),
                    default=EVERY,
                )
                for condition in rarest:
                    wide.setdefault(condition, []).append(number)
        if reason is not None:
            reasons[number] = reason
    return reasons


def covers(wide: Rule, narrow: Rule) -> bool:
    """Whether every request that matches `narrow` certainly matches `wide`, too."""
    if wide.unless or (_takes_preflights(narrow) and not _takes_preflights(wide)):
        return False
    if wide.conditions.keys() & {"operation", "bucket", "key", "sample"} and wide.vendor is not narrow.vendor:
        return False
    return all(
        key in narrow.conditions and _folded(key, narrow) <= _folded(key, wide) for key in wide.conditions
    )


def _precise(chance: float) -> float:
    """Round to twelve significant digits, so that a small chance does not become 0."""
    return float(f"{chance:.12g}")


def _chance(rule: Rule, place: int) -> float:
    """The chance that the attempt with a number, from 0, passes the rule's triggers."""
    beyond = place - _spared_attempts(rule)
    if beyond < 0 or (beyond + 1) % rule.value("every") or rule.value("above") is not None:
        return 0.0
    probability: float = rule.value("probability")
    return probability


def _mean_chance(rule: Rule) -> float:
    """The mean chance of the attempts after the first ones that get no fault."""
    every: int = rule.value("every")
    return _chance(rule, _spared_attempts(rule) + every - 1) / every


def _spared_attempts(rule: Rule) -> int:
    """The number of first attempts that get no fault."""
    spared: int = rule.value("skip") + rule.value("from") - 1
    return spared


def _never(rule: Rule) -> str | None:
    for key, zero in (("times", 0), ("probability", 0.0)):
        if rule.value(key) == zero and rule.value(key) is not None:
            return f"{key} is 0"
    if rule.value("end") is not None and rule.value("end") <= rule.value("begin"):
        return "it ends before it begins"
    if not sampled(rule):
        return "sample chooses nobody"
    for key, texts in rule.conditions.items():
        if set(texts) <= set(rule.unless.get(key, ())):
            return f"its conditions and unless.{key} exclude each other"
    methods = {method.removeprefix("=").upper() for method in rule.conditions.get("method", ())}
    if methods == {"CONNECT"}:
        return "no rule matches CONNECT"
    reserved = rule.vendor.reserved if rule.vendor is not None else ()
    buckets = [bucket.removeprefix("=") for bucket in rule.conditions.get("bucket", ())]
    if buckets and all(bucket in reserved for bucket in buckets):
        return f"the server keeps {listed(buckets)} for itself"
    return _reason_never_asked(rule) if "operation" in rule.conditions else None


def _reason_never_asked(rule: Rule) -> str | None:
    """The reason why no request of the rule's operations meets its other conditions, or None."""
    conditions = rule.conditions
    texts = conditions["operation"]
    known = operations_of(rule.vendor)
    wanted = known.recognised_for(texts)
    fits = any_of(case_insensitive_test(method) for method in conditions.get("method", "*"))
    rows = [row for row in known.rows if row.operation in wanted and fits(row.method.lower())]
    single = len(texts) == len(wanted) == 1
    subject = texts[0].removeprefix("=") if single else "its operations"
    if not rows:
        return f"{subject} {'comes' if single else 'come'} with {listed(sorted(known.methods(wanted)))} only"
    for at, key in enumerate(("bucket", "key")):
        if key in conditions and not any(can_name(row.level)[at] for row in rows):
            return f"{subject} {'names' if single else 'name'} no {key}"
    return None


def _always(rule: Rule) -> bool:
    return rule.value("probability") == 1 and not counts(rule)


def _folded(key: str, rule: Rule) -> set[str]:
    texts = rule.conditions[key]
    return {text.upper() for text in texts} if key == "method" else set(texts)


def _takes_preflights(rule: Rule) -> bool:
    return asks_for_options(rule, Addressing(rule.vendor))
