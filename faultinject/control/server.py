"""Serves the control API on an address of its own, on a thread of one of the processes.

The process that binds the address first serves it. The others go on trying, and one of them takes over when the first
one ends.
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
"""Makes the socket while a block of `require_address` runs; else None."""


def serve(injector: Injector) -> None:
    """Serve the first injector's control API, unless another process has the address."""
    global _server  # noqa: PLW0603
    if _server is None:
        server = ControlServer(injector)
        if _listen is not None:
            server.bind_now(_listen)
        _server = server
        if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
            os.register_at_fork(after_in_child=_start_in_child)
        # If gunicorn's master loads the app, its workers serve.
        if "gunicorn.arbiter" not in sys.modules or common_process() != os.getpid():
            _server.start()


@contextmanager
def require_address(listen: Callable[[str, int], socket.socket]) -> Iterator[None]:
    """Raise an error for an unavailable address inside the block, instead of waiting for it.

    Args:
        listen: makes the socket for a host and a port, or raises that error.
    """
    global _listen  # noqa: PLW0603
    _listen = listen
    try:
        yield
    finally:
        _listen = None


def _start_in_child() -> None:
    """Start a thread in a forked child, which has no threads of its parent.

    The child closes its copy of the parent's socket, which would occupy the address after the parent's end.
    """
    assert _server is not None  # else this is not registered
    _server.close_socket()
    worker = sys.modules.get("gunicorn.workers.ggevent")
    if worker is None or worker.monkey.is_module_patched("threading"):
        _server.start()
    else:  # gevent is about to patch this worker, which would change the functions of a running thread
        from gevent.events import subscribers

        subscribers.append(_start_after_patch)


def _start_after_patch(event: object) -> None:
    if type(event).__name__ == "GeventDidPatchAllEvent":
        assert _server is not None
        _server.start()


def _only_watches_files() -> bool:
    """Whether this process only watches files for Flask's reloader; another one serves the app."""
    return "werkzeug._reloader" in sys.modules and not is_reloaded()


class ControlServer:
    """A thread that serves the address, or waits until it is free.

    Args:
        injector: the injector that is shown and changed.

    Attributes:
        url: its URL; empty while another process has the address.
        access: decides on the access; all processes of the server have the same token.
        retry_seconds: seconds between two attempts to bind an address that another process has.
        limits: the limits of its connections, as they use files and threads of the app's process.

    Raises:
        ConfigurationError: the processes cannot agree on a random token.
    """

    retry_seconds = 1.0
    limits = Limits(connections=32, request=10.0)

    def __init__(self, injector: Injector) -> None:
        assert injector.control is not None
        self.settings = injector.control
        self.url = ""
        self.access = Access(self.settings)
        self._api = ControlApi(injector, self.access)
        self._ended = threading.Event()
        self._listening: socket.socket | None = None
        injector.share_outcomes()

    def start(self) -> None:
        """Start the thread in this process."""
        self._ended = threading.Event()
        threading.Thread(
            target=self._run, args=(self._ended,), name="faultinject control", daemon=True
        ).start()

    def bind_now(self, listen: Callable[[str, int], socket.socket]) -> None:
        """Bind the address before the thread begins; port 0 becomes the port that was free.

        Args:
            listen: makes the socket for a host and a port.
        """
        self._listening = listen(self.settings.host, self.settings.port)
        self.settings.port = self._listening.getsockname()[1]

    def stop(self) -> None:
        """Release the address; calls under way get two seconds."""
        self._ended.set()

    def close_socket(self) -> None:
        """Close the socket, for example in a child, whose parent still listens."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()

    def _run(self, ended: threading.Event) -> None:
        while not ended.is_set() and not _only_watches_files():
            try:
                self._listening = self._listening or listening_socket(self.settings.host, self.settings.port)
            except OSError as error:
                if error.errno != EADDRINUSE:
                    reason = error.strerror or error
                    # The control API's own address cannot be listened on.
                    log.error("faultinject: FAULTINJECT_CONTROL: %s: %s", self.settings.place, reason)
                    return
                ended.wait(self.retry_seconds)
                continue
            self._serve(self._listening, ended)
            return

    def _serve(self, listening: socket.socket, ended: threading.Event) -> None:
        with Server(
            MountedASGI(self._api, threads=self.limits.connections + 1), sock=listening, limits=self.limits
        ) as server:
            # The control API is ready.
            log.warning(
                "faultinject: the control API is at %s, its token is %s",
                f"{server.url}/",
                f"in {TOKEN}" if self.settings.tokens else self.access.tokens[""],
            )
            self.url = server.url
            while not ended.wait(self.retry_seconds) and not _only_watches_files():
                pass
        self.close_socket()
        self.url = ""
