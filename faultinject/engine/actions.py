"""The actions of the engine: a small, closed set; an adapter carries out one a request."""

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
    """The app answers.

    Attributes:
        entry: what goes into the journal.
        did: `passed`; `refused` when too many faults are under way; `failed` after an error of ours.
    """

    entry: Entry
    did: str = "passed"


@dataclass(slots=True, kw_only=True, eq=False, repr=False)
class Forward:
    """Let the app answer, and change how its answer travels.

    Attributes:
        entry: what goes into the journal.
        after: the wait is before the answer goes out, else before the app runs.
        delay: seconds to wait.
        filter: changes the answer on its way, or None.
        upload: bytes of the request's body that the app gets to read before the wait, which is in their middle then;
            None: it is not.
    """

    entry: Entry = field(kw_only=False)
    after: bool
    delay: float
    filter: Filter | None = None
    upload: int | None = None

    @property
    def did(self) -> str:
        """The outcome's word."""
        if self.upload is not None:
            return "stalled"
        return "delayed" if self.filter is None else self.filter.did


@dataclass(slots=True, eq=False, repr=False)
class Disconnect:
    """End the connection without an answer.

    Attributes:
        entry: what goes into the journal.
        instead: the answer where the server does not let us; it also says when, and what is read before.
        how: what to do: `reset` or `closed`.
        held: seconds in which nothing happens first; None: it ends at once.
    """

    entry: Entry
    instead: Respond
    how: str
    held: float | None


Action = Pass | Respond | Forward | Disconnect
# What a fault does to a request that its rule fires for; the digest is where every choice is drawn from.
Act = Callable[[Request, Entry, bytes], Action]
