"""What a command that is explored sends its requests to: a store of its own, or a service behind the proxy."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from faultinject.adapters.types import ASGIApp, Message, Receive, Scope, Send
    from faultinject.injector.injector import Injector
    from faultinject.proxy.target import Target
    from faultinject.proxy.upstream import Broken
    from faultinject.server.certificates import Certificate
    from faultinject.testing.exploration.holdings import Holdings


SETTLED = 30.0
"""Seconds that requests which a killed client has left may be under way: a server that is asked too much goes on with them."""


class Service(Protocol):
    """What is at the address in ENDPOINT.

    Attributes:
        requests: how many have come.
    """

    requests: int

    def start(self) -> str:
        """Serve; gives the URL."""

    def empty(self) -> None:
        """Make it as it was at the start, where that can be done."""

    def holds(self) -> Holdings | None:
        """What is in it once no request is under way, by `/bucket/key`; None where that cannot be seen."""

    def broken(self) -> str:
        """Why a request since the last call had no whole answer, where that is no fault of ours; empty where all had."""

    def stop(self) -> None:
        """Serve no more."""


class EmbeddedStore:
    """The embedded object store, which is empty before each run.

    Args:
        vendor: whose dialect it speaks.
        endpoints: the user's own host suffixes.

    Raises:
        ConfigurationError: it does not speak that dialect.
    """

    def __init__(self, vendor: str, endpoints: Sequence[str]) -> None:
        from faultinject.store.contents import ResettableStore

        self.requests = 0
        self._store = ResettableStore(vendor, endpoints=endpoints)

    def start(self) -> str:
        """Serve on a free port of this machine."""
        from faultinject.adapters.wsgi import wrap
        from faultinject.cli import listening
        from faultinject.injector.injector import Injector

        sock = listening.listen("127.0.0.1", 0)
        url = listening.url_of(sock)
        self._server = listening.wsgi_server(wrap(self._answer, Injector([], environ={})), sock)
        listening.in_thread(self._server)
        return url

    def empty(self) -> None:
        """Put a new store in the place of the old one."""
        self._store.reset()

    def holds(self) -> Holdings:
        """The objects; a request that a killed client has left under way ends first."""
        from faultinject.testing.exploration.holdings import holdings_of

        return holdings_of(self._store)

    def broken(self) -> str:
        """Never: it is in this process."""
        return ""

    def stop(self) -> None:
        """Close the listening socket and the connections."""
        self._server.shutdown()
        self._server.server_close()

    def _answer(self, environ: Any, start_response: Any) -> Any:
        self.requests += 1
        return self._store(environ, start_response)


class Proxied:
    """A real service behind the proxy; what is in it stays there.

    Args:
        target: the service.
        rewrite_host: whether it gets its own Host.
        injector: whose faults are in front of it; None: none.
        certificate: what clients' connections are encrypted with, or None.
    """

    def __init__(
        self,
        target: Target,
        *,
        rewrite_host: bool,
        injector: Injector | None = None,
        certificate: Certificate | None = None,
    ) -> None:
        from faultinject.injector.injector import Injector
        from faultinject.proxy.app import Proxy

        self._target = target
        self._injector = Injector([], environ={}) if injector is None else injector
        self._certificate = certificate
        self._proxy = Proxy(target, rewrite_host=rewrite_host, notice=self._note)
        self.requests = 0
        self._under_way = 0
        self._asked: set[_Asked] = set()
        self._ended = threading.Condition()
        self._broken: list[Broken] = []

    def start(self) -> str:
        """Serve on a free port of this machine."""
        from faultinject.adapters.asgi import wrap
        from faultinject.cli import listening

        app = self._counted(wrap(self._answer, self._injector))
        self._server = listening.proxy_server(app, self._target, self._certificate)
        sock = listening.listen("127.0.0.1", 0)
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [sock]}, daemon=True)
        self._thread.start()
        return listening.url_of(sock, "http" if self._certificate is None else "https")

    def empty(self) -> None:
        """Nothing can be said of what is in a service of somebody else; `--reset` prepares it."""

    def holds(self) -> None:
        """Nobody can tell; but no request that a killed client has left is under way any more, nor noted later."""
        with self._ended:
            self._ended.wait_for(lambda: not self._under_way, SETTLED)

    def broken(self, *, ends: int = 0) -> str:
        """Why the service had no whole answer to a request since the last call; empty where it had.

        Args:
            ends: connections that it may have ended instead, as any does with one that was idle.
        """
        found, self._broken = self._broken, []
        ended = sum(each.reset is not None for each in found)
        return next((str(each) for each in found if each.reset is None or ended > ends), "")

    @property
    def owed(self) -> int:
        """How many requests the service has, and has not begun to answer."""
        return sum(each.owed for each in list(self._asked))

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
            if scope["type"] != "http":
                await app(scope, receive, send)
                return
            with self._ended:
                self._under_way += 1
            try:
                await app(scope, receive, send)
            finally:
                with self._ended:
                    self._under_way -= 1
                    self._ended.notify_all()

        return counted

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._proxy(scope, receive, send)
            return
        self.requests += 1
        asked = _Asked()
        self._asked.add(asked)
        try:
            await self._proxy(scope, partial(asked.receive, receive), partial(asked.send, send))
        finally:
            self._asked.discard(asked)


class _Asked:
    """A request that goes on to a service.

    Attributes:
        owed: whether the service has all of it, and has not begun to answer.
    """

    def __init__(self) -> None:
        self.owed = self._begun = False

    async def receive(self, receive: Receive) -> Message:
        """What comes of the client."""
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body", False):
            self.owed = not self._begun
        return message

    async def send(self, send: Send, message: Message) -> None:
        """What the service says."""
        self.owed, self._begun = False, True
        await send(message)


def dialect_of(vendor: str | None, target: Target) -> str | None:
    """Who is asked: the vendor that was named, else the first to whose endpoints the server belongs, else None."""
    from faultinject import vendors
    from faultinject.vendors.addressing import host_bucket

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
    import asyncio
    import ssl

    from faultinject.exceptions import ConfigurationError
    from faultinject.proxy.upstream import Broken, Upstream

    async def connect() -> None:
        context = ssl.create_default_context() if target.tls else None
        (await Upstream.open(target, context, set())).leave()

    try:
        asyncio.run(connect())
    except Broken as broken:
        raise ConfigurationError(f"--to: {broken}") from None
