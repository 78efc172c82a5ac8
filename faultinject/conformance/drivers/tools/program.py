"""A program as a client: one process a call."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from threading import BoundedSemaphore

from faultinject.conformance import plan
from faultinject.conformance.homes import search_path

TAIL = 2000
"""Bytes that are kept of what a program writes."""
USERS_OWN = (
    "aws",
    "rclone_",
    "restic_",
    "wgetrc",
    "curl_",
    "netrc",
    "xdg_",
    "http_proxy",
    "https_proxy",
    "all_proxy",
)
"""What variables begin with, in small letters, that the user has set for his own storage."""
TRUST = "CURL_CA_BUNDLE"
"""Whom curl trusts. AWS_CA_BUNDLE is not among it: rclone cannot begin with it."""
CLOCK = "FAKETIME"
"""`+0 x20` where the clocks of this process and its programs run 20 times as fast; a start does not become shorter."""
LATEST = 10
"""How many times as long as on a machine with nothing else to do a start is waited for."""

starting = BoundedSemaphore(os.cpu_count() or 1)
"""Programs that take long to start wait for each other, or the machine would be measured and not they."""


class Failed(Exception):
    """A program that ended with an error; the text is the end of what it has written."""


class Program:
    """A program, with a home of its own for all its processes.

    Args:
        start: seconds of a processor that the program takes until its first request.
        variables: of its environment, beside the user's that have nothing to do with storage.

    Attributes:
        home: the folder.
        body: a file in it, to be uploaded.
    """

    def __init__(self, start: float = 0.0, **variables: str) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="faultinject-"))
        self.body = self.home / "body"
        self.body.write_bytes(plan.BODY)
        ours = (TRUST, *os.environ.get("CONFORMANCE_SETTINGS", "").split())
        kept = {
            name: value
            for name, value in os.environ.items()
            if name in ours or not name.lower().startswith(USERS_OWN)
        }
        self._environment = kept | {"PATH": search_path(), "HOME": str(self.home)} | variables
        self._start = start * float(os.environ.get(CLOCK, "").partition("x")[2] or 1)
        self._running: set[subprocess.Popen[bytes]] = set()

    def run(self, *words: str) -> None:
        """Run it once.

        Raises:
            Failed: it has ended with another exit code than 0.
        """
        if self._start:
            with starting:
                process = self._begin(words)
                self._await_start(process)
        else:
            process = self._begin(words)
        assert process.stdout is not None
        said = b""
        with process.stdout as output:
            while chunk := output.read(TAIL):
                said = (said + chunk)[-TAIL:]
        code = process.wait()
        self._running.discard(process)
        if code:
            text = said.decode(errors="replace").strip()
            raise Failed(f"exit code {code}: {text}")

    def _await_start(self, process: subprocess.Popen[bytes]) -> None:
        """Wait until it has begun its request: on a busy machine it takes longer, and is not asleep before."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(self._start)
        end = time.monotonic() + LATEST * self._start
        while _runs(process.pid) and time.monotonic() < end:
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.05)

    def close(self) -> None:
        """End what runs of it, and remove its home."""
        for each in [*self._running]:
            each.kill()
            each.wait()
        shutil.rmtree(self.home, ignore_errors=True)

    def _begin(self, words: tuple[str, ...]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(  # noqa: S603 - the program that is measured
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self._environment,
            cwd=self.home,
        )
        self._running.add(process)
        return process


def _runs(process: int) -> bool:
    """Whether it is at work, or waits for a processor or a disk; false where that cannot be found out."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] in "RD"
    except OSError:
        return False
