"""An object store in the test's own process, for tests of code that calls storage."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator, Sequence
from typing import Any, Self

from faultinject.adapters.asgi import wrap
from faultinject.exceptions import ConfigurationError, FaultInjectError
from faultinject.injector.injector import Injector, OwnInjector
from faultinject.rules.environment import read_environment
from faultinject.rules.scenario import Scenario
from faultinject.server.connections import Server
from faultinject.store.asgi import asgi, beneath
from faultinject.store.buckets import Stored
from faultinject.store.stores import find
from faultinject.store.wsgi import MAX_BYTES, ResettableStore

SETTLE_SECONDS = 5.0
"""Seconds to wait for the last request of a killed client to end."""


def own_injector() -> OwnInjector:
    """An injector without rules of its own, for a store.

    It ignores the environment's settings, which are meant for the app under test.
    """
    return OwnInjector(Scenario([]), environ={})


def contents_of(store: ResettableStore) -> dict[str, bytes]:
    """The objects of a store by `/bucket/key`, after the last request of a killed client."""
    from faultinject.testing.exploration.store_comparison import Content  # only explorations compare

    store.wait_until_idle(SETTLE_SECONDS)
    return {
        f"/{bucket}/{key}": Content(b"".join(stored.blocks), stored.headers)
        for (bucket, _, key), stored in store.contents.items()
        if isinstance(stored, Stored)
    }


def store_and_server(
    vendor: str,
    endpoints: Sequence[str],
    injector: Injector,
    *,
    sock: socket.socket | None = None,
    max_bytes: int = MAX_BYTES,
) -> tuple[ResettableStore, Server]:
    """Make a store and its server, which the caller starts.

    The server uses the given socket, or a free port of loopback.
    """
    store = ResettableStore(vendor, endpoints=endpoints, max_bytes=max_bytes)
    return store, Server(beneath(wrap(asgi(store), injector), store), sock=sock)


class Storage:
    """An object store on a free port of loopback, in a thread of this process.

    `faultinject_store("cos")` returns it. The marker, `inject()`, `faults` and exploration reach its requests;
    without any of them all requests pass.

    Args:
        vendor: the vendor whose API it speaks.
    """

    def __init__(self, vendor: str) -> None:
        now = time.time()
        settings = read_environment(os.environ, now=now, rules_given=True, forced=True)
        self._vendor = vendor
        self._row = find(vendor)
        self.injector: Injector = own_injector()
        self.app, self._server = store_and_server(vendor, settings.endpoints, self.injector)
        self._server.start()

    @property
    def vendor(self) -> str:
        """The vendor whose API it speaks, such as `cos`."""
        return self._vendor

    @property
    def url(self) -> str:
        """Its URL, such as `http://127.0.0.1:40123`, without a slash at the end."""
        return self._server.url

    @property
    def host(self) -> str:
        """The address it listens on, `127.0.0.1`."""
        return str(self._server.server_address[0])

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._server.port

    @property
    def client(self) -> str:
        """The constructor of the vendor's Python client that takes `client_kwargs`.

        An example is `qcloud_cos.CosConfig`.
        """
        return self._row.client

    @property
    def client_kwargs(self) -> dict[str, Any]:
        """The arguments of `client`: address and credentials, as a new dict each time.

        The store does not check the credentials.

        Raises:
            MissingExtraError: an argument is an object of the vendor's SDK, which is not installed.
        """
        return self._row.arguments(self.host, self.port)

    def reset(self) -> None:
        """Restore the contents that the store had at the beginning of the test.

        At that time it has only the objects that fixtures of wider scope have stored. The fixture resets the store at
        the end of each test; a loop over `faults.explore()` has to call this method at the beginning of each run.
        """
        self.app.reset()

    def close(self) -> None:
        """End its threads and connections; the fixture does so at the end of the session."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Storage {self._vendor} {self.url}>"


class StorageFactory:
    """The type of the fixture `faultinject_store`: a function from a vendor to its store.

    There is one store for each vendor and session.
    """

    def __init__(self) -> None:
        self._started: dict[str, Storage] = {}

    def __call__(self, vendor: str) -> Storage:
        """The session's object store that speaks this vendor's dialect, started on first use.

        Args:
            vendor: a vendor's id, such as `cos`.

        Raises:
            UnknownVendorError: there is no such vendor; the message names the nearest.
            ConfigurationError: the embedded store does not speak that vendor's dialect.
        """
        __tracebackhide__ = True
        if not isinstance(vendor, str):
            raise ConfigurationError(f"{vendor!r} is not a vendor; give an id as text, such as 'cos'")
        if vendor not in self._started:
            try:
                self._started[vendor] = Storage(vendor)
            except FaultInjectError as error:
                raise error.with_traceback(None) from None  # so that pytest shows the test's line
        return self._started[vendor]

    def __iter__(self) -> Iterator[Storage]:
        return iter(list(self._started.values()))

    def close(self) -> None:
        """Close all stores."""
        while self._started:
            self._started.popitem()[1].close()
