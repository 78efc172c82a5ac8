"""What the workers of one server tell each other of the file that their rules come from.

A server starts workers again: when one has ended, and all of them at a SIGHUP to its master. By then the file may be another
one, or wrong. The new worker begins with the scenario that its server began with, so that it finds the others' counts, and
takes over from there what was put in force since; so it need not end where the file is wrong, and its server lives on.
"""

from __future__ import annotations

import os
from contextlib import contextmanager, suppress
from hashlib import blake2b
from time import monotonic, sleep

from faultinject.counts.opening import FLAGS, open_directory
from faultinject.counts.owner import described
from faultinject.counts.private import clean_up_dead_owners, private_parent
from faultinject.counts.processes import server_process
from faultinject.exceptions import FaultInjectError
from faultinject.rules.names import PREFIX
from faultinject.rules.scenario import Scenario

with suppress(ImportError):  # Windows
    from fcntl import LOCK_EX, LOCK_NB, flock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BEGUN, APPLIED = "begun", "applied"
PATIENCE = 2.0
"""Seconds that a worker waits for another one, which may have been stopped."""


class ServerNote:
    """The note of one server, in the private directory of this user; it is removed some time after the server has ended.

    Args:
        environ: the variables that the rules come from; with other ones a server begins anew.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        words = [f"{name}={environ[name]}" for name in sorted(environ) if name.startswith(PREFIX)]
        text = "\0".join([os.getcwd(), *words])  # noqa: PTH109 - pathlib takes its time to load
        digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        self._name = f"{described(server_process())}-{digest}"

    def begun(self) -> Scenario | None:
        """The scenario that the server began with; None: this process is the first of it."""
        return self._read().get(BEGUN)

    def applied(self) -> Scenario | None:
        """The scenario of the file that was put in force last."""
        return self._read().get(APPLIED)

    def begin(self, scenario: Scenario) -> None:
        """Note what the server begins with, unless another worker has."""
        with self.alone():
            if not self._read():
                self._write({BEGUN: scenario, APPLIED: scenario})

    def apply(self, scenario: Scenario) -> None:
        """Note what was put in force."""
        self._write({BEGUN: scenario, **self._read(), APPLIED: scenario})

    @contextmanager
    def alone(self) -> Iterator[None]:
        """For its block no other worker reads the file: of several only one puts it in force."""
        file = -1
        try:
            with suppress(FaultInjectError, OSError):
                file = self._open(f"{self._name}.lock")
                _lock(file)
            yield
        finally:
            if file >= 0:
                os.close(file)

    def _read(self) -> dict[str, Scenario]:
        from json import loads

        with suppress(FaultInjectError, OSError, ValueError, AttributeError):
            file = self._open(self._name, make=False)
            with os.fdopen(file, "rb") as opened:
                found = loads(opened.read())
            return {name: Scenario.from_json(text) for name, text in found.items()}
        return {}

    def _write(self, found: dict[str, Scenario]) -> None:
        """Write the note whole or not at all; where there is no place for it, workers do without."""
        from json import dumps

        with suppress(FaultInjectError, OSError):
            parent = open_directory(private_parent())
            try:
                new = f"{self._name}.{os.getpid()}"
                file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | FLAGS, 0o600, dir_fd=parent)
                with os.fdopen(file, "wb") as opened:
                    opened.write(dumps({name: each.to_json() for name, each in found.items()}).encode())
                os.rename(new, self._name, src_dir_fd=parent, dst_dir_fd=parent)
            finally:
                os.close(parent)

    def _open(self, name: str, *, make: bool = True) -> int:
        if make:
            clean_up_dead_owners()
        parent = open_directory(private_parent(), make=make)
        try:
            flags = os.O_RDWR | FLAGS | (os.O_CREAT if make else 0)
            return os.open(name, flags, 0o600, dir_fd=parent)
        finally:
            os.close(parent)


def _lock(file: int) -> None:
    end = monotonic() + PATIENCE
    while True:
        try:
            flock(file, LOCK_EX | LOCK_NB)
        except BlockingIOError:
            if monotonic() > end:
                return
            sleep(0.01)
        else:
            return


def note_of(environ: Mapping[str, str]) -> ServerNote | None:
    """The note of this process's server; None where no other process takes this one's place, or beside it."""
    pid = server_process()
    return ServerNote(environ) if pid != os.getpid() else None
