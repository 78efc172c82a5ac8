"""A key of a rule; the keys themselves stand in `conditions`, `triggers` and `effects`."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple

from faultinject.engine.request import Request
from faultinject.http import patterns
from faultinject.rules.values import (
    LONGEST,
    Mistake,
    choice,
    duration,
    duration_text,
    is_token,
    number_text,
    shown,
    text_of,
)
from faultinject.vendors.addressing import Addressing

Test = Callable[[str], bool]
Check = Callable[[Request], bool]


def anything(name: str, text: str) -> None:
    """Accept any text, whatever the NAME."""


# Keys are never changed. A frozen dataclass would make the start of every program 3 ms longer.
@dataclass(kw_only=True, eq=False, repr=False)
class Key:
    """One key of the vocabulary.

    Attributes:
        key: the key's name.
        doc: its documentation: a line for tables, details, and an example.
        read: gives the value of a text, or raises `Mistake`. None: durations and choices are read as such, other values
            are texts.
        spell: gives the canonical spelling of a valid text.
        named: whether it is written with a NAME behind it: `header.NAME`.
        header: whether the NAME is a header's: in any case, and `_` equals `-`.
        only_the_server: headers that no rule may name.
        check_text: raises `Mistake` if a rule cannot have this text with this NAME; the NAME of a key without one is
            empty.
        flag: whether its value is yes or no.
        seconds: whether its value is a duration.
        longest: the longest duration in seconds.
        number: whether its value is a number.
        choices: its values, if there are only a few.
        default: the parsed value for a rule without the key.
        default_text: the default in words, for tables.
    """

    key: str
    doc: str
    read: Callable[[str], Any] | None = None
    spell: Callable[[str], str] = str
    named: bool = False
    header: bool = False
    only_the_server: frozenset[str] = frozenset()
    check_text: Callable[[str, str], None] = anything
    flag: bool = False
    seconds: bool = False
    longest: float = LONGEST
    number: bool = False
    choices: tuple[str, ...] = ()
    default: Any = None
    default_text: str = ""

    @property
    def meaning(self) -> str:
        """The first line of its documentation."""
        return self.doc.partition("\n")[0]

    @property
    def title(self) -> str:
        """The key as tables show it: `header.NAME`."""
        return f"{self.key}.NAME" if self.named else self.key

    def parse(self, text: str) -> Any:
        """The value of `text`, of a duration its seconds; raises `Mistake`."""
        if self.read is not None:
            return self.read(text)
        if self.seconds:
            return duration(text, self.longest)
        return choice(text, self.choices) if self.choices else text

    def check_name(self, name: str) -> None:
        """Raise `Mistake` when NAME cannot be one."""
        if self.header and not is_token(name):
            raise Mistake(f"{shown(name)} cannot be the name of a header", at_key=True)
        if name in self.only_the_server:
            raise Mistake(f"{self.key}.{name}: the server sets {name} itself", at_key=True)

    def write(self, value: object, *, strict: bool) -> str:
        """The text of a Python value; in TOML and JSON (`strict`) a number is not a duration."""
        if isinstance(value, str):
            return text_of(value)
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


class Reading(NamedTuple):
    """The rule's way of reading a request for its conditions.

    Attributes:
        addressing: how the rule's vendor reads bucket, key and operation.
        seed: the key of the scenario's seed, with which `sample` chooses.
    """

    addressing: Addressing
    seed: bytes = b""


@dataclass(kw_only=True, eq=False, repr=False)
class Condition(Key):
    """A key whose values are matched against a request.

    Attributes:
        compile: gives the test of a request, which is true if any value fits. It gets the rule's valid texts, the NAME
            of `header.NAME` or `query.NAME` (else empty), and the reading.
        in_label: gives the part of a valid value on which the rule's draws depend.
    """

    compile: Callable[[tuple[str, ...], str, Reading], Check]
    in_label: Callable[[str], str] = str


def condition(
    key: str,
    *,
    read: Callable[[str], str] | None = None,
    spell: Callable[[str], str] = str,
    in_label: Callable[[str], str] = str,
    named: bool = False,
    header: bool = False,
) -> Callable[[Callable[[tuple[str, ...], str, Reading], Check]], Condition]:
    """Make a condition of the function that compiles it; the function's docstring is its doc.

    By default a value is a pattern.
    """

    def make(compiles: Callable[[tuple[str, ...], str, Reading], Check]) -> Condition:
        return Condition(
            key=key,
            doc=compiles.__doc__ or "",
            compile=compiles,
            read=read or (pattern_or_nothing if named else pattern),
            spell=spell,
            in_label=in_label,
            named=named,
            header=header,
        )

    return make


def pattern(text: str) -> str:
    """The pattern; raises `Mistake` when it is too big, or empty."""
    if not text:
        raise Mistake("needs a value")
    return pattern_or_nothing(text)


def pattern_or_nothing(text: str) -> str:
    """The pattern; raises `Mistake` when it is too big."""
    if (problem := patterns.check_pattern(text)) is not None:
        raise Mistake(problem)
    return text


def any_of(tests: Iterable[Test]) -> Test:
    """Combine several tests into one."""
    first, *others = tests
    if not others:
        return first
    return lambda value: first(value) or any(test(value) for test in others)


def case_insensitive_test(text: str) -> Test:
    """The test for a pattern that ignores case; the tested text must be in lower case."""
    return patterns.compile_plain(text.lower())


def plain_test(values: tuple[str, ...]) -> Test:
    """The test for any of several patterns, or for any text if a pattern is empty."""
    return any_of(patterns.compile_plain(value) if value else _always for value in values)


def _always(_: str) -> bool:
    return True
