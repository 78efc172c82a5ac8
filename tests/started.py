"""A program that serves, in a group of processes and on a port of its own."""

import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

from tests.ports import ReservedPort

ENDS_WITHIN = 15.0


def executable(name):
    """A program beside this interpreter or on the path; None without one."""
    beside = Path(sys.executable).with_name(name)
    return str(beside) if beside.exists() else shutil.which(name)


def answers(port):
    """Whether something listens on a port."""
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", int(port))) == 0


class Started:
    """A running program.

    Args:
        folder: where its log and its journal go.

    Attributes:
        process: the process that was started; the head of a group.
    """

    def __init__(self, folder):
        self._log = folder / "log"
        self._journal = folder / "journal"
        self._reserved = ReservedPort()

    def begin(self, command, folder, environ):
        """Start it there, and wait until it answers."""
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                command,
                cwd=folder,
                env=environ,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            self.wait_until_ready()
        except BaseException:
            self.stop()
            raise

    @property
    def log(self):
        """The text that it has written on its outputs."""
        return self._log.read_text(errors="replace")

    def leave(self):
        """Ask it to end, without waiting."""
        if self.process.poll() is None:
            self.process.terminate()

    def stop(self):
        """End it, and whatever it has started."""
        self.leave()
        try:
            self.process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            return
        finally:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self._reserved.close()
