"""Sends the rest of a stream that was read already: nothing.

https://github.com/databricks/databricks-sdk-java/pull/872
"""

from __future__ import annotations

import io
from dataclasses import replace

from .client import Client


class NotRewound(Client):
    """The second attempt stores an object of 0 bytes."""

    expected = {"same bytes": "FAIL", "lost answer*": ("PASS", "FAIL"), "retries*": ("PASS", "FAIL", "WARN")}

    def call(self, method, key, query="", body=b"", **more):
        """The body is a stream that every attempt reads on from where it is."""
        return super().call(method, key, query, io.BytesIO(body), **more)

    def attempt(self, request, number):
        """Reads it to its end."""
        return super().attempt(replace(request, body=request.body.read()), number)
