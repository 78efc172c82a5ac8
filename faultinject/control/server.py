"""The control API on an address of its own: one thread of one process of all that serve an app.

The process that binds the address first has it. The others try again, and one of them has it when the first one ends.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import contextmanager
from errno import EADDRINUSE
from time import monotonic

from faultinject.control.access import Access
from faultinject.control.limits import LIMITS
from faultinject.control.tokens import random_token
from faultinject.counts.processes import is_reloaded
from faultinject.journal import log
from faultinject.server.connections import THREAD, quiet

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    import uvicorn

    from faultinject.injector.injector import Injector

_server: Server | None = None
_refuse: Callable[[str, int, OSError], Exception] | None = None
"""What is raised where no other process may have the address; None where others may."""
_supervises = False
"""Whether this process has loaded the app, and lets another one serve it until a file changes."""


def serve(injector: Injector) -> None:
    """Let this process serve the control API when no other does; the first injector that asks has it."""
    global _server  # noqa: PLW0603
    if _server is None:
        made = Server(injector)
        if _refuse is not None:
            made.bind_now(_refuse)
        _server = made
        # What a reloader has started gives its own environment on, to processes that do not serve in its place.
        if not is_reloaded():
            sys.addaudithook(_watch_for_a_reloader)
        if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
            os.register_at_fork(after_in_child=_after_fork)
        if not _is_preloaded():
            _server.start()


@contextmanager
def only_here(refuse: Callable[[str, int, OSError], Exception]) -> Iterator[None]:
    """For its block, no other process serves the same app: an address that cannot be had at once is an error.

    Args:
        refuse: the error for a host, a port, and what the system says of them.
    """
    global _refuse  # noqa: PLW0603
    _refuse = refuse
    try:
        yield
    finally:
        _refuse = None


def _after_fork() -> None:
    """A child has no thread of its parent, and must not keep the address when that one ends."""
    global _supervises  # noqa: PLW0603
    _supervises = False
    assert _server is not None  # else this is not registered
    _server.let_go()
    _server.start()


def _is_preloaded() -> bool:
    """Whether gunicorn's master loads the app: its workers are forked from it, and serve."""
    frame = sys._getframe()  # noqa: SLF001 - nothing else tells
    while frame is not None:
        if frame.f_globals.get("__name__") == "gunicorn.arbiter" and frame.f_code.co_name == "setup":
            return True
        frame = frame.f_back  # type: ignore[assignment]  # None at the end
    return False


def _watch_for_a_reloader(event: str, arguments: tuple[Any, ...]) -> None:  # pragma: no cover - not traced
    """See Flask's or Django's reloader start the process that serves. To look at the frames of its thread can crash CPython."""
    global _supervises  # noqa: PLW0603
    if event == "subprocess.Popen" and isinstance(environ := arguments[3], dict):
        _supervises = _supervises or is_reloaded(environ)


class Server:
    """The thread that has the address, or waits for it.

    Args:
        injector: what is looked at and changed.

    Attributes:
        url: where it answers; empty while another process has the address.
        access: who may ask; by the same token in each process of the server.

    Raises:
        ConfigurationError: they cannot agree on a random token.
    """

    def __init__(self, injector: Injector) -> None:
        assert injector.control is not None
        self.injector = injector
        self.settings = injector.control
        self.url = ""
        token = self.settings.token or random_token(self.settings.place)[0]
        self.access = Access(self.settings, token)
        self._pid = 0
        self._ended = threading.Event()
        self._answers: uvicorn.Server | None = None
        # Connections without a request, and since when.
        self._silent: dict[Any, float] = {}
        self._listening: socket.socket | None = None

    def start(self) -> None:
        """Begin, unless it has in this process."""
        if self._pid == os.getpid():
            return
        self._pid = os.getpid()
        self._ended = threading.Event()
        threading.Thread(target=self._run, args=(self._ended,), name=THREAD, daemon=True).start()

    def bind_now(self, refuse: Callable[[str, int, OSError], Exception]) -> None:
        """Take the address before the thread begins; a port 0 becomes the one that was free.

        Args:
            refuse: the error to raise where it cannot be had.
        """
        try:
            self.settings.port = self._bind().getsockname()[1]
        except OSError as error:
            raise refuse(self.settings.host, self.settings.port, error) from None

    def stop(self) -> None:
        """Let go of the address; what is under way gets a second."""
        self._ended.set()
        if self._answers is not None:
            self._answers.should_exit = True

    def let_go(self) -> None:
        """In a child: the socket is the parent's."""
        listening, self._listening = self._listening, None
        if listening is not None:
            listening.close()

    def _run(self, ended: threading.Event) -> None:
        while not ended.is_set() and not _supervises:
            try:
                found = self._bind()
            except OSError as error:
                if error.errno != EADDRINUSE:
                    log.refused(
                        OSError(f"FAULTINJECT_CONTROL: {self.settings.place}: {error.strerror or error}")
                    )
                    return
                ended.wait(LIMITS.again)
                continue
            try:
                self._serve(found)
            except Exception as error:  # the app goes on without
                log.refused(error)
                return
            finally:
                self.url = ""
                found.close()
            ended.wait(LIMITS.again)

    async def _look(self) -> None:
        """Each second: a process may begin to supervise when it has the address; and nobody holds a connection for nothing."""
        answers = self._answers
        assert answers is not None
        if _supervises:
            answers.should_exit = True
        self._end_silent(answers.server_state.connections)

    def _end_silent(self, connections: Any) -> None:
        """End connections whose client does not send a whole request: some dozens of them would keep all others out."""
        now = monotonic()
        silent = [each for each in connections if each.cycle is None or each.cycle.response_complete]
        self._silent = {each: self._silent.get(each, now) for each in silent}
        for each, since in self._silent.items():
            if now - since > LIMITS.patience:
                each.transport.abort()

    def _bind(self) -> socket.socket:
        if self._listening is not None and self._listening.fileno() >= 0:  # since before the thread began
            return self._listening
        host, port = self.settings.host, self.settings.port
        family, _, _, _, address = socket.getaddrinfo(
            host, port, 0, socket.SOCK_STREAM, 0, socket.AI_PASSIVE
        )[0]
        found = socket.socket(family, socket.SOCK_STREAM)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(address)
            found.listen(32)
        except OSError:
            found.close()
            raise
        self._listening = found
        return found

    def _serve(self, listening: socket.socket) -> None:
        import uvicorn

        from faultinject.control.app import make_app

        host, port = listening.getsockname()[:2]
        place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        log.control(f"http://{place}/", self.access.token if self.settings.token is None else None)
        config = uvicorn.Config(
            make_app(self.injector, self.access),
            loop="asyncio",
            http="h11",
            ws="none",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=LIMITS.connections,
            h11_max_incomplete_event_size=1 << 16,
            timeout_graceful_shutdown=1,
            callback_notify=self._look,
            timeout_notify=1,
        )
        quiet()
        self._answers = uvicorn.Server(config)
        self.url = f"http://{place}"
        self._answers.run(sockets=[listening])
