"""What differs between the numbers of two runs of a client, as far as chance and the machine do not explain it."""

from __future__ import annotations

from math import sqrt
from statistics import median
from typing import NamedTuple

from faultinject.audit.checks.words import seconds
from faultinject.conformance.numbers import NOTHING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

CERTAIN = 3.29
"""Standard deviations from what chance brings: one time in a thousand it is as far."""
OFTEN = 0.5
"""By which share of the cases something that is done more often, or less, is another habit and no chance."""
FEWEST = 8
"""Waits of each run that it takes to say whether they differ."""
RATIO = 1.25
"""By how much waits differ at least that somebody would notice."""
NOTICED = 0.05
"""Seconds by which they do at least: less may be the machine's."""


class Difference(NamedTuple):
    """Something that is not what it was.

    Attributes:
        what: in a few words.
        before: what it was, in words; empty where there was none.
        after: likewise.
    """

    what: str
    before: str
    after: str


def differences(old: dict[str, Any] | None, new: dict[str, Any] | None) -> Iterator[Difference]:
    """What differs; nothing where one of them has no numbers, as results of older versions.

    Args:
        old: the numbers of a client, as plain data.
        new: likewise.
    """
    if old is None or new is None:
        return
    was = {what: (share, words) for what, share, words in _shares(old)}
    for what, share, words in _shares(new):
        # What was not seen in one of them is no change.
        before, called = was.get(what, (share, words))
        if abs(before - share) > OFTEN:
            yield Difference(what, called, words)
    for kind, curve in new["backoff"].items():
        earlier = {each["retry"]: each for each in old["backoff"].get(kind, ())}
        for each in curve:
            other = earlier.get(each["retry"])
            if other is not None:
                yield from _waits(f"wait before retry {each['retry']} ({kind} error)", other, each)


def _shares(numbers: dict[str, Any]) -> Iterator[tuple[str, float, str]]:
    """What a client does always, never or sometimes: what it is, in which share of the cases, and that in words."""
    tried = ("not retried", "some retried", "retried")
    hidden, compared, overlap = numbers["hidden"], numbers["bytes"], numbers["overlap"]
    hints = [(f"hint: {form}", each["obeyed"], each["retried"]) for form, each in numbers["hints"].items()]
    rows = [(f"after {each['answer']}", each["retried"], each["calls"]) for each in numbers["retried"]]
    for name, what in (("resets", "after a reset connection"), ("lost", "after a lost answer")):
        rows.append((what, numbers[name]["retried"], numbers[name]["calls"]))
    counted = [(*each, ("not obeyed", "some obeyed", "obeyed")) for each in hints if each[1] is not None]
    counted += [(*each, tried) for each in rows]
    counted += [
        (
            "error in 200",
            hidden["noticed"],
            hidden["calls"],
            ("taken for success", "some noticed", "noticed"),
        ),
        (
            "body on retry",
            compared["same"],
            compared["compared"],
            ("another", "sometimes another", "the same"),
        ),
        ("overlapping attempts", overlap["overlapping"], overlap["calls"], ("none", "some", "all")),
    ]
    for what, part, whole, (none, some, every) in counted:
        if whole:
            yield what, part / whole, every if part == whole else some if part else none


def _waits(what: str, old: dict[str, Any], new: dict[str, Any]) -> Iterator[Difference]:
    """Whether waits are longer, or else spread more, than chance explains."""
    before, after = old["waits"], new["waits"]
    if min(len(before), len(after)) < FEWEST:
        return
    low, high = sorted((old["median"], new["median"]))
    if max(high / max(low, NOTHING), 1) >= RATIO and high - low >= NOTICED and _differ(before, after):
        yield Difference(what, seconds(old["median"]), seconds(new["median"]))
        return
    spread, wider = sorted(each["high"] - each["low"] for each in (old, new))
    if wider - spread < NOTICED or wider < RATIO * spread:
        return
    away = [[abs(each - median(waits)) for each in waits] for waits in (before, after)]
    if _differ(*away):
        told = [f"{seconds(each['low'])} to {seconds(each['high'])}" for each in (old, new)]
        yield Difference(f"{what}, half of them", *told)


def _differ(one: Sequence[float], other: Sequence[float]) -> bool:
    """Whether values of one are so much more often above those of the other that chance does not explain it.

    The rank sum test of Mann and Whitney, by its normal approximation.
    """
    n, m = len(one), len(other)
    above = sum((a > b) + (a == b) / 2 for a in one for b in other)
    return abs(above - n * m / 2) / sqrt(n * m * (n + m + 1) / 12) >= CERTAIN
