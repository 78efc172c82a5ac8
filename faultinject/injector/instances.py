"""All injectors of this process, their overrides, and the effects of a fork on them."""

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
# Those that wrap nothing: they have overridden the others, or the app that they wrapped is unwrapped again.
_bare: WeakSet[Any] = WeakSet()
_entered = 0
_overrides: list[Any] = []
# One thread may take it again and again: a fork may come while it is held, and other injectors change before that.
# Nobody waits under it: `faultinject.locks`.
_lock = RLock()
_follower: Follower | None = None


@contextmanager
def changes() -> Iterator[None]:
    """Change the overrides, and let every injector know at the end."""
    with _lock:
        try:
            yield
        finally:
            for injector in living:
                injector.settle(_first_over(injector))


def enter(injector: Injector) -> None:
    """Add an injector."""
    global _entered  # noqa: PLW0603
    with _lock:
        _entered += 1
        living.add(injector)
        injector.settle(_first_over(injector))


def _first_over(injector: Injector) -> Injector | None:
    """The last override that is for this injector."""
    return next((override for override in reversed(_overrides) if override.over in (None, injector)), None)


def everyone() -> list[Any]:
    """All injectors of this moment, as a list: another thread may add one meanwhile."""
    with _lock:
        return list(living)


def injected() -> int:
    """The number of faults injected by this process; a store of several injectors counts once."""
    by_place: dict[object, int] = {injector.counted_in: injector.injected for injector in everyone()}
    return sum(by_place.values())


def entered() -> int:
    """The number of injectors in this process so far."""
    return _entered


def reaches_something() -> bool:
    """Whether an injector wraps an app, or may; one that only overrides others does not."""
    with _lock:
        return any(injector not in _bare for injector in living)


def lay_bare(injector: Injector) -> None:
    """Note that an injector wraps nothing any more."""
    with _lock:
        _bare.add(injector)


def put_first(injector: Injector) -> None:
    """Let an injector's plan override every other's."""
    with changes():
        _bare.add(injector)
        _overrides.append(injector)


def take_away(injector: Injector) -> None:
    """End an override; nothing happens if a fork has ended it already."""
    with changes(), suppress(ValueError):
        _overrides.remove(injector)


def look() -> None:
    """Look for changes by other processes, on behalf of a wait."""
    for each in everyone():
        if each.follows:
            with suppress(Exception):  # requests meet it as well, and tell
                each.catch_up()


def let_all_follow() -> None:
    """Let every injector of this process follow the changes of other processes."""
    for each in everyone():
        each.follow()


def follower() -> Follower | None:
    """The follower that puts a session's scenario in force here, if this process takes part."""
    return _follower


def follow(new: Follower, *, alone: bool = False) -> None:
    """Take part in a session from now on; `alone`: all overrides so far end."""
    global _follower  # noqa: PLW0603
    _follower = new
    if alone:
        with changes():
            _overrides.clear()


def finish_first() -> None:
    """End the waits of this process at its exit, and then close its journals.

    Requests under way get a moment between the two.
    """
    from faultinject.journal.endings import before

    if _finish not in before:
        before.append(_finish)


def _finish() -> None:
    from time import monotonic, sleep

    last = monotonic() + PATIENCE
    injectors = everyone()
    while sum(max(0, injector.finish()) for injector in injectors) and monotonic() < last:
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
