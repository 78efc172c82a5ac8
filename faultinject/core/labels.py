"""The label that each rule of a scenario draws by; of two equal ones the later in written order counts as another."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.core.rule import Rule


class Labels:
    """The labels of a scenario's rules, made one by one as rules are first asked about.

    Unnamed rules of one label have the same conditions, so they are asked about together and in order. A given
    name is unique among names, and equals an unnamed label only where that is one bare word, such as `latency`.

    Args:
        rules: the scenario's rules in the order written.
        older: the labels of the first of these rules, as far as they were made.
    """

    __slots__ = ("_bare", "_names", "_rules", "_seen")

    def __init__(self, rules: Sequence[Rule], older: Labels | None = None) -> None:
        self._rules = rules
        self._seen: dict[str, int] = {} if older is None else dict(older._seen)  # noqa: SLF001 - of its own kind
        self._bare: dict[str, list[int]] | None = None
        self._names: dict[str, int] = {}

    def make(self, number: int) -> str:
        """The label of that rule; once for each rule."""
        rule = self._rules[number]
        label = rule.label
        if rule.name is None:
            earlier = self._seen.get(label, 0)
            self._seen[label] = earlier + 1
            if ":" not in label:
                self._look()
                earlier += self._names.get(label, number) < number
        else:
            earlier = sum(each < number for each in self._look().get(label, ()))
        return f"{label}#{earlier + 1}" if earlier else label

    def _look(self) -> dict[str, list[int]]:
        """The unnamed rules of one bare word, by that word; and on the way the names."""
        if self._bare is None:
            bare: dict[str, list[int]] = {}
            for number, rule in enumerate(self._rules):
                if rule.name is not None:
                    self._names[rule.name] = number
                elif ":" not in rule.fault and not rule.conditions:
                    bare.setdefault(rule.label, []).append(number)
            self._bare = bare
        return self._bare
