"""A client of this process: what a driver in Python does with the calls that it is asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Thread
from typing import Any

from faultinject.conformance import plan
from faultinject.conformance.plan import PlannedCall

# From an endpoint and a bucket to an object with some of `put`, `get`, `post`, `complete` (each takes a key) and `close`.
Factory = Callable[[str, str], Any]
# Told the key, whether the caller got a result, and the text of the error.
Tell = Callable[[str, bool, str | None], None]

LONGEST_ERROR = 300
"""Characters that are kept of an error's text."""


class InThreads:
    """Does calls in threads of this process, each in one of its own.

    Args:
        factory: makes a client; called once for each phase, since budgets are kept by client.
        endpoint: the server's URL, without a bucket.
        bucket: where the keys are.
        names: the phases.
        tell: called on the call's thread when it has ended.
    """

    def __init__(
        self, factory: Factory, endpoint: str, bucket: str, names: Sequence[str], tell: Tell
    ) -> None:
        self._clients = {name: factory(endpoint, bucket) for name in names}
        self._tell = tell
        self.kinds = tuple(
            kind for kind in plan.KINDS if all(hasattr(each, kind) for each in self._clients.values())
        )
        self.title: str | None = getattr(factory, "title", None)
        self.failure = ""
        self.said = ""

    def start(self, asked: PlannedCall) -> None:
        """Begin a call."""
        Thread(target=self._do, args=(asked,), daemon=True).start()

    def close(self) -> None:
        """End the clients; a call that goes on cannot be ended."""
        for each in self._clients.values():
            close = getattr(each, "close", None)
            if close is not None:
                close()

    def _do(self, asked: PlannedCall) -> None:
        try:
            getattr(self._clients[asked.phase], asked.kind)(asked.key)
        except Exception as error:
            self._tell(asked.key, False, text_of(error))
        else:
            self._tell(asked.key, True, None)


def text_of(error: BaseException) -> str:
    """An error in one line."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:LONGEST_ERROR]
