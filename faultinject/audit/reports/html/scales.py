"""Where values stand in a picture, and how places are written."""

from __future__ import annotations

import math


class Scale:
    """From values to places in a picture.

    Args:
        high: the value at `end`; 0 is at `begin`.
        begin: a place.
        end: a place.
    """

    def __init__(self, high: float, begin: float, end: float) -> None:
        self.high, self.begin, self.end = high, begin, end

    def __call__(self, value: float) -> float:
        """The place of `value`; what lies outside is put on the edge."""
        return self.begin + min(max(value, 0.0), self.high) / self.high * (self.end - self.begin)


def steps(high: float, most: int) -> list[float]:
    """Round values from 0 to `high`, which is above 0, at most `most` above 0.

    >>> steps(3.4, 4)
    [0.0, 1.0, 2.0, 3.0]
    """
    rough = high / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step for each in (1, 2, 5, 10, 20) if (step := each * power) * (most + 1) > high)
    return [round(each * step, 9) for each in range(int(high / step * (1 + 1e-9)) + 1)]


def number(value: object) -> str:
    """A number as an attribute has it: at most one decimal digit.

    >>> number(3.04), number(3.06), number("middle")
    ('3', '3.1', 'middle')
    """
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else str(value)


def at(x: float, y: float) -> str:
    """A place, as paths write it."""
    return f"{number(float(x))} {number(float(y))}"
