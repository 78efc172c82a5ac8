"""Resumable uploads that are over: their clients may ask once more how they ended."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

REMEMBERED, REMEMBERED_BYTES = 1000, 4 * 1024 * 1024
"""How many ended uploads are remembered, and with how long documents all together."""


class Finished:
    """From the id of an ended upload to the document that shows the object that it became."""

    def __init__(self) -> None:
        self._ended: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def note(self, identity: str, document: bytes) -> None:
        """Remember how an upload ended."""
        with self._lock:
            self._size += len(document) - len(self._ended.pop(identity, b""))
            self._ended[identity] = document
            while len(self._ended) > REMEMBERED or self._size > REMEMBERED_BYTES:
                self._size -= len(self._ended.popitem(last=False)[1])

    def find(self, identity: str) -> bytes | None:
        """How an upload ended; None when it is not known."""
        with self._lock:
            return self._ended.get(identity)
