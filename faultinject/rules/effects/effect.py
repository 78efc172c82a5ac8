"""What all effects have in common."""

from __future__ import annotations

from faultinject.rules import values
from faultinject.rules.key import Key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.rules.types import WrittenRule

HOUR = 3600.0
"""The longest wait, seconds."""


class Effect(Key):
    """A key that shapes what is done to the exchange."""

    def in_words(self, rule: WrittenRule, text: str, name: str) -> str:
        """What a reader of the rule must know of it; nothing where the fault's own words say it.

        Args:
            rule: the rule that gives it.
            text: the value as written.
            name: the NAME behind the key, if it has one.
        """
        return ""


class YesNo(Effect):
    """An effect that is on or off."""

    flag = True
    default = False
    default_text = "no"
    unusual = ""
    """What a value that is not the default comes to, in words."""

    def parse(self, text: str) -> bool:
        """Yes or no."""
        return values.yes_no(text)

    def in_words(self, rule: WrittenRule, text: str, name: str) -> str:
        """The unusual."""
        return "" if self.parse(text) is self.default else self.unusual
