"""How long and how much the proxy waits for and takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Limits:
    """Seconds, bytes and numbers.

    Attributes:
        connect: seconds until a connection to the server behind has to be there.
        silent: seconds of a server that takes nothing, or has the whole request and sends nothing.
        lingers: seconds in which a client that is still sending may read its answer, before the connection ends.
        dropped: bytes that are taken from it meanwhile, and dropped.
        head: bytes of a head, of a request or an answer.
    """

    connect: float = 10.0
    silent: float = 600.0
    lingers: float = 10.0
    dropped: int = 128 * 1024 * 1024
    head: int = 262_144


LIMITS = Limits()
