"""The body of a request, which a thread reads beneath a server's loop."""

from __future__ import annotations

import io
from abc import abstractmethod
from typing import Any

from faultinject.adapters.types import Message, Receive

LARGE = 65_536
"""Bytes of a body that are read at a time, or awaited without a thread."""


class ClientGone(ConnectionResetError):
    """The client has left, or sent something else than HTTP."""


class Body(io.RawIOBase):
    """The body of one request.

    Args:
        receive: the server's.

    Attributes:
        data: the bytes that have come and were not read yet.
        whole: whether all of it has come.
        gone: whether the client has left before its end.
        asked: whether the client was asked to send it.
    """

    def __init__(self, receive: Receive) -> None:
        self.data = bytearray()
        self.whole = self.gone = self.asked = False
        self._receive = receive

    async def more(self) -> None:
        """Wait for more of it."""
        self.asked = True
        message: Message = await self._receive()
        self.gone = message["type"] == "http.disconnect"
        self.data += message.get("body", b"")
        self.whole = self.gone or not message.get("more_body", False)

    @abstractmethod
    def wait(self) -> None:
        """Wait for more of it on a thread, while the loop goes on."""

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Read the bytes that have come into the buffer, on a thread; 0 at the end.

        Raises:
            ClientGone: the client left before the end.
        """
        while not (self.data or self.whole):
            self.wait()
        if self.gone:
            raise ClientGone("the client left before the end of its request")
        piece = self.data[: len(buffer)]
        buffer[: len(piece)] = piece
        del self.data[: len(piece)]
        return len(piece)
