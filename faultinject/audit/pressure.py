"""How long work on this machine has waited for a processor, as Linux counts it.

Between an answer and the next request the machine cannot have been later than that by itself, so that a client's wait
can be told from a machine that had too much to do (https://docs.kernel.org/accounting/psi.html).
"""

from __future__ import annotations

import os

from faultinject.files import close_own, identity

PATH = "/proc/pressure/cpu"
_LENGTH = 256


class Pressure:
    """Reads the sum; nothing where the system keeps none.

    Args:
        path: the file of the kernel.
    """

    def __init__(self, path: str = PATH) -> None:
        try:
            self._file: int | None = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
            self._identity = identity(self._file)
        except OSError:
            self._file = None

    def stalled(self) -> float | None:
        """Seconds since the machine's start for which something could have run and had no processor; None: unknown."""
        if self._file is None:
            return None
        try:
            # A program that becomes a daemon closes all files; the number may be another file's by now.
            if identity(self._file) != self._identity:
                self._file = None
                return None
            text = os.pread(self._file, _LENGTH, 0)
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
