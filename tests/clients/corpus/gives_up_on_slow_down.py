"""`SlowDown` is missing from its list: https://github.com/minio/minio-go/pull/972."""

from __future__ import annotations

from .client import Client


class GivesUpOnSlowDown(Client):
    """A 503 of that code ends the call."""

    expected = {"retries: 503 SlowDown": "FAIL"}

    def may_repeat(self, failed, harmless):
        """Not where the code is unknown."""
        slow_down = failed.answer is not None and b"<Code>SlowDown</Code>" in failed.answer.body
        return not slow_down and super().may_repeat(failed, harmless)
