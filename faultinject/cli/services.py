"""What a command that is explored sends its requests to: a store of its own, or a service behind the proxy."""

from __future__ import annotations

import asyncio
import ssl
import threading
from typing import TYPE_CHECKING

from faultinject import vendors
from faultinject.adapters import asgi
from faultinject.cli import listening
from faultinject.exceptions import ConfigurationError
from faultinject.injector.own import OwnInjector
from faultinject.server.connections import url_of
from faultinject.testing.exploration.store_comparison import StoreContents
from faultinject.testing.storage import Storage, contents_of
from faultinject.vendors.vendor import host_bucket

if TYPE_CHECKING:
    from faultinject.adapters.types import ASGIApp, Receive, Scope, Send
    from faultinject.proxy.target import Target
    from faultinject.proxy.upstream import Broken


SETTLED = 30.0
"""Seconds that requests which a killed client has left may be under way: a server that is asked too much goes on with them."""


class EmbeddedStore:
    """The embedded object store, which is empty before each run.

    Args:
        vendor: the vendor whose API it speaks.

    Raises:
        ConfigurationError: it does not speak that dialect.
    """

    def __init__(self, vendor: str) -> None:
        self._store = Storage(vendor)

    def start(self) -> str:
        """Its URL, on a free port of this machine."""
        return self._store.url

    def empty(self) -> None:
        """Put a new store in the place of the old one."""
        self._store.reset()

    def holds(self) -> StoreContents:
        """The objects; a request that a killed client has left under way ends first."""
        return contents_of(self._store.app)

    def broken(self) -> str:
        """Never: it is in this process."""
        return ""

    def stop(self) -> None:
        """Close the listening socket and the connections."""
        self._store.close()


class Proxied:
    """A real service behind the proxy; what is in it stays there.

    Args:
        target: the service.
        rewrite_host: whether it gets its own Host.
    """

    def __init__(self, target: Target, *, rewrite_host: bool) -> None:
        from faultinject.proxy.app import Proxy

        self._target = target
        self._proxy = Proxy(target, rewrite_host=rewrite_host, notice=self._note)
        self._under_way = 0
        self._ended = threading.Condition()
        self._broken: list[Broken] = []

    def start(self) -> str:
        """Serve on a free port of this machine."""
        from faultinject.proxy.serving import proxy_server

        app = asgi.wrap(self._proxy, OwnInjector([], environ={}))
        self._server = proxy_server(self._counted(app), self._target)
        sock = listening.listen("127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [sock]}, daemon=True)
        self._thread.start()
        return url_of(sock.getsockname())

    def empty(self) -> None:
        """Nothing can be said of what is in a service of somebody else; `--reset` prepares it."""

    def holds(self) -> None:
        """Nobody can tell; but no request that a killed client has left is under way any more, nor noted later."""
        with self._ended:
            self._ended.wait_for(lambda: not self._under_way, SETTLED)

    def broken(self) -> str:
        """Why the service had no whole answer to a request since the last call; empty where it had."""
        found, self._broken = self._broken, []
        return str(found[0]) if found else ""

    def stop(self) -> None:
        """End the connections."""
        self._server.should_exit = True
        self._thread.join(10)

    def _note(self, broken: Broken) -> None:
        from faultinject.proxy.app import log_it

        if broken.status >= 500:  # else it is the request that cannot go on
            self._broken.append(broken)
        log_it(broken)

    def _counted(self, app: ASGIApp) -> ASGIApp:
        """The app; whoever waits learns when all is noted of its requests."""

        async def counted(scope: Scope, receive: Receive, send: Send) -> None:
            with self._ended:
                self._under_way += 1
            try:
                await app(scope, receive, send)
            finally:
                with self._ended:
                    self._under_way -= 1
                    self._ended.notify_all()

        return counted


Service = EmbeddedStore | Proxied
"""What is at the address in ENDPOINT."""


def dialect_of(vendor: str | None, target: Target) -> str | None:
    """Who is asked: the vendor that was named, else the first to whose endpoints the server belongs, else None."""
    if vendor is not None:
        return vendor
    for name in vendors.names():
        endpoints = vendors.get(name).endpoints
        if host_bucket(target.host, endpoints) or host_bucket(f"bucket.{target.host}", endpoints):
            return name
    return None


def reach(target: Target) -> None:
    """Look whether the service is there.

    Raises:
        ConfigurationError: it is not; the message says why.
    """
    from faultinject.proxy.upstream import Broken, Upstream

    async def connect() -> None:
        context = ssl.create_default_context() if target.tls else None
        (await Upstream.open(target, context)).leave()

    try:
        asyncio.run(connect())
    except Broken as broken:
        raise ConfigurationError(f"--to: {broken}") from None
