"""Begins a second upload when the first answer was lost, and pays for the first for ever."""

from __future__ import annotations

from .client import Client


class OrphanUpload(Client):
    """CreateMultipartUpload is repeated as if it were a GET."""

    expected = {"non-idempotent retry": "WARN"}

    def post(self, key):
        """Begin an upload in parts."""
        self.call("POST", key, "?uploads", harmless=True)
