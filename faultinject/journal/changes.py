"""The changes by the control API."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple


class Change(NamedTuple):
    """A change by the control API.

    Attributes:
        time: unix seconds.
        by: the name of the token, else the client's address.
        what: the change in words, such as `switched faults off`.
    """

    time: float
    by: str
    what: str


NOTED: ContextVar[Change | None] = ContextVar("NOTED", default=None)
"""The change that a call of the control API is making; None for a change in code."""
