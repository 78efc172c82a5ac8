"""What of an answer has not reached its client yet: an RST destroys what the system holds, and what the server holds."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from faultinject.adapters.connection import Connection

PATIENCE = 10.0
"""Seconds without a byte of progress after which a client that reads nothing is given up."""
_FIRST_LOOK = 0.002
_LAST_LOOK = 0.02


def until_delivered(connection: Connection, monotonic: Callable[[], float]) -> Generator[float, None, bool]:
    """Wait until a client has all that was sent to it.

    Args:
        connection: the client's.
        monotonic: the clock, in seconds.

    Yields:
        Seconds after which to go on.

    Returns:
        Whether it has; no when it has taken nothing for `PATIENCE` seconds.
    """
    least, until = None, monotonic() + PATIENCE
    pause = _FIRST_LOOK
    while (rest := connection.backlog()) and not connection.gone(0):
        if least is None or rest < least:
            least, until = rest, monotonic() + PATIENCE
        elif monotonic() >= until:
            return False
        yield pause
        pause = min(2 * pause, _LAST_LOOK)
    return True
