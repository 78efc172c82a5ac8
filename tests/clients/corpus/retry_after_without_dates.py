"""Understands `Retry-After` as a number only.

https://github.com/hashicorp/go-retryablehttp/issues/144
"""

from __future__ import annotations

from .client import Client


class RetryAfterWithoutDates(Client):
    """A date says nothing to it."""

    expected = {"retry-after: date": "FAIL"}

    def date(self, text):
        """Not read."""
        return
