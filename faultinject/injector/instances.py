"""All injectors of this process: which of them overrides others, and what happens at a fork."""

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
"""Seconds for which a process waits, at its end, for faults under way."""

living: WeakSet[Any] = WeakSet()
# The injectors that wrap no app: they only override others, or their app was unwrapped.
_unwrapped: WeakSet[Any] = WeakSet()
_injector_count = Counter()
_overrides: list[Any] = []
# Reentrant, as a thread that holds it may fork, and injectors change before a fork. Its holder never waits: see
# `faultinject.locks`.
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
                injector.apply_override(_last_override(injector))


def enter(injector: Injector) -> None:
    """Add an injector."""
    with _lock:
        _injector_count.next()
        living.add(injector)
        injector.apply_override(_last_override(injector))


def _last_override(injector: Injector) -> Injector | None:
    """The last override of this injector."""
    return next(
        (override for override in reversed(_overrides) if override.overrides in (None, injector)), None
    )


def all_injectors() -> list[Any]:
    """All injectors, in a list that another thread does not change."""
    with _lock:
        return list(living)


def injected() -> int:
    """The number of faults injected by this process; injectors with one store count once."""
    return sum({injector.counted_in: injector.injected for injector in all_injectors()}.values())


def entered() -> int:
    """The number of injectors in this process so far."""
    return _injector_count.value


def may_wrap_an_app() -> bool:
    """Whether an injector wraps an app, or may; an injector that only overrides others does not."""
    with _lock:
        return any(injector not in _unwrapped for injector in living)


def note_unwrapped(injector: Injector) -> None:
    """Note that an injector no longer wraps an app."""
    with _lock:
        _unwrapped.add(injector)


def add_override(injector: Injector) -> None:
    """Let an injector's plan override those of all others."""
    with changes():
        _unwrapped.add(injector)
        _overrides.append(injector)


def remove_override(injector: Injector) -> None:
    """End an override; nothing happens if a fork has ended it already."""
    with changes(), suppress(ValueError):
        _overrides.remove(injector)


def look() -> None:
    """Look for changes by other processes, while a request waits."""
    for injector in all_injectors():
        if injector.follows:
            with suppress(Exception):  # the next request gets the same error, and logs it
                injector.catch_up()


def let_all_follow() -> None:
    """Let every injector of this process follow the changes of other processes."""
    for injector in all_injectors():
        injector.follow()


def follower() -> Follower | None:
    """The follower of the session in which this process takes part, or None."""
    return _follower


def follow(new: Follower, *, alone: bool = False) -> None:
    """Take part in a session from now on; with `alone` all overrides so far end."""
    global _follower  # noqa: PLW0603
    _follower = new
    if alone:
        with changes():
            _overrides.clear()


def finish_before_journals() -> None:
    """End the waits of this process at its exit, before its journals get their last line.

    Requests under way get a moment in between.
    """
    from faultinject.journal.endings import at_exit

    if _finish not in at_exit:
        at_exit.append(_finish)


def _finish() -> None:
    from time import monotonic, sleep

    last = monotonic() + PATIENCE
    injectors = all_injectors()
    while sum(max(0, injector.finish()) for injector in injectors) and monotonic() < last:
        sleep(0.01)


def _before_fork() -> None:
    if not forks_alone(sys._getframe().f_back):  # noqa: SLF001 - nothing else says who forks
        for injector in all_injectors():
            injector.before_fork()


def _after_fork() -> None:
    global _lock  # noqa: PLW0603
    _lock = RLock()
    if _follower is not None:
        _follower.after_fork()
    alone = forks_alone(sys._getframe().f_back)  # noqa: SLF001 - as above
    for injector in all_injectors():
        injector.after_fork(alone=alone)


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows does not fork
    os.register_at_fork(before=_before_fork, after_in_child=_after_fork)
