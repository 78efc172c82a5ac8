"""Whether a client can be judged N times as fast: the same wait is measured at both speeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from math import sqrt

from faultinject.audit.statistics import median
from faultinject.conformance.driving import Run
from faultinject.exceptions import ConfigurationError

PROBE = ("retry-after", "one")
"""The phases in which the wait is measured: the first waits of both, the longer of which decides."""
REAL_TIME = ("retry-after-date", "slow")
"""The phases that need real time: a date is read by the client's clock, which is ahead of the server's, and an answer takes as
long to come as the server makes it."""
SPREAD = 2.0
"""How many times as far apart calls begin: what waits in real time come back at once at a speed, and would wait for each other."""
SHORTEST = 0.2
"""Seconds; what is shorter cannot be told from a client's own work at a speed."""


def first_waits(run: Run) -> dict[str, list[float]]:
    """By phase the wait of each call before its first retry, seconds by the client's clock."""
    found: dict[str, list[float]] = {}
    for call in run.judgement.evidence.everyone:
        if call.gaps and call.gaps[0] is not None:
            found.setdefault(call.name or "", []).append(call.gaps[0])
    return found


def check_reach(measure: Callable[[float], Mapping[str, Sequence[float]]], speed: float) -> None:
    """Let a client wait for the same thing in real time and at a speed, and compare.

    Args:
        measure: the first waits of each phase at that speed, seconds by the client's clock.
        speed: how many times as fast.

    Raises:
        ConfigurationError: libfaketime does not reach the client, or the client does not wait.
    """
    real = {phase: median(waits) for phase, waits in measure(1.0).items()}
    phase = max(real, key=real.__getitem__, default="")
    if real.get(phase, 0.0) < SHORTEST:
        raise ConfigurationError(
            f"--speed {speed:g}: the client waits for less than {SHORTEST:g} s before it retries, or does not retry, so nothing"
            " shows that libfaketime reaches it. Leave out --speed: there is little to gain"
        )
    seen = measure(speed).get(phase)
    if not seen or not real[phase] / sqrt(speed) < median(seen) < real[phase] * sqrt(speed):
        told = f"{median(seen):.1f} s" if seen else "without an end"
        raise ConfigurationError(
            f"--speed {speed:g}: the client waits for {real[phase]:.1f} s before it retries, and by its own clock"
            f" {told} at this speed. libfaketime does not reach its clocks and waits (a static program, a wait in a lock),"
            " or the client works for longer than it waits. Leave out --speed"
        )
