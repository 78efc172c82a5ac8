"""The label that each rule of a scenario draws by; of two equal ones the later in written order counts as another."""

from __future__ import annotations

from _bisect import bisect_left  # `bisect` itself would be one more file to read

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from faultinject.engine.compiled_rule import RuleLike


class Labels:
    """The labels of a scenario's rules, made one by one as rules are first asked about.

    Most rules of one label have the same conditions and read requests alike, so they are asked about together and in
    order: counting them is enough. The others are looked for among all rules, once and only where there is one.

    Args:
        rules: the scenario's rules in the order written.
        older: the labels of the first of these rules, as far as they were made.
    """

    __slots__ = ("_rules", "_seen", "_twins")

    def __init__(self, rules: Sequence[RuleLike], older: Labels | None = None) -> None:
        self._rules = rules
        self._seen: dict[str, int] = {} if older is None else dict(older._seen)  # noqa: SLF001 - of its own kind
        self._twins: Mapping[str, list[int]] | None = None

    def make(self, number: int) -> str:
        """The label of that rule; once for each rule."""
        rule = self._rules[number]
        label = rule.label
        if _asked_apart(rule):
            if self._twins is None:
                self._twins = _twins(self._rules)
            earlier = bisect_left(self._twins.get(label, ()), number)
        else:
            earlier = self._seen.get(label, 0)
            self._seen[label] = earlier + 1
        return f"{label}#{earlier + 1}" if earlier else label


def _asked_apart(rule: RuleLike) -> bool:
    """Whether rules of its label may be asked about in another order than the one written.

    A given name equals an unnamed label only where that is one bare word, such as `latency`. What `of` cuts or slows is
    no part of the label, and says as whose request the conditions are read.
    """
    if rule.name is not None:
        return True
    return ":" not in rule.fault and (not rule.conditions or "of" in rule.resolved.takes)


def _twins(rules: Sequence[RuleLike]) -> dict[str, list[int]]:
    """The rules of each label that several of them have."""
    found: dict[str, list[int]] = {}
    for number, rule in enumerate(rules):
        if _asked_apart(rule):
            found.setdefault(rule.label, []).append(number)
    return {label: numbers for label, numbers in found.items() if len(numbers) > 1}
