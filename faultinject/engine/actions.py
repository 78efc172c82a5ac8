"""The actions of the engine, a closed set; an adapter carries out one for each request."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from faultinject.engine.answers import Respond
from faultinject.engine.entry import Entry
from faultinject.engine.request import Request

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.engine.filters import Filter


@dataclass(slots=True, eq=False, repr=False)
class Pass:
    """Let the app answer.

    Attributes:
        entry: the request's entry in the journal.
        did: `passed`; `refused` if too many faults are under way; `failed` after an error in faultinject.
    """

    entry: Entry
    did: str = "passed"


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Forward:
    """Let the app answer, and change how its answer travels.

    Attributes:
        entry: the request's entry in the journal.
        after: whether the wait is after the app has run, before its answer is sent.
        delay: seconds to wait.
        filter: changes the answer, or None.
        upload: the number of bytes of the request's body that the app reads before the wait; None: the wait is not in
            the body.
    """

    entry: Entry = field(kw_only=False)
    after: bool
    delay: float
    filter: Filter | None = None
    upload: int | None = None

    @property
    def did(self) -> str:
        """The action to record, a value of `Did`."""
        if self.upload is not None:
            return "stalled"
        return "delayed" if self.filter is None else self.filter.did


@dataclass(slots=True, eq=False, repr=False)
class Disconnect:
    """End the connection without an answer.

    Attributes:
        entry: the request's entry in the journal.
        instead: the answer if the server gives no access to the connection; its `when`, `drain` and `delay` also
            apply to the end.
        how: the kind of end: `reset` or `closed`.
        held: seconds in which nothing happens before the end, for a hang; None: no such wait.
    """

    entry: Entry
    instead: Respond
    how: str
    held: float | None


Action = Pass | Respond | Forward | Disconnect
# Makes the action of a fault for a request; the digest is the source of all its draws.
Act = Callable[[Request, Entry, bytes], Action]
