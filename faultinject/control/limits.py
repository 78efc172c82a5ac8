"""How long the control API waits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Limits:
    """Seconds.

    Attributes:
        again: after which an address that another process has is tried again.
    """

    again: float = 1.0


LIMITS = Limits()
