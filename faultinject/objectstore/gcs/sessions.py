"""Resumable uploads that are over: their clients may ask once more how they ended."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

REMEMBERED = 1000
"""How many ended uploads are remembered."""


class Finished:
    """From the id of an ended upload to the bucket, the object and the generation that it became."""

    def __init__(self) -> None:
        self._ended: OrderedDict[str, tuple[str, str, str]] = OrderedDict()
        self._lock = Lock()

    def note(self, identity: str, bucket: str, key: str, generation: str) -> None:
        """Remember how an upload ended."""
        with self._lock:
            self._ended[identity] = bucket, key, generation
            if len(self._ended) > REMEMBERED:
                self._ended.popitem(last=False)

    def find(self, identity: str) -> tuple[str, str, str] | None:
        """How an upload ended; None when it is not known."""
        with self._lock:
            return self._ended.get(identity)
