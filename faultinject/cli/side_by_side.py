"""Makes several runs of an exploration at the same time, each with its own service."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Condition, Thread
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


class Job:
    """One run.

    Attributes:
        scenario: the scenario of the run.
        command: the command that makes it; None before it has begun.
        over: whether it has ended.
        faults: the faults that were in force.
        error: the failure of the command, or None.
        failure: the reason why there was no run, or None.
        seconds: the time that it took.
    """

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.command: Command | None = None
        self.over = False
        self.faults: RunFaults | None = None
        self.error: Exception | None = None
        self.failure: BaseException | None = None
        self.seconds = 0.0

    def make(self, exploration: Exploration, command: Command) -> None:
        """Run the command with the faults."""
        try:
            command.prepare()
            self.faults = faults = command.faults(exploration, self.scenario)
            began = time.monotonic()
            with faults:
                try:
                    command.run(faults)
                except Exception as error:
                    self.error = error
                self.seconds = time.monotonic() - began
        except BaseException as failure:  # `take` raises it in the thread that waits for this run
            self.failure = failure


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
        self._jobs: list[Job] = []
        self._changed = Condition()
        self._ended = False
        self._threads = [Thread(target=self._work, args=(command,), daemon=True) for command in commands]

    def __enter__(self) -> SideBySide:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._ended = True
            self._changed.notify_all()
        for command, thread in zip(self._commands, self._threads, strict=True):
            while thread.is_alive():
                command.end("the exploration is over")
                thread.join(END_INTERVAL)

    def take(self, run: Run) -> None:
        """Wait until a run is over, and hand its result to the exploration.

        Raises:
            ProgramFailed: the command fails in the first run without faults.
            ConfigurationError: the run cannot be made.
        """
        with self._changed:
            wanted = [run.scenario, *self._exploration.sweep.ahead(AHEAD * len(self._commands))]
            known = {id(job.scenario): job for job in self._jobs}
            self._jobs = [known.get(id(scenario)) or Job(scenario) for scenario in wanted]
            job = self._jobs[0]
            self._changed.notify_all()
            self._changed.wait_for(lambda: job.over)
            del self._jobs[0]
        self.last = job.command
        if job.failure is not None:
            raise job.failure
        assert job.faults is not None
        run.take(job.faults, job.error, job.seconds)

    def _work(self, command: Command) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._ended or self._waiting() is not None)
                job = self._waiting()
                if self._ended or job is None:
                    return
                job.command = command
            job.make(self._exploration, command)
            with self._changed:
                job.over = True
                self._changed.notify_all()

    def _waiting(self) -> Job | None:
        """The first run that has not begun."""
        return next((job for job in self._jobs if job.command is None), None)
