"""Skips waits, and moves this process's clocks by their length: `fast_forward()`.

A waiting thread checks every 10 ms whether the rest of its wait may be skipped. It may if no other wait ends earlier,
the process computes nothing, and no fault is under way. Then all clocks move to the end of that wait.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from faultinject.engine.plan import Services
from faultinject.exceptions import ConfigurationError
from faultinject.journal.calls import Call

INTERVAL = 0.01
"""Seconds between two checks of a wait: another thread may end it."""
BUSY = 0.2
"""A process that uses at least this share of a processor counts as computing."""
IDLE_CHECKS = 10
"""The idle checks before a retry that show that the client waited by the system's clock.

The checks are 5 * INTERVAL apart. A machine under load makes fewer of them in the same time.
"""
WAIT_FOR_PROCESSES = ("faultinject.", "subprocess")
"""Prefixes of modules whose sleeps wait for another process: these sleeps are not skipped."""


class FastForward:
    """Replaces the clocks of this process, from the constructor to `end()`.

    Threads that run already, such as servers of fixtures, keep the system's clocks, and so do threads of faultinject:
    otherwise their loops would afterwards wait for the skipped time.

    Args:
        services: the services of the injector: they get the same clocks, and count the faults under way.
    """

    def __init__(self, services: Services) -> None:
        self._over = threading.Event()
        self._skipped = 0.0
        self._skips: list[float] = []
        self._idle: list[float] = []
        self._deadlines: list[float] = []
        self._changes = 0
        self._lock = threading.Lock()
        self._others = set(threading.enumerate()) - {threading.current_thread()}
        self._sleepers: list[object] = []
        self._replaced: list[tuple[type, str, object]] = []
        self._sleep, self._monotonic, wall = time.sleep, time.monotonic, time.time
        self._services, self._clocks = services, (services.clock, services.monotonic)
        services.clock, services.monotonic = (lambda: wall() + self._skipped), self._now
        self._names: dict[object, object] = {
            time.sleep: self._sleep_or_skip,
            asyncio.sleep: self._sleep_in_loop(asyncio.sleep),
            dt.datetime: _shifted_class(dt.datetime),
            **{clock: self._shift(clock, float) for clock in (time.time, time.monotonic, time.perf_counter)},
            **{
                clock: self._shift(clock, lambda seconds: int(seconds * 1e9))
                for clock in (time.time_ns, time.monotonic_ns, time.perf_counter_ns)
            },
        }
        if "trio" in sys.modules:
            from trio import sleep_until

            self._names[sleep_until] = self._sleep_in_trio(sleep_until)
        _replace(self._names)
        self._replace_method(threading.Condition, "wait", self._wait_on_condition(threading.Condition.wait))
        self._watcher = threading.Thread(target=self._watch, name="faultinject fast_forward", daemon=True)
        self._watcher.start()

    def end(self) -> None:
        """Restore the system's clocks."""
        self._over.set()
        self._watcher.join()
        self._services.clock, self._services.monotonic = self._clocks
        for owner, name, real in self._replaced:
            setattr(owner, name, real)
        _replace({new: old for old, new in self._names.items()})

    def check(self, calls: Iterable[Call]) -> None:
        """Check that the client's waits were skipped.

        Raises:
            ConfigurationError: before a retry the process was idle for half a second or more, and no time was
                skipped.
        """
        for call in calls:
            for before, after in zip(call.attempts, call.attempts[1:], strict=False):
                began, ended = before.answered or after.arrived, after.arrived
                if (
                    before.failed
                    and sum(began <= idle <= ended for idle in self._idle) >= IDLE_CHECKS
                    and not any(began <= skip <= ended for skip in self._skips)
                ):
                    raise ConfigurationError(
                        f"fast_forward(): the client waited {ended - began:.2f} s for real before it retried"
                        f" ({after.method} {after.path}): compiled code waits by the system's clock, and so"
                        " do time-outs of tasks, such as asyncio.wait_for."
                        " Judge this client without fast_forward()"
                    )

    def _now(self) -> float:
        return self._monotonic() + self._skipped

    def _shift(self, clock: Callable[[], Any], unit: Callable[[float], Any]) -> Callable[[], Any]:
        return lambda: clock() + (0 if self._has_system_clock() else unit(self._skipped))

    def _has_system_clock(self) -> bool:
        """Whether this thread keeps the system's clocks."""
        thread = threading.current_thread()
        return self._over.is_set() or thread in self._others or thread.name.startswith("faultinject")

    def _sleep_or_skip(self, seconds: float) -> None:
        """Sleep as `time.sleep` does, but skip what may be skipped."""
        caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001
        if seconds <= 0 or self._has_system_clock() or caller.startswith(WAIT_FOR_PROCESSES):
            self._sleep(seconds)
        else:
            self._until(seconds, self._sleep)

    def _until(self, seconds: float, wait: Callable[[float], Any]) -> Any:
        """Wait until the seconds are over or skipped, or until `wait` returns a true value."""
        deadline = self._now() + seconds
        with self._lock:
            self._deadlines.append(deadline)
            self._changes += 1
        try:
            while (left := deadline - self._now()) > 0:
                changes, computed = self._changes, time.process_time()
                if result := wait(left if self._over.is_set() else min(left, INTERVAL)):
                    return result
                busy = self._busy(computed, INTERVAL)
                with self._lock:
                    if (
                        not busy
                        and not self._over.is_set()
                        and changes == self._changes
                        and deadline == min(self._deadlines)
                    ):
                        self._skips.append(now := self._now())
                        self._skipped += max(0.0, deadline - now)
            return wait(0)
        finally:
            with self._lock:
                self._deadlines.remove(deadline)
                self._changes += 1

    def _busy(self, computed: float, within: float) -> bool:
        """Whether no wait may be skipped: the process computes, or a fault or a thread runs."""
        return (
            time.process_time() - computed > BUSY * within
            or self._services.active > 0
            or _another_thread_runs()
        )

    def _watch(self) -> None:
        """Record the times at which the process was idle."""
        while not self._over.is_set():
            computed = time.process_time()
            if not (self._over.wait(5 * INTERVAL) or self._busy(computed, 5 * INTERVAL)):
                self._idle.append(self._now())

    def _wait_on_condition(self, real: Callable[..., bool]) -> Callable[..., bool]:
        def wait(condition: Any, timeout: float | None = None) -> bool:
            if timeout is None or timeout <= 0 or self._has_system_clock():
                return real(condition, timeout)
            # This repeats the original method with another wait on the lock. Several short waits by the original would
            # lose a notification that comes between two of them.
            waiter = threading.Lock()
            waiter.acquire()
            waiters = condition._waiters  # noqa: SLF001
            waiters.append(waiter)
            state = condition._release_save()  # noqa: SLF001
            notified = False
            try:
                notified = bool(self._until(timeout, lambda left: waiter.acquire(True, left)))
            finally:
                condition._acquire_restore(state)  # noqa: SLF001
                if not notified:
                    waiters.remove(waiter)
            return notified

        return wait

    def _sleep_in_loop(self, real: Callable[..., Any]) -> Callable[..., Any]:
        async def sleep(delay: float, result: Any = None) -> Any:
            if delay <= 0 or self._has_system_clock():
                return await real(delay, result)
            loop = asyncio.get_running_loop()
            selector = getattr(loop, "_selector", None)
            if selector is None:
                raise ConfigurationError(
                    "fast_forward() cannot skip what"
                    f" {type(loop).__module__}.{type(loop).__qualname__} waits for: it is compiled."
                    " Run this test on asyncio's own event loop, or without fast_forward()"
                )
            with self._skipping_selects(selector, "select"):
                return await real(delay, result)

        return sleep

    def _sleep_in_trio(self, real: Callable[..., Any]) -> Callable[..., Any]:
        from trio._core._run import GLOBAL_RUN_CONTEXT

        async def sleep_until(deadline: float) -> None:
            if self._has_system_clock():
                await real(deadline)
            else:
                with self._skipping_selects(GLOBAL_RUN_CONTEXT.runner.io_manager, "get_events"):
                    await real(deadline)

        return sleep_until

    @contextmanager
    def _skipping_selects(self, selector: object, name: str) -> Iterator[None]:
        """While a task sleeps, let its event loop skip the time to its next timer."""
        kind = type(selector)
        if not any(owner is kind for owner, _, _ in self._replaced):
            self._replace_method(kind, name, self._select(getattr(kind, name)))
        self._sleepers.append(selector)
        try:
            yield
        finally:
            self._sleepers.remove(selector)

    def _select(self, real: Callable[..., Any]) -> Callable[..., Any]:
        def select(selector: object, timeout: float | None = None) -> Any:
            if timeout is None or timeout <= 0 or selector not in self._sleepers:
                return real(selector, timeout)
            return self._until(timeout, lambda left: real(selector, left))

        return select

    def _replace_method(self, owner: type, name: str, new: object) -> None:
        self._replaced.append((owner, name, getattr(owner, name)))
        setattr(owner, name, new)


def _another_thread_runs() -> bool:
    """Whether another thread is ready to run, or reads a disk; false except on Linux.

    The processor time of a thread that waits for a processor does not grow.
    """
    for task in Path("/proc/self/task").glob("*/stat"):
        with suppress(OSError):  # the thread has ended
            if (
                task.parent.name != str(threading.get_native_id())
                and task.read_text(encoding="ascii", errors="replace").rpartition(") ")[2][0] in "RD"
            ):
                return True
    return False


def _shifted_class(real: type[dt.datetime]) -> type[dt.datetime]:
    """A class that makes real `datetime` objects, and reads the time from `time.time`."""

    class Meta(type):
        def __instancecheck__(cls, given: object) -> bool:
            return isinstance(given, real)

        def __subclasscheck__(cls, given: type) -> bool:
            return issubclass(given, real)

    class Shifted(real, metaclass=Meta):  # type: ignore[misc, valid-type]
        def __new__(cls, *given: Any, **keys: Any) -> Any:
            return real(*given, **keys)

        @classmethod
        def now(cls, tz: dt.tzinfo | None = None) -> dt.datetime:
            return real.fromtimestamp(time.time(), tz)

        @classmethod
        def utcnow(cls) -> dt.datetime:
            return real.fromtimestamp(time.time(), dt.UTC).replace(tzinfo=None)

    return Shifted


def _replace(names: Mapping[object, object]) -> None:
    """Replace objects in every module that holds one of them, under any name."""
    replacements = {id(old): new for old, new in names.items()}
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            for name, value in list(vars(module).items()):
                if id(value) in replacements:
                    setattr(module, name, replacements[id(value)])
