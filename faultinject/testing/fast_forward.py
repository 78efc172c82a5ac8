"""Skips waits, while the clocks of this process go on by them: `faults.fast_forward()`.

A waiting thread looks every 10 ms whether the rest may be skipped: nobody waits for less, the process computes
nothing, and no fault is under way. Then all clocks go on to the end of that wait.
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

from faultinject.engine.services import Services
from faultinject.exceptions import ConfigurationError
from faultinject.journal.calls import Call

LOOK = 0.01
"""Seconds of each wait that pass for real: other threads and connections may end it."""
BUSY = 0.2
"""The share of a processor from which on this process computes."""
QUIET = 10
"""Looks between an answer and the next attempt that show a wait by the system's clock.

They are 5 * LOOK apart. A machine that stands still, or is late, does not look.
"""
PROGRAMS = ("faultinject.", "subprocess")
"""Beginnings of the modules that sleep until another process has done something."""


class FastForward:
    """The clocks of this process, from its making until `end`.

    Threads that run already, such as servers of fixtures, have the system's clocks, and those of faultinject: their
    loops would wait for the skipped time once it is over.

    Args:
        services: of the injector whose journal is judged: it is given the same clocks, and knows of faults under
            way.
    """

    def __init__(self, services: Services) -> None:
        self._over = threading.Event()
        self._skipped = 0.0
        self._skips: list[float] = []
        self._quiet: list[float] = []
        self._deadlines: list[float] = []
        self._changes = 0
        self._lock = threading.Lock()
        self._others = set(threading.enumerate()) - {threading.current_thread()}
        self._sleepers: list[object] = []
        self._held: list[tuple[type, str, object]] = []
        self._sleep, self._monotonic, wall = time.sleep, time.monotonic, time.time
        self._services, self._clocks = services, (services.clock, services.monotonic)
        services.clock, services.monotonic = (lambda: wall() + self._skipped), self._now
        self._names: dict[object, object] = {
            time.sleep: self._pass,
            asyncio.sleep: self._sleep_in_loop(asyncio.sleep),
            dt.datetime: _shifted(dt.datetime),
            **{each: self._shift(each, float) for each in (time.time, time.monotonic, time.perf_counter)},
            **{
                each: self._shift(each, lambda seconds: int(seconds * 1e9))
                for each in (time.time_ns, time.monotonic_ns, time.perf_counter_ns)
            },
        }
        if "trio" in sys.modules:
            from trio import sleep_until

            self._names[sleep_until] = self._sleep_in_trio(sleep_until)
        _replace(self._names)
        self._hold(threading.Condition, "wait", self._wait_on_condition(threading.Condition.wait))
        self._watcher = threading.Thread(target=self._watch, name="faultinject fast_forward", daemon=True)
        self._watcher.start()

    def end(self) -> None:
        """Give the clocks back to the system."""
        self._over.set()
        self._watcher.join()
        self._services.clock, self._services.monotonic = self._clocks
        for owner, name, real in self._held:
            setattr(owner, name, real)
        _replace({new: old for old, new in self._names.items()})

    def check(self, calls: Iterable[Call]) -> None:
        """Check that the client's waits have been skipped.

        Raises:
            ConfigurationError: for half a second or more before a retry the process did nothing, and no time was
                skipped.
        """
        for call in calls:
            for before, after in zip(call.attempts, call.attempts[1:], strict=False):
                began, ended = before.answered or after.arrived, after.arrived
                if (
                    before.failed
                    and sum(began <= look <= ended for look in self._quiet) >= QUIET
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
        return lambda: clock() + (0 if self._takes_its_time() else unit(self._skipped))

    def _takes_its_time(self) -> bool:
        """Whether time passes for this thread as it always does."""
        thread = threading.current_thread()
        return self._over.is_set() or thread in self._others or thread.name.startswith("faultinject")

    def _pass(self, seconds: float) -> None:
        """Replace `time.sleep`."""
        caller = sys._getframe(1).f_globals.get("__name__", "")  # noqa: SLF001
        if seconds <= 0 or self._takes_its_time() or caller.startswith(PROGRAMS):
            self._sleep(seconds)
        else:
            self._until(seconds, self._sleep)

    def _until(self, seconds: float, wait: Callable[[float], Any]) -> Any:
        """Wait until the seconds are over, or skipped, or `wait` returns something, and return that."""
        deadline = self._now() + seconds
        with self._lock:
            self._deadlines.append(deadline)
            self._changes += 1
        try:
            while (left := deadline - self._now()) > 0:
                changes, computed = self._changes, time.process_time()
                if found := wait(left if self._over.is_set() else min(left, LOOK)):
                    return found
                busy = self._busy(computed, LOOK)
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
        """Whether waits take their time: the process computes, a fault or another thread runs."""
        return time.process_time() - computed > BUSY * within or self._services.active > 0 or _one_runs()

    def _watch(self) -> None:
        """Note when the process does nothing, and the machine gives it time to look."""
        while not self._over.is_set():
            computed = time.process_time()
            if not (self._over.wait(5 * LOOK) or self._busy(computed, 5 * LOOK)):
                self._quiet.append(self._now())

    def _wait_on_condition(self, real: Callable[..., bool]) -> Callable[..., bool]:
        def wait(condition: Any, timeout: float | None = None) -> bool:
            if timeout is None or timeout <= 0 or self._takes_its_time():
                return real(condition, timeout)
            # As the original, except for the wait on the lock: a notification between two waits would be lost.
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
            if delay <= 0 or self._takes_its_time():
                return await real(delay, result)
            loop = asyncio.get_running_loop()
            selector = getattr(loop, "_selector", None)
            if selector is None:
                raise ConfigurationError(
                    "fast_forward() cannot skip what"
                    f" {type(loop).__module__}.{type(loop).__qualname__} waits for: it is compiled."
                    " Run this test on asyncio's own event loop, or without fast_forward()"
                )
            with self._asleep(selector, "select"):
                return await real(delay, result)

        return sleep

    def _sleep_in_trio(self, real: Callable[..., Any]) -> Callable[..., Any]:
        from trio._core._run import GLOBAL_RUN_CONTEXT

        async def sleep_until(deadline: float) -> None:
            if self._takes_its_time():
                await real(deadline)
            else:
                with self._asleep(GLOBAL_RUN_CONTEXT.runner.io_manager, "get_events"):
                    await real(deadline)

        return sleep_until

    @contextmanager
    def _asleep(self, selector: object, name: str) -> Iterator[None]:
        """Let a task sleep for a block: its loop may skip the time to its next timer."""
        kind = type(selector)
        if not any(owner is kind for owner, _, _ in self._held):
            self._hold(kind, name, self._select(getattr(kind, name)))
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

    def _hold(self, owner: type, name: str, new: object) -> None:
        self._held.append((owner, name, getattr(owner, name)))
        setattr(owner, name, new)


def _one_runs() -> bool:
    """Whether another thread is ready to run, or reads a disk; known on Linux.

    Such a thread may have got no processor for a while.
    """
    for task in Path("/proc/self/task").glob("*/stat"):
        with suppress(OSError):  # it is over
            if (
                task.parent.name != str(threading.get_native_id())
                and task.read_text(encoding="ascii", errors="replace").rpartition(") ")[2][0] in "RD"
            ):
                return True
    return False


def _shifted(real: type[dt.datetime]) -> type[dt.datetime]:
    """A `datetime` that reads the time from `time.time`, and makes real ones."""

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
    """Replace objects in every module that has one of them, under whatever name."""
    found = {id(old): new for old, new in names.items()}
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            for name, value in list(vars(module).items()):
                if id(value) in found:
                    setattr(module, name, found[id(value)])
