"""Takes throttling for something that must pass, and never gives up: RFC 9110, 9.2.2."""

from __future__ import annotations

from .client import THROTTLE, Client


class Endless(Client):
    """Without limit and budget on throttle errors; it ends at last, so that tests end."""

    expected = {"gives up": "FAIL"}
    first, longest = 0.1, 0.8

    def most(self, failed):
        """Twenty-two instead of four."""
        return 22 if failed.kind == THROTTLE else self.attempts

    def take(self, failed):
        """A throttled call may always be repeated."""
        return failed.kind == THROTTLE or super().take(failed)
