"""Serves an app with uvicorn and h11, on a thread of this process or for a command."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

from faultinject.exceptions import MissingExtraError
from faultinject.server.bounds import LIMITS, Limits, protocol_factory

if TYPE_CHECKING:
    import uvicorn

BACKLOG = 256
"""Connections that the system accepts before the server takes them."""
THREAD = "faultinject server"
"""The name of a thread on which a server of ours runs beside an app."""
OURS: dict[str, Any] = {"ws": "none", "lifespan": "off", "proxy_headers": False}
"""The options of uvicorn for an app of ours."""


def uvicorn_for(
    app: Any, context: ssl.SSLContext | None = None, limits: Limits = LIMITS, **options: Any
) -> uvicorn.Server:
    """Make a uvicorn server for an ASGI app; the server refuses ambiguous requests (`protocol`).

    Args:
        app: the app.
        context: encrypts its connections; None: they are not encrypted.
        limits: the limits of its connections.
        options: more options of uvicorn.

    Raises:
        MissingExtraError: uvicorn is not installed.
    """
    try:
        from uvicorn import Config

        from faultinject.server.protocol import ClientConnection, UvicornServer
    except ImportError:
        raise MissingExtraError(
            'uvicorn and h11, which serve a store or an app, are not installed: pip install "faultinject[serve]"'
        ) from None
    config = Config(
        app,
        http=protocol_factory(partial(ClientConnection, limits), context),  # type: ignore[arg-type]
        # uvloop cannot end encrypted connections that their client keeps:
        # https://github.com/MagicStack/uvloop/issues/471
        loop="asyncio",
        backlog=BACKLOG,
        timeout_keep_alive=limits.idle,
        timeout_graceful_shutdown=limits.grace,
        use_colors=False,  # by default uvicorn looks at the standard output, which may be closed
        server_header=False,
        headers=[("Server", "faultinject")],
        **options,
    )
    config.load()
    return UvicornServer(config)


def listening_socket(host: str, port: int) -> socket.socket:
    """Open a socket that listens; with port 0 the system chooses a free port.

    Raises:
        OSError: the address cannot be used.
        UnicodeError: the host is not a valid name.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)[0][4]
    # With IPPROTO_TCP given, asyncio sets TCP_NODELAY, so that small answers go out at once.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(address)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def url_of(address: tuple[Any, ...], scheme: str = "http") -> str:
    """The URL of a socket's address."""
    host, port = address[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class Loop(asyncio.SelectorEventLoop):
    """The event loop of a server in a thread.

    It keeps its own clock, as a test may stop the clocks of its process (freezegun), and the loop's timers would
    then never fire.
    """

    def time(self, now: Callable[[], float] = time.monotonic) -> float:
        """The time by the original clock, which was bound when this module was loaded."""
        return now()


class Server:
    """Serves an app of ours on a thread; a context manager.

    Args:
        app: the ASGI app.
        sock: a listening socket, which the server closes at its end; None: a free port of loopback.
        context: encrypts its connections; None: they are not encrypted.
        limits: the limits of its connections.

    Attributes:
        server_address: the address on which it listens.

    Raises:
        MissingExtraError: uvicorn is not installed.
    """

    def __init__(
        self,
        app: Any,
        *,
        sock: socket.socket | None = None,
        context: ssl.SSLContext | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self._scheme = "http" if context is None else "https"
        self._uvicorn: Any = uvicorn_for(app, context, limits, log_config=None, **OURS)
        self._sock = sock or listening_socket("127.0.0.1", 0)
        self.server_address = self._sock.getsockname()
        self._thread = Thread(target=self._serve, name=THREAD, daemon=True)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=Loop) as runner:
            runner.run(self._uvicorn.serve(sockets=[self._sock]))

    @property
    def port(self) -> int:
        """The port on which it listens."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """The server's URL."""
        return url_of(self.server_address, self._scheme)

    def start(self) -> None:
        """Serve on the thread until `stop`, or until the program ends."""
        log_only_warnings()
        self._thread.start()

    def stop(self) -> None:
        """End the thread and all connections."""
        self._uvicorn.should_exit = True
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def log_only_warnings() -> None:
    """Let our servers beside an app log only warnings; an app's own uvicorn logs as before.

    uvicorn's options `log_level` and `access_log` would change both, because all its servers share their loggers.
    """
    for name in ("uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).addFilter(_is_worth_logging)


def _is_worth_logging(record: logging.LogRecord) -> bool:
    # uvicorn logs an error if `stop` has to end open connections, even if none of them has a request.
    ends_idle = str(record.msg).startswith("Cancel ") and record.args == (0,)
    return record.threadName != THREAD or (record.levelno >= logging.WARNING and not ends_idle)
