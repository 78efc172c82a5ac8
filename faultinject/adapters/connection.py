"""The connection of a request's client, held beside the server.

It is taken away from the server, and ended, as a fault asks. The row of the server in `servers` reaches the very
socket, so no fault is ever given on another client's connection.

A connection may end after an answer while its client is still sending. One that is closed with unread bytes in it is
reset, and the reset may destroy an answer that the client has not read yet. So our own descriptor outlives the
server's: a FIN goes out after the answer, and what still comes is read and dropped
(https://www.rfc-editor.org/rfc/rfc9112#section-9.6).
"""

from __future__ import annotations

# The bare C module: gevent's own `socket.socket` makes every descriptor that it is given non-blocking.
import _socket
import os
import select
import stat
import sys
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from contextlib import suppress
from struct import pack
from time import monotonic
from typing import Any, Self

from faultinject.http.wire import LONGEST, MOST
from faultinject.locks import gevent_sleep

UNSPEC = sys.platform == "linux"  # connect() to no address ends a TCP connection with an RST
_GONE = getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0)
_NO_WAIT = getattr(_socket, "MSG_DONTWAIT", 0) | getattr(_socket, "MSG_NOSIGNAL", 0)
_SLICE = 0.05
_LOOK = 0.01
_NO_THREADS = {
    "enable-threads": ("false", "off", "no", "0"),
    "threads": ("0", "1"),
}  # as uWSGI reads its options
INTERNET = (_socket.AF_INET, _socket.AF_INET6)
PATIENCE = 10.0
"""Seconds without a byte of progress after which a client that reads nothing is given up."""
_FIRST_LOOK = 0.002
_LAST_LOOK = 0.02
GRACE = 0.5
"""Seconds in which a server that was told to closes a connection; then we do."""
AT_ONCE = 256
"""Most connections that linger at the same time, each with a thread.

One more is left to its server alone.
"""
_NAME = "faultinject lingering"
_LAST_LINGERING_LOOK = 0.1


class Connection:
    """A client's connection, held by a descriptor of our own beside the server's.

    It never depends on the blocking flag, which belongs to the server. One thread at a time may use it.

    Attributes:
        relayed: the other end is a router of the server's own, which hands on a FIN to the client but no RST.
        speaks_http: whether HTTP is spoken on it, perhaps over TLS; a proxy may ask its server by another protocol.
        unsent: gives the bytes that its server has not sent yet; None where the server does not show that.
        handle: the socket that a WSGI server shows, or its number.
    """

    def __init__(self, sock: _socket.socket, number: int) -> None:
        self.relayed = False
        self.speaks_http = True
        self.unsent: Callable[[], int | None] | None = None
        self.handle: Any = None
        self._socket = sock
        self._number = number  # the server's descriptor; -1 once it is dead

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def fileno(self) -> int:
        """Get our descriptor; -1 once it is released."""
        return self._socket.fileno()

    def release(self) -> None:
        """Close our descriptor, and nothing else; a second call does nothing."""
        self._socket.close()

    def __del__(self) -> None:
        # werkzeug does not close the answer to a client that has reset the connection.
        self.release()

    def reset(self) -> str:
        """End it with an RST where that can be done, else with a FIN.

        Returns:
            What was done: "reset", or "closed" for a FIN or when the client was gone already.
        """
        if not self.relayed and is_connected(self._socket) and (self._disconnect() or self._linger()):
            return "reset"
        return self.close()

    def close(self) -> str:
        """End it with a FIN, in both directions, so that the server sees the end as well.

        Returns:
            "closed", as `reset` does for a FIN.
        """
        with suppress(OSError):  # the client is gone
            self._socket.shutdown(_socket.SHUT_RDWR)
        return "closed"

    def half_close(self) -> None:
        """Send a FIN after what has been sent; what the client still sends can be read."""
        with suppress(OSError):  # the client is gone
            self._socket.shutdown(_socket.SHUT_WR)

    def port(self) -> str:
        """Get the port at which the client has connected; empty where that is no port."""
        name = self._socket.getsockname()
        return str(name[1]) if self._socket.family in INTERNET else ""

    def served(self) -> bool:
        """Whether the server still holds it."""
        if self._number < 0:
            return False
        try:
            theirs = os.fstat(self._number)
        except OSError:
            return False
        # Our own descriptor keeps the inode from becoming another socket's.
        ours = os.fstat(self.fileno())
        return (theirs.st_dev, theirs.st_ino) == (ours.st_dev, ours.st_ino)

    def backlog(self) -> int:
        """Count the bytes that the client's system does not have yet.

        The server and the system hold them; one that does not say how many counts as 0.
        """
        return self._queued() + ((self.unsent and self.unsent()) or 0)

    def delivered(self) -> bool:
        """Whether the client has all that was sent to it, or is gone."""
        return not self.backlog() or self.gone(0)

    def has_unread(self) -> bool:
        """Whether something has come that nobody has read."""
        try:
            return bool(self._socket.recv(1, _NO_WAIT | _socket.MSG_PEEK))
        except OSError:
            return False

    def _queued(self) -> int:
        try:
            from fcntl import ioctl
            from termios import TIOCOUTQ

            size = array("i", [0])
            ioctl(self.fileno(), TIOCOUTQ, size)
        except (
            ImportError,
            OSError,
            ValueError,
        ):  # the platform does not say it, or our descriptor is closed
            return 0
        return size[0]

    def discard(self) -> int:
        """Read away what has come, without waiting.

        Returns:
            How many bytes that was; 0 at the end.

        Raises:
            BlockingIOError: there is nothing now.
            OSError: the client is gone.
        """
        return len(self._socket.recv(65_536, _NO_WAIT))

    def wait_readable(self, seconds: float) -> None:
        """Wait at most `seconds` until something comes, or the client's end."""
        self._poll(select.POLLIN, seconds)

    def left(self, seconds: float) -> bool:
        """Wait at most `seconds` for the client to leave; True as soon as it has.

        Request bytes that nobody has read do not look like a client that left, nor do they hide it. Two
        exceptions: they fill the receive buffer, and the client's FIN has no room behind them; the platform has
        no POLLRDHUP, and the server still holds the connection. There the wait is shorter than asked.
        """
        if self.fileno() < 0:
            return True
        leaves = getattr(select, "POLLRDHUP", 0)  # it shows that, whatever is still unread
        events = self._poll(leaves or select.POLLIN, seconds)
        if leaves or not events or events & _GONE or self._at_end():
            return bool(events)
        if self._number >= 0:
            time.sleep(min(_SLICE, seconds))  # what it has sent is for the server to read
        return False

    def gone(self, seconds: float) -> bool:
        """Wait at most `seconds` until the client can read no more; True as soon as it cannot.

        This is not known any more once we have ended the connection ourselves.
        """
        return self.fileno() < 0 or bool(self._poll(0, seconds) & _GONE)

    def _poll(self, events: int, seconds: float) -> int:
        # gevent's own `poll` does not show that a client has left.
        monkey = sys.modules.get("gevent.monkey")
        poll = (select.poll if monkey is None else monkey.get_original("select", "poll"))()
        poll.register(self._socket, events)
        end = monotonic() + seconds
        wait = gevent_sleep()
        ready = poll.poll(max(0.0, seconds) * 1000 if wait is None else 0)
        while wait is not None and not ready and (left := end - monotonic()) > 0:
            wait(min(left, _LOOK))
            ready = poll.poll(0)
        return ready[0][1] if ready else 0

    def _at_end(self) -> bool:
        # Once the server's descriptor is dead, nobody else can read what is left of the request.
        size, flags = (1, _NO_WAIT | _socket.MSG_PEEK) if self._number >= 0 else (65_536, _NO_WAIT)
        try:
            return not self._socket.recv(size, flags)
        except OSError as error:
            return not isinstance(error, BlockingIOError)

    def _disconnect(self) -> bool:
        """Send an RST by connecting to no address, and say whether that was possible."""
        if not UNSPEC or self._socket.family not in INTERNET:
            return False
        try:
            from ctypes import CDLL

            CDLL(None).connect(self.fileno(), bytes(16), 16)  # sixteen zeros: an address of family AF_UNSPEC
        except (ImportError, OSError, AttributeError):
            return False
        if is_connected(self._socket):
            return False
        self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)  # else the server meets it, and logs it
        self.close()  # else the server reads ENOTCONN, which OpenSSL takes for "try again", for ever
        return True

    def _linger(self) -> bool:
        """Send an RST by closing the last descriptor, and say whether that was possible."""
        if self._socket.family not in INTERNET or not self.detach_from_server():
            return False
        with suppress(OSError):  # the client is gone
            self._socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, pack("ii", 1, 0))
            self.release()
        return self.fileno() < 0

    def detach_from_server(self) -> bool:
        """Put a dead socket under the server's descriptor, so that only we hold the connection.

        For the server the client has left.

        Returns:
            Whether that was done. It is not when the server's descriptor is another connection's by now.
        """
        if self._number < 0:
            return True
        if not (is_connected(self._socket) and self.served()):
            return False
        try:
            put_dead(self._number)
        except OSError:
            return False
        self._number = -1
        return True


def connection_of(handle: Any) -> Connection | None:
    """Hold the connection of what a server shows; None when that is no socket.

    It is None, too, when no descriptor is left. The socket's descriptor is duplicated, and its blocking flag stays
    as it is.
    """
    try:
        number = int(handle if isinstance(handle, int) else handle.fileno())
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            return None
        ours = os.dup(number)
    except Exception:  # it is in memory, or closed
        return None
    blocking = os.get_blocking(ours)
    # Called non-blocking, it never changes the descriptor's flag to fit socket.setdefaulttimeout().
    kind = _socket.SOCK_STREAM | getattr(_socket, "SOCK_NONBLOCK", 0)
    sock = _socket.socket(-1, kind, -1, ours)
    if sock.gettimeout():
        sock.settimeout(0)
        os.set_blocking(ours, blocking)
    return Connection(sock, number)


def until_delivered(connection: Connection, monotonic: Callable[[], float]) -> Iterator[float]:
    """Give pauses until a client has all that was sent, or takes nothing for `PATIENCE`.

    Args:
        connection: the client's.
        monotonic: the clock, in seconds.

    Yields:
        Seconds for which the caller waits.
    """
    least, until = None, monotonic() + PATIENCE
    pause = _FIRST_LOOK
    while (rest := connection.backlog()) and not connection.gone(0):
        if least is None or rest < least:
            least, until = rest, monotonic() + PATIENCE
        elif monotonic() >= until:
            return
        yield pause
        pause = min(2 * pause, _LAST_LOOK)


def threads_run() -> bool:
    """Whether a thread goes on between two requests: in uWSGI only by its options."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None:
        return True
    for name, no in _NO_THREADS.items():
        value = uwsgi.opt.get(name, uwsgi.opt.get(name.encode(), no[0]))
        if (value.decode() if isinstance(value, bytes) else str(value)).lower() not in no:
            return True
    return False


def is_connected(sock: _socket.socket) -> bool:
    """Whether a socket still has another end."""
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def put_dead(number: int) -> None:
    """Put a socket whose other end has gone under this descriptor.

    Raises:
        OSError: there is no descriptor left to make it of; nothing was changed.
    """
    dead, other = _socket.socketpair()
    other.close()
    try:
        os.dup2(dead.fileno(), number, inheritable=False)
    finally:
        dead.close()


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
            pause = min(2 * pause, _LAST_LINGERING_LOOK)
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
        time.sleep(min(left, _LAST_LINGERING_LOOK))
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
