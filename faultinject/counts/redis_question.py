"""One question to a Redis server, with bounds for its time and for the bytes of its answer.

redis-py bounds only the time of a single read. A server that sends a byte now and then, or a line without an end, could
make its client wait for ever, and fill its memory.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Any

from faultinject.counts.patience import waiting

SHORT = 64 * 1024
"""The most bytes of an answer for which a request waits."""
PER_ARGUMENT = 32
"""Bytes of an answer for one argument of its question: a number and its framing."""
LONG = 64 * 1024 * 1024
"""The most bytes of other answers, such as 10,000 rules or 5,000 lines of the journal."""


class Question:
    """A question that a thread asks now.

    Args:
        arguments: the number of its arguments.
        patient: whether no request waits for it.
    """

    def __init__(self, arguments: int, *, patient: bool) -> None:
        seconds = max(waiting.opening, waiting.answer) if patient else waiting.answer
        self._end = time.monotonic() + seconds
        self._size = self._bytes_left = LONG if patient else max(SHORT, arguments * PER_ARGUMENT)

    @property
    def seconds(self) -> float:
        """The seconds that are left.

        Raises:
            TimeoutError: no time is left.
        """
        seconds_left = self._end - time.monotonic()
        if seconds_left <= 0:
            raise TimeoutError
        return seconds_left

    def read(self, count: int) -> None:
        """Count bytes of the answer.

        Raises:
            ValueError: the answer has too many bytes.
        """
        self._bytes_left -= count
        if self._bytes_left < 0:
            raise ValueError(f"it is longer than {self._size:,} bytes")


current_question: ContextVar[Question] = ContextVar("current_question")
"""The question that this thread is asking."""


class BoundedSocket:
    """A socket of redis-py with the bounds of the current question.

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
        current_question.get().read(len(data))
        return data

    def recv_into(self, buffer: bytearray) -> int:
        """Read a part of the answer, as the parser of hiredis does."""
        self._limit()
        count: int = self._sock.recv_into(buffer)
        current_question.get().read(count)
        return count

    def _limit(self) -> None:
        if self._sock.gettimeout() != 0:  # with 0 redis-py only looks whether data is there
            self._sock.settimeout(current_question.get().seconds)


class BoundedConnection:
    """A base class for redis-py's connections, which sets the bounds of the current question."""

    @property
    def socket_timeout(self) -> float:
        """Seconds for the TLS handshake, and until a question has its own bound."""
        return current_question.get().seconds

    @socket_timeout.setter
    def socket_timeout(self, seconds: float) -> None:
        """Ignore redis-py's own value, as the question decides."""

    socket_connect_timeout = socket_timeout  # for one address of the host

    def connect(self) -> None:
        """Connect; if this takes too long, no byte of the question has been sent.

        Raises:
            ConnectionError: redis-py's error.
        """
        from redis import exceptions

        try:
            super().connect()  # type: ignore[misc]
        except exceptions.TimeoutError as error:
            raise exceptions.ConnectionError(str(error)) from error

    def _connect(self) -> BoundedSocket:
        return BoundedSocket(super()._connect())  # type: ignore[misc]
