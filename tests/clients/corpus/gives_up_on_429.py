"""Repeats 5xx only, so the other status for throttling ends the call.

https://github.com/Azure/azure-sdk-for-python/issues/9082
"""

from __future__ import annotations

from .client import Client


class GivesUpOn429(Client):
    """429 is an error of the caller's."""

    expected = {"retries: 429*": "FAIL"}
    vendor = "obs"  # which documents one

    def may_repeat(self, failed, harmless):
        """Not that status."""
        return not (failed.answer is not None and failed.answer.status == 429) and super().may_repeat(
            failed, harmless
        )
