"""Connections that end after an answer while their client may still be sending.

A connection that is closed with unread bytes in it is reset, and the reset may destroy an answer that the client has
not read yet. So our own descriptor outlives the server's: a FIN goes out after the answer, and what still comes is read
and dropped (https://www.rfc-editor.org/rfc/rfc9112#section-9.6).
"""

from __future__ import annotations

import threading
import time
from time import monotonic

from faultinject.adapters.connection import Connection, threads_run
from faultinject.engine.request import LONGEST, MOST

GRACE = 0.5
"""Seconds in which a server that was told to closes a connection; then we do."""
AT_ONCE = 256
"""Most connections that linger at the same time, each with a thread.

One more is left to its server alone.
"""
_NAME = "faultinject lingering"
_FIRST_LOOK = 0.002
_LAST_LOOK = 0.1


def linger(connection: Connection, within: float = GRACE) -> None:
    """End a connection after an answer, and read in the background what its client sends.

    Args:
        connection: ours, beside the server's; it is released in the end.
        within: seconds in which the server may close it; then it is ended anyway.
    """
    if sum(running.name == _NAME for running in threading.enumerate()) >= AT_ONCE:
        connection.release()
        return
    thread = threading.Thread(target=_linger, args=(connection, within), name=_NAME, daemon=True)
    try:
        if threads_run():
            thread.start()
            return
    except RuntimeError:  # no more threads
        pass
    connection.half_close()
    connection.release()


def _linger(connection: Connection, within: float) -> None:
    with connection:
        now = monotonic()
        closes, over = now + within, now + LONGEST
        pause = _FIRST_LOOK
        # A server may never close it, nor read what the client sends; but it may send what it still holds.
        while connection.served() and (now < closes or connection.backlog()):
            if now >= over:
                return
            time.sleep(pause)
            pause = min(2 * pause, _LAST_LOOK)
            now = monotonic()
        connection.half_close()
        _read_away(connection, over)


def _read_away(connection: Connection, over: float) -> None:
    """Read what comes until the client has ended its side, within the bounds of a body."""
    size = 0
    while (left := over - monotonic()) > 0 and size <= MOST:
        try:
            piece = connection.discard()
        except BlockingIOError:
            connection.wait_readable(left)
            continue
        except OSError:  # the client is gone
            return
        size += piece
        if piece:
            continue
        # The client has ended its side; or the server has shut ours, and the client waits without end for room to
        # send, though it has all of the answer.
        if not connection.backlog():
            connection.reset()
            return
        time.sleep(min(left, _LAST_LOOK))
    connection.close()


def end(connection: Connection, *, unread: bool) -> None:
    """End a connection after what its server has sent.

    Args:
        connection: ours; it is released in the end.
        unread: whether part of the request's body is unread, which the client may still be sending.
    """
    if unread:
        connection.half_close()
    else:
        connection.close()
    if unread or connection.has_unread():
        linger(connection, LONGEST)  # until the server has noticed, it may read what comes
    else:
        connection.release()
