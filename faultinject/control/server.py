"""The control API on an address of its own: one thread of one of the app's processes.

The process that binds the address first serves it. The others try again, and one of them gets it when the first one
ends.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from errno import EADDRINUSE

from faultinject.control.access import Access
from faultinject.control.api import ControlApi
from faultinject.control.mount import MountedASGI
from faultinject.counts.processes import common_process, is_reloaded
from faultinject.injector.injector import Injector
from faultinject.journal import log
from faultinject.rules.control import TOKEN
from faultinject.server.bounds import Limits
from faultinject.server.connections import Server, listening_socket

_server: ControlServer | None = None
_listen: Callable[[str, int], socket.socket] | None = None
"""Makes the socket, or raises an error, if no other process may have the address; else None."""


def serve(injector: Injector) -> None:
    """Serve the control API, for the first injector that asks, unless another process does."""
    global _server  # noqa: PLW0603
    if _server is None:
        server = ControlServer(injector)
        if _listen is not None:
            server.bind_now(_listen)
        _server = server
        if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
            os.register_at_fork(after_in_child=_after_fork)
        # If gunicorn's master loads the app, its workers serve.
        if "gunicorn.arbiter" not in sys.modules or common_process() != os.getpid():
            _server.start()


@contextmanager
def only_here(listen: Callable[[str, int], socket.socket]) -> Iterator[None]:
    """Serve the app, for the block, in this process alone: an unavailable address is an error.

    Args:
        listen: makes the socket for a host and a port, or raises that error.
    """
    global _listen  # noqa: PLW0603
    _listen = listen
    try:
        yield
    finally:
        _listen = None


def _after_fork() -> None:
    """Start anew in a child, which has no thread of its parent.

    It closes its parent's socket, which would keep the address after the parent's end.
    """
    assert _server is not None  # else this is not registered
    _server.let_go()
    worker = sys.modules.get("gunicorn.workers.ggevent")
    if worker is None or worker.monkey.is_module_patched("threading"):
        _server.start()
    else:  # gevent is about to patch this worker, which would change the functions of a running thread
        from gevent.events import subscribers

        subscribers.append(_start_when_patched)


def _start_when_patched(event: object) -> None:
    if type(event).__name__ == "GeventDidPatchAllEvent":
        assert _server is not None
        _server.start()


def _supervises() -> bool:
    """Whether this process only watches files for Flask's reloader, and another serves the app."""
    return "werkzeug._reloader" in sys.modules and not is_reloaded()


class ControlServer:
    """The thread that serves the address, or waits for it.

    Args:
        injector: the injector that is shown and changed.

    Attributes:
        url: the address where it answers; empty while another process has the address.
        access: decides on the access; each process of the server has the same token.
        again: seconds between two tries for an address that another process has.
        limits: the limits of its connections, which use files and threads of the app's process.

    Raises:
        ConfigurationError: they cannot agree on a random token.
    """

    again = 1.0
    limits = Limits(connections=32, request=10.0)

    def __init__(self, injector: Injector) -> None:
        assert injector.control is not None
        self.settings = injector.control
        self.url = ""
        self.access = Access(self.settings)
        self._api = ControlApi(injector, self.access)
        self._ended = threading.Event()
        self._listening: socket.socket | None = None
        injector.let_watch()

    def start(self) -> None:
        """Start the thread in this process."""
        self._ended = threading.Event()
        threading.Thread(
            target=self._run, args=(self._ended,), name="faultinject control", daemon=True
        ).start()

    def bind_now(self, listen: Callable[[str, int], socket.socket]) -> None:
        """Take the address before the thread begins; a port 0 becomes the one that was free.

        Args:
            listen: makes the socket for a host and a port.
        """
        self._listening = listen(self.settings.host, self.settings.port)
        self.settings.port = self._listening.getsockname()[1]

    def stop(self) -> None:
        """Let go of the address; calls under way get two seconds."""
        self._ended.set()

    def let_go(self) -> None:
        """Close the socket in a child: it is the parent's."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()

    def _run(self, ended: threading.Event) -> None:
        while not ended.is_set() and not _supervises():
            try:
                self._listening = self._listening or listening_socket(self.settings.host, self.settings.port)
            except OSError as error:
                if error.errno != EADDRINUSE:
                    reason = error.strerror or error
                    # The control API's own address cannot be listened on.
                    log.error("faultinject: FAULTINJECT_CONTROL: %s: %s", self.settings.place, reason)
                    return
                ended.wait(self.again)
                continue
            self._serve(self._listening, ended)
            return

    def _serve(self, listening: socket.socket, ended: threading.Event) -> None:
        with Server(
            MountedASGI(self._api, threads=self.limits.connections + 1), sock=listening, limits=self.limits
        ) as served:
            # The control API is ready.
            log.warning(
                "faultinject: the control API is at %s, its token is %s",
                f"{served.url}/",
                f"in {TOKEN}" if self.settings.tokens else self.access.tokens[""],
            )
            self.url = served.url
            while not ended.wait(self.again) and not _supervises():
                pass
        self.let_go()
        self.url = ""
