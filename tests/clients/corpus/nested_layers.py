"""Retries in a loop around a client that retries.

https://sre.google/sre-book/handling-overload/
"""

from __future__ import annotations

import time

from .client import DRAW, SERVER, THROTTLE, Client, Failed


class NestedLayers(Client):
    """Three attempts of three attempts: nine, and no budget that could hold both."""

    expected = {"nested retries": "WARN", "retry budget": "WARN"}
    attempts = 3
    repetitions = 10**6

    def call(self, method, *request, **more):
        """The outer layer; the inner one has waited already."""
        for number in (1, 2, 3):
            try:
                return self.inner(method, *request, **more)
            except Failed as failed:
                if number == 3 or failed.kind not in {THROTTLE, SERVER} or method == "POST":
                    raise
                time.sleep(0.05)
        raise AssertionError

    def inner(self, *request, **more):
        """The inner layer."""
        return super().call(*request, **more)

    def backoff(self, number):
        """About 0.3 s, then 0.6 s."""
        return 0.75 * self.bound(number) * DRAW.uniform(0.75, 1.25)
