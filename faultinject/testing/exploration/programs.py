"""Starts the processes of a program under test, waits for them, and kills all of them."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from secrets import token_hex
from threading import Event, Lock
from typing import IO

from faultinject import processes
from faultinject.exceptions import ConfigurationError, ProgramFailedError
from faultinject.rules.descriptions import seconds

LINES, BYTES = 20, 65_536
"""The most lines, and the most bytes, of a program's output that are shown from its end."""
COMPARED = 1 << 20
"""The most bytes of standard output that are kept."""
MARK = "EXPLORED_PROGRAM"
"""The variable that marks all processes of a program, with a new value for each run."""
DEATH = 10.0
"""Seconds to wait until killed processes have ended, as the system may take long."""


def crashed(error: ProgramFailedError) -> bool:
    """Whether a signal ended the program; a shell reports it as an exit code above 128."""
    return error.code is not None and (error.code < 0 or error.code - 128 in signal.valid_signals())


class Program:
    """A program that is run many times, one run at a time.

    Args:
        words: the program and its arguments; or a text for the shell.
        environ: its environment.
        directory: its working directory; None: that of this process.

    Attributes:
        killed: whether `kill` has killed the last run.
        survives: whether a process of the killed run still runs.
        output: the standard output of the last run; None: it was too long to keep.
    """

    def __init__(
        self, words: str | Sequence[str], environ: Mapping[str, str], directory: str | None = None
    ) -> None:
        self.words = words
        self.killed = self.survives = False
        self.output: bytes | None = None
        self._environ = environ
        self._directory = directory
        self._ended = ""
        self._process: processes.Child[bytes] | None = None
        self._started = Event()
        self._killing = Lock()
        self._mark = ""

    def run(
        self,
        within: float | None = None,
        *,
        kill_rest: bool = True,
        read: Callable[[IO[bytes]], object] | None = None,
    ) -> tuple[int, str]:
        """Run the program to its end.

        Args:
            within: seconds after which it is ended; None: there is no limit.
            kill_rest: whether to kill processes that the program leaves behind.
            read: called with the whole standard output.

        Returns:
            The exit code, and the end of standard output and standard error.

        Raises:
            ConfigurationError: it cannot be started.
            ProgramFailedError: it was ended by `end`, or because it took too long.
        """
        if self._directory is not None and not Path(self._directory).is_dir():
            raise ConfigurationError(f"cwd: {self._directory} is no folder")
        self._ended, self.killed, self.survives = "", False, False
        self._mark = token_hex(16)
        with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
            try:
                code = self._start(output, errors).wait(within)
            except subprocess.TimeoutExpired:
                self._ended = f"did not end within {seconds(round(within or 0, 1))}"
                code = -signal.SIGKILL
            finally:
                self._finish(kill_rest=kill_rest)
            if read is not None:
                output.seek(0)
                read(output)
            output.seek(0)
            content = output.read(COMPARED + 1)
            self.output = content if len(content) <= COMPARED else None
            written = "\n".join(filter(None, map(_tail, (output, errors))))
            if self._ended:
                raise ProgramFailedError(self._ended, written)
            return code, written

    def _start(self, output: IO[bytes], errors: IO[bytes]) -> processes.Child[bytes]:
        try:
            process = processes.Child[bytes](
                self.words,
                known=self._know,
                shell=isinstance(self.words, str),
                env={**self._environ, MARK: self._mark},
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
            )
        except OSError as error:
            program = "the shell" if isinstance(self.words, str) else self.words[0]
            raise ConfigurationError(f"{program} cannot be run: {processes.why_not_run(error)}") from None
        self._started.set()
        return process

    def _know(self, process: processes.Child[bytes]) -> None:
        self._process = process

    def _finish(self, *, kill_rest: bool) -> None:
        """Kill the rest of the run, even after Ctrl-C during its start."""
        process = self._process
        if process is None:
            return
        if process.returncode is None or kill_rest:
            self._kill_all(process)  # a process that is left behind would continue in the next run
        process.wait()
        with self._killing:  # `kill` in another thread ends before the next run begins
            self._process = None
            self._started.clear()

    def check(self, within: float | None = None) -> None:
        """Run the program to its end, and raise its failure.

        Args:
            within: as for `run`.

        Raises:
            ConfigurationError: it cannot be started.
            ProgramFailedError: it ended with another exit code than 0, or was ended.
        """
        code, output = self.run(within)
        if code and not self.killed:
            raise ProgramFailedError(ended_by(code), output, code)

    def end(self, why: str) -> None:
        """End the run, and let `run` raise this reason."""
        self._ended = self._ended or why
        process = self._process
        if process is not None:  # pragma: no branch - it has ended meanwhile
            self._kill_all(process)

    def kill(self) -> None:
        """Kill the run as a crash would, and return when all of its processes have ended.

        It is called in another thread than `run`.
        """
        # The program may make its first request before the constructor of its process returns.
        self._started.wait(DEATH)
        with self._killing:
            process = self._process
            if process is None:  # pragma: no cover - it ended by itself just now
                return
            self.killed = True
            self.survives = not self._kill_all(process)

    def _kill_all(self, process: processes.Child[bytes]) -> bool:
        """Kill all processes of the run, and return whether they have ended."""
        processes.kill_group(process)
        return processes.kill_marked(DEATH, process, self._mark)


def ended_by(code: int) -> str:
    """The exit code, or the signal that has ended the process, as text."""
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:  # pragma: no cover - a signal that Python has no name for
        return f"ended by signal {-code}"


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - BYTES))
    lines = output.read().decode(errors="replace").splitlines()
    more = [f"… {len(lines) - LINES} more lines …"] if len(lines) > LINES else []
    return "\n".join([*more, *lines[-LINES:]])
