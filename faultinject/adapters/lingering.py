"""Connections that end behind an answer while their client may still be sending.

A connection that is closed with unread bytes in it is reset, and the reset may destroy an answer that the client has not
read yet. So our own descriptor outlives the server's: a FIN goes out behind the answer, and what still comes is read and
dropped (https://www.rfc-editor.org/rfc/rfc9112#section-9.6).
"""

from __future__ import annotations

# The bare C module, as gevent does not change it; on Windows, where no connection is found, it has no socketpair.
import _socket
import os
import select
import threading
from time import monotonic

from faultinject.adapters.connection import threads_run
from faultinject.engine.body_digest import LONGEST, MOST

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.adapters.connection import Connection

GRACE = 0.5
"""Seconds in which a server that was told so closes a connection; then we do."""
AT_ONCE = 256
"""Connections that linger at the same time; one more is left to its server alone."""
_FIRST_LOOK = 0.002
_LAST_LOOK = 0.1
_IDLE = 1.0
_READS = 16


class Lingering:
    """One connection that lingers.

    Args:
        connection: ours, beside the server's; released in the end.
        within: seconds in which the server lets go of it; then it is ours all the same.
    """

    def __init__(self, connection: Connection, within: float) -> None:
        self.connection = connection
        self.number = connection.fileno()
        now = monotonic()
        self.due = now
        """When it is to be looked at again, whatever comes."""
        self.served = True
        """Whether the connection is still its server's, and with it what comes."""
        self.hears = False
        """Whether the end of what comes is still ahead."""
        self._pause = _FIRST_LOOK
        self._closes = now + within
        self._over = now + LONGEST
        self._read = 0

    def look(self, now: float) -> bool:
        """See how far it is, and read what has come; no when it is over."""
        if now >= self._over or self._read > MOST:
            # What its server still holds, it may send.
            if not (self.served and self.connection.backlog()):
                self.connection.close()
            return False
        if self.served:
            self.served = self.connection.served()
            if now >= self._closes:
                # The server may never let go of it, nor read what keeps the client waiting.
                self.served = self.served and self.connection.backlog() > 0
            if not self.served:
                self.connection.half_close()
            self._pause = min(2 * self._pause, _LAST_LOOK)
            self.due = min(now + self._pause, max(self._closes, now + _FIRST_LOOK))
        if not self.served:
            self.hears, self.due = True, self._over
            return self._discard(now)
        return True

    def _discard(self, now: float) -> bool:
        try:
            for _ in range(_READS):
                size = self.connection.discard()
                if not size:
                    return self._at_end(now)
                self._read += size
        except BlockingIOError:
            pass
        except OSError:
            return False
        return True

    def _at_end(self, now: float) -> bool:
        """The client has ended its side; or the server has shut ours, and a client waits without end for room to send."""
        half = self.connection.half_ended()
        if half:
            self.connection.reset()
        if half is not None:
            return False
        self.hears, self.due = False, now + _LAST_LOOK
        return True


class Lingerer:
    """The one thread that all these connections have."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._new: list[Lingering] = []
        self._count = 0
        self._bell: _socket.socket | None = None

    def add(self, connection: Connection, within: float) -> None:
        """Take over a connection of ours, and return at once."""
        with self._lock:
            if self._count >= AT_ONCE:
                connection.release()
                return
            self._count += 1
            self._new.append(Lingering(connection, within))
            if self._bell is not None:
                self._bell.send(b"\0")
                return
            try:
                self._start()
            except (OSError, RuntimeError):  # no more descriptors, no more threads
                self._new.clear()
                self._count -= 1
                end_now(connection)

    def _start(self) -> None:
        bell, ear = _socket.socketpair()
        try:
            thread = threading.Thread(
                target=self._run, args=(bell, ear), name="faultinject lingering", daemon=True
            )
            thread.start()
        except RuntimeError:
            bell.close()
            ear.close()
            raise
        self._bell = bell

    def close(self) -> None:
        """Let go of what the thread is woken with."""
        if self._bell is not None:
            self._bell.close()
            self._bell = None

    def _run(self, bell: _socket.socket, ear: _socket.socket) -> None:
        held: list[Lingering] = []
        idle_at = monotonic() + _IDLE
        try:
            while True:
                with self._lock:
                    held += self._new
                    self._new = []
                    if not held and monotonic() >= idle_at:
                        self.close()
                        return
                if held:
                    idle_at = monotonic() + _IDLE
                self._wait(held, ear, idle_at)
                now = monotonic()
                over = [each for each in held if not each.look(now)]
                for each in over:
                    held.remove(each)
                self._let_go(over)
        finally:
            # Whatever happened: the next one that lingers has a thread.
            with self._lock:
                if self._bell is bell:
                    self.close()
            self._let_go(held)
            ear.close()

    def _let_go(self, over: list[Lingering]) -> None:
        for each in over:
            each.connection.release()
        with self._lock:
            self._count -= len(over)

    @staticmethod
    def _wait(held: list[Lingering], ear: _socket.socket, idle_at: float) -> None:
        poll = select.poll()
        poll.register(ear, select.POLLIN)
        for each in held:
            if each.hears:
                poll.register(each.number, select.POLLIN)
        until = min((each.due for each in held), default=idle_at)
        if any(number == ear.fileno() for number, _ in poll.poll(max(0.0, until - monotonic()) * 1000)):
            ear.recv(AT_ONCE)


_lingerer = Lingerer()


def _after_fork() -> None:
    """In the child: no thread, and none of the parent's connections."""
    global _lingerer  # noqa: PLW0603 - the one thread of the process
    _lingerer.close()
    _lingerer = Lingerer()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(after_in_child=_after_fork)


def linger(connection: Connection, within: float = GRACE) -> None:
    """End a connection behind an answer that has left, and read what its client still sends, in the background.

    Args:
        connection: ours, beside the server's; it is released in the end.
        within: seconds in which the server lets go of it; then it is ended all the same.
    """
    if threads_run():
        _lingerer.add(connection, within)
    else:
        end_now(connection)


def end(connection: Connection, *, unread: bool) -> None:
    """End a connection on which an answer was written past its server.

    Args:
        connection: ours, which the caller releases.
        unread: whether something of the request's body is left, which the client may still be sending.
    """
    rest = connection.again() if unread or connection.has_unread() else None
    if unread and rest is not None:
        connection.half_close()
    else:
        connection.close()
    if rest is not None:
        linger(rest, LONGEST)  # the server is still to notice, and may have what comes until then


def end_now(connection: Connection) -> None:
    """End a connection behind an answer where nobody can read what its client still sends."""
    connection.half_close()
    connection.release()
