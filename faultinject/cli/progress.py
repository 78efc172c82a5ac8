"""The progress of a long command on standard error.

On a terminal it is drawn all the time, elsewhere a line now and then.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from shutil import get_terminal_size
from threading import Event, Thread
from types import TracebackType

import click

EVERY = 30.0
"""Seconds between two lines where there is no terminal."""
REDRAWN = 0.2
"""Seconds between two changes of the line on a terminal."""


class Progress:
    """Shows for its block how far a command is.

    Attributes:
        done: the number of its parts that are done, by the last call of `at`.
        terminal: whether standard error is one.

    Args:
        say: returns the progress in words.
        quiet: whether nothing is drawn on a terminal.
        clock: the time, seconds.
        wait: waits for so many seconds or until the event is set; returns whether it is set.
    """

    def __init__(
        self,
        say: Callable[[], str],
        *,
        quiet: bool = False,
        clock: Callable[[], float] = time.monotonic,
        wait: Callable[[Event, float], bool] = Event.wait,
    ) -> None:
        self.done = 0
        self._say = say
        self._clock = clock
        self._wait = wait
        self._over = Event()
        self.terminal = sys.stderr is not None and sys.stderr.isatty()
        self._draws = self.terminal and not quiet
        self._shown = 0.0
        self._wide = 0
        self._said = ""
        self._thread = Thread(target=self._tell, daemon=True)

    def __enter__(self) -> Progress:
        self._began = self._clock()
        if not self.terminal and sys.stderr is not None:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._wide:
            click.echo(f"\r{'':{self._wide}}\r", nl=False, err=True)

    def at(self, done: int) -> None:
        """Note that so many parts are done, and show it."""
        self.done = done
        self.show()

    def show(self) -> None:
        """Draw it on a terminal, if it has changed, and nothing has just been drawn."""
        if self._draws and self._clock() - self._shown >= REDRAWN:
            said = f"{self._say()} "[: get_terminal_size().columns - 1]  # two lines could not be drawn anew
            if said == self._said:
                return
            self._said, self._shown = said, self._clock()
            self._wide = max(self._wide, len(said))
            click.echo(f"\r{said:{self._wide}}", nl=False, err=True)

    def _tell(self) -> None:
        while not self._wait(self._over, EVERY):
            click.echo(f"faultinject: {self._say()}, {self._clock() - self._began:.0f} s", err=True)
