"""Descriptors of sockets: which is whose, without leaking one or disturbing its owner."""

from __future__ import annotations

# The bare C module: gevent's own `socket.socket` makes every descriptor that it is given non-blocking.
import _socket
import os
import re
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Identity = tuple[int, int, int, Any, Any]  # inode, family, type, peer's name, own name

INTERNET = (_socket.AF_INET, _socket.AF_INET6)
PROXY_FIX = "werkzeug.proxy_fix.orig"
"""Where werkzeug's ProxyFix keeps what it has replaced."""

# They name an address of the server's, or of another one's, and nobody takes the client's from them.
_NO_PROXY = ("HTTP_HOST", "HTTP_ORIGIN", "HTTP_REFERER", b"host", b"origin", b"referer")
_SAYS_PLAIN = ("http", "off")  # X-Forwarded-Proto, X-Forwarded-Ssl
_WORD = re.compile(r"[^\s,;=\"]+")


def number_of(handle: Any, ask: str = "fileno") -> int:
    """What the method `ask` of a server's handle says; -1 when there is none, or it is in memory, or closed."""
    try:
        return int(getattr(handle, ask)())
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


def identity_of(sock: _socket.socket) -> Identity | None:
    """What tells a connection from every other; None when it is not connected any more."""
    try:
        kind = sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_TYPE)
        return os.fstat(sock.fileno()).st_ino, sock.family, kind, sock.getpeername(), sock.getsockname()
    except OSError:
        return None


def may_be_encrypted(scheme: object, headers: Iterable[str]) -> bool:
    """Whether TLS may be spoken: also where a header names the scheme, so that the app has it from the client perhaps.

    Args:
        scheme: what the request's environ or scope says.
        headers: the values of the request's headers.
    """
    said = {word.lower() for value in headers for word in _WORD.findall(value)}
    return scheme != "http" or not said.isdisjoint(_SAYS_PLAIN)


def door_of(family: int, own: Any) -> object:
    """Where a connection has come in, or a socket listens: the port, or the path."""
    return own[1] if family in INTERNET else own or None


def listens(sock: _socket.socket) -> bool:
    """Whether a socket waits for connections."""
    try:
        return bool(sock.getsockopt(_socket.SOL_SOCKET, _socket.SO_ACCEPTCONN))
    except OSError:
        return False


def is_same(number: int, identity: Identity | None) -> bool:
    """Whether a descriptor is that connection's."""
    sock = hold(number)
    if sock is None:
        return False
    try:
        return identity is not None and identity_of(sock) == identity
    finally:
        sock.close()


def put_dead(numbers: Iterable[int]) -> None:
    """Let each of these numbers be a socket whose other end has gone.

    Raises:
        OSError: there is no descriptor left to make it of; nothing was changed.
    """
    dead, other = _socket.socketpair()
    other.close()
    try:
        for number in numbers:
            os.dup2(dead.fileno(), number, inheritable=False)
    finally:
        dead.close()


def listed(folders: Iterable[str]) -> list[int]:
    """The descriptors of this process as the first folder that can be read lists them."""
    for folder in folders:
        try:
            return [int(name) for name in os.listdir(folder)]  # noqa: PTH208 - numbers, not paths
        except OSError:
            continue
    return []


def values_of_environ(environ: Mapping[str, Any]) -> list[str]:
    """What a WSGI request's headers say that a proxy may have set."""
    return [
        str(value) for name, value in environ.items() if name.startswith("HTTP_") and name not in _NO_PROXY
    ]


def values_of_scope(scope: Mapping[str, Any]) -> list[str]:
    """What an ASGI request's headers say that a proxy may have set."""
    return [
        value.decode("latin-1") for name, value in scope.get("headers") or () if name.lower() not in _NO_PROXY
    ]


class Client:
    """Who a request comes from, as its server says it.

    What a proxy's header says is the client's own word: it may name anybody. So an address that some header names
    proves nothing, and neither does a port beside it that a header names too.

    Args:
        address: the client's address; anything but an IP address fits no connection.
        port: the client's port; None or empty when the server does not say it.
        local: the server's port; likewise. One of the two ports is needed.
        headers: the values of the request's headers.
    """

    def __init__(self, address: object, port: object, local: object, headers: Iterable[str] = ()) -> None:
        self._address = _packed(address)
        self._port, self._local = (None if each in (None, "") else _int(each) for each in (port, local))
        self.certain = self._port is not None and not self._is_said(headers)
        """Whether the port is the kernel's, which no other connection of this server has."""

    @classmethod
    def of_environ(cls, environ: Mapping[str, Any]) -> Client:
        """Who a WSGI request comes from; what werkzeug's ProxyFix has replaced is its server's word again."""
        was = {**environ, **(environ.get(PROXY_FIX) or {})}
        return cls(
            was.get("REMOTE_ADDR"), was.get("REMOTE_PORT"), was.get("SERVER_PORT"), values_of_environ(environ)
        )

    @classmethod
    def of_scope(cls, scope: Mapping[str, Any]) -> Client:
        """Who an ASGI request comes from."""
        address, port = scope.get("client") or (None, None)
        _, local = scope.get("server") or (None, None)
        return cls(address, port, local, values_of_scope(scope))

    def fits(self, identity: Identity) -> bool:
        """Whether that connection may be the client's."""
        _, family, kind, peer, own = identity
        return (
            self._address is not None
            and family in INTERNET
            and kind == _socket.SOCK_STREAM
            and _packed(peer[0]) == self._address
            and (self._port, self._local) != (None, None)
            and self._port in (None, peer[1])
            and self._local in (None, own[1])
        )

    def is_rival(self, identity: Identity, doors: Iterable[object]) -> bool:
        """Whether a connection may be the client's if what is not certain is wrong.

        Args:
            identity: the connection's.
            doors: where this process listens.
        """
        _, family, kind, peer, own = identity
        if kind != _socket.SOCK_STREAM:
            return False
        if self.certain:
            return family in INTERNET and peer[1] == self._port
        door = door_of(family, own)
        return door in doors or (family in INTERNET and self._local == door)

    def reached(self, identity: Identity | None) -> bool:
        """Whether a connection ends at the very port that the client speaks to; true where the server does not say."""
        return not identity or identity[1] not in INTERNET or self._local in (None, identity[4][1])

    def _is_said(self, headers: Iterable[str]) -> bool:
        """Whether headers name both the address and the port."""
        # Forwarded may escape each character of a quoted value.
        words = [word for value in headers for word in _WORD.findall(value.replace("\\", ""))]
        parts = [(each, *each.rpartition(":")[::2]) for each in words]
        return any(self._address in (_packed(whole), _packed(host)) for whole, host, _ in parts) and any(
            self._port in (_int(whole), _int(port)) for whole, _, port in parts
        )


def _packed(address: object) -> bytes | None:
    """Sixteen bytes of an address, alike for 127.0.0.1 and ::ffff:127.0.0.1; None when it is a name."""
    text = str(address).strip("[]").partition("%")[0]
    try:
        if ":" in text:
            return _socket.inet_pton(_socket.AF_INET6, text)
        return bytes(10) + b"\xff\xff" + _socket.inet_pton(_socket.AF_INET, text)
    except (OSError, ValueError):
        return None


def _int(value: Any) -> int:
    try:
        return int(value)
    except (TypeError, ValueError):
        return -1
