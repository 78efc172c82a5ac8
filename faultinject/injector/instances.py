"""Every injector of this process: what stands in the place of them all, and what a fork does to them."""

from __future__ import annotations

import os
import sys
from _thread import RLock
from _weakrefset import WeakSet  # what weakref hands out, at half the start-up time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from faultinject.counts.processes import forks_alone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultinject.injector.injector import Injector
    from faultinject.injector.session_sync import Follower

PATIENCE = 1.0
"""Seconds that a process waits at its end for faults that are under way."""

living: WeakSet[Any] = WeakSet()
# Those that are around nothing: they have stood in the place of the others, or what they were around is untouched again.
_bare: WeakSet[Any] = WeakSet()
_entered = 0
_overrides: list[Any] = []
# Of one thread again and again: a fork may come while it is held, and other injectors change before that. Nobody waits under it:
# `faultinject.locks`.
_lock = RLock()
_follower: Follower | None = None


@contextmanager
def changes() -> Iterator[None]:
    """What is in force changes, and at the end every injector knows."""
    with _lock:
        try:
            yield
        finally:
            first = _overrides[-1] if _overrides else None
            for each in living:
                each.settle(first)


def enter(injector: Injector) -> None:
    """One more injector."""
    global _entered  # noqa: PLW0603
    with _lock:
        _entered += 1
        living.add(injector)
        injector.settle(_overrides[-1] if _overrides else None)


def everyone() -> list[Any]:
    """The injectors of this moment: another thread may add one while somebody goes through them."""
    with _lock:
        return list(living)


def injected() -> int:
    """How many faults the injectors of this process have injected; one store of several of them counts once."""
    by_place: dict[object, int] = {each.counted_in: each.injected for each in everyone()}
    return sum(by_place.values())


def entered() -> int:
    """How many injectors there were in this process so far."""
    return _entered


def reaches_something() -> bool:
    """Whether an injector is around something, or may be; one that only stands in the place of others is not."""
    with _lock:
        return any(each not in _bare for each in living)


def lay_bare(injector: Injector) -> None:
    """An injector is around nothing any more."""
    with _lock:
        _bare.add(injector)


def put_first(injector: Injector) -> None:
    """Let an injector's plan stand in the place of every other's."""
    with changes():
        _bare.add(injector)
        _overrides.append(injector)


def take_away(injector: Injector) -> None:
    """Its end; nothing where a fork has ended it already."""
    with changes(), suppress(ValueError):
        _overrides.remove(injector)


def look() -> None:
    """See, for what waits, what other processes have put in force."""
    for each in everyone():
        if each.follows:
            with suppress(Exception):  # requests meet it as well, and tell
                each.catch_up()


def let_all_follow() -> None:
    """Let every injector of this process follow what other processes put in force."""
    for each in everyone():
        each.follow()


def follower() -> Follower | None:
    """What keeps this process at what a session has in force, if it takes part in one."""
    return _follower


def follow(found: Follower, *, alone: bool = False) -> None:
    """From now on this process takes part in a session; `alone`: what stood first so far is over."""
    global _follower  # noqa: PLW0603
    _follower = found
    if alone:
        with changes():
            _overrides.clear()


def finish_first() -> None:
    """At its end this process ends its waits, and gives what is under way a moment, before its journals are closed."""
    from faultinject.journal.endings import before

    if _finish not in before:
        before.append(_finish)


def _finish() -> None:
    from time import monotonic, sleep

    last = monotonic() + PATIENCE
    injectors = everyone()
    while sum(max(0, each.finish()) for each in injectors) and monotonic() < last:
        sleep(0.01)


def _before_fork() -> None:
    if not forks_alone(sys._getframe().f_back):  # noqa: SLF001 - nothing else says who forks
        for each in everyone():
            each.before_fork()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = RLock()
    if _follower is not None:
        _follower.after_fork()
    alone = forks_alone(sys._getframe().f_back)  # noqa: SLF001 - as above
    for each in everyone():
        each.after_fork(alone=alone)


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
