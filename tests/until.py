"""Waits for events, with a bound for a hang."""

import time

PATIENCE = 60.0
"""Seconds after which it hangs: the bound asserts nothing of the machine."""

STARTS_WITHIN = 100.0
"""Seconds for a process to start: with twenty others at work its imports take 30 s."""


def until(true, why="it never came", patience=PATIENCE):
    """Ask until it is so; gives what it is."""
    end = time.monotonic() + patience
    while not (found := true()):
        assert time.monotonic() < end, why
        time.sleep(0.005)
    return found
