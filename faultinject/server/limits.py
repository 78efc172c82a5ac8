"""How long servers of ours wait."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Limits:
    """Seconds.

    Attributes:
        idle: for which a connection is kept without a request: longer than clients wait before they try again, so that
            its end is never taken for a fault.
        grace: that requests under way may take when the server ends.
    """

    idle: int = 75
    grace: int = 2


LIMITS = Limits()
