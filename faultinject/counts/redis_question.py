"""One question to a Redis server, with limits of its time and of the bytes of its answer.

redis-py limits only the time of each single read: a server that sends a byte now and then, or never ends a line, could
keep its client waiting without end, and fill its memory.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Any

from faultinject.counts.patience import waiting

SHORT = 64 * 1024
"""Bytes that the answer to a request's question may have."""
PER_ARGUMENT = 32
"""Bytes of an answer for one argument of its question: a number, and the frame around it."""
LONG = 64 * 1024 * 1024
"""Bytes of other answers: a scenario of 10,000 rules, or 5,000 lines of the journal."""


class Question:
    """A question that is being asked.

    Args:
        arguments: how many it has.
        patient: whether no request waits for it.
    """

    def __init__(self, arguments: int, *, patient: bool) -> None:
        seconds = max(waiting.opening, waiting.answer) if patient else waiting.answer
        self._end = time.monotonic() + seconds
        self._size = self._left = LONG if patient else max(SHORT, arguments * PER_ARGUMENT)

    @property
    def seconds(self) -> float:
        """Seconds that are left.

        Raises:
            TimeoutError: none are.
        """
        seconds_left = self._end - time.monotonic()
        if seconds_left <= 0:
            raise TimeoutError
        return seconds_left

    def read(self, count: int) -> None:
        """Note bytes of the answer.

        Raises:
            ValueError: the answer has too many.
        """
        self._left -= count
        if self._left < 0:
            raise ValueError(f"it is longer than {self._size:,} bytes")


asked: ContextVar[Question] = ContextVar("asked")
"""The question of this thread."""


class BoundedSocket:
    """A socket of redis-py with the limits of the present question.

    Args:
        sock: the socket.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def sendall(self, data: bytes) -> None:
        """Send a part of the question."""
        self._limit()
        self._sock.sendall(data)

    def recv(self, *arguments: int) -> bytes:
        """Read a part of the answer."""
        self._limit()
        data: bytes = self._sock.recv(*arguments)
        asked.get().read(len(data))
        return data

    def recv_into(self, buffer: bytearray) -> int:
        """Read a part of the answer, as the parser of hiredis does it."""
        self._limit()
        count: int = self._sock.recv_into(buffer)
        asked.get().read(count)
        return count

    def _limit(self) -> None:
        if self._sock.gettimeout() != 0:  # with 0 redis-py looks whether something is there
            self._sock.settimeout(asked.get().seconds)


class BoundedConnection:
    """The first base of redis-py's connections: it sets the bounds of the question."""

    @property
    def socket_timeout(self) -> float:
        """Seconds for the handshake of TLS, and until the question has its own bound."""
        return asked.get().seconds

    @socket_timeout.setter
    def socket_timeout(self, seconds: float) -> None:
        """Ignore redis-py's own value: the question decides."""

    socket_connect_timeout = socket_timeout  # for one address of the host

    def connect(self) -> None:
        """Connect; if this takes too long, no byte of the question has been sent.

        Raises:
            ConnectionError: of redis-py.
        """
        from redis import exceptions

        try:
            super().connect()  # type: ignore[misc]
        except exceptions.TimeoutError as error:
            raise exceptions.ConnectionError(str(error)) from error

    def _connect(self) -> BoundedSocket:
        return BoundedSocket(super()._connect())  # type: ignore[misc]
