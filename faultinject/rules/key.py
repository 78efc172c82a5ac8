"""What a key of a rule is. The keys themselves stand in `conditions`, `triggers` and `effects`."""

from __future__ import annotations

from abc import abstractmethod

from faultinject.http import patterns
from faultinject.rules.values import LONGEST, Mistake, choice, duration, duration_text, number_text, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any

    from faultinject.engine.request import Request
    from faultinject.vendors.addressing import Addressing

    Test = Callable[[str], bool]
    Check = Callable[[Request], bool]


class Key:
    """One word of the vocabulary; a subclass says what its values mean.

    Attributes:
        key: the word.
        named: it is written with a NAME behind it, `header.NAME`.
        header: the NAME is a header's: any case, `_` is `-`.
        flag: its value is yes or no.
        seconds: its value is a duration.
        longest: the longest duration, seconds.
        number: its value is a number.
        choices: its values, where it has a few and no others.
        default: the parsed value of a rule that does not give it.
        default_text: the default in words, for tables.
    """

    key = ""
    named = False
    header = False
    flag = False
    seconds = False
    longest = LONGEST
    number = False
    choices: tuple[str, ...] = ()
    default: Any = None
    default_text = ""

    @property
    def meaning(self) -> str:
        """The first line of the docstring."""
        return (self.__doc__ or "").partition("\n")[0]

    @property
    def title(self) -> str:
        """The key as tables show it: `header.NAME`."""
        return f"{self.key}.NAME" if self.named else self.key

    def parse(self, text: str) -> Any:
        """The value of `text`, of a duration its seconds; raises `Mistake`."""
        if self.seconds:
            return duration(text, self.longest)
        return choice(text, self.choices) if self.choices else text

    def spell(self, text: str) -> str:
        """`text` as it is kept and printed."""
        return text

    def check_name(self, name: str) -> None:
        """Raise `Mistake` when NAME cannot be one."""

    def check_text(self, name: str, text: str) -> None:
        """Raise `Mistake` when NAME cannot have that text, though another name could."""

    def write(self, value: object, *, strict: bool) -> str:
        """The text of a Python value; `strict` (TOML and JSON): a number is no duration."""
        if isinstance(value, str):
            return str(value)
        if isinstance(value, bool):
            if self.flag:
                return "yes" if value else "no"
            raise Mistake(f"{value} is not a value of {self.key}")
        if not strict and self.seconds:
            total = getattr(value, "total_seconds", None)
            if total is not None:
                value = total()
            if isinstance(value, int | float) and 0 <= value < 1e12:
                return duration_text(value)
        if isinstance(value, int | float):
            try:
                return number_text(value)
            except ValueError:
                raise Mistake("the number has too many digits") from None
        raise Mistake(f"{shown(repr(value))} is not a value of {self.key}: give it as text")


class Condition(Key):
    """A key whose values are matched against a request."""

    def parse(self, text: str) -> str:
        """The pattern; raises `Mistake` when it is too big, or empty though the key has no NAME."""
        if not text and not self.named:
            raise Mistake("needs a value")
        if (problem := patterns.check_pattern(text)) is not None:
            raise Mistake(problem)
        return text

    def seeded(self, seed: bytes) -> Condition:  # noqa: ARG002
        """The condition as a scenario of that seed has it; `seed` is the seed's key."""
        return self

    def in_label(self, text: str) -> str:
        """What of a valid value the draws of its rule depend on."""
        return text

    @abstractmethod
    def compile(self, values: tuple[str, ...], name: str, context: Addressing) -> Check:
        """The test of a request; any of the values will do.

        Args:
            values: the texts as the rule gives them, valid.
            name: the NAME of `header.NAME` and `query.NAME`, else empty.
            context: how the rule's vendor reads bucket, key and operation.
        """


def any_of(tests: Iterable[Test]) -> Test:
    """One test for several."""
    each, *others = tests
    if not others:
        return each
    return lambda value: each(value) or any(test(value) for test in others)


def folded(text: str) -> Test:
    """The test for a pattern in which case does not matter; what is tested must be in lower case."""
    return patterns.compile_plain(text.lower())


def plain(values: tuple[str, ...]) -> Test:
    """The test for any of several patterns, or for any text where a pattern is empty."""
    return any_of(patterns.compile_plain(each) if each else _always for each in values)


def _always(_: str) -> bool:
    return True
