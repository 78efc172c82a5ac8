"""How long work on this machine has waited for a processor, as Linux counts it.

Between an answer and the next request the machine cannot have been later than that by itself, so that a client's wait
can be told from a machine that had too much to do (https://docs.kernel.org/accounting/psi.html).
"""

from __future__ import annotations

import os
from time import monotonic

from faultinject.rules.files import close_own, identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

PATH = "/proc/pressure/cpu"
_LENGTH = 256
FRESH = 0.001
"""Seconds for which what was read is good enough; the kernel takes microseconds to say it, and waits that are told from
it are of 10 ms or more."""


class Pressure:
    """Reads the sum; nothing where the system keeps none.

    Args:
        path: the file of the kernel.
        clock: seconds that never go back.
    """

    def __init__(self, path: str = PATH, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._read = float("-inf")
        self._stalled: float | None = None
        try:
            self._file: int | None = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            self._identity = identity(self._file)
        except OSError:
            self._file = None

    def stalled(self) -> float | None:
        """Seconds since the machine's start for which something could have run and had no processor; None: unknown.

        As it was at most a millisecond ago.
        """
        file = self._file
        if file is None:
            return None
        now = self._clock()
        if now - self._read >= FRESH:
            self._read, self._stalled = now, self._sum(file)
        return self._stalled

    def _sum(self, file: int) -> float | None:
        try:
            # A program that becomes a daemon closes all files; the number may be another file's by now.
            if identity(file) != self._identity:
                self._file = None
                return None
            text = os.pread(file, _LENGTH, 0)
            return int(text.partition(b"total=")[2].partition(b"\n")[0]) / 1e6
        except (OSError, ValueError):
            self.close()
            return None

    def close(self) -> None:
        """Read no more."""
        file, self._file = self._file, None
        if file is None:
            return
        close_own(file, self._identity)

    def __del__(self) -> None:
        self.close()
