"""How long and how much the control API waits for and gives."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Limits:
    """Seconds and numbers.

    Attributes:
        patience: seconds in which a body, or on an address of its own a whole request, has to come.
        connections: at once, on an address of its own; a further one is answered with 503.
        again: seconds after which an address that another process has is tried again.
        streams: at once, of one process: each holds a connection, and asks the store.
        heartbeat: seconds without an event after which a comment is sent, so that nothing between takes the connection for dead.
        lasts: seconds of one stream; its client comes again with the cursor that it has. Servers that wait for streams end in time.
        lasts_in_a_thread: the same under WSGI, where it holds a thread: a server that ends waits for its threads, mostly 30 s.
        unread: seconds that a client may leave what was sent to it unread.
        piece: lines that a stream asks for at a time.
    """

    patience: float = 10.0
    connections: int = 64
    again: float = 1.0
    streams: int = 8
    heartbeat: float = 15.0
    lasts: float = 600.0
    lasts_in_a_thread: float = 25.0
    unread: float = 30.0
    piece: int = 500


LIMITS = Limits()
