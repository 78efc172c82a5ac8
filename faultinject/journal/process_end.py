"""What is done when this process ends, however it ends but by a signal that kills."""

from __future__ import annotations

import sys
from collections.abc import Callable


class ProcessEnd:
    """Has something done at the end of each process that asks for it.

    Args:
        work: what is done.
    """

    def __init__(self, work: Callable[[], object]) -> None:
        self._work = work
        self._pid = 0

    def register(self, pid: int) -> None:
        """Have it done at the end of this process, once.

        Args:
            pid: this process.
        """
        if self._pid == pid:
            return
        import atexit

        if not self._pid:  # a forked child has its parent's
            atexit.register(self._work)
        self._pid = pid
        # Children of multiprocessing leave by os._exit(), behind their own finalizers; these forget their parent's.
        util = sys.modules.get("multiprocessing.util")
        if util is not None:
            util.Finalize(None, self._work, exitpriority=-100)
