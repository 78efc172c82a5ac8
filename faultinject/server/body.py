"""The body of a request, which a thread reads beside the server's event loop."""

from __future__ import annotations

import io
from abc import abstractmethod
from typing import Any

from faultinject.adapters.types import Message, Receive

LARGE = 65_536
"""Bytes of a body that are read at a time; a longer body is read on a thread."""


class ClientLeftError(ConnectionResetError):
    """The client has left, or has sent bytes that are not HTTP."""


class RequestBody(io.RawIOBase):
    """The body of one request.

    Args:
        receive: the server's `receive`, as in ASGI.

    Attributes:
        data: the bytes that have arrived and were not read yet.
        complete: whether the whole body has arrived.
        client_left: whether the client left before the end of the body.
        was_requested: whether the client was asked to send the body.
    """

    def __init__(self, receive: Receive) -> None:
        self.data = bytearray()
        self.complete = self.client_left = self.was_requested = False
        self._receive = receive

    async def receive_more(self) -> None:
        """Wait for more of the body."""
        self.was_requested = True
        message: Message = await self._receive()
        self.client_left = message["type"] == "http.disconnect"
        self.data += message.get("body", b"")
        self.complete = self.client_left or not message.get("more_body", False)

    @abstractmethod
    def wait(self) -> None:
        """Wait on a thread for more of the body, while the loop goes on."""

    def readable(self) -> bool:
        """Always true."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Copy bytes that have arrived into the buffer, on a thread; 0 at the end.

        Raises:
            ClientLeftError: the client left before the end.
        """
        while not (self.data or self.complete):
            self.wait()
        if self.client_left:
            raise ClientLeftError("the client left before the end of its request")
        piece = self.data[: len(buffer)]
        buffer[: len(piece)] = piece
        del self.data[: len(piece)]
        return len(piece)
