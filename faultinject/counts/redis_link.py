"""The way to a Redis server: no request waits for it longer than a moment, and nothing is asked twice."""

from __future__ import annotations

import os
from contextlib import suppress
from errno import EMSGSIZE
from weakref import finalize

from faultinject.counts.guarded import CountsGone
from faultinject.counts.patience import monotonic, waiting
from faultinject.counts.per_process import PerProcess
from faultinject.counts.redis_beside import Beside
from faultinject.counts.redis_dial import Dial
from faultinject.counts.redis_scripts import GONE
from faultinject.exceptions import ConfigurationError, MissingExtra, StoreUnavailable
from faultinject.installation import install_extra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from faultinject.rules.redis_url import RedisURL

    Argument = str | bytes | int

LARGEST = 64 << 20
"""Bytes that one question may be answered with."""
FRESH = 0.05
"""Seconds after an answer in which a connection is taken to be there still: each look whether it is costs as much as an answer."""
TICK = 0.001
"""Seconds that are waited at least: 0 would be none."""


class Unanswered(StoreUnavailable):
    """The server was asked, and may have done it or not."""


class Until:
    """When nobody waits any more for the answers that one request needs; what a new connection takes is not their time.

    Args:
        opening: no request waits for them.

    Attributes:
        patience: seconds that a new connection may take.
        moment: of the monotonic clock.
    """

    __slots__ = ("moment", "patience")

    def __init__(self, *, opening: bool = False) -> None:
        self.patience = max(waiting.opening, waiting.answer) if opening else waiting.answer
        self.moment = monotonic() + self.patience


class Script:
    """A script, and the digest by which the server knows it.

    Args:
        text: Lua.
    """

    __slots__ = ("digest", "text")

    def __init__(self, text: str) -> None:
        from hashlib import sha1

        self.text = text
        self.digest = sha1(text.encode(), usedforsecurity=False).hexdigest()


class Link(PerProcess):
    """Connections to a server, each of one thread at a time; a forked child has its own.

    What redis-py does around a command costs as much as the command: here a connection is taken, written to and read.

    Args:
        url: the server.

    Attributes:
        beside: where what nobody waits for is done.

    Raises:
        MissingExtra: the package redis is not installed.
        ConfigurationError: there is no file of certificates.
    """

    def __init__(self, url: RedisURL) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
            from redis.retry import Retry
        except ImportError:
            raise MissingExtra(f"the store {url.shown} needs redis: {install_extra('redis')}") from None
        self.shown = url.shown
        self.beside = Beside()
        self._errors = redis.exceptions
        # What is no answer of Redis makes the parser stumble: a length that is no number, lists in lists in lists.
        self._broken = (redis.RedisError, OSError, ValueError, RecursionError)
        how: dict[str, Any] = {
            "db": url.db,
            "username": url.username or None,
            "password": url.password or None,
            "protocol": 2,
            "socket_timeout": waiting.answer,
            # A take that is asked for again would count twice.
            "retry": Retry(NoBackoff(), 0),
        }
        kind: Any
        if url.path:
            kind, how["path"] = UnixDomainSocketConnection, url.path
        else:
            kind = Connection
            how |= {"host": url.host, "port": url.port, "socket_connect_timeout": waiting.answer}
        if url.tls:
            kind = SSLConnection
            if url.ca:
                if not os.path.isfile(url.ca):  # noqa: PTH113 - pathlib takes its time to load
                    raise ConfigurationError(f"the store {url.shown}: ca: there is no file {url.ca!r}")
                how["ssl_ca_certs"] = url.ca
        self._kind, self._how = _bounded(kind), how
        # redis-py has no types for what is done with them.
        self._idle: list[tuple[Any, float]] = []
        # On this machine nothing has to be looked up, and nothing is far away.
        self._is_far = bool(url.host)
        self._here()
        # Errors of the package keep connections in circles, whose sockets may go first, with a warning.
        finalize(self, _close, self._idle).atexit = False

    def run(
        self, script: Script, keys: Sequence[str], *arguments: Argument, until: Until | None = None
    ) -> Any:
        """What a script returns.

        Args:
            script: which.
            keys: its keys.
            arguments: its arguments.
            until: how long this and others are waited for together; by default it has its own time.

        Raises:
            Unanswered: the server was asked and did not answer in time.
            StoreUnavailable: it cannot be asked, or refused.
        """
        rest = len(keys), *keys, *arguments
        try:
            return self._ask(until, "EVALSHA", script.digest, *rest)
        except self._errors.NoScriptError:
            pass
        except self._broken as error:
            raise self._failed(error) from None
        return self.ask("EVAL", script.text, *rest, until=until)

    def ask(self, *command: Argument, until: Until | None = None) -> Any:
        """What a command returns.

        Raises:
            Unanswered: the server was asked and did not answer in time.
            StoreUnavailable: it cannot be asked, or refused.
        """
        try:
            return self._ask(until, *command)
        except self._broken as error:
            raise self._failed(error) from None

    def _ask(self, until: Until | None, *command: Argument) -> Any:
        until = until or Until()
        began = monotonic()
        errors = self._errors
        connection = self._connected(until.patience)
        now = monotonic()
        until.moment += now - began
        if now >= until.moment:
            # What is not asked is not lost: a take would count.
            self._idle.append((connection, 0.0))
            raise TimeoutError("no time is left for another question")
        try:
            connection.socket.ask(until.moment)
            connection.send_packed_command((packed(command),))
            try:
                found = connection.read_response()
            except (errors.ResponseError, errors.BusyLoadingError):
                raise  # it refuses
            except self._broken as error:
                raise Unanswered(str(self._failed(error))) from None
        except errors.ResponseError:
            self._keep(connection)
            raise
        except BaseException:
            # An answer that comes later is no answer to the next question.
            connection.disconnect()
            raise
        self._keep(connection)
        return found

    def _connected(self, patience: float) -> Any:
        """A connection that nobody uses and that has nothing to say: what says something is closed."""
        self._here()
        try:
            connection, answered = self._idle.pop()
        except IndexError:
            pass
        else:
            if monotonic() - answered < FRESH:
                return connection
            usable = False
            with suppress(*self._broken):
                usable = not connection.can_read(0)
            if usable:
                return connection
            connection.disconnect()
        return self._dial.connection(patience) if self._is_far else self._connect(patience)

    def _begin(self) -> None:
        self._idle.clear()
        self._dial = Dial(self._connect, self._keep)

    def _keep(self, connection: Any) -> None:
        self._idle.append((connection, monotonic()))

    def _connect(self, patience: float) -> Any:
        """A new connection; one to which the server says nothing is made again for as long as there is patience."""
        end = monotonic() + patience
        while True:
            connection = self._kind(**self._how)
            # Who waits for one that is far away waits elsewhere: a greeting of several answers may come late.
            connection.patience = max(patience, waiting.opening) if self._is_far else patience
            try:
                connection.connect()
            except self._errors.TimeoutError:
                if monotonic() >= end:
                    raise
            else:
                return connection

    def _failed(self, error: Exception) -> StoreUnavailable:
        said = str(error)
        if said.startswith(GONE):
            return CountsGone(f"the store {self.shown}: {said.removeprefix(GONE).lstrip()}")
        if isinstance(error, self._errors.AskError):
            place = f"{error.host}:{error.port}"
            why = f"it is a node of a cluster, in which {place} has the keys of this prefix: name that one"
        elif "unauthenticated" in said:
            why = "Authentication required."  # in the words that it has for shorter commands
        else:
            # A server that does not know a command repeats its arguments: keys, or the password.
            why = said.partition(" script: ")[0].partition(", with args")[0]
        return StoreUnavailable(f"the store {self.shown}: {why}")


class BoundedSocket:
    """The socket of a connection: what one question is answered with ends in time, however slowly the server sends it.

    Args:
        socket: the real one.
        patience: seconds in which what the server says first must be read.
    """

    def __init__(self, socket: Any, patience: float) -> None:
        self._socket = socket
        self._end = monotonic() + patience
        self._left = LARGEST

    def ask(self, end: float) -> None:
        """Another question is asked, whose answer must have been read at that moment."""
        self._end = end
        self._left = LARGEST
        self._socket.settimeout(max(end - monotonic(), TICK))

    def recv(self, size: int) -> bytes:
        """As the socket's."""
        data: bytes = self._within(self._socket.recv, size)
        self._count(len(data))
        return data

    def recv_into(self, buffer: Any) -> int:
        """As the socket's."""
        size: int = self._within(self._socket.recv_into, buffer)
        self._count(size)
        return size

    def _within(self, read: Callable[[Any], Any], given: Any) -> Any:
        timeout = self._socket.gettimeout()
        if timeout == 0:
            return read(given)
        left = self._end - monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(min(left, timeout))
        try:
            return read(given)
        finally:
            self._socket.settimeout(timeout)

    def _count(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise OSError(EMSGSIZE, f"an answer of more than {LARGEST >> 20} MiB")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)


def _bounded(kind: Any) -> Any:
    """A kind of connection of redis-py that reads within bounds."""

    class Bounded(kind):  # type: ignore[misc]
        def _connect(self) -> BoundedSocket:
            self.socket = BoundedSocket(super()._connect(), self.patience)
            return self.socket

    return Bounded


def packed(command: Sequence[Argument]) -> bytes:
    r"""A command as the server reads it, in one piece; redis-py takes several times as long.

    https://redis.io/docs/latest/develop/reference/protocol-spec/#sending-commands-to-a-redis-server

    >>> packed(["GET", 7])
    b'*2\r\n$3\r\nGET\r\n$1\r\n7\r\n'
    """
    found = [b"*%d\r\n" % len(command)]
    for each in command:
        text = each if isinstance(each, bytes) else str(each).encode()
        found.append(b"$%d\r\n%b\r\n" % (len(text), text))
    return b"".join(found)


def _close(connections: list[tuple[Any, float]]) -> None:
    for each, _ in connections:
        each.disconnect()
