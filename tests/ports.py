"""Ports that are kept for one server, or on which nobody listens."""

import socket


class ReservedPort:
    """A port reserved until it is released; a context manager whose value is the number.

    A number that was found free may be another program's a moment later. Here a socket stays bound to it that does
    not listen: a client that connects is refused, until a server listens there. The server has to set SO_REUSEADDR,
    as servers do to start again where they have just ended.

    Args:
        host: the address; `0.0.0.0` for a server on all of them.

    Attributes:
        number: the port.
    """

    def __init__(self, host: str = "127.0.0.1") -> None:
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, 0))
        self.number: int = self._socket.getsockname()[1]

    def close(self) -> None:
        """Let go of it; a server that listens there keeps it."""
        self._socket.close()

    def __enter__(self) -> int:
        return self.number

    def __exit__(self, *_: object) -> None:
        self.close()
