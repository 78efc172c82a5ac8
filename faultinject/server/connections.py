"""An app behind uvicorn and h11, on a thread of this process or for a command."""

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
from faultinject.server.bounds import LIMITS, Limits, counted

if TYPE_CHECKING:
    import uvicorn

BACKLOG = 256
"""Connections that wait to be taken."""
THREAD = "faultinject server"
"""The name of a thread on which a server of ours serves beside an app."""
OURS: dict[str, Any] = {"ws": "none", "lifespan": "off", "proxy_headers": False}
"""The options of uvicorn for an app of ours."""


def uvicorn_for(
    app: Any, context: ssl.SSLContext | None = None, limits: Limits = LIMITS, **options: Any
) -> uvicorn.Server:
    """An ASGI app's server, which takes no request that two readers could read in two ways.

    Args:
        app: the app.
        context: encrypts its connections; None: nothing does.
        limits: of its connections.
        options: more of uvicorn's.

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
        http=counted(partial(ClientConnection, limits), context),  # type: ignore[arg-type] # called as the class is
        # uvloop cannot end encrypted connections that their client keeps:
        # https://github.com/MagicStack/uvloop/issues/471
        loop="asyncio",
        backlog=BACKLOG,
        timeout_keep_alive=limits.idle,
        timeout_graceful_shutdown=limits.grace,
        use_colors=False,  # by default uvicorn asks the standard output, which may be closed
        server_header=False,
        headers=[("Server", "faultinject")],
        **options,
    )
    config.load()
    return UvicornServer(config)


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        OSError: the address cannot be used.
        UnicodeError: the host is no name.
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

    It keeps its own clock, as a test may stop the clocks of its process (freezegun): the loop's timers would never
    fire.
    """

    def time(self, now: Callable[[], float] = time.monotonic) -> float:
        """The time, by the clock that was there when this module was loaded."""
        return now()


class Server:
    """The server of an app of ours in a thread, as a context manager.

    Args:
        app: the app, of ASGI.
        sock: a listening socket, which it takes over; None: a free port of loopback.
        context: encrypts its connections; None: nothing does.
        limits: of its connections.

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
        """Its port."""
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        """Its URL."""
        return url_of(self.server_address, self._scheme)

    def start(self) -> None:
        """Serve beside the program, until it is stopped or the program ends."""
        quiet()
        self._thread.start()

    def stop(self) -> None:
        """End what `start` began, and all connections."""
        self._uvicorn.should_exit = True
        self._thread.join()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def quiet() -> None:
    """Log only warnings of our servers beside an app; an app's own uvicorn logs as before.

    uvicorn's options `log_level` and `access_log` would change both, because all its servers share their loggers.
    """
    for name in ("uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).addFilter(_is_of_use)


def _is_of_use(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.threadName != THREAD
