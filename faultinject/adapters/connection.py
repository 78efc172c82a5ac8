"""The client's connection under a request: found, taken away from the server, and ended as a fault asks."""

from __future__ import annotations

import _socket
import os
import select
import sys
import threading
from array import array
from contextlib import suppress
from struct import pack, unpack_from
from time import monotonic, sleep
from weakref import WeakSet

from faultinject.adapters.backlog import held_asgi, held_wsgi
from faultinject.adapters.descriptors import (
    INTERNET,
    PROXY_FIX,
    Client,
    door_of,
    hold,
    identity_of,
    is_same,
    listed,
    listens,
    may_be_encrypted,
    number_of,
    put_dead,
    values_of_environ,
    values_of_scope,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Self

    from faultinject.adapters.backlog import Held
    from faultinject.adapters.descriptors import Identity

# What a platform may lack; each is asked for anew every time.
DESCRIPTORS = ("/proc/self/fd", "/dev/fd")  # where this process's descriptors are listed
NATIVE = True  # servers' own handles
UNSPEC = sys.platform == "linux"  # connect() to no address ends a TCP connection with an RST
LINGER = True  # the last close() of a connection that lingers 0 seconds, too

_GONE = getattr(select, "POLLHUP", 0) | getattr(select, "POLLERR", 0)
_NO_WAIT = getattr(_socket, "MSG_DONTWAIT", 0) | getattr(_socket, "MSG_NOSIGNAL", 0)
# FIN_WAIT1 and FIN_WAIT2 in Linux' include/net/tcp_states.h; others count in another way.
_HALF_ENDED = {4: None, 5: True} if sys.platform == "linux" else {}
# `tcpi_data_segs_out` in Linux' include/uapi/linux/tcp.h, since 4.6.
_SEGMENTS_AT = 156
_SLICE = 0.05
_LOOK = 0.01
_NO_THREADS = {
    "enable-threads": ("false", "off", "no", "0"),
    "threads": ("0", "1"),
}  # as uWSGI reads its options

_lock = threading.Lock()
_ours: WeakSet[Connection] = WeakSet()


def _after_fork() -> None:
    """In the child: a lock that nobody holds, and none of the parent's connections, which it would keep open."""
    global _lock  # noqa: PLW0603 - the one lock of the process
    _lock = threading.Lock()
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
        held: gives the bytes of earlier answers that its server holds; None where the server does not show that.
    """

    def __init__(self, sock: _socket.socket, number: int, *, encrypted: bool) -> None:
        self.encrypted = encrypted
        self.relayed = False
        self.held: Held | None = None
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
        found.relayed, found.held = self.relayed, self.held
        return found

    def reset(self) -> str:
        """End it with an RST where that can be done, else with a FIN.

        Returns:
            What was done: "reset", or "closed" for a FIN or when the client was gone already.
        """
        if not self.relayed and identity_of(self._socket) and (self._disconnect() or self._linger()):
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
        return self._queued() + (0 if self.held is None else self.held())

    def has_sent(self) -> bool:
        """Whether the client was sent anything; true where the system does not tell."""
        option = getattr(_socket, "TCP_INFO", None)
        if not _HALF_ENDED or option is None or self._socket.family not in INTERNET:
            return True
        try:
            info = self._socket.getsockopt(_socket.IPPROTO_TCP, option, _SEGMENTS_AT + 4)
        except OSError:
            return True
        return len(info) < _SEGMENTS_AT + 4 or unpack_from("=I", info, _SEGMENTS_AT) != (0,)

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

    def take_over(self) -> bool:
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
        if identity_of(self._socket):
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
        """Put a dead socket under every number by which the server knows this connection."""
        if self._number < 0:
            return True
        with _lock:
            identity = identity_of(self._socket)
            numbers = {self._number, *(_numbers() if self._socket.family in INTERNET else ())}
            same = [number for number in numbers if is_same(number, identity)]
            if self._number not in same:
                return False
            try:
                put_dead(same)
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


def of_environ(environ: Mapping[str, Any]) -> Connection | None:
    """The connection of a WSGI request: by the server's own handle, else by the peer's name.

    Returns:
        None when there is none, as in process, or when another may be the one.
    """
    found = _of_environ(environ)
    if found is not None:
        found.held = held_wsgi(environ)
    return found


def _of_environ(environ: Mapping[str, Any]) -> Connection | None:
    client, encrypted = Client.of_environ(environ), _is_encrypted(environ)
    with _lock:
        if NATIVE:
            for name in ("werkzeug.socket", "gunicorn.socket"):
                handle = environ.get(name)
                if found := _made(number_of(handle), encrypted=hasattr(handle, "getpeercert")):
                    return found
            uwsgi = sys.modules.get("uwsgi")
            if uwsgi is not None and (found := _made(number_of(uwsgi, "connection_fd"), encrypted=encrypted)):
                found.relayed = not client.reached(identity_of(found._socket))  # noqa: SLF001 - our own class
                return found
            if found := _made(number_of(environ.get("wsgi.input")), client, encrypted=encrypted):
                return found
        return _by_peer(client, encrypted=encrypted)


def of_scope(scope: Mapping[str, Any], send: Callable[..., Any]) -> Connection | None:
    """The connection of an ASGI request: by uvicorn's transport, else by the peer's name.

    Returns:
        None when there is none, as in process, or when another may be the one.
    """
    found = _of_scope(scope, send)
    if found is not None:
        found.held = held_asgi(send)
    return found


def _of_scope(scope: Mapping[str, Any], send: Callable[..., Any]) -> Connection | None:
    ask = getattr(getattr(getattr(send, "__self__", None), "transport", None), "get_extra_info", None)
    with _lock:
        if NATIVE and ask:
            found = _made(number_of(ask("socket")), encrypted=ask("sslcontext") is not None)
            if found:
                return found
        encrypted = may_be_encrypted(scope.get("scheme", "http"), values_of_scope(scope))
        return _by_peer(Client.of_scope(scope), encrypted=encrypted)


def candidates_of(environ: Mapping[str, Any]) -> list[Connection]:
    """The connections of which one is that of a WSGI request whose server tells too little to say which."""
    client = Client.of_environ(environ)
    with _lock:
        found = _rivals(client)
        fitting = [each for identity, each in found.items() if _kept(client, identity, each[0])]
        return [Connection(*each, encrypted=_is_encrypted(environ)) for each in fitting]


def _is_encrypted(environ: Mapping[str, Any]) -> bool:
    """Whether TLS may be spoken, as the server says it and no proxy's header."""
    replaced = environ.get(PROXY_FIX)
    values = [] if replaced else values_of_environ(environ)
    return may_be_encrypted((replaced or environ).get("wsgi.url_scheme", "http"), values)


def _by_peer(client: Client, *, encrypted: bool) -> Connection | None:
    # The only connection there is need not be the client's, which may have left.
    found = list(_rivals(client).items()) if client.certain else []
    if len(found) != 1:
        for _, (sock, _) in found:
            sock.close()
        return None
    [(identity, each)] = found
    return Connection(*each, encrypted=encrypted) if _kept(client, identity, each[0]) else None


def _kept(client: Client, identity: Identity, sock: _socket.socket) -> bool:
    """Whether a connection may be the client's; if not, our descriptor of it is closed."""
    fits = client.fits(identity)
    if not fits:
        sock.close()
    return fits


def _rivals(client: Client) -> dict[Identity, tuple[_socket.socket, int]]:
    """Our descriptors of the connections of which one is the client's."""
    found: dict[Identity, tuple[_socket.socket, int]] = {}
    doors = set()
    for number in _numbers():
        sock = hold(number)
        if sock is None:
            continue
        identity = identity_of(sock)
        if identity and identity not in found:
            found[identity] = sock, number
            continue
        if listens(sock):
            doors.add(door_of(sock.family, sock.getsockname()))
        sock.close()
    for identity in list(found):
        if not client.is_rival(identity, doors):
            found.pop(identity)[0].close()
    return found


def _made(number: int, client: Client | None = None, *, encrypted: bool) -> Connection | None:
    sock = hold(number)
    if sock is None:
        return None
    if client and not ((identity := identity_of(sock)) and client.fits(identity)):
        sock.close()
        return None
    return Connection(sock, number, encrypted=encrypted)


def _numbers() -> list[int]:
    """The descriptors of this process without those of our own connections."""
    numbers = listed(DESCRIPTORS)
    ours = {each.fileno() for each in _ours}
    return [number for number in numbers if number not in ours]


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
