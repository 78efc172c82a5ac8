"""A rule's values in words, for people."""

from __future__ import annotations

from faultinject.engine.draw import LogNormal
from faultinject.rules.values import number_text

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.rules.rule import Rule


def seconds(number: float) -> str:
    """A duration as `200 ms`, `2 s`, `5 m` or `1 h`, in the largest unit with a whole number.

    >>> [seconds(each) for each in (0.2, 1.5, 90, 300, 3600, 0)]
    ['200 ms', '1.5 s', '90 s', '5 m', '1 h', '0 s']
    """
    for size, unit in ((3600, "h"), (60, "m")):
        if number and number % size == 0:
            return f"{number // size:.0f} {unit}"
    short = 0 < number < 1
    return f"{_plain(round(number * 1000, 3) if short else number)} {'ms' if short else 's'}"


def wait(rule: Rule) -> str:
    """The rule's `delay`: `2 s`, `100 ms to 2 s`, or `around 80 ms (log-normal, sigma 0.4)`."""
    delay = rule.value("delay")
    if isinstance(delay, LogNormal):
        return f"around {seconds(delay.median)} (log-normal, sigma {_plain(delay.sigma)})"
    low, high = delay
    return seconds(low) if low == high else f"{seconds(low)} to {seconds(high)}"


def count(number: int, noun: str) -> str:
    """A number of things without a thousands separator: `1 byte`, `2 bytes`."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def counted(number: int, noun: str) -> str:
    """A number of things with a thousands separator; the noun may have words behind it.

    >>> counted(1, "call"), counted(2_000, "retry"), counted(0, "answer of 200 with an error")
    ('1 call', '2,000 retries', '0 answers of 200 with an error')
    >>> counted(2, "wait before a retry")
    '2 waits before a retry'
    """
    if number == 1:
        return f"1 {noun}"
    thing, of, rest = noun.partition(
        next((preposition for preposition in (" of ", " before ") if preposition in noun), " with ")
    )
    things = f"{thing[:-1]}ies" if thing.endswith("ry") else f"{thing}s"
    return f"{number:,} {things}{of}{rest}"


def ordinal(number: int) -> str:
    """`1st`, `2nd`, `11th`."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def share(number: float) -> str:
    """`half`, or `90 %`."""
    return "half" if number == 0.5 else f"{_plain(round(number * 100, 10))} %"


def _plain(number: float) -> str:
    return number_text(number).removesuffix(".0")
