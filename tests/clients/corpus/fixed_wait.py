"""Waits the same time again and again, so that clients that failed together come back together."""

from __future__ import annotations

from .client import Client


class FixedWait(Client):
    """Always 0.4 s."""

    expected = {"jitter": "FAIL", "thundering herd": ("FAIL", "WARN"), "backoff grows": "WARN"}

    def backoff(self, number):
        """The same."""
        return 0.4
