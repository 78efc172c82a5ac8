"""Hears what the runner of a suite says of its tests while it runs: the plugins in `beside` connect to it."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Lock, Thread
from types import TracebackType
from typing import Any

from faultinject.testing.trial.results import Result

BESIDE = Path(__file__).with_name("beside")
"""The folder of the plugins."""
LOOK = 0.02
"""Seconds after which the listening thread sees that it is over."""


class Teller:
    """For its block, listens on loopback.

    Args:
        begin: called before a test begins, if tests run one after another and their runner waits; it has the test's id.

    Attributes:
        results: what was said of tests that have ended, in that order.
    """

    def __init__(self, begin: Callable[[str], None]) -> None:
        self.results: list[Result] = []
        self._begin = begin
        self._began: dict[str, float] = {}
        self._lock = Lock()
        hear = self._hear

        class Connection(StreamRequestHandler):
            """One process of the suite."""

            def handle(self) -> None:
                """Answer each line when what it says is done."""
                for line in self.rfile:
                    hear(json.loads(line))
                    self.wfile.write(b"\n")

        self._server = ThreadingTCPServer(("127.0.0.1", 0), Connection)
        self._thread = Thread(target=self._server.serve_forever, args=(LOOK,), daemon=True)

    @property
    def variables(self) -> dict[str, str]:
        """What the environment of the suite needs for this."""
        return {"TRIED_SUITE": f"127.0.0.1:{self._server.server_address[1]}"}

    def _hear(self, said: dict[str, Any]) -> None:
        now = time.time()
        test = said.get("test") or said.get("begin") or said["started"]
        with self._lock:
            if "begin" in said:
                self._begin(test)
            if "test" not in said:
                self._began[test] = now
                return
            ended, began = said.get("ended", now), self._began.get(test)
            if "seconds" in said:  # it is Node's
                began = ended - said["seconds"]
            exact = "seconds" not in said
            self.results.append(Result(test, said["outcome"], said["said"], began, ended, exact))

    def __enter__(self) -> Teller:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()  # what is on its way is heard before
