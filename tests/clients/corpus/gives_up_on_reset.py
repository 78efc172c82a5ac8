"""Looks at the status alone, and a connection that breaks has none."""

from __future__ import annotations

from .client import TRANSPORT, Client


class GivesUpOnReset(Client):
    """A broken connection ends the call."""

    expected = {
        "retries: reset": "WARN",
        "retries: truncated": ("PASS", "WARN"),
        "lost answer*": ("PASS", "WARN"),
    }

    def may_repeat(self, failed, harmless):
        """Only with an answer."""
        return failed.kind != TRANSPORT and super().may_repeat(failed, harmless)
