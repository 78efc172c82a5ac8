"""Bounds for the connections of our servers: silent clients do not keep others out."""

from __future__ import annotations

import asyncio
import sys
from asyncio import WriteTransport
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from ssl import SSLContext
from typing import Any

TRANSPORT = "faultinject.transport"
"""The key of the connection's transport in a scope."""
FRAMING = {b"content-length", b"transfer-encoding"}
"""Headers that set a body's end; a request with both is ambiguous."""


@dataclass
class Limits:
    """The limits of a server; None: no limit.

    Attributes:
        connections: the most connections open at a time.
        request: seconds from the first byte of a request, or the start of its connection, to its last byte.
        idle: seconds for which a connection is kept without a request; longer than clients wait before they retry, so
            that its end never looks like a fault.
        grace: seconds that requests under way may take when the server ends.
    """

    connections: int = 1024
    request: float | None = None
    idle: int = 75
    grace: int = 2


LIMITS = Limits()


def make_room(connections: Iterable[Any], limits: Limits, descriptors: int = 1) -> None:
    """End the connection whose client has been silent for longest, if there are too many.

    A connection whose client waits for an answer stays.

    Args:
        connections: the server's connections.
        limits: the server's limits.
        descriptors: the number of file descriptors that one connection takes.
    """
    # A quarter of the descriptors is left for the app, and for connections that open before others have closed.
    most = min(limits.connections, open_files() * 3 // 4 // descriptors)
    # With TLS the transport below TLS decides, as that stays open until the client has confirmed the end.
    wires = {connection: getattr(connection, "wire", connection.transport) for connection in connections}
    open_ones = [
        connection
        for connection, wire in wires.items()
        if not wire.is_closing() or wire.get_write_buffer_size()
    ]
    if len(open_ones) > most:
        # A WebSocket has no `is_silent`. A connection that is still closing has data that its client does not read.
        silent = [
            connection
            for connection in open_ones
            if connection.transport.is_closing()
            or is_full(connection.transport)
            or getattr(connection, "is_silent", False)
        ]
        wires[min(silent, key=lambda connection: getattr(connection, "last_active", 0.0))].abort()


def protocol_factory(
    protocol: Callable[..., Any], context: SSLContext | None
) -> Callable[..., asyncio.BaseProtocol]:
    """Make uvicorn's factory of the protocols of connections, with or without TLS.

    Args:
        protocol: makes the protocol of a connection without TLS.
        context: encrypts connections; None: they are not encrypted.
    """

    def make(**arguments: Any) -> asyncio.BaseProtocol:
        connection: asyncio.BaseProtocol = protocol(**arguments)
        if context is None:
            return connection
        return Encrypted(connection, arguments["server_state"].connections, context)

    return make


class Encrypted(SSLProtocol):
    """The TLS of a connection; the server counts the connection from the start of its handshake.

    uvicorn itself would count it only from the end of the handshake.

    Args:
        connection: the client's connection.
        connections: the open connections of the server.
        context: encrypts the connection.
    """

    def __init__(self, connection: Any, connections: set[Any], context: SSLContext) -> None:
        self._connection, self._connections = connection, connections
        waiter: Any = None  # nobody waits for the handshake
        super().__init__(asyncio.get_running_loop(), connection, context, waiter, server_side=True)

    def connection_made(self, transport: Any) -> None:
        """Note that the handshake begins."""
        self._connection.enter(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Note that the connection has ended, perhaps before its handshake has."""
        super().connection_lost(exc)
        self._connections.discard(self._connection)


def is_full(transport: WriteTransport) -> bool:
    """Whether the client reads more slowly than the server writes."""
    return transport.get_write_buffer_size() > transport.get_write_buffer_limits()[1]


def open_files() -> int:
    """The number of descriptors that this process may have open at a time."""
    if sys.platform == "win32":
        return sys.maxsize
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit

    soft = getrlimit(RLIMIT_NOFILE)[0]
    return sys.maxsize if soft == RLIM_INFINITY else soft
