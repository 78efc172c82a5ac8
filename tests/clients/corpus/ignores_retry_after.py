"""Knows better than the server how long to wait: RFC 9110, 10.2.3."""

from __future__ import annotations

from .client import Client


class IgnoresRetryAfter(Client):
    """The server's wait is never read."""

    expected = {"retry-after*": "FAIL"}

    def asked(self, answer):
        """Nothing."""
        return
