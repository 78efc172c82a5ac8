"""What a key of a rule is. The keys themselves stand in `conditions`, `triggers` and `effects`."""

from __future__ import annotations

from faultinject.rules.values import Mistake, duration_text, number_text, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Key:
    """One word of the vocabulary; a subclass says what its values mean.

    Attributes:
        key: the word.
        named: it is written with a NAME behind it, `header.NAME`.
        header: the NAME is a header's: any case, `_` is `-`.
        flag: its value is yes or no.
        seconds: its value is a duration.
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
        """The value of `text`; raises `Mistake`."""
        return text

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
