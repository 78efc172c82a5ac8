"""The connection to a Redis server: requests wait only briefly, and no command is repeated."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any
from weakref import finalize

from faultinject.counts.background_sender import BackgroundSender
from faultinject.counts.per_process import PerProcess
from faultinject.counts.redis_question import BoundedConnection, Question, current_question
from faultinject.exceptions import ConfigurationError, MissingExtraError, StoreUnavailableError
from faultinject.rules.redis_url import RedisURL

Argument = str | bytes | int
LONGEST_REASON = 300
"""The most characters of a server's reason for a refusal that are shown."""


class UnansweredError(StoreUnavailableError):
    """The server did not answer in time, and may have carried out the command."""


class Link(PerProcess):
    """The connections of one store to its server; each process has its own.

    A forked child does not use its parent's clients: a thread of the parent may have held their lock, for which
    redis-py waits without a limit.

    Args:
        url: the URL of the server.

    Attributes:
        shown: the server, for logs.
        sender: does the background work.

    Raises:
        MissingExtraError: the package redis is not installed.
        ConfigurationError: the file of certificates does not exist.
    """

    def __init__(self, url: RedisURL) -> None:
        try:
            import redis
        except ImportError:
            raise MissingExtraError(
                f'the store {url.shown} needs redis: pip install "faultinject[redis]"'
            ) from None
        if url.ca and not os.path.isfile(url.ca):
            raise ConfigurationError(f"the store {url.shown}: ca: there is no file {url.ca!r}")
        self.shown = url.shown
        self.sender = BackgroundSender()
        self._errors = redis.exceptions
        self._url = url
        self._begin_once()

    def script(self, text: str) -> Callable[..., Any]:
        """Make a function of a script's keys and arguments.

        The script is sent to a server that does not have it yet.

        Args:
            text: the script, in Lua.

        Returns:
            A function. With `patient` it waits as long as a starting process may, otherwise as long as a request may.
            It raises `UnansweredError` if the server did not answer in time, and `StoreUnavailableError` if the server
            cannot be reached, or refused.
        """
        registered = self._client.register_script(text)
        registered.registered_client = None  # it would keep the parent's sockets in a forked child

        def run(keys: Sequence[str], *arguments: Argument, patient: bool = False) -> Any:
            self._begin_once()
            client = self._client
            return self._ask_within_bounds(
                lambda: registered(keys=keys, args=arguments, client=client), len(arguments), patient
            )

        return run

    def ask(self, *command: Argument, patient: bool = False) -> Any:
        """Send a command, and return its result.

        Raises:
            UnansweredError: the server did not answer in time.
            StoreUnavailableError: the server cannot be reached, or refused.
        """
        self._begin_once()
        client = self._client
        return self._ask_within_bounds(lambda: client.execute_command(*command), len(command), patient)

    def _begin(self) -> None:
        # redis-py has no types for this use of it.
        self._client: Any = _client(self._url)
        # Stores are in reference cycles: the collector would close a socket before its connection does, with a
        # ResourceWarning.
        finalize(self, self._client.connection_pool.disconnect).atexit = False

    def _ask_within_bounds(self, question: Callable[[], Any], arguments: int, patient: bool) -> Any:
        """Ask the server within the bounds of time and size."""
        token = current_question.set(Question(arguments, patient=patient))
        try:
            return question()
        except self._errors.TimeoutError as error:
            raise UnansweredError(f"the store {self.shown}: {error}") from None
        except self._errors.AskError as error:
            place = f"{error.host}:{error.port}"
            reason = f"it is a node of a cluster, in which {place} has the keys of this prefix: name that one"
            raise StoreUnavailableError(f"the store {self.shown}: {reason}") from None
        except (self._errors.RedisError, OSError) as error:
            # A server that does not know a command repeats its arguments, which may be keys or the password.
            reason = str(error).partition(" script: ")[0].partition(", with args")[0]
            if "unauthenticated" in reason:
                reason = "Authentication required."  # its answer to shorter commands
            raise StoreUnavailableError(f"the store {self.shown}: {reason[:LONGEST_REASON]}") from None
        except (ValueError, OverflowError, RecursionError) as error:
            raise StoreUnavailableError(
                f"the store {self.shown}: its answer cannot be read: {error}"
            ) from None
        finally:
            current_question.reset(token)


def _client(url: RedisURL) -> Any:
    """Make a redis-py client that repeats no command: a repeated take would count twice."""
    import redis
    from redis.backoff import NoBackoff
    from redis.retry import Retry

    options: dict[str, Any] = (
        {"unix_socket_path": url.path} if url.path else {"host": url.host, "port": url.port}
    )
    if url.tls:
        options |= {"ssl": True, "ssl_ca_certs": url.ca or None}
    client = redis.Redis(
        **options,
        db=url.db,
        username=url.username or None,
        password=url.password or None,
        protocol=2,
        retry=Retry(NoBackoff(), 0),
    )
    pool: Any = client.connection_pool
    pool.connection_class = type("Connection", (BoundedConnection, pool.connection_class), {})
    return client
