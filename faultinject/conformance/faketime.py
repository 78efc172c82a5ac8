"""A program whose clocks and waits run N times as fast, by libfaketime."""

from __future__ import annotations

import glob
import os
from pathlib import Path

from faultinject.exceptions import ConfigurationError

PLACES = (
    "/usr/lib/*/faketime/libfaketimeMT.so.1",
    "/usr/lib*/faketime/libfaketimeMT.so.1",
    "/usr/local/lib/faketime/libfaketimeMT.so.1",
)
"""Where Debian, others and a build of one's own have it, for programs with threads."""


def faster(speed: float) -> dict[str, str]:
    """The variables of a program whose clocks run so many times as fast; its children have them too.

    Raises:
        ConfigurationError: libfaketime is not installed.
    """
    if speed == 1:
        return {}
    found = [each for place in PLACES for each in glob.glob(place)]  # noqa: PTH207 - the patterns are whole paths
    if not found:
        raise ConfigurationError("--speed needs libfaketime: apt-get install faketime")
    others = os.environ.get("LD_PRELOAD", "")
    return {
        "LD_PRELOAD": f"{found[0]} {others}".rstrip(),
        "FAKETIME": f"+0 x{speed:g}",
        "NO_FAKE_STAT": "1",
    }


def forget(process: int) -> None:
    """Remove what libfaketime keeps of a process in memory; one that is killed leaves it behind."""
    for each in Path("/dev/shm").glob(f"*faketime_*_{process}"):  # noqa: S108 - where glibc has shared memory
        each.unlink(missing_ok=True)
