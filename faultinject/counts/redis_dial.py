"""Connections that nobody waits for longer than a moment, whatever they take.

Looking up a host's name has no time limit, and each step behind it (its addresses, encryption, the password) has one of its own.
"""

from __future__ import annotations

import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


class Dial:
    """Makes each connection on a thread of its own, which ends with it.

    Args:
        connect: makes a connection, however long that takes; the seconds for which it tries again are given.
        keep: takes one that came too late for who wanted it.
    """

    def __init__(self, connect: Callable[[float], Any], keep: Callable[[Any], object]) -> None:
        self._connect = connect
        self._keep = keep
        # Looked up now: what gevent makes of it in a worker holds for this process.
        self._lock = threading.Lock()
        self._late = 0

    def connection(self, patience: float) -> Any:
        """A new connection; one that is late is kept, and until it is there nobody waits for another.

        Args:
            patience: seconds.

        Raises:
            TimeoutError: it takes longer, or an earlier one still does.
        """
        if self._late:
            raise TimeoutError("an earlier connection is still being made")
        call = _Call()
        try:
            threading.Thread(
                target=self._run, args=(call, patience), name="faultinject redis", daemon=True
            ).start()
        except RuntimeError:  # there is no room for one, or the interpreter ends
            return self._connect(patience)
        if not call.over.wait(patience):
            with self._lock:
                if not call.over.is_set():  # pragma: no branch - it came just now
                    call.late = True
                    self._late += 1
                    raise TimeoutError("no connection in time")
        if call.error is not None:
            raise call.error
        return call.connection

    def _run(self, call: _Call, patience: float) -> None:
        try:
            call.connection = self._connect(patience)
        except Exception as error:
            call.error = error
        with self._lock:
            call.over.set()
            if not call.late:
                return
            self._late -= 1
        if call.connection is not None:
            self._keep(call.connection)


class _Call:
    """One connection, and whether anybody waits for it."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self.late = False
        self.connection: Any = None
        self.error: Exception | None = None
