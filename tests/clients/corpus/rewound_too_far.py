"""Goes back by one chunk and not to the beginning of the stream."""

from __future__ import annotations

from dataclasses import replace

from .client import Client


class RewoundTooFar(Client):
    """Later attempts store the end of the object."""

    expected = {"same bytes": "FAIL", "lost answer*": ("PASS", "FAIL"), "retries*": ("PASS", "FAIL", "WARN")}

    def attempt(self, request, number):
        """All of it only once."""
        return super().attempt(replace(request, body=request.body[(number > 1) * 32 :]), number)
