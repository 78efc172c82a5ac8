"""All injectors of this process, their overrides, and the effects of a fork on them."""

from __future__ import annotations

import os
import sys
from _thread import RLock
from _weakrefset import WeakSet  # the class that weakref exports, at half the start-up time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from faultinject.counts.processes import forks_alone
from faultinject.engine.counting import Counter

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faultinject.injector.injector import Injector
    from faultinject.injector.session_sync import Follower

PATIENCE = 1.0
"""Seconds that a process waits at its end for faults under way."""

living: WeakSet[Any] = WeakSet()
# The injectors without an app: they override others, or their app was unwrapped.
_bare: WeakSet[Any] = WeakSet()
_entered = Counter()
_overrides: list[Any] = []
# Reentrant: a thread that holds it may fork, and injectors change before a fork. Nobody waits under it
# (`faultinject.locks`).
_lock = RLock()
_follower: Follower | None = None


@contextmanager
def changes() -> Iterator[None]:
    """Change the overrides in a block; at its end every injector applies them."""
    with _lock:
        try:
            yield
        finally:
            for injector in living:
                injector.settle(_first_over(injector))


def enter(injector: Injector) -> None:
    """Add an injector."""
    with _lock:
        _entered.next()
        living.add(injector)
        injector.settle(_first_over(injector))


def _first_over(injector: Injector) -> Injector | None:
    """The last override of this injector."""
    return next((override for override in reversed(_overrides) if override.over in (None, injector)), None)


def everyone() -> list[Any]:
    """All injectors of this moment, in a list that another thread does not change."""
    with _lock:
        return list(living)


def injected() -> int:
    """The number of faults injected by this process; a store of several injectors counts once."""
    return sum({injector.counted_in: injector.injected for injector in everyone()}.values())


def entered() -> int:
    """The number of injectors in this process so far."""
    return _entered.value


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
    for injector in everyone():
        if injector.follows:
            with suppress(Exception):  # a request that meets the error logs it
                injector.catch_up()


def let_all_follow() -> None:
    """Let every injector of this process follow the changes of other processes."""
    for injector in everyone():
        injector.follow()


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
    from faultinject.journal.endings import at_exit

    if _finish not in at_exit:
        at_exit.append(_finish)


def _finish() -> None:
    from time import monotonic, sleep

    last = monotonic() + PATIENCE
    injectors = everyone()
    while sum(max(0, injector.finish()) for injector in injectors) and monotonic() < last:
        sleep(0.01)


def _before_fork() -> None:
    if not forks_alone(sys._getframe().f_back):  # noqa: SLF001 - nothing else says who forks
        for injector in everyone():
            injector.before_fork()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = RLock()
    if _follower is not None:
        _follower.after_fork()
    alone = forks_alone(sys._getframe().f_back)  # noqa: SLF001 - as above
    for injector in everyone():
        injector.after_fork(alone=alone)


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
