"""The rules that a test's markers give, in the order in which they add up."""

from __future__ import annotations

import pytest

from faultinject.exceptions import ConfigurationError, FaultInjectError
from faultinject.rules.scenario import Scenario, gather

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from _pytest.nodes import Node

    from faultinject.rules.rule import Rule
    from faultinject.testing.pytest_plugin.explored import ExploredRun

NAME = "faultinject"
EXPLORE = "faultinject_explore"
FAST_FORWARD = "fast_forward"
EXPLORED: pytest.StashKey[ExploredRun] = pytest.StashKey()
"""The run of an explored test that is under way."""


class MarkedRules:
    """What the markers of one test say.

    Attributes:
        scenario: all their rules, in order.
        seed: the innermost marker's seed, or None.
        fast_forward: whether waits pass at once: what the innermost marker says that says anything.
        own: the places of the rules of the function's and the parameter's markers.
        shared: the places of those of classes and modules.
    """

    def __init__(self, item: pytest.Item) -> None:
        rules: list[Rule] = []
        wrong: list[str] = []
        self.seed: str | None = None
        self.fast_forward = False
        self.own: list[int] = []
        self.shared: list[int] = []
        for node, mark in markers(item):
            try:
                given = _read(mark)
            except FaultInjectError as error:
                wrong.append(f"{item.nodeid}: marker faultinject of {node.name}: {error}")
                continue
            self.fast_forward = mark.kwargs.get(FAST_FORWARD, self.fast_forward)
            places = self.own if node is item else self.shared
            places += range(len(rules), len(rules) + len(given.rules))
            rules += given.rules
            self.seed = given.seed if given.seed is not None else self.seed
        try:
            self.scenario = Scenario([] if wrong else rules)
        except FaultInjectError as error:
            wrong.append(f"{item.nodeid}: markers faultinject together: {error}")
        if wrong:
            raise ConfigurationError(wrong)


def markers(item: pytest.Item) -> list[tuple[Node, pytest.Mark]]:
    """The markers of a test and where they stand: module, base class, class, function, parameter."""
    return [(node, each) for node in item.listchain() for each in _in_order(node) if each.name == NAME]


def explored(item: pytest.Item) -> pytest.Mark | None:
    """The innermost marker of an explored test."""
    mark: pytest.Mark | None = item.get_closest_marker(EXPLORE)
    return mark


def _read(mark: pytest.Mark) -> Scenario:
    keys: dict[str, Any] = dict(mark.kwargs)
    seed = keys.pop("seed", None)
    keys.pop(FAST_FORWARD, None)
    if not mark.args:
        raise ConfigurationError("no rule is given; a marker needs one, such as faultinject('cos:SlowDown')")
    given = gather(*mark.args, **keys)
    return Scenario(given.rules, seed=given.seed if seed is None else seed)


def _in_order(node: Node) -> Iterator[pytest.Mark]:
    """The markers of one node as a reader meets them: pytest keeps decorators from the bottom up."""
    own = node.own_markers
    if isinstance(node, pytest.Class):
        written = [mark for each in reversed(node.obj.__mro__) for mark in _of_class(each)]
        yield from _same(own, written)
        yield from _others(own, written)
    elif isinstance(node, pytest.Item):
        of_parameter = getattr(getattr(node, "callspec", None), "marks", ())
        yield from reversed(list(_others(own, of_parameter)))
        yield from _same(own, of_parameter)
    else:
        yield from own


def _of_class(cls: type) -> list[pytest.Mark]:
    given = vars(cls).get("pytestmark", [])
    listed = given if isinstance(given, list) else [given]
    marks = [each.mark if isinstance(each, pytest.MarkDecorator) else each for each in listed]
    # A list in the class's body holds what was written there; decorators leave bare marks behind.
    return marks if any(isinstance(each, pytest.MarkDecorator) for each in listed) else marks[::-1]


def _same(own: Iterable[pytest.Mark], listed: Iterable[pytest.Mark]) -> Iterator[pytest.Mark]:
    kept = {id(each) for each in own}
    return (each for each in listed if id(each) in kept)


def _others(own: Iterable[pytest.Mark], listed: Iterable[pytest.Mark]) -> Iterator[pytest.Mark]:
    dropped = {id(each) for each in listed}
    return (each for each in own if id(each) not in dropped)
