"""Deciding on a thread of its own, where the counts are on a server: the event loop goes on meanwhile."""

from __future__ import annotations

from collections.abc import Sequence

from anyio import CapacityLimiter
from anyio.lowlevel import RunVar
from anyio.to_thread import run_sync

from faultinject.engine.actions import Action, Pass
from faultinject.engine.counting import Counter
from faultinject.engine.exchange import Injection
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
    action: Action | None = None
    # The thread goes on where the client has left: what it decides then, whoever comes to its end last returns.
    ended = Counter()

    def make() -> None:
        nonlocal action
        action = plan.decide(request, candidates)
        if action is not None and not isinstance(action, Pass) and action.entry.take is not None:
            action.entry.take.beside = True
        if ended.next():
            _undo(plan, action)

    try:
        limiter = _limiter.get()
    except LookupError:
        limiter = CapacityLimiter(THREADS)
        _limiter.set(limiter)
    try:
        await run_sync(make, limiter=limiter)
    except BaseException:
        if ended.next():
            _undo(plan, action)
        raise
    return action


def _undo(plan: Plan, action: Action | None) -> None:
    """Nobody is left to carry it out."""
    if action is not None and not isinstance(action, Pass):
        with Injection(plan, action.entry):
            pass  # what is not given is returned at its end: the count, and the slot
