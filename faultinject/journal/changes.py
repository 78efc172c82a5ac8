"""A change of rules or switches by the control API."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple


class ControlChange(NamedTuple):
    """A change by the control API.

    Attributes:
        time: unix seconds.
        by: the name of the token, else the client's address.
        text: the change in words, such as `switched faults off`.
    """

    time: float
    by: str
    text: str


NOTED: ContextVar[ControlChange | None] = ContextVar("NOTED", default=None)
"""The change that a call of the control API is making; None for a change in code."""
