"""Retries at once.

https://learn.microsoft.com/azure/architecture/best-practices/transient-faults
"""

from __future__ import annotations

from .client import Client


class TightLoop(Client):
    """No wait at all, unless the server asks for one."""

    # A wait that a busy machine makes of none does not grow either.
    expected = {"backoff": "WARN", "backoff grows": ("PASS", "WARN")}

    def backoff(self, number):
        """None."""
        return 0
