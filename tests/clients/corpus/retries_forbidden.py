"""Looks only whether there was an error: https://github.com/fog/fog/issues/3622."""

from __future__ import annotations

from .client import REFUSED, Client


class RetriesForbidden(Client):
    """403, 404 and 400 are repeated, too."""

    expected = {"permanent": "FAIL"}

    def may_repeat(self, failed, harmless):
        """Also what the server will never do."""
        return failed.kind == REFUSED or super().may_repeat(failed, harmless)
