"""The client's connection under a request: found, taken away from the server, and ended as a fault asks."""

from __future__ import annotations

# The bare C module: gevent's own `socket.socket` makes every descriptor that it is given non-blocking.
import _socket
import os
import select
import stat
import sys
from array import array
from contextlib import suppress
from functools import partial
from struct import pack
from time import monotonic, sleep
from weakref import WeakSet

from faultinject.adapters.servers import asgi_server, shown, wsgi_server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Mapping
    from typing import Any, Self

    from faultinject.adapters.types import Environ


# What a platform may lack; each is asked for anew every time.
UNSPEC = sys.platform == "linux"  # connect() to no address ends a TCP connection with an RST
LINGER = True  # the last close() of a connection that lingers 0 seconds, too

_GONE = getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0)
_NO_WAIT = getattr(_socket, "MSG_DONTWAIT", 0) | getattr(_socket, "MSG_NOSIGNAL", 0)
# FIN_WAIT1 and FIN_WAIT2 in Linux' include/net/tcp_states.h; others count in another way.
_HALF_ENDED = {4: None, 5: True} if sys.platform == "linux" else {}
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

_ours: WeakSet[Connection] = WeakSet()


def _after_fork() -> None:
    """In the child: none of the parent's connections, which it would keep open."""
    for each in _ours:
        each.release()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)


class Connection:
    """A client's connection, held by a descriptor of our own beside the server's.

    It never depends on the blocking flag, which belongs to the server. One thread at a time.

    Attributes:
        encrypted: bytes cannot be sent, because TLS is spoken; it can only be ended.
        relayed: the other end is a router of the server's own, which hands on a FIN to the client but no RST.
        unsent: gives the bytes that its server has not sent yet; None where the server does not show that.
    """

    def __init__(self, sock: _socket.socket, number: int, *, encrypted: bool) -> None:
        self.encrypted = encrypted
        self.relayed = False
        self.unsent: Callable[[], int | None] | None = None
        self._socket = sock
        self._number = number  # the server's descriptor; -1 once it is dead
        _ours.add(self)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def fileno(self) -> int:
        """Our descriptor; -1 once it is released."""
        return self._socket.fileno()

    def release(self) -> None:
        """Close our descriptor, and nothing else; again is nothing."""
        self._socket.close()

    def again(self) -> Connection | None:
        """The same connection by one more descriptor of ours; None when there is none left."""
        sock = hold(self.fileno())
        if sock is None:
            return None
        found = Connection(sock, self._number, encrypted=self.encrypted)
        found.relayed, found.unsent = self.relayed, self.unsent
        return found

    def reset(self) -> str:
        """End it with an RST where that can be done, else with a FIN.

        Returns:
            What was done: "reset", or "closed" for a FIN or when the client was gone already.
        """
        if not self.relayed and is_connected(self._socket) and (self._disconnect() or self._linger()):
            return "reset"
        return self.close()

    def close(self) -> str:
        """End it with a FIN, in both directions, so that the server sees the end as well: "closed"."""
        with suppress(OSError):  # the client is gone
            self._socket.shutdown(_socket.SHUT_RDWR)
        return "closed"

    def half_close(self) -> None:
        """Send a FIN behind what has been sent; what the client still sends can be read."""
        with suppress(OSError):  # the client is gone
            self._socket.shutdown(_socket.SHUT_WR)

    def shut_reading(self) -> None:
        """Let who waits for what the client sends read an end; answers can still be sent."""
        with suppress(OSError):  # the client is gone
            self._socket.shutdown(_socket.SHUT_RD)

    def port(self) -> str:
        """Where the client's end of it has come in; empty when that is no port."""
        name = self._socket.getsockname()
        return str(name[1]) if self._socket.family in INTERNET else ""

    def served(self) -> bool:
        """Whether the server has not let go of it."""
        if self._number < 0:
            return False
        try:
            found = os.fstat(self._number)
        except OSError:
            return False
        # Our own descriptor keeps the inode from becoming another socket's.
        ours = os.fstat(self.fileno())
        return (found.st_dev, found.st_ino) == (ours.st_dev, ours.st_ino)

    def half_ended(self) -> bool | None:
        """Whether the client has heard of our end, and has not ended its own side.

        Returns:
            None while it has not heard of it; no also where a platform does not tell.
        """
        option = getattr(_socket, "TCP_INFO", None)
        if option is None or self._socket.family not in INTERNET:
            return False
        try:
            return _HALF_ENDED.get(self._socket.getsockopt(_socket.IPPROTO_TCP, option, 1)[0], False)
        except OSError:
            return False

    def backlog(self) -> int:
        """How many bytes its server and the system hold that the client's system does not have; as far as they tell."""
        return self._queued() + ((self.unsent and self.unsent()) or 0)

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

            found = array("i", [0])
            ioctl(self.fileno(), TIOCOUTQ, found)
        except (ImportError, OSError, ValueError):  # the platform does not tell; it is released
            return 0
        return found[0]

    def discard(self) -> int:
        """Read away what has come, without waiting.

        Returns:
            How many bytes that was; 0 at the end.

        Raises:
            BlockingIOError: there is nothing now.
            OSError: the client is gone.
        """
        return len(self._socket.recv(65_536, _NO_WAIT))

    def push(self, data: bytes | bytearray | memoryview) -> int:
        """Send what fits without waiting.

        Returns:
            How many bytes that was; 0 when there is no room now, see `wait_writable`.

        Raises:
            OSError: the client is gone.
        """
        try:
            return self._socket.send(data, _NO_WAIT)
        except BlockingIOError:
            return 0

    def wait_writable(self, seconds: float) -> bool:
        """Wait at most `seconds` for room; True if there is some, or the client is gone and `push` will say so."""
        return bool(self._poll(select.POLLOUT, seconds))

    def wait_readable(self, seconds: float) -> None:
        """Wait at most `seconds` until something comes, or the client's end."""
        self._poll(select.POLLIN, seconds)

    def left(self, seconds: float, alarm: int = -1) -> bool:
        """Wait at most `seconds` for the client to leave; True as soon as it has.

        `alarm` is a descriptor that ends the wait early when it is readable.

        Request bytes that nobody has read do not look like a client that left, nor do they hide it. Two
        exceptions: they fill the receive buffer, and the client's FIN has no room behind them; the platform has
        no POLLRDHUP, and the server still holds the connection.
        """
        if self.fileno() < 0:
            return True
        if leaves := getattr(select, "POLLRDHUP", 0):  # it tells that, whatever is still unread
            return bool(self._poll(leaves, seconds, alarm))
        end = monotonic() + min(seconds, seconds if alarm < 0 else _SLICE)
        while got := self._poll(select.POLLIN, end - monotonic()):
            if got & _GONE or self._at_end():
                return True
            if (rest := end - monotonic()) <= 0:
                break
            if self._number >= 0:
                sleep(min(_SLICE, rest))  # what it has sent is for the server to read
        return False

    def gone(self, seconds: float, alarm: int = -1) -> bool:
        """Wait at most `seconds` for word that nobody reads any more what is sent; as long as we have not ended it.

        `alarm` is a descriptor that ends the wait early when it is readable.
        """
        return self.fileno() < 0 or bool(self._poll(0, seconds, alarm) & _GONE)

    def detach_from_server(self) -> bool:
        """Put a dead socket under the server's descriptor: for it the client has left, and only we hold it.

        Returns:
            Whether that was done. Not when the server's descriptor is another connection's by now, nor where no
            thread would run to go on.
        """
        return threads_run() and self._replace()

    def _poll(self, events: int, seconds: float, alarm: int = -1) -> int:
        poll = native_poll()
        poll.register(self._socket, events)
        if alarm >= 0:
            poll.register(alarm, select.POLLIN)
        end = monotonic() + seconds
        wait = gevent_sleep()
        found = poll.poll(max(0.0, seconds) * 1000 if wait is None else 0)
        while wait is not None and not found and (left := end - monotonic()) > 0:
            wait(min(left, _LOOK))
            found = poll.poll(0)
        return next((got for number, got in found if number != alarm), 0)

    def _at_end(self) -> bool:
        # Once the server's descriptor is dead, nobody else can read what is left of the request.
        size, flags = (1, _NO_WAIT | _socket.MSG_PEEK) if self._number >= 0 else (65_536, _NO_WAIT)
        try:
            return not self._socket.recv(size, flags)
        except OSError as error:
            return not isinstance(error, BlockingIOError)

    def _disconnect(self) -> bool:
        if not UNSPEC or self._socket.family not in INTERNET:
            return False
        try:
            from ctypes import CDLL

            CDLL(None).connect(self.fileno(), bytes(16), 16)  # sixteen zeros: an address of family AF_UNSPEC
        except (ImportError, OSError, AttributeError):
            return False
        if is_connected(self._socket):
            return False
        self.close()  # else the server reads ENOTCONN, which OpenSSL takes for "try again", for ever
        return True

    def _linger(self) -> bool:
        if not LINGER or self._socket.family not in INTERNET or not self._replace():
            return False
        with suppress(OSError):  # the client is gone
            self._socket.setsockopt(_socket.SOL_SOCKET, _socket.SO_LINGER, pack("ii", 1, 0))
            self.release()
        return self.fileno() < 0

    def _replace(self) -> bool:
        """Put a dead socket under the number by which the server knows this connection."""
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


def native_poll() -> select.poll:
    """A poll of the system's: gevent's own knows nothing of a client that has left."""
    monkey = sys.modules.get("gevent.monkey")
    make = select.poll if monkey is None else monkey.get_original("select", "poll")
    poll: select.poll = make()
    return poll


def gevent_sleep() -> Callable[[float], object] | None:
    """The `sleep` of gevent where one of its greenlets asks, so that its loop goes on, patched or not; None elsewhere."""
    local, gevent = sys.modules.get("gevent._hub_local"), sys.modules.get("gevent")
    if local is None or gevent is None or local.get_hub_if_exists() in (None, gevent.getcurrent()):
        return None
    sleep: Callable[[float], object] = gevent.sleep
    return sleep


def of_environ(environ: Environ) -> Connection | None:
    """The connection of a WSGI request.

    Returns:
        None when its server shows none, as in process.
    """
    server = wsgi_server(environ)
    if server is None or server.socket is None:
        return None
    handle = shown(server.socket, environ)
    found = _made(handle, encrypted=bool(shown(server.encrypted, environ, handle)))
    if found is not None:
        found.relayed = server.relays and found.port() != environ.get("SERVER_PORT")
        if server.unsent is not None:
            found.unsent = partial(shown, server.unsent, environ)
    return found


def of_send(send: Callable[..., Any]) -> Connection | None:
    """The connection of an ASGI request.

    Returns:
        None when its server shows none, as in process.
    """
    server, own = asgi_server(send)
    if server is None:
        return None
    transport = server.transport(own)
    found = _made(shown(server.socket, transport), encrypted=bool(shown(server.encrypted, transport)))
    if found is not None:
        found.unsent = partial(shown, server.unsent, transport)
    return found


def _made(handle: Any, *, encrypted: bool) -> Connection | None:
    number = number_of(handle)
    sock = hold(number)
    return None if sock is None else Connection(sock, number, encrypted=encrypted)


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


def threads_run() -> bool:
    """Whether a thread goes on between two requests: not in uWSGI, unless it was told so."""
    uwsgi = sys.modules.get("uwsgi")
    return uwsgi is None or _runs_threads(uwsgi.opt)


def _runs_threads(options: Mapping[Any, Any]) -> bool:
    """Whether uWSGI lets a thread go on between two requests."""
    for name, no in _NO_THREADS.items():
        value = options.get(name, options.get(name.encode(), no[0]))
        if (value.decode() if isinstance(value, bytes) else str(value)).lower() not in no:
            return True
    return False


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
