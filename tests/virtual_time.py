"""Virtual time: a wait passes at once, and the clock moves by exactly its seconds."""

import asyncio
import selectors
import time
from bisect import insort

import anyio
from trio.testing import MockClock


class Time:
    """One clock for a test: `Injector(waits=time)` for threads, `time.run` for an event loop.

    Args:
        unix: the unix time at the beginning, for `Injector(clock=time.unix)`.

    Attributes:
        slept: the seconds that threads wanted to wait.
    """

    def __init__(self, unix=1_763_625_600.25):
        self.slept = []
        self._clock = MockClock(autojump_threshold=0)
        self._unix = unix
        self._plans = []

    @property
    def now(self):
        """Seconds that have passed."""
        return self._clock.current_time()

    @now.setter
    def now(self, seconds):
        self._clock.jump(seconds - self.now)

    def monotonic(self):
        """The same, as an injector asks for it."""
        return self._clock.current_time()

    def unix(self):
        """Unix seconds."""
        return self._unix + self.now

    def at(self, moment, do):
        """Have something done, or raised, when somebody waits at that moment."""
        insort(self._plans, (moment, len(self._plans), do))

    def wait(self, seconds, sleep):
        """Pass a thread's wait at once, and move the clock."""
        self.slept.append(seconds)
        if self._plans and self._plans[0][0] <= self.now + seconds:
            moment, _, do = self._plans.pop(0)
            self.now = max(moment, self.now)
            do()
        else:
            self.now += seconds

    def run(self, function, *args, backend="asyncio"):
        """Run as `anyio.run` does, on a loop with this clock, which moves when nothing else is due."""
        options = {"clock": self._clock} if backend == "trio" else {"loop_factory": lambda: Loop(self._clock)}
        return anyio.run(self._run, function, args, backend=backend, backend_options=options)

    async def _run(self, function, args):
        if not self._plans:
            return await function(*args)
        raised = result = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(self._follow_plans)
            try:
                result = await function(*args)
            except Exception as error:
                raised = error
            tasks.cancel_scope.cancel()
        if raised is not None:
            raise raised
        return result

    async def _follow_plans(self):
        while self._plans:
            moment, _, do = self._plans.pop(0)
            await anyio.sleep_until(moment)
            do()


class RealTime:
    """Time as it passes, for `Injector(waits=…)`.

    Args:
        monotonic: what the injector takes for the time.

    Attributes:
        slept: the seconds that threads wanted to wait.
    """

    def __init__(self, monotonic=time.monotonic):
        self.monotonic = monotonic
        self.slept = []

    def wait(self, seconds, sleep):
        """Wait with the system's sleep."""
        self.slept.append(seconds)
        return sleep(seconds)


class Loop(asyncio.SelectorEventLoop):
    """An event loop that waits for nothing but what is ready."""

    def __init__(self, clock):
        super().__init__(Selector(clock))
        self.time = clock.current_time


class Selector(selectors.DefaultSelector):
    """A selector that moves the clock when nothing is ready."""

    def __init__(self, clock):
        super().__init__()
        self._clock = clock

    def select(self, timeout=None):
        """The ready files; without a timer it waits for one."""
        found = super().select(None if timeout is None else 0)
        if timeout is not None and timeout > 0 and not found:
            self._clock.jump(timeout)
        return found
