"""Always waits the same time, so that clients that failed together return together."""

from __future__ import annotations

from .client import Client


class FixedWait(Client):
    """Always 0.4 s."""

    expected = {"jitter": "WARN", "thundering herd": "WARN", "backoff grows": "WARN"}

    def backoff(self, number):
        """The same."""
        return 0.4
