"""The changes that somebody makes by the control API."""

from __future__ import annotations

from contextvars import ContextVar
from typing import NamedTuple


class Change(NamedTuple):
    """A change that somebody has made by the control API.

    Attributes:
        time: unix seconds.
        by: the name of the token, else the client's address.
        what: such as `switched faults off`.
    """

    time: float
    by: str
    what: str


NOTED: ContextVar[Change | None] = ContextVar("NOTED", default=None)
"""The change that the control API makes right now; other changes have no name and no words."""
