"""Bounds for the connections of our servers: silent clients take no place from others."""

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
"""Headers that set the end of a body; of both, two readers may obey different ones."""


@dataclass
class Limits:
    """The limits of a server; None: no limit.

    Attributes:
        connections: the most connections at a time.
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
        descriptors: the number of files of a connection.
    """
    # A quarter of the descriptors stays for the app, and for connections that come before others have ended.
    most = min(limits.connections, open_files() * 3 // 4 // descriptors)
    # The connection below TLS is there until its client has confirmed the end.
    wires = {connection: getattr(connection, "wire", connection.transport) for connection in connections}
    open_ones = [
        connection
        for connection, wire in wires.items()
        if not wire.is_closing() or wire.get_write_buffer_size()
    ]
    if len(open_ones) > most:
        # A WebSocket has no `is_silent`. A closing connection has data that its client does not take.
        silent = [
            connection
            for connection in open_ones
            if connection.transport.is_closing()
            or is_full(connection.transport)
            or getattr(connection, "is_silent", False)
        ]
        wires[min(silent, key=lambda connection: getattr(connection, "heard", 0.0))].abort()


def counted(kind: Callable[..., Any], context: SSLContext | None) -> Callable[..., asyncio.BaseProtocol]:
    """The factory by which uvicorn makes the protocol of a connection.

    Args:
        kind: makes one without TLS.
        context: encrypts connections; None: nothing does.
    """

    def make(**given: Any) -> asyncio.BaseProtocol:
        connection: asyncio.BaseProtocol = kind(**given)
        if context is None:
            return connection
        return Encrypted(connection, given["server_state"].connections, context)

    return make


class Encrypted(SSLProtocol):
    """TLS of a connection that is counted from the start of its handshake.

    uvicorn counts it from the end of the handshake.

    Args:
        connection: the client's connection.
        connections: the open connections of the server.
        context: encrypts the connection.
    """

    def __init__(self, connection: Any, connections: set[Any], context: SSLContext) -> None:
        self._counted, self._connections = connection, connections
        nobody: Any = None  # waits for the handshake
        super().__init__(asyncio.get_running_loop(), connection, context, nobody, server_side=True)

    def connection_made(self, transport: Any) -> None:
        """Note that the handshake begins."""
        self._counted.enter(transport)
        super().connection_made(transport)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Note that the connection has ended, perhaps before its handshake has."""
        super().connection_lost(exc)
        self._connections.discard(self._counted)


def is_full(transport: WriteTransport) -> bool:
    """Whether the client takes less than is there for it."""
    return transport.get_write_buffer_size() > transport.get_write_buffer_limits()[1]


def open_files() -> int:
    """The descriptors that this process may have at a time."""
    if sys.platform == "win32":
        return sys.maxsize
    from resource import RLIM_INFINITY, RLIMIT_NOFILE, getrlimit

    soft = getrlimit(RLIMIT_NOFILE)[0]
    return sys.maxsize if soft == RLIM_INFINITY else soft
