"""Doubles its waits, but all clients wait alike.

https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

from __future__ import annotations

from .client import Client


class Herd(Client):
    """0.4 s, 0.8 s, 1.2 s."""

    expected = {"jitter": "WARN", "thundering herd": "WARN"}

    def backoff(self, number):
        """The bound itself."""
        return self.bound(number)
