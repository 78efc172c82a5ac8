"""Where values stand in a picture, and how places are written."""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class Scale:
    """From values to places in a picture.

    Args:
        low: the value at `begin`.
        high: the value at `end`.
        begin: a place.
        end: a place.
        log: whether equal ratios are equal distances; `low` is above zero then.
    """

    def __init__(self, low: float, high: float, begin: float, end: float, *, log: bool = False) -> None:
        self.low, self.high, self.begin, self.end = low, high, begin, end
        self._log = log
        self._from = self._of(low)
        self._per = (end - begin) / ((self._of(high) - self._from) or 1)

    def __call__(self, value: float) -> float:
        """The place of `value`; what lies outside is put on the edge."""
        return self.begin + (self._of(min(max(value, self.low), self.high)) - self._from) * self._per

    def _of(self, value: float) -> float:
        return math.log10(value) if self._log else value


def steps(high: float, most: int) -> list[float]:
    """Round values from 0 to `high`, which is above 0, at most `most` above 0.

    >>> steps(3.4, 4)
    [0.0, 1.0, 2.0, 3.0]
    """
    rough = high / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step for each in (1, 2, 5, 10, 20) if (step := each * power) * (most + 1) > high)
    return [round(each * step, 9) for each in range(int(high / step * (1 + 1e-9)) + 1)]


def powers(low: float, high: float) -> list[float]:
    """The powers of ten from `low` to `high`, both included where they are some.

    >>> powers(0.001, 1.5)
    [0.001, 0.01, 0.1, 1.0]
    """
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    return [round(10.0**each, 9) for each in range(first, last + 1)]


def number(value: object) -> str:
    """A number as an attribute has it: at most one decimal digit.

    >>> number(3.04), number(3.06), number("middle")
    ('3', '3.1', 'middle')
    """
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def at(x: float, y: float) -> str:
    """A place, as paths write it."""
    return f"{number(float(x))} {number(float(y))}"


def spread_over(count: int, whole: Sequence[float]) -> list[float]:
    """So many members, from the first on at equal distances; all where there are no more.

    >>> spread_over(3, [0, 1, 2, 3, 4, 5, 6, 7, 8])
    [0, 3, 6]
    """
    count = min(count, len(whole))
    return [whole[each * len(whole) // count] for each in range(count)]
