"""Records the requests that an SDK would send, and sends nothing."""

from __future__ import annotations


class SentError(Exception):
    """Instead of being sent."""


def keep(request, **_):
    """For botocore's `before-send`."""
    raise SentError(request)
