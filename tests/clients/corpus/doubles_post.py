"""Repeats what is not known to be safe after the answer was lost: RFC 9110, 9.2.2."""

from __future__ import annotations

from .client import Client


class DoublesPost(Client):
    """A POST that adds a line is repeated, and so adds it twice."""

    expected = {"non-idempotent retry": "FAIL"}

    def post(self, key):
        """Leave a line."""
        self.call("POST", key, body=b"one line\n", harmless=True)
