"""Leaves it all to its caller, who does not know what may be repeated."""

from __future__ import annotations

from .client import Client


class NeverRetries(Client):
    """One attempt; an error in a 200 it hands on, which only its caller sees."""

    expected = {"retries": "FAIL", "error in 200": ("PASS", "WARN"), "lost answer*": ("PASS", "WARN")}
    attempts = 1
