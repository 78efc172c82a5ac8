"""How the checks word numbers."""

from __future__ import annotations

NAME_THEM = "To decide, wrap each call in `with faults.call()`, or run `faultinject conformance`."
"""What decides which requests belong together."""
TOO_MANY = (
    "A client with as many calls at once may take as long for its work alone. Let fewer calls run at once"
)
TOO_BUSY = "A busy machine alone may take as long. Add requests without faults, or reduce the machine's load"


def seconds(number: float) -> str:
    """A time as people read it.

    >>> [seconds(each) for each in (0.0003, 0.025, 0.5, 2.9, 12.34, 120)]
    ['0.3 ms', '25 ms', '0.50 s', '2.90 s', '12.3 s', '120 s']
    """
    if number < 0.0995:
        return f"{number * 1000:.1f} ms" if number < 0.00995 else f"{number * 1000:.0f} ms"
    return f"{number:.{2 if number < 9.995 else 1 if number < 99.95 else 0}f} s"


def plain(number: float) -> str:
    """A number without zeros at its end.

    >>> plain(3.0), plain(0.25)
    ('3', '0.25')
    """
    return f"{number:.2f}".rstrip("0").rstrip(".")


def counted(number: int, what: str) -> str:
    """A number of things.

    >>> counted(1, "call"), counted(2, "retry"), counted(0, "answer of 200 with an error"), counted(2, "answer with a body")
    ('1 call', '2 retries', '0 answers of 200 with an error', '2 answers with a body')
    """
    if number == 1:
        return f"1 {what}"
    thing, of, rest = what.partition(" of " if " of " in what else " with ")
    return f"{number} {thing[:-1]}ies" if what.endswith("ry") else f"{number} {thing}s{of}{rest}"


def ordinal(number: int) -> str:
    """`second`, `third`, `11th`.

    >>> [ordinal(each) for each in (2, 3, 5, 6)]
    ['second', 'third', 'fifth', '6th']
    """
    words = {2: "second", 3: "third", 4: "fourth", 5: "fifth"}
    return words.get(number, f"{number}th")


def too_few(seen: int, needed: int, what: str, how: str) -> str:
    """The sample size seen and needed, and what gives more.

    >>> too_few(19, 20, "first wait", "Let more calls fail, for example http:503")
    'Not enough data: 19 of 20 first waits. Let more calls fail, for example http:503'
    """
    return f"Not enough data: {seen} of {counted(needed, what)}. {how}"
