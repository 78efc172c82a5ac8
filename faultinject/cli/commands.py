"""A user's command against a service, run as often as an exploration asks."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from faultinject.exceptions import ConfigurationError
from faultinject.processes import faster
from faultinject.testing.exploration.programs import Program, ProgramFailed, ended_by

if TYPE_CHECKING:
    from faultinject.cli.services import Service
    from faultinject.testing.runs import RunFaults


def program_of(word: str) -> str:
    """The path of the program that a command begins with.

    Raises:
        ConfigurationError: there is none.
    """
    found = shutil.which(word)
    if found is not None:
        return found
    # Without a slash it is looked for on the PATH alone, as a shell does.
    path, why = Path(word), "command not found"
    if os.sep in word and path.is_dir():
        why = "it is a folder"
    elif os.sep in word and path.is_file():
        why = f"it may not be run; chmod +x {word} allows it"
    raise ConfigurationError(f"{word}: {why}")


class Command:
    """A command that finds a service at the address in ENDPOINT.

    Args:
        command: its words.
        reset: a shell command that prepares each run, or None.
        service: what it sends its requests to.
        recover: a shell command that runs when the command was killed; None: the command itself.
        again: a shell command that runs when the command has told an error; None: nothing does.
        speed: how many times as fast their clocks run, that of `reset` excepted.

    Attributes:
        was_fast: whether the last run was at that speed. The first is in real time, and so is one behind `doubts`.

    Raises:
        ConfigurationError: libfaketime is not installed.
    """

    def __init__(
        self,
        command: Sequence[str],
        reset: str | None,
        service: Service,
        recover: str | None = None,
        again: str | None = None,
        speed: float = 1.0,
    ) -> None:
        environ: dict[str, str] = {}
        self._environ = environ
        self._real_time = dict(os.environ)
        self._faster = faster(speed)
        self.was_fast = self._fast = False
        self._program = Program(command, environ)
        self._reset = None if reset is None else Program(reset, self._real_time)
        self._recover = None if recover is None else Program(recover, environ)
        self._again = None if again is None else Program(again, environ)
        self._service = service

    def __enter__(self) -> None:
        self._real_time["ENDPOINT"] = self._service.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._service.stop()

    def prepare(self) -> None:
        """Empty the service where that can be done, and run what the user wants to be run before.

        Raises:
            ConfigurationError: that fails.
        """
        self._service.empty()
        if self._reset is not None:
            code, output = self._reset.run(alone=False)
            if code:
                raise ConfigurationError(f"--reset fails: {ended_by(code)}\n{output}".rstrip())

    def run(self, faults: RunFaults) -> None:
        """Run the command, and what comes after it was killed or has told an error.

        Raises:
            ProgramFailed: the last one ended with another exit code than 0, or was ended.
        """
        self.was_fast, self._fast = self._fast, bool(self._faster)
        self._environ.clear()
        self._environ.update(self._real_time, **(self._faster if self.was_fast else {}))
        if faults.crashes:
            second = self._recover or self._program
            faults.kill_and_restart(self._program, second, self._service.holds, twice=True)
            return
        try:
            self._program.check(faults.patience)
        except ProgramFailed as error:
            if self._again is None or error.code is None or not faults.names:
                raise
            again = self._again
            faults.run_again(lambda: again.check(faults.patience))

    def doubts(self) -> bool:
        """Whether the speed may be why the last run failed; then the next one is in real time."""
        self._fast = self._fast and not self.was_fast
        return self.was_fast

    def end(self, why: str) -> None:
        """End what runs, with everything that it has started."""
        for each in (self._program, self._recover, self._again):
            if each is not None:
                each.end(why)
