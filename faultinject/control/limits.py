"""How long and how much the control API waits for and gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Limits:
    """Seconds and numbers.

    Attributes:
        patience: seconds in which a body, or on an address of its own a whole request, has to come.
        connections: at once, on an address of its own; a further one is answered with 503.
        again: seconds after which an address that another process has is tried again.
    """

    patience: float = 10.0
    connections: int = 64
    again: float = 1.0


LIMITS = Limits()
