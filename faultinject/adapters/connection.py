"""The connection of a request's client, held by a second descriptor beside the server's.

With this descriptor a fault ends the connection, or takes it away from the server. The descriptor comes from the
request itself, by the server's row in `servers`, so a fault never reaches another client's connection.

An answer may end a connection while its client is still sending. If the server then closed it with unread bytes, the
system would send an RST, which may destroy an answer that the client has not read yet. So our descriptor outlives the
server's: it sends a FIN after the answer, and reads and drops the rest of the request
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

from faultinject.http.wire import MOST_BYTES, MOST_SECONDS
from faultinject.locks import gevent_sleep

UNSPEC = sys.platform == "linux"  # connect() to no address ends a TCP connection with an RST
_GONE = getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0)
_NO_WAIT = getattr(_socket, "MSG_DONTWAIT", 0) | getattr(_socket, "MSG_NOSIGNAL", 0)
# Seconds between two checks of a connection whose unread bytes hide the client's end.
_SLICE = 0.05
# Seconds between two checks under gevent.
_LOOK = 0.01
# The values of uWSGI's options with which it starts no threads.
_NO_THREADS = {
    "enable-threads": ("false", "off", "no", "0"),
    "threads": ("0", "1"),
}
INTERNET = (_socket.AF_INET, _socket.AF_INET6)
PATIENCE = 10.0
"""Seconds without progress after which we stop waiting for a client that reads nothing."""
# The first pause between two checks, and the longest, in seconds: each pause is twice the one before.
_FIRST_LOOK = 0.002
_LAST_LOOK = 0.02
_LAST_LINGERING_LOOK = 0.1
GRACE = 0.5
"""Seconds that a server has to close a connection when told to; after that we close it."""
AT_ONCE = 256
"""The most connections that linger at the same time, each with a thread.

Any further connection is left to its server alone.
"""
_NAME = "faultinject lingering"


class Connection:
    """A client's connection, held by a descriptor of our own beside the server's.

    No method depends on the blocking flag, which belongs to the server. One thread at a time may use it.

    Attributes:
        relayed: whether the other end is the server's own router, which passes a FIN on to the client but no RST.
        speaks_http: whether the protocol is HTTP, perhaps over TLS; a proxy may use another, such as FastCGI.
        unsent: returns the number of bytes that the server has not sent yet; None if the server does not show it.
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
        """End it with an RST if that is possible, else with a FIN.

        Returns:
            "reset", or "closed" after a FIN and if the client had gone already.
        """
        if not self.relayed and is_connected(self._socket) and (self._disconnect() or self._reset_by_close()):
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
        """Send a FIN after the sent data; what the client still sends can be read."""
        with suppress(OSError):  # the client is gone
            self._socket.shutdown(_socket.SHUT_WR)

    def port(self) -> str:
        """Get the port to which the client has connected; empty for a socket that has none."""
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
        """Count the bytes that have not reached the client's system.

        Some are in the server, others in the kernel. If one of the two does not tell their number, it counts as 0.
        """
        return self._queued() + ((self.unsent and self.unsent()) or 0)

    def delivered(self) -> bool:
        """Whether the client has all that was sent to it, or is gone."""
        return not self.backlog() or self.gone(0)

    def has_unread(self) -> bool:
        """Whether bytes have arrived that nobody has read."""
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
        ):  # the platform does not tell it, or our descriptor is closed
            return 0
        return size[0]

    def discard(self) -> int:
        """Read and drop the bytes that have arrived, without waiting.

        Returns:
            The number of bytes; 0 at the client's end.

        Raises:
            BlockingIOError: nothing has arrived.
            OSError: the client is gone.
        """
        return len(self._socket.recv(65_536, _NO_WAIT))

    def wait_readable(self, seconds: float) -> None:
        """Wait at most `seconds` until bytes arrive or the client ends its side."""
        self._poll(select.POLLIN, seconds)

    def client_left(self, seconds: float) -> bool:
        """Wait at most `seconds` for the client to leave; True as soon as it has.

        Unread bytes of the request hide a client's end in two cases: they fill the receive buffer, so that its FIN
        does not fit in; or the platform has no POLLRDHUP, and the server still holds the connection. In the second
        case the wait may be shorter than `seconds`.
        """
        if self.fileno() < 0:
            return True
        client_ended = getattr(select, "POLLRDHUP", 0)  # reported even if bytes before the end are unread
        events = self._poll(client_ended or select.POLLIN, seconds)
        if client_ended or not events or events & _GONE or self._at_end():
            return bool(events)
        if self._number >= 0:
            # The bytes are the server's to read, so poll would return at once.
            time.sleep(min(_SLICE, seconds))
        return False

    def gone(self, seconds: float) -> bool:
        """Wait at most `seconds` until the client can read no more; True as soon as it cannot.

        After we have ended the connection ourselves, the result tells nothing about the client.
        """
        return self.fileno() < 0 or bool(self._poll(0, seconds) & _GONE)

    def _poll(self, events: int, seconds: float) -> int:
        # gevent's own `poll` does not show that a client has left.
        monkey = sys.modules.get("gevent.monkey")
        poll = (select.poll if monkey is None else monkey.get_original("select", "poll"))()
        poll.register(self._socket, events)
        end = monotonic() + seconds
        # Under gevent a blocking poll would stop all greenlets: poll without waiting, and sleep between.
        wait = gevent_sleep()
        ready = poll.poll(max(0.0, seconds) * 1000 if wait is None else 0)
        while wait is not None and not ready and (remaining := end - monotonic()) > 0:
            wait(min(remaining, _LOOK))
            ready = poll.poll(0)
        return ready[0][1] if ready else 0

    def _at_end(self) -> bool:
        # After `detach_from_server` nobody else reads the request, so its bytes can be dropped; before, peek only.
        size, flags = (1, _NO_WAIT | _socket.MSG_PEEK) if self._number >= 0 else (65_536, _NO_WAIT)
        try:
            return not self._socket.recv(size, flags)
        except OSError as error:
            return not isinstance(error, BlockingIOError)

    def _disconnect(self) -> bool:
        """Send an RST by connecting to no address, and return whether that was possible."""
        if not UNSPEC or self._socket.family not in INTERNET:
            return False
        try:
            from ctypes import CDLL

            CDLL(None).connect(self.fileno(), bytes(16), 16)  # sixteen zeros: an address of family AF_UNSPEC
        except (ImportError, OSError, AttributeError):
            return False
        if is_connected(self._socket):
            return False
        # Take the pending error away, as the server would log it. Then shut down: otherwise each read of the server
        # would fail with ENOTCONN, which OpenSSL takes for "try again", so the server would read without end.
        self._socket.getsockopt(_socket.SOL_SOCKET, _socket.SO_ERROR)
        self.close()
        return True

    def _reset_by_close(self) -> bool:
        """Send an RST by closing the last descriptor, and return whether that was possible."""
        if self._socket.family not in INTERNET or not self.detach_from_server():
            return False
        with suppress(OSError):  # the client is gone
            self._socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, pack("ii", 1, 0))
            self.release()
        return self.fileno() < 0

    def detach_from_server(self) -> bool:
        """Put a dead socket under the server's descriptor, so that only we hold the connection.

        To the server it looks as if the client had left.

        Returns:
            Whether that was done: not if the server's descriptor belongs to another connection by now.
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
    """Duplicate a server's socket; None if it is no socket, or no descriptor is left.

    The blocking flag, which both descriptors share, does not change.
    """
    try:
        number = int(handle if isinstance(handle, int) else handle.fileno())
        if not stat.S_ISSOCK(os.fstat(number).st_mode):
            return None
        ours = os.dup(number)
    except Exception:  # an object in memory, or a closed socket
        return None
    blocking = os.get_blocking(ours)
    # With SOCK_NONBLOCK the constructor does not adapt the descriptor's flag to socket.setdefaulttimeout().
    kind = _socket.SOCK_STREAM | getattr(_socket, "SOCK_NONBLOCK", 0)
    sock = _socket.socket(-1, kind, -1, ours)
    if sock.gettimeout():
        sock.settimeout(0)
        os.set_blocking(ours, blocking)
    return Connection(sock, number)


def until_delivered(connection: Connection, monotonic: Callable[[], float]) -> Iterator[float]:
    """Yield pauses until a client has all sent bytes, or takes none for `PATIENCE`.

    Args:
        connection: the client's.
        monotonic: the clock, in seconds.

    Yields:
        The seconds for which the caller waits.
    """
    smallest_backlog, deadline = None, monotonic() + PATIENCE
    pause = _FIRST_LOOK
    while (backlog := connection.backlog()) and not connection.gone(0):
        if smallest_backlog is None or backlog < smallest_backlog:
            smallest_backlog, deadline = backlog, monotonic() + PATIENCE
        elif monotonic() >= deadline:
            return
        yield pause
        pause = min(2 * pause, _LAST_LOOK)


def threads_run() -> bool:
    """Whether threads run between two requests: in uWSGI only with certain options."""
    uwsgi = sys.modules.get("uwsgi")
    if uwsgi is None:
        return True
    for name, no in _NO_THREADS.items():
        value = uwsgi.opt.get(name, uwsgi.opt.get(name.encode(), no[0]))
        if (value.decode() if isinstance(value, bytes) else str(value)).lower() not in no:
            return True
    return False


def is_connected(sock: _socket.socket) -> bool:
    """Whether a socket still has a peer."""
    try:
        sock.getpeername()
    except OSError:
        return False
    return True


def put_dead(number: int) -> None:
    """Put a socket whose peer has gone under this descriptor.

    Raises:
        OSError: no descriptor is left to make the socket; nothing was changed.
    """
    dead, other = _socket.socketpair()
    other.close()
    try:
        os.dup2(dead.fileno(), number, inheritable=False)
    finally:
        dead.close()


def linger(connection: Connection, within: float = GRACE) -> None:
    """End a connection after an answer, and read in the background what its client still sends.

    Args:
        connection: our descriptor, which is released in the end.
        within: seconds that the server has to close its own; after that the connection is ended anyway.
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
        server_deadline, deadline = now + within, now + MOST_SECONDS
        pause = _FIRST_LOOK
        # A server that never closes still gets the time to send what it holds.
        while connection.served() and (now < server_deadline or connection.backlog()):
            if now >= deadline:
                return
            time.sleep(pause)
            pause = min(2 * pause, _LAST_LINGERING_LOOK)
            now = monotonic()
        connection.half_close()
        _discard_until(connection, deadline)


def _discard_until(connection: Connection, deadline: float) -> None:
    """Read and drop the rest of the request until the client ends its side, within limits."""
    total = 0
    while (remaining := deadline - monotonic()) > 0 and total <= MOST_BYTES:
        try:
            size = connection.discard()
        except BlockingIOError:
            connection.wait_readable(remaining)
            continue
        except OSError:  # the client is gone
            return
        total += size
        if size:
            continue
        # Either the client has ended its side, or the server has shut down both directions. In the second case a
        # client that is still sending would wait forever, though it has the whole answer.
        if not connection.backlog():
            connection.reset()
            return
        time.sleep(min(remaining, _LAST_LINGERING_LOOK))
    connection.close()


def end(connection: Connection, *, unread: bool) -> None:
    """End a connection after the bytes that its server has sent.

    Args:
        connection: our descriptor, which is released in the end.
        unread: whether part of the request's body is unread; the client may still be sending it.
    """
    if unread:
        connection.half_close()
    else:
        connection.close()
    if unread or connection.has_unread():
        linger(connection, MOST_SECONDS)  # the server may go on reading until it notices the end
    else:
        connection.release()
