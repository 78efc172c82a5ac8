"""Descriptors of sockets: held by a second one of ours, without leaking one or disturbing its owner."""

from __future__ import annotations

# The bare C module: gevent's own `socket.socket` makes every descriptor that it is given non-blocking.
import _socket
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

INTERNET = (_socket.AF_INET, _socket.AF_INET6)


def number_of(handle: Any) -> int:
    """The descriptor of what a server shows; -1 when it is in memory, or closed."""
    try:
        return int(handle if isinstance(handle, int) else handle.fileno())
    except Exception:
        return -1


def hold(number: int) -> _socket.socket | None:
    """A duplicate of a descriptor, if it is a socket's; asked first, and its blocking flag left as it is."""
    try:
        if number < 0 or not stat.S_ISSOCK(os.fstat(number).st_mode):
            return None
        ours = os.dup(number)
    except OSError:
        return None
    try:
        blocking = os.get_blocking(ours)
        # Called non-blocking, it never changes the descriptor's flag to fit socket.setdefaulttimeout().
        kind = _socket.SOCK_STREAM | getattr(_socket, "SOCK_NONBLOCK", 0)
        sock = _socket.socket(-1, kind, -1, ours)
    except OSError:
        os.close(ours)
        return None
    if sock.gettimeout():
        sock.settimeout(0)
        os.set_blocking(ours, blocking)
    return sock


def is_connected(sock: _socket.socket) -> bool:
    """Whether a socket still has another end."""
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def put_dead(number: int) -> None:
    """Let this number be a socket whose other end has gone.

    Raises:
        OSError: there is no descriptor left to make it of; nothing was changed.
    """
    dead, other = _socket.socketpair()
    other.close()
    try:
        os.dup2(dead.fileno(), number, inheritable=False)
    finally:
        dead.close()
