"""What of earlier answers has not reached a client yet: a fault must neither overtake nor cut it.

A client may send several requests at once (https://www.rfc-editor.org/rfc/rfc9112#section-9.3.2). Some servers call the
app for the next one while they still hold bytes of the answer before, and all leave some to the system. Bytes that we
write, and a FIN, overtake what a server holds; an RST destroys what the system holds too. So before a fault acts on a
connection, its client has everything that was sent before.
"""

from __future__ import annotations

from functools import partial

from faultinject.adapters.closing import is_filled, layers_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from typing import Any

    from faultinject.adapters.connection import Connection

    Held = Callable[[], int]

PATIENCE = 10.0
"""Seconds without a byte of progress after which a client that reads nothing is given up."""
_FIRST_LOOK = 0.002
_LAST_LOOK = 0.02
# Who shows no buffer writes what it holds as soon as there is room: it holds nothing when all is delivered for a while.
_LOOKS = 4
_MOST_LAYERS = 4


def until_delivered(connection: Connection, monotonic: Callable[[], float]) -> Generator[float, None, bool]:
    """Wait until a client has all that was sent to it before.

    Args:
        connection: the client's.
        monotonic: the clock, in seconds.

    Yields:
        Seconds after which to go on.

    Returns:
        Whether it has; no when it has taken nothing for `PATIENCE` seconds.
    """
    if connection.held is None and not connection.has_sent():
        return True
    # Of TLS a server shows the upper half of its buffers at most.
    shown = connection.held is not None and not connection.encrypted
    looks = most = 1 if shown else _LOOKS
    least, until = None, monotonic() + PATIENCE
    pause = _FIRST_LOOK
    while not connection.gone(0):
        rest = connection.backlog()
        looks = most if rest else looks - 1
        if not looks:
            break
        if least is None or rest < least:
            least, until = rest, monotonic() + PATIENCE
        elif monotonic() >= until:
            return False
        yield pause
        if rest:
            pause = min(2 * pause, _LAST_LOOK)
    return True


def held_wsgi(environ: Mapping[str, Any]) -> Held | None:
    """What gives the number of bytes that a WSGI server holds; None where nothing shows that."""
    channel: Any = getattr(environ.get("waitress.client_disconnected"), "__self__", None)
    if hasattr(channel, "total_outbufs_len"):
        return lambda: int(channel.total_outbufs_len)
    return None


def held_asgi(send: Callable[..., Any]) -> Held | None:
    """What gives the number of bytes that an ASGI server holds; None where nothing shows that."""
    for layer in layers_of(send):
        for owner in _owners(layer):
            for name in ("transport", "writer", "channel"):
                found = list(_below(getattr(owner, name, None)))
                if found:
                    return lambda: sum(map(_size, found))
    return None


def _owners(layer: Any) -> list[Any]:
    """What may have the transport: of uvicorn and hypercorn whose method it is, of daphne and gunicorn what it goes by."""
    if isinstance(layer, partial):
        return list(layer.args)
    if (getattr(layer, "__module__", None) or "").startswith("gunicorn."):
        return [cell.cell_contents for cell in getattr(layer, "__closure__", None) or () if is_filled(cell)]
    return [getattr(layer, "__self__", None)]


def _below(outermost: Any) -> Iterator[Any]:
    """The transports that bytes go through and that tell what they hold: a StreamWriter's, daphne's below TLS."""
    each = outermost
    for _ in range(_MOST_LAYERS):
        if hasattr(each, "get_write_buffer_size") or hasattr(each, "_tempDataLen"):
            yield each
        each = getattr(each, "transport", None)


def _size(transport: Any) -> int:
    ask = getattr(transport, "get_write_buffer_size", None)
    if ask is not None:
        return int(ask())
    # Nothing else tells.
    return int(len(transport.dataBuffer) - transport.offset + transport._tempDataLen)  # noqa: SLF001
