"""Repeats every call to the end in an outage, and so keeps the service from recovering."""

from __future__ import annotations

from .client import Client


class NoBudget(Client):
    """As many repetitions as there are failures."""

    expected = {"retry budget": "WARN"}
    repetitions = 10**6
