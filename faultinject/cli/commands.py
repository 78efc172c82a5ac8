"""A user's command against a service, run as often as an exploration asks."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import IO, TYPE_CHECKING

from faultinject.exceptions import ConfigurationError
from faultinject.testing.exploration.causes import ReportedFailure

if TYPE_CHECKING:
    from faultinject.cli.services import Service

LINES, BYTES = 20, 65_536
"""How much of a command's output is shown: its last lines, of its last bytes."""


class CommandFailed(ReportedFailure):
    """The command ended with another exit code than 0."""


class Command:
    """A command that finds a service at the address in ENDPOINT.

    Args:
        command: its words.
        reset: a shell command that prepares each run, or None.
        service: what it sends its requests to.
    """

    def __init__(self, command: Sequence[str], reset: str | None, service: Service) -> None:
        self._command = command
        self._reset = reset
        self._service = service
        self._kill: Callable[[], None] = _nothing
        self._ended = ""
        self._environ = dict(os.environ)

    @property
    def requests(self) -> int:
        """How many have come."""
        return self._service.requests

    def __enter__(self) -> None:
        self._environ["ENDPOINT"] = self._service.start()

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
            code, output = self._wait(self._reset)
            if code:
                raise ConfigurationError(f"--reset fails: {_said(code)}\n{output}".rstrip())

    def run(self) -> None:
        """Run the command.

        Raises:
            CommandFailed: it ended with another exit code than 0, or was ended.
        """
        self._ended = ""
        code, output = self._wait(self._command)
        if self._ended or code:
            raise CommandFailed(self._ended or _said(code), output)

    def end(self, why: str) -> None:
        """End the command that runs, with everything that it has started."""
        self._ended = self._ended or why
        self._kill()

    def _wait(self, command: str | Sequence[str]) -> tuple[int, str]:
        """Exit code and the end of the output."""
        with tempfile.TemporaryFile() as output:
            try:
                process = subprocess.Popen(  # noqa: S603 - the user's own command
                    command,
                    shell=isinstance(command, str),
                    env=self._environ,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    start_new_session=True,
                )
            except OSError as error:
                raise ConfigurationError(f"{command[0]} cannot be run: {error.strerror}") from None
            self._kill = lambda: _kill(process)
            try:
                code = process.wait()
            finally:
                if process.returncode is None or command is self._command:
                    _kill(process)  # what it leaves behind would go on in the next run
                self._kill = _nothing
                process.wait()
            return code, _tail(output)


def _nothing() -> None:
    """There is nothing to end."""


def _kill(process: subprocess.Popen[bytes]) -> None:
    if not hasattr(os, "killpg"):  # pragma: no cover - Windows
        process.kill()
        return
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):  # nothing is left of it; macOS says so by the second
        return


def _tail(output: IO[bytes]) -> str:
    size = output.seek(0, os.SEEK_END)
    output.seek(max(0, size - BYTES))
    lines = output.read().decode(errors="replace").splitlines()
    more = [f"… {len(lines) - LINES} more lines …"] if len(lines) > LINES else []
    return "\n".join([*more, *lines[-LINES:]])


def _said(code: int) -> str:
    if code >= 0:
        return f"exit code {code}"
    try:
        return f"ended by {signal.Signals(-code).name}"
    except ValueError:  # pragma: no cover - a signal that Python has no name for
        return f"ended by signal {-code}"
