"""What comes by itself is waited for."""

from __future__ import annotations

import time

PATIENCE = 300.0
"""Seconds after which it hangs: the bound asserts nothing of the machine."""


def until(true, why="it never came"):
    """Ask until it is so; gives what it is."""
    end = time.monotonic() + PATIENCE
    while not (found := true()):
        assert time.monotonic() < end, why
        time.sleep(0.005)
    return found
