"""What is injected into a suite: each fault once for every call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from faultinject import vendors
from faultinject.rules.faults import OWN
from faultinject.rules.rule import Rule
from faultinject.rules.scenario import Scenario
from faultinject.rules.triggers import TRIGGERS
from faultinject.rules.vocabulary import reading_as
from faultinject.testing.exploration import choices_of
from faultinject.testing.exploration.choices import Choice
from faultinject.vendors.operations import operations_of

ONCE = {"times": "1", "per": "call"}
"""Of every call the first request fails, and a retry succeeds."""


def faults_of(given: Sequence[str], speaks: str) -> list[tuple[Rule, ...]]:
    """The rules of each run.

    Args:
        speaks: the vendor whose requests they meet.
        given: a vendor id, with conditions if need be, for its standard set; or rules, which get `times=1,per=call` unless
            they have triggers of their own.

    Raises:
        ConfigurationError: a rule is wrong.
    """
    found: list[tuple[Rule, ...]] = []
    names = operations_of(vendors.get(speaks)).names
    with reading_as(None if "PutObject" in names else speaks):
        for text in given:
            vendor = text.strip().partition(",")[0]
            if vendor not in OWN and vendors.known(vendor):
                found += [tuple(_once(each)) for each in choices_of([text]) if _passes(each)]
            else:
                found.append(tuple(map(_triggered, Scenario.parse(text).rules)))
    return list(dict.fromkeys(found))


def _passes(choice: Choice) -> bool:
    """Whether a client that retries gets over it, and every suite may go on in time."""
    return not (choice.lasts or choice.moves or choice.needs_checksum or choice.hangs)


def _once(choice: Choice) -> Iterator[Rule]:
    """A rule for each place where the vendor's document has the fault."""
    for where in choice.where or (choice.rule,):
        conditions, unless = dict(where.conditions), dict(where.unless)
        for each in (choice.rule, choice.within):
            if each is not None:
                conditions |= each.conditions
                unless |= each.unless
        if choice.invisible_on("HEAD") and conditions.keys().isdisjoint(("method", "operation")):
            unless["method"] = ("HEAD", *unless.get("method", ()))
        options = {**choice.rule.options, **ONCE}
        yield Rule.of_parts(choice.rule.fault, (None, conditions, unless, options))


def _triggered(rule: Rule) -> Rule:
    if any(key in TRIGGERS for key in rule.options):
        return rule
    name, conditions, unless, options = rule.parts
    return Rule.of_parts(rule.fault, (name, conditions, unless, {**options, **ONCE}))
