"""What all effects have in common."""

from __future__ import annotations

from faultinject.core import values
from faultinject.core.key import Key

HOUR = 3600.0
"""The longest wait, seconds."""


class Effect(Key):
    """A key that shapes what is done to the exchange."""


class YesNo(Effect):
    """An effect that is on or off."""

    flag = True
    default = False
    default_text = "no"

    def parse(self, text: str) -> bool:
        """Yes or no."""
        return values.yes_no(text)
