"""Values from text, and back: numbers, durations, sizes, rates, header text.

Every reader takes text as written in a rule and returns the parsed value, or raises `Mistake`.
"""

from __future__ import annotations

from collections.abc import Iterable

from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError

LONGEST = 8760 * 3600.0
LONGEST_WORD = 1024
"""The most characters of a word; a longer one is slow to compare, and like no known word."""
SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}
BYTES = {
    "KiB": 1024,
    "MiB": 1024**2,
    "GiB": 1024**3,
    "KB": 1000,
    "MB": 1000**2,
    "GB": 1000**3,
}
YES = frozenset(("yes", "true", "on", "1"))
NO = frozenset(("no", "false", "off", "0"))


class Mistake(Exception):
    """A mistake in one key or value, whose place is added later.

    Attributes:
        message: the mistake, and the right form.
        at_key: whether the key is wrong, not its value.
        missing: the keys of which a rule needs one, if none is there; else empty.
        error: the exception to raise if all mistakes are of this kind.
    """

    def __init__(
        self,
        message: str,
        *,
        at_key: bool = False,
        missing: tuple[str, ...] = (),
        error: type[ConfigurationError] = ConfigurationError,
    ) -> None:
        self.message = message
        self.at_key = at_key
        self.missing = missing
        self.error = error

    @classmethod
    def of(cls, error: ConfigurationError) -> Mistake:
        """Make a mistake of the first problem of an error."""
        return cls(visible(error.problems[0].message), error=type(error))


def shown(text: str, width: int = 80) -> str:
    """`text` prepared for a message: one line, nothing invisible, not too long."""
    if not text:
        return '""'
    if len(text) > width:
        text = text[: width - 1] + "…"
    return visible(text)


visible = quoted
r"""`text` with every character that does not print as an escape such as `\n` or `\u202e`."""


def listed(words: Iterable[str], last: str = "or") -> str:
    """`a, b or c`."""
    *some, end = words
    return f"{', '.join(some)} {last} {end}" if some else end


def nearest(word: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """`; did you mean …?` with the known word that looks most like `word`, or nothing."""
    near = most_like(word, known, cutoff)
    return f"; did you mean {near}?" if near is not None else ""


def most_like(word: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The known word that is most like `word`, or None.

    If `word` is the beginning of only one known word, it is that word.
    """
    if len(word) > LONGEST_WORD:
        return None
    from difflib import get_close_matches

    folded = {candidate.lower().replace("_", "-"): candidate for candidate in known}
    text = word.lower().replace("_", "-")
    near = [candidate for candidate in folded if candidate.startswith(text)] if len(text) > 2 else []
    if len(near) != 1:
        near = get_close_matches(text, folded, 1, cutoff)
    return folded[near[0]] if len(near) == 1 else None


def text_of(value: object) -> str:
    """A value as text; of a text that is an Enum's member, the value and not the name."""
    return str.__str__(value) if isinstance(value, str) else str(value)


def number_text(number: float) -> str:
    """An int or float as decimal digits, without an exponent."""
    # Subclasses of int or float, such as `HTTPStatus` and numpy's numbers, have another `repr`.
    text = repr(float(number) if isinstance(number, float) else int(number))
    if "e" not in text:
        return text
    from decimal import Decimal

    return format(Decimal(text), "f")


def decimal(text: str) -> float | None:
    """The value of plain decimal digits such as `12` or `0.5`; None for anything else."""
    return float(text) if text.replace(".", "", 1).isdecimal() and text.isascii() else None


def probability(text: str) -> float:
    """A chance from 0 to 1."""
    try:
        value = float(text) if text.isascii() and "_" not in text else -1.0
    except ValueError:
        percent = decimal(text[:-1]) if text.endswith("%") else None
        hint = (
            f"; did you mean {number_text(percent / 100)}?" if percent is not None and percent <= 100 else ""
        )
        raise Mistake(f"{shown(text)} is not between 0 and 1{hint}") from None
    if not 0 <= value <= 1 or not text[:1].isprintable() or text != text.strip():
        raise Mistake(f"{shown(text)} is not between 0 and 1")
    return value


def count(text: str, least: int = 0, most: int = 10**18) -> int:
    """A whole number from `least`."""
    if not (text.isascii() and text.isdecimal()):
        raise Mistake(f"{shown(text)} is not a whole number of {least} or more")
    value = int(text) if len(text) <= 100 else most + 1
    if value < least:
        raise Mistake(f"{shown(text)} is not a whole number of {least} or more")
    if value > most:
        raise Mistake(f"{shown(text)} is more than {most}")
    return value


def status(text: str) -> int:
    """An HTTP status."""
    if not (text.isascii() and text.isdecimal() and len(text) == 3 and 200 <= int(text) <= 599):
        raise Mistake(f"{shown(text)} is not a status from 200 to 599")
    return int(text)


def duration(text: str, longest: float = LONGEST) -> float:
    """Seconds of `200ms`, `5s`, `1.5m` or `1h`."""
    digits = text.rstrip("hms")
    factor = SECONDS.get(text[len(digits) :])
    value = decimal(digits)
    if value is None or factor is None:
        if value is not None and digits == text:
            raise Mistake(f"{shown(text)} has no unit; did you mean {shown(text)}s?")
        raise Mistake(f"{shown(text)} is not a duration such as 200ms, 5s, 10m or 1h")
    value = value / 1000 if factor == 0.001 else value * factor
    if value > longest:
        raise Mistake(f"{shown(text)} is longer than {number_text(longest / 3600).removesuffix('.0')}h")
    return value


def duration_range(text: str, longest: float = LONGEST) -> tuple[float, float]:
    """Shortest and longest, in seconds, of `200ms` (both the same) or `100ms..2s`."""
    first, dots, second = text.partition("..")
    low = duration(first, longest)
    high = duration(second, longest) if dots else low
    if high < low:
        raise Mistake(f"{shown(text)} ends before it begins; did you mean {second}..{first}?")
    return low, high


def duration_text(seconds: float) -> str:
    """The shortest text of a duration: 2 gives `2s`, 0.0005 gives `0.5ms`, 3600 gives `1h`."""
    from decimal import Decimal

    exact = Decimal(number_text(seconds))
    spellings = [(exact, "s"), (exact * 1000, "ms")]
    spellings += [
        (exact // size, unit) for size, unit in ((60, "m"), (3600, "h")) if exact and not exact % size
    ]
    texts = [f"{format(value.normalize(), 'f')}{unit}" for value, unit in spellings]
    return min(texts, key=len)


def size(text: str) -> int:
    """Bytes of `4096`, `5MiB` or `10KB`."""
    digits = text.rstrip("BGKMi")
    unit = text[len(digits) :]
    if not (digits.isascii() and digits.isdecimal() and len(digits) <= 18 and (not unit or unit in BYTES)):
        known = listed(BYTES)
        hint = f"; the units are {known}" if digits.isdecimal() and unit else ""
        raise Mistake(f"{shown(text)} is not a size such as 4096, 10KB or 5MiB{hint}")
    return int(digits) * BYTES.get(unit, 1)


def size_range(text: str) -> tuple[int, int | None]:
    """Fewest and most bytes of `5MiB..`, `..1KiB`, `1KB..2KB` or `4096`; None: no upper end."""
    first, dots, second = text.partition("..")
    if not dots:
        exactly = size(text)
        return exactly, exactly
    if not first and not second:
        raise Mistake(f"{text} has neither end; a size is such as 5MiB.., ..1KiB, 1KB..2KB or 4096")
    low = size(first) if first else 0
    high = size(second) if second else None
    if high is not None and high < low:
        raise Mistake(f"{shown(text)} ends before it begins; did you mean {second}..{first}?")
    return low, high


def rate(text: str) -> tuple[int, float]:
    """The number and its period in seconds, of `100/s` or `5/10s`."""
    number, _, period = text.partition("/")
    try:
        limit = count(number, 1)
        seconds = duration(f"1{period}" if period in SECONDS else period)
    except Mistake:
        seconds = 0.0
    if seconds <= 0:
        raise Mistake(f"{shown(text)} is not a rate such as 100/s or 5/10s")
    return limit, seconds


def yes_no(text: str) -> bool:
    """True of `yes true on 1`, False of `no false off 0`, any case."""
    folded = text.lower()
    if folded in YES:
        return True
    if folded in NO:
        return False
    raise Mistake(f"{shown(text)} is not yes or no")


def choice(text: str, known: tuple[str, ...]) -> str:
    """One of the known words."""
    if text not in known:
        raise Mistake(f"{shown(text)} is not {listed(known)}{nearest(text, known)}")
    return text


def header_text(text: str) -> str:
    """Text that can be a header's value: visible ASCII and blank."""
    if not (text.isascii() and text.isprintable()):
        raise Mistake(f"{shown(text)} cannot be in a header: only visible ASCII and blanks can")
    return text


def is_token(text: str) -> bool:
    """Whether text can be a header's name or a method.

    https://www.rfc-editor.org/rfc/rfc9110#section-5.6.2
    """
    return (
        bool(text)
        and text.isascii()
        and text.isprintable()
        and not any(sign in ' "(),/:;<=>?@[\\]{}' for sign in text)
    )


def is_name(text: str) -> bool:
    """Whether text can be a rule's name.

    It is a letter or digit, then up to 63 letters, digits, `.`, `_`, `-`.
    """
    rest = text.replace("-", "").replace("_", "").replace(".", "")
    return text.isascii() and 0 < len(text) <= 64 and text[0].isalnum() and (not rest or rest.isalnum())


def seed_text(seed: object) -> str | None:
    """A seed as text, so that `42` and `"42"` are the same; None if there is no seed.

    Raises:
        Mistake: it is neither text nor a whole number.
    """
    if seed is None:
        return None
    if isinstance(seed, bool) or not isinstance(seed, str | int):
        raise Mistake(f"seed: {shown(repr(seed))} is not text or a whole number")
    try:
        text = text_of(seed)
        text.encode()
    except ValueError:
        raise Mistake("seed: not valid Unicode, or too many digits") from None
    return text
