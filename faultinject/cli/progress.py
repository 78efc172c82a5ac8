"""Shows the progress of a long command on standard error.

On a terminal one line changes; elsewhere a new line comes every 30 seconds.
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
"""Seconds between two lines without a terminal."""
REDRAW_SECONDS = 0.2
"""The shortest time between two changes of the line on a terminal."""


class Progress:
    """Shows the progress of a command for the block.

    Attributes:
        done: the number of finished parts, by the last call of `at`.
        terminal: whether standard error is a terminal.

    Args:
        say: returns the progress as text.
        quiet: whether a terminal shows nothing.
        clock: returns seconds.
        wait: waits until the event is set, for at most a number of seconds; returns whether it is set.
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
        self._line = ""
        self._thread = Thread(target=self._print_lines, daemon=True)

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
        """Set the number of finished parts, and show the progress."""
        self.done = done
        self.show()

    def show(self) -> None:
        """Draw the line on a terminal, if it has changed and the last change is old enough."""
        if self._draws and self._clock() - self._shown >= REDRAW_SECONDS:
            line = f"{self._say()} "[: get_terminal_size().columns - 1]  # a line that wraps cannot be redrawn
            if line == self._line:
                return
            self._line, self._shown = line, self._clock()
            self._wide = max(self._wide, len(line))
            click.echo(f"\r{line:{self._wide}}", nl=False, err=True)

    def _print_lines(self) -> None:
        while not self._wait(self._over, EVERY):
            click.echo(f"faultinject: {self._say()}, {self._clock() - self._began:.0f} s so far", err=True)
