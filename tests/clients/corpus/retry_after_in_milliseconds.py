"""Reads `Retry-After: 3` as three milliseconds.

https://github.com/Azure/azure-sdk-for-net/pull/5268
"""

from __future__ import annotations

from .client import Client


class RetryAfterInMilliseconds(Client):
    """Waits exactly as long as Retry-After says, in the wrong unit."""

    expected = {"retry-after: seconds": "FAIL"}

    def wait(self, number, failed):
        """Retry-After alone, where there is one."""
        asked = self.asked(failed.answer)
        return self.backoff(number) if asked is None else asked

    def seconds(self, number):
        """The wrong unit."""
        return number / 1000
