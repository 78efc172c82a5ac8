"""An app behind uvicorn, which reads requests by httptools; on a thread of this process, or for a command."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from threading import Thread
from typing import TYPE_CHECKING, Any, Self
from wsgiref.types import WSGIApplication

from faultinject.exceptions import MissingExtra
from faultinject.installation import install_extra

if TYPE_CHECKING:
    import uvicorn


@dataclass
class Limits:
    """Seconds.

    Attributes:
        idle: for which a connection is kept without a request: longer than clients wait before they try again, so that
            its end is never taken for a fault.
        grace: that requests under way may take when the server ends.
    """

    idle: int = 75
    grace: int = 2


LIMITS = Limits()

BACKLOG = 256
"""Connections that wait to be taken."""
AT_ONCE = 8
"""How many of them are taken at a time: asyncio tries for each of these once more, and says so, where no file can be opened."""
THREAD = "faultinject server"
"""The name of a thread on which a server of ours serves beside an app."""


def uvicorn_for(
    app: Any, interface: str, context: ssl.SSLContext | None = None, **options: Any
) -> uvicorn.Server:
    """An app's server, which takes no request that two readers could read in two ways.

    Args:
        app: what answers.
        interface: `wsgi` or `asgi`.
        context: what encrypts its connections; None: nothing does.
        options: more of uvicorn's.

    Raises:
        MissingExtra: uvicorn or httptools is not installed.
    """
    try:
        from uvicorn import Config, Server

        from faultinject.server.heads import Bridged, Heads
    except ImportError:
        raise MissingExtra(f"an app is served by uvicorn and httptools: {install_extra('serve')}") from None
    from faultinject.server.bridge import Bridge

    class Served(Server):
        """uvicorn's server, which takes few connections at a time, and ends them when it ends."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            """Serve from now on."""
            await super().startup(sockets)
            for each in sockets or ():  # more may wait than are taken at a time
                each.listen(BACKLOG)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Serve no more; a thread of a WSGI app that waits on its connection goes on."""
            if interface == "wsgi":
                # What is taken just then would never be closed: https://github.com/python/cpython/issues/109564
                for sock in sockets or ():
                    asyncio.get_running_loop().remove_reader(sock)
                await asyncio.sleep(0)  # it gets its transport
                await asyncio.sleep(0)  # it is one of the connections
                for each in list(self.server_state.connections):
                    with suppress(OSError, AttributeError):  # the client has ended it
                        each.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            await super().shutdown(sockets)

    if interface == "wsgi":
        app = Bridge(app)
        options |= {
            "interface": "asgi3",
            "ws": "none",
            "lifespan": "off",
            "proxy_headers": False,
            "server_header": False,
            "date_header": False,
        }
    config = Config(
        app,
        http=Bridged if interface == "wsgi" else Heads,
        # uvloop cannot end encrypted connections that their client keeps: https://github.com/MagicStack/uvloop/issues/471
        loop="auto" if interface == "asgi" and context is None else "asyncio",
        backlog=AT_ONCE,
        timeout_keep_alive=LIMITS.idle,
        timeout_graceful_shutdown=LIMITS.grace,
        use_colors=False,  # where it is not told, uvicorn asks standard output, which may be closed
        **options,
    )
    config.load()
    config.ssl = context
    return Served(config)


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        OSError: the address cannot be used.
        UnicodeError: the host is no name.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)[0][4]
    # asyncio sends small answers at once on connections of a socket that is said to be of TCP.
    found = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(address)
        found.listen(BACKLOG)
    except OSError:
        found.close()
        raise
    return found


def url_of(address: tuple[Any, ...], scheme: str = "http") -> str:
    """The URL of a socket's address."""
    host, port = address[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


class Loop(asyncio.SelectorEventLoop):
    """The event loop of a server in a thread.

    A test may stop the clocks of its process, as freezegun does: timers of the loop would never come, and it would never end.
    """

    def time(self, now: Callable[[], float] = time.monotonic) -> float:
        """The time, by the clock that was there when this module was loaded."""
        return now()


class Server:
    """A WSGI app's server in a thread, as a context manager.

    Args:
        app: what answers.
        sock: a listening socket, which it takes over; None: a free port of loopback.
        context: what encrypts its connections; None: nothing does.

    Attributes:
        server_address: where it listens.

    Raises:
        MissingExtra: uvicorn or httptools is not installed.
    """

    def __init__(
        self,
        app: WSGIApplication,
        *,
        sock: socket.socket | None = None,
        context: ssl.SSLContext | None = None,
    ) -> None:
        self._scheme = "http" if context is None else "https"
        self._uvicorn = uvicorn_for(app, "wsgi", context, log_config=None)
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
        """Where it is."""
        return url_of(self.server_address, self._scheme)

    def start(self) -> None:
        """Serve beside the program, until it is stopped or the program ends."""
        quiet()
        self._thread.start()

    def stop(self) -> None:
        """End what `start` began, and all connections."""
        self._uvicorn.should_exit = True
        self._thread.join()
        self._uvicorn.config.app.end()  # type: ignore[union-attr]

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def quiet() -> None:
    """Log only warnings of our servers beside an app; what an app's own uvicorn logs stays as it is.

    uvicorn's options `log_level` and `access_log` would change both, because all its servers share their loggers.
    """
    for name in ("uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).addFilter(_is_of_use)


def _is_of_use(record: logging.LogRecord) -> bool:
    return record.levelno >= logging.WARNING or record.threadName != THREAD
