"""The time limit of one question to a Redis server.

redis-py limits only the time of each single read: a server that sends a byte now and then could keep its client
waiting without end.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import Any

deadline: ContextVar[float] = ContextVar("deadline")
"""The end of the present question of this thread, in seconds of the monotonic clock."""


def seconds_left() -> float:
    """Seconds until the end of the present question.

    Raises:
        TimeoutError: none are left.
    """
    seconds = deadline.get() - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


class BoundedSocket:
    """A socket of redis-py with the time limit of the present question.

    Args:
        sock: the socket.
    """

    def __init__(self, sock: Any) -> None:
        self._sock = sock

    def __getattr__(self, name: str) -> Any:
        # `recv_into` is read by the parser of hiredis. With a time-out of 0 redis-py looks whether something is there.
        if name in ("sendall", "recv", "recv_into") and self._sock.gettimeout() != 0:
            self._sock.settimeout(seconds_left())
        return getattr(self._sock, name)


class BoundedConnection:
    """The first base of redis-py's connections: it sets the time limit of the question."""

    @property
    def socket_timeout(self) -> float:
        """Seconds for the handshake of TLS, and until the socket has its own time limit."""
        return seconds_left()

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
