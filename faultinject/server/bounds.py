"""Bounds for the connections of our servers: silent clients take no place from others.

Where more connections come than a server may have, the one whose client has been silent for longest ends. A request
that is whole is under way until its answer ends: its connection stays, however long the answer takes.
"""

from __future__ import annotations

import asyncio
import sys
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any


@dataclass
class Limits:
    """Numbers, and seconds; None: no limit.

    Attributes:
        connections: that are open at a time.
        head: from the first byte of a request, or the start of its connection, to the end of its head.
        body: from there to the end of its body.
        half_sent: threads whose requests have bodies that are not whole yet.
        stalled: of a body of which nothing more comes, while others wait for one of these threads.
        idle: for which a connection is kept without a request: longer than clients wait before they try again, so
            that its end is never taken for a fault.
        grace: that requests under way may take when the server ends.
    """

    connections: int = 1024
    head: float | None = None
    body: float | None = None
    half_sent: int = 64
    stalled: float = 10.0
    idle: int = 75
    grace: int = 2


LIMITS = Limits()


class Bounds:
    """The connections of one server.

    Args:
        limits: of the server.
        descriptors: files that a connection takes.
    """

    def __init__(self, limits: Limits, descriptors: int = 1) -> None:
        self.limits = limits
        # A quarter of the descriptors is for the app, and for connections that are taken before others have ended.
        self._most = min(limits.connections, open_files() * 3 // 4 // descriptors)
        self._connections: dict[Bounded, None] = {}  # the first come is the first

    def protocol(self, kind: Callable[..., Bounded], context: SSLContext | None) -> Any:
        """The factory by which uvicorn makes the protocol of a connection.

        Args:
            kind: makes one without TLS.
            context: encrypts connections; None: nothing does.
        """

        def make(**given: Any) -> asyncio.BaseProtocol:
            connection = kind(self, **given)
            return connection if context is None else Encrypted(connection, context)

        return make

    def enter(self, newcomer: Bounded) -> None:
        """Count a connection, and if there are too many, end one.

        It is the one whose client has been silent for longest.
        """
        self._connections[newcomer] = None
        if len(self._connections) <= self._most:
            return
        # WebSockets and handshakes of TLS do not tell when they end.
        self._connections = {connection: None for connection in self._connections if not connection.has_ended}
        if len(self._connections) > self._most:
            silent = (connection for connection in self._connections if connection.is_silent)
            min(silent, key=lambda connection: connection.heard).wire.abort()

    def leave(self, connection: Bounded) -> None:
        """Count it no more."""
        self._connections.pop(connection, None)

    def end_stalled(self) -> None:
        """End the connections whose client has begun a body, and sent nothing for a while."""
        since = asyncio.get_running_loop().time() - self.limits.stalled
        for connection in self._connections:
            if connection.is_in_body and connection.is_silent and connection.heard <= since:
                connection.wire.abort()


class Bounded(asyncio.Protocol):
    """One connection of a client, before any other class of a protocol.

    Args:
        bounds: of the server.
        given: the arguments of the other class.

    Attributes:
        bounds: of the server.
        wire: the connection below TLS.
        transport: the connection, once the handshake of TLS is over.
        heard: the loop's time when the client last came, sent or took something.
    """

    wire: asyncio.Transport
    transport: asyncio.Transport = None  # type: ignore[assignment] # as uvicorn has it

    def __init__(self, bounds: Bounds, *given: Any, **named: Any) -> None:
        super().__init__(*given, **named)
        self.bounds = bounds
        self.heard = 0.0
        self._is_full = False

    @property
    def is_silent(self) -> bool:
        """Whether nothing goes on before the client sends something, or takes more of its answer."""
        # One that is closing has something that the client does not take.
        return self.transport is None or self.transport.is_closing() or self._is_full or self._waits()

    @property
    def has_ended(self) -> bool:
        """Whether nothing more is sent."""
        return self.wire.is_closing() and not self.wire.get_write_buffer_size()

    @property
    def is_in_body(self) -> bool:
        """Whether the client has to send more of a body, for which a thread waits."""
        return False

    def _waits(self) -> bool:
        """Whether the client has to send something."""
        raise NotImplementedError

    def enter(self, wire: asyncio.Transport) -> None:
        """Note that the connection is there; with TLS, its handshake begins."""
        self.wire, self.heard = wire, asyncio.get_running_loop().time()
        self.bounds.enter(self)

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Note that the client may send a request."""
        super().connection_made(transport)
        self.transport = transport
        if transport.get_extra_info("sslcontext") is None:
            self.enter(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the connection has ended."""
        self.bounds.leave(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Note that the client has sent something."""
        self.heard = asyncio.get_running_loop().time()
        super().data_received(data)

    def pause_writing(self) -> None:
        """Note that the client takes nothing for now."""
        self._is_full = True
        super().pause_writing()

    def resume_writing(self) -> None:
        """Note that the client has taken the bytes that were there."""
        self._is_full, self.heard = False, asyncio.get_running_loop().time()
        super().resume_writing()


class Encrypted(SSLProtocol):
    """TLS of a connection, which counts from the start of its handshake.

    uvicorn's own hears of a connection after its handshake.

    Args:
        connection: of the client.
        context: encrypts it.
    """

    def __init__(self, connection: Bounded, context: SSLContext) -> None:
        self._bounded = connection
        nobody: Any = None  # waits for the handshake
        super().__init__(asyncio.get_running_loop(), connection, context, nobody, server_side=True)

    def connection_made(self, transport: Any) -> None:
        """Note that the handshake begins."""
        self._bounded.enter(transport)
        super().connection_made(transport)


def open_files() -> int:
    """The descriptors that this process may have at a time."""
    if sys.platform == "win32":
        return sys.maxsize
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit

    soft = getrlimit(RLIMIT_NOFILE)[0]
    return sys.maxsize if soft == RLIM_INFINITY else soft
