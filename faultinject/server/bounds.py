"""Bounds for the connections of our servers: silent clients take no place from others."""

from __future__ import annotations

import sys
from asyncio import WriteTransport
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

TRANSPORT = "faultinject.transport"
"""The key of the connection's transport in a scope."""
FRAMING = {b"content-length", b"transfer-encoding"}
"""Headers that set the end of a body: of both, two readers may obey different ones."""


@dataclass
class Limits:
    """Numbers, and seconds; None: no limit.

    Attributes:
        connections: that are open at a time.
        request: from the first byte of a request, or the start of its connection, to its last byte.
        idle: for which a connection is kept without a request: longer than clients wait before they try again, so
            that its end is never taken for a fault.
        grace: that requests under way may take when the server ends.
    """

    connections: int = 1024
    request: float | None = None
    idle: int = 75
    grace: int = 2


LIMITS = Limits()


def make_room(connections: Iterable[Any], limits: Limits, descriptors: int = 1) -> None:
    """End the connection whose client has been silent for longest, if there are too many.

    One that waits for its answer stays.

    Args:
        connections: of the server.
        limits: of the server.
        descriptors: files that a connection takes.
    """
    # A quarter of the descriptors is for the app, and for connections that are taken before others have ended.
    most = min(limits.connections, open_files() * 3 // 4 // descriptors)
    here = [
        connection
        for connection in connections
        if not connection.transport.is_closing() or connection.transport.get_write_buffer_size()
    ]
    if len(here) > most:
        # A WebSocket is never silent; one that is closing has something that the client does not take.
        silent = [
            connection
            for connection in here
            if connection.transport.is_closing()
            or is_full(connection.transport)
            or getattr(connection, "is_silent", False)
        ]
        min(silent, key=lambda connection: getattr(connection, "heard", 0.0)).transport.abort()


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
