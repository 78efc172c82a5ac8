"""Divides where it should multiply: the longer the outage, the more often it asks."""

from __future__ import annotations

from .client import Client


class ShrinkingWaits(Client):
    """At most 1.2 s, 0.6 s, 0.4 s, with equal jitter."""

    expected = {"backoff grows": "WARN"}

    def backoff(self, number):
        """Half the bound and a little less each time."""
        return super().backoff(number) / 2 + self.bound(number) / 2

    def bound(self, number):
        """Becomes shorter."""
        return self.longest / number
