"""Its one repetition comes at once, when whatever was wrong still is."""

from __future__ import annotations

from .client import Client


class OnlyAtOnce(Client):
    """Two attempts without a wait between them."""

    expected = {"backoff": "WARN"}
    attempts = 2

    def backoff(self, number):
        """None."""
        return 0
