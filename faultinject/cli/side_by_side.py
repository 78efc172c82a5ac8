"""Makes several runs of an exploration at the same time, each with its own service."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from queue import SimpleQueue
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from faultinject.cli.explore import Command
    from faultinject.rules.scenario import Scenario
    from faultinject.testing.runs import Exploration, Run, RunFaults

AHEAD = 4
"""Runs in the queue for each command, so that none is idle during a long run."""
END_INTERVAL = 0.2
"""Seconds after which a command is ended again, as it may just have started a program."""


class SideBySide:
    """Makes the runs of an exploration, several at a time.

    The exploration takes the results in its own order, so that it finds the same as without this class. A run begins
    before the results of earlier ones are known; if they change the plan, the run was made for nothing.

    Args:
        exploration: plans and judges the runs.
        commands: the commands that make the runs, each one run at a time.

    Attributes:
        last: the command of the run that was taken last.
    """

    def __init__(self, exploration: Exploration, commands: Sequence[Command]) -> None:
        self._exploration = exploration
        self._commands = commands
        self.last = commands[0] if commands else None
        self._free: SimpleQueue[Command] = SimpleQueue()
        for command in commands:
            self._free.put(command)
        self._pool = ThreadPoolExecutor(len(commands) or 1)
        # By the id of a scenario, which stays alive here: its run.
        self._runs: dict[int, tuple[Scenario, Future[tuple[RunFaults, Exception | None, float]]]] = {}
        # By the same id: the command of the run.
        self._command_of: dict[int, Command] = {}

    def __enter__(self) -> SideBySide:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        runs = [run for _, run in self._runs.values() if not run.cancel()]
        while wait(runs, 0).not_done:
            for command in self._commands:
                command.end("the exploration is over")
            wait(runs, END_INTERVAL)
        self._pool.shutdown()

    def take(self, run: Run) -> None:
        """Wait until a run is over, and hand its result to the exploration.

        Raises:
            ProgramFailedError: the command fails in the first run without faults.
            ConfigurationError: the run cannot be made.
        """
        ahead = self._exploration.sweep.ahead(AHEAD * len(self._commands))
        wanted = {id(scenario): scenario for scenario in (run.scenario, *ahead)}
        for number, (_, unwanted) in list(self._runs.items()):
            if number not in wanted and unwanted.cancel():
                del self._runs[number]
        for number, scenario in wanted.items():
            if number not in self._runs:
                self._runs[number] = scenario, self._pool.submit(self._make, scenario)
        number = id(run.scenario)
        try:
            result = self._runs[number][1].result()
        finally:
            self.last = self._command_of.get(number, self.last)
        del self._runs[number]
        run.take(*result)

    def _make(self, scenario: Scenario) -> tuple[RunFaults, Exception | None, float]:
        """Run a free command with the faults: its faults, its failure, and the time that it took."""
        command = self._command_of[id(scenario)] = self._free.get()
        try:
            command.prepare()
            error = None
            began = time.monotonic()
            with (faults := command.faults(self._exploration, scenario)):
                try:
                    command.run(faults)
                except Exception as failure:
                    error = failure
                return faults, error, time.monotonic() - began
        finally:
            self._free.put(command)
