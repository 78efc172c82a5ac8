"""How many bytes the store may hold, and who has taken them."""

from __future__ import annotations

from threading import Lock
from types import TracebackType

from faultinject.store.refusal import StoreError

ENTRY = 512
"""Bytes charged for a bucket, object, upload or part besides its content, so that empty ones are bounded too."""


class Budget:
    """A number of bytes that is never exceeded.

    Args:
        limit: the bytes that may be taken in all.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self._lock = Lock()

    def take(self, size: int) -> None:
        """Take `size` bytes, or raise the `full` error and take none; a negative number gives back."""
        with self._lock:
            if self.used + size > self.limit:
                raise StoreError("full", f"the embedded store is full ({self.limit} bytes)")
            self.used += size

    def hold(self) -> Hold:
        """Bytes for one request: given back at its end unless kept."""
        return Hold(self)


class Hold:
    """Bytes taken for something that is not stored yet; a context manager.

    Attributes:
        size: how many they are.
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0

    def add(self, size: int) -> None:
        """Take that many more."""
        self._budget.take(size)
        self.size += size

    def keep(self, size: int) -> None:
        """Leave the bytes to what was stored, which is to have so many."""
        self._budget.take(size - self.size)
        self.size = 0

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._budget.take(-self.size)
