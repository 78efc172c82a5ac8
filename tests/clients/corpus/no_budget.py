"""Every call is repeated to the end while everything fails, which keeps down what is trying to get up."""

from __future__ import annotations

from .client import Client


class NoBudget(Client):
    """As many repetitions as there are failures."""

    expected = {"retry budget": "WARN"}
    repetitions = 10**6
