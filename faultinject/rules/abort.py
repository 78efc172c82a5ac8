"""The bound at which the app's own failures end all faults, such as `5xx>5%/1m` in `abort`."""

from __future__ import annotations

from typing import NamedTuple

from faultinject.rules import values
from faultinject.rules.values import Mistake, decimal, number_text, shown

LEAST = 20
"""The fewest requests in the window from which a share is meaningful."""
MOST = 1_000_000
SHORTEST, LONGEST = 1.0, 3600.0
"""The shortest and the longest window, in seconds."""
PARTS = 20
"""The number of parts of the window; the oldest part is dropped as a whole.

So memory does not grow with the requests; the window may be up to a twentieth shorter than stated.
"""
EXAMPLE = "5xx>5%/1m"


class Abort(NamedTuple):
    """The bound of the app's own failures.

    Attributes:
        share: the share of failures above which all faults end; from 0 to below 1.
        window: the length of the window in seconds.
        least: the fewest requests in the window.
        injected: whether injected failures count, too.
    """

    share: float
    window: float
    least: int
    injected: bool


def bound_text(bound: object) -> str | None:
    """The canonical text of a scenario's `abort`; None for None.

    Raises:
        Mistake: it is not a bound.
    """
    if bound is None:
        return None
    if not isinstance(bound, str):
        raise Mistake(f"abort: {shown(repr(bound))} is not text such as {EXAMPLE}")
    try:
        return canonical(bound)
    except Mistake as mistake:
        raise Mistake(f"abort: {mistake.message}") from None


def canonical(text: str) -> str:
    """The text without blanks.

    Raises:
        Mistake: it is not a bound.
    """
    read_abort(text)
    return "".join(text.split())


def read_abort(text: str) -> Abort:
    """Read a bound such as `5xx>5%/1m` or `5xx>5%/1m,min=50,injected=yes`.

    Raises:
        Mistake: the text is something else.
    """
    head, *more = "".join(text.split()).split(",")
    errors, sign, rest = head.partition(">")
    if errors != "5xx":
        near = (
            f"; did you mean 5xx{sign}{shown(rest)}?"
            if errors.lower() == "5xx" and rest
            else f", as in {EXAMPLE}"
        )
        raise Mistake(f"{shown(text)} does not begin with 5xx{near}")
    if not rest:
        raise Mistake(
            f"{shown(text)} is not such as {EXAMPLE}; a shell needs it in quotes, for > names a file there"
        )
    share, slash, window = rest.partition("/")
    if not slash:
        raise Mistake(f"{shown(text)} has no window; did you mean 5xx>{shown(share)}/1m?")
    return Abort(_share(share, window), _window(window), *_options(more))


def _share(text: str, window: str) -> float:
    percent = decimal(text.removesuffix("%"))
    if percent is not None and text[-1:] != "%":
        percent_text = number_text(round(percent * 100, 10)).removesuffix(".0") if percent < 1 else text
        raise Mistake(f"{shown(text)} has no %; did you mean 5xx>{percent_text}%/{shown(window)}?")
    if percent is None or percent >= 100:
        raise Mistake(f"{shown(text)} is not a share from 0% to below 100%")
    return percent / 100


def _window(text: str) -> float:
    seconds = values.duration(f"1{text}" if text in values.SECONDS else text, LONGEST)
    if seconds < SHORTEST:
        raise Mistake(f"{shown(text)} is shorter than 1s")
    return seconds


def _options(texts: list[str]) -> tuple[int, bool]:
    """The fewest requests for a share, and whether injected failures count."""
    options = {"min": str(LEAST), "injected": "no"}
    left = set(options)
    for text in texts:
        word, equals, value = text.partition("=")
        if word not in left or not equals:
            raise Mistake(
                f"{shown(text)} is not min= and a number of requests, or injected=yes, as in"
                f" {EXAMPLE},min=50,injected=yes"
            )
        left.remove(word)
        options[word] = value
    try:
        least = values.count(options["min"], 1, MOST)
    except Mistake as mistake:
        raise Mistake(f"min: {mistake.message}") from None
    try:
        return least, values.yes_no(options["injected"])
    except Mistake as mistake:
        raise Mistake(f"injected: {mistake.message}") from None
