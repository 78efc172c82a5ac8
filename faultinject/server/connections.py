"""An app behind uvicorn and h11, on a thread of this process or for a command."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

from faultinject.adapters.types import Message, Receive, Scope, Send
from faultinject.exceptions import MissingExtraError
from faultinject.http.wire import http_date
from faultinject.server.bounds import LIMITS, Bounds, Limits
from faultinject.server.threads import THREADS, Threads

if TYPE_CHECKING:
    import uvicorn

BACKLOG = 256
"""Connections that wait to be taken."""
AT_ONCE = 8
"""The number of connections that are taken at a time.

Where no file can be opened, asyncio tries for each of these once more, and logs that.
"""
NAME = b"faultinject"
THREAD = "faultinject server"
"""The name of a thread on which a server of ours serves beside an app."""


def uvicorn_for(
    app: Any,
    interface: str,
    context: ssl.SSLContext | None = None,
    limits: Limits = LIMITS,
    **options: Any,
) -> uvicorn.Server:
    """An app's server, which takes no request that two readers could read in two ways.

    Args:
        app: the app.
        interface: `wsgi`, `asgi`, or `ours`: that of ASGI, of an app of our own.
        context: encrypts its connections; None: nothing does.
        limits: of its connections.
        options: more of uvicorn's.

    Raises:
        MissingExtraError: uvicorn is not installed.
    """
    try:
        from uvicorn import Config, Server

        from faultinject.server.protocol import Bridged, Connection
    except ImportError:
        raise MissingExtraError(
            'an app is served by uvicorn and h11: pip install "faultinject[serve]"'
        ) from None
    bounds, is_ours = Bounds(limits), interface != "asgi"
    threads = Threads(bounds)

    class Served(Server):
        """uvicorn's server, which takes few connections at a time, and ends them when it ends."""

        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            """Serve from now on."""
            await super().startup(sockets)
            for sock in sockets or ():  # more may wait than are taken at a time
                sock.listen(BACKLOG)

        async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
            """Serve no more; a thread that waits on its connection goes on."""
            if is_ours:
                # A connection that is taken just then would never be closed:
                # https://github.com/python/cpython/issues/109564
                for sock in sockets or ():
                    asyncio.get_running_loop().remove_reader(sock)
                await asyncio.sleep(0)  # it gets its transport
                await asyncio.sleep(0)  # it is one of the connections
                for connection in list(self.server_state.connections):
                    with suppress(OSError, AttributeError):  # the client has ended it
                        connection.transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
            await super().shutdown(sockets)

        def end(self) -> None:
            """Wait a little for threads that are at work when it has ended."""
            threads.end()

    if interface == "wsgi":
        from faultinject.server.bridge import Bridge

        app = Bridge(app, threads)
    if is_ours:
        app = _own(app, threads)
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
        http=bounds.protocol(Bridged if interface == "wsgi" else Connection, context),
        # uvloop cannot end encrypted connections that their client keeps:
        # https://github.com/MagicStack/uvloop/issues/471
        loop="auto" if not is_ours and context is None else "asyncio",
        backlog=AT_ONCE,
        timeout_keep_alive=limits.idle,
        timeout_graceful_shutdown=limits.grace,
        use_colors=False,  # where it is not told, uvicorn asks standard output, which may be closed
        **options,
    )
    config.load()
    return Served(config)


@lru_cache(maxsize=1)
def _date(second: int) -> bytes:
    return http_date(second).encode()


def _own(app: Any, threads: Threads) -> Any:
    """Our app as it is served: with threads, and with Date and Server in its answers."""

    async def faultinject(scope: Scope, receive: Receive, send: Send) -> None:
        async def say(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message["headers"])
                names = {name.lower() for name, _ in headers}
                if b"date" not in names:
                    headers.append((b"Date", _date(int(time.time()))))
                if b"server" not in names:
                    headers.append((b"Server", NAME))
                message = {**message, "headers": headers}
            await send(message)

        scope[THREADS] = threads
        await app(scope, receive, say)

    vars(faultinject)["never_faulted"] = True  # by `run`: its faults are its own
    return faultinject


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 takes a free one.

    Raises:
        OSError: the address cannot be used.
        UnicodeError: the host is no name.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    address = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM, 0, socket.AI_PASSIVE)[0][4]
    # asyncio sends small answers at once on connections of a socket that is said to be of TCP.
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

    A test may stop the clocks of its process, as freezegun does: timers of the loop would never come, and it would
    never end.
    """

    def time(self, now: Callable[[], float] = time.monotonic) -> float:
        """The time, by the clock that was there when this module was loaded."""
        return now()


class Server:
    """An app's server in a thread, as a context manager.

    Args:
        app: the app.
        interface: `wsgi`, or `ours`: that of ASGI.
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
        interface: str = "wsgi",
        *,
        sock: socket.socket | None = None,
        context: ssl.SSLContext | None = None,
        limits: Limits = LIMITS,
    ) -> None:
        self._scheme = "http" if context is None else "https"
        self._uvicorn: Any = uvicorn_for(app, interface, context, limits, log_config=None)
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
        self._uvicorn.end()

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
