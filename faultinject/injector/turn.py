"""Who changes what is in force: one thread at a time, and the handler of a signal that came to it meanwhile."""

from __future__ import annotations

from threading import Lock, get_ident

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType


class Turn:
    """`with turn:` no other thread has it; a greenlet of gevent is a thread, which for `RLock` it is not."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._owner = 0
        self._depth = 0

    def take(self, *, wait: bool = True) -> bool:
        """Begin one's turn; no when another thread has it and is not waited for."""
        me = get_ident()
        if self._owner != me:
            if not self._lock.acquire(wait):
                return False
            self._owner = me
        self._depth += 1
        return True

    def end(self) -> None:
        """The turn is over."""
        self._depth -= 1
        if not self._depth:
            self._owner = 0
            self._lock.release()

    def __enter__(self) -> None:
        self.take()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()
