"""The way to a Redis server: no request waits for it longer than a moment, and nothing is asked twice."""

from __future__ import annotations

from time import monotonic as _monotonic
from weakref import finalize

from faultinject.exceptions import MissingExtra, StoreUnavailable
from faultinject.installation import install_extra

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from faultinject.rules.redis_url import RedisURL

    Argument = str | bytes | int

PATIENCE = 0.1
"""Seconds that a connection may take, and an answer."""
PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds that what may wait is kept after a failure, and at most."""
_CONNECTIONS = 4096


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


class Link:
    """A pool of connections; threads and forked children have their own.

    Args:
        url: the server.
        monotonic: the clock of the pauses.

    Raises:
        MissingExtra: the package redis is not installed.
    """

    def __init__(self, url: RedisURL, *, monotonic: Callable[[], float] = _monotonic) -> None:
        try:
            import redis
            from redis.backoff import NoBackoff
            from redis.connection import Connection, SSLConnection, UnixDomainSocketConnection
            from redis.retry import Retry
        except ImportError:
            raise MissingExtra(f"the store {url.shown} needs redis: {install_extra('redis')}") from None
        self.shown = url.shown
        self.again = 0.0
        """When what may wait is sent again: after a failure it waits for an answer, or for a while."""
        self._pause = 0.0
        self._monotonic = monotonic
        self._redis = redis
        how: dict[str, Any] = {
            "db": url.db,
            "username": url.username or None,
            "password": url.password or None,
            "protocol": 2,
            "socket_timeout": PATIENCE,
            # A take that is asked for again would count twice.
            "retry": Retry(NoBackoff(), 0),
        }
        if url.path:
            how |= {"connection_class": UnixDomainSocketConnection, "path": url.path}
        else:
            how |= {"connection_class": Connection, "host": url.host, "port": url.port}
            how["socket_connect_timeout"] = PATIENCE
        if url.tls:
            how["connection_class"] = SSLConnection
            if url.ca:
                how["ssl_ca_certs"] = url.ca
        self._pool: redis.ConnectionPool = redis.ConnectionPool(max_connections=_CONNECTIONS, **how)
        self._client = redis.Redis(connection_pool=self._pool)
        # Errors of the package keep connections in circles, whose sockets may go first, with a warning.
        finalize(self, self._pool.disconnect).atexit = False

    def run(self, script: Script, keys: Sequence[str], *arguments: Argument) -> Any:
        """What a script returns.

        Raises:
            StoreUnavailable: the server cannot be asked, or did not answer in time.
        """
        client, errors = self._client, self._redis.exceptions
        try:
            try:
                found = client.evalsha(script.digest, len(keys), *keys, *arguments)
            except errors.NoScriptError:
                found = client.eval(script.text, len(keys), *keys, *arguments)
        except (errors.RedisError, OSError) as error:
            raise self._failed(error) from None
        self._pause = self.again = 0.0
        return found

    def tell(self, text: str, keys: Sequence[str], *arguments: Argument) -> None:
        """Have a script run, and do not wait for it.

        Raises:
            StoreUnavailable: it cannot be sent.
        """
        try:
            connection: Any = self._pool.get_connection()
            try:
                connection.send_command("CLIENT", "REPLY", "SKIP")
                connection.send_command("EVAL", text, len(keys), *keys, *arguments)
            finally:
                self._pool.release(connection)
        except (self._redis.exceptions.RedisError, OSError) as error:
            raise self._failed(error) from None

    def read(self, key: str, fields: Sequence[str]) -> list[int | None]:
        """Numbers of a hash; None for one that is not there.

        Raises:
            StoreUnavailable: the server cannot be asked, or did not answer in time.
        """
        try:
            found: Any = self._client.hmget(key, list(fields))
        except (self._redis.exceptions.RedisError, OSError) as error:
            raise self._failed(error) from None
        return [None if each is None else int(each) for each in found]

    def _failed(self, error: Exception) -> StoreUnavailable:
        self._pause = min(2 * self._pause, LONGEST_PAUSE) or PAUSE
        self.again = self._monotonic() + self._pause
        return StoreUnavailable(f"the store {self.shown}: {error}")
