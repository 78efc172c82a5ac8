"""Deciding on a thread of its own, where the counts are on a server: the event loop goes on meanwhile."""

from __future__ import annotations

from threading import Lock

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from anyio.to_thread import run_sync

from faultinject.engine.actions import Pass
from faultinject.engine.counting import Take
from faultinject.engine.exchange import undo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.engine.actions import Action
    from faultinject.engine.plan import Plan
    from faultinject.engine.request import Request

THREADS = 100
"""Requests that ask at a time. The threads that an app may have for its own work are others."""
_limiter: RunVar[CapacityLimiter] = RunVar("faultinject")


async def decide(plan: Plan, request: Request, candidates: Sequence[int]) -> Action | None:
    """As `Plan.decide`, while the event loop goes on.

    A thread costs what an asynchronous client of the server does, serves every event loop, and takes the same way as WSGI does.

    Raises:
        StoreUnavailable: the counts cannot be had.
    """
    decision = _Decision(plan, request, candidates)
    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(THREADS)
        _limiter.set(limiter)
    try:
        await run_sync(decision.make, limiter=limiter)
    except BaseException:
        decision.abandon()
        raise
    return decision.action


class _Decision:
    """What is decided for one request; nothing of it stays where nobody is left to carry it out."""

    def __init__(self, plan: Plan, request: Request, candidates: Sequence[int]) -> None:
        self.action: Action | None = None
        self._plan = plan
        self._request = request
        self._candidates = candidates
        self._lock = Lock()
        self._abandoned = False

    def make(self) -> None:
        """Decide."""
        action = self._plan.decide(self._request, self._candidates)
        if action is not None and not isinstance(action, Pass) and (take := action.entry.take) is not None:
            action.entry.take = Take(take.rule, take.scope, take.times, beside=True)
        with self._lock:
            self.action = action
            abandoned = self._abandoned
        if abandoned:
            self._undo()

    def abandon(self) -> None:
        """The client has left, and with it the task that would have carried it out."""
        with self._lock:
            self._abandoned = True
            made = self.action is not None
        if made:
            self._undo()

    def _undo(self) -> None:
        action = self.action
        if action is not None and not isinstance(action, Pass):
            undo(self._plan, action.entry, "failed")
            self._plan.services.finish()
