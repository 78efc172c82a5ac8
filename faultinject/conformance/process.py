"""A client in another process, in any language; both sides write JSON, one object a line."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from secrets import token_hex
from threading import Event, Lock, Thread
from types import MappingProxyType

from faultinject import processes
from faultinject.conformance import plan
from faultinject.conformance.contract import Tell
from faultinject.conformance.plan import PlannedCall
from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError
from faultinject.journal.call_window import LONGEST

CONTRACT = r"""
faultinject starts the command once, and writes one line to its standard input:

    {"v": 1, "endpoint": "http://127.0.0.1:40001", "bucket": "films-1250000000", "etag": "\"…\"", "clients": ["cal", …]}

The command makes one client for each name in `clients`, because clients keep retry budgets. Then it writes to its
standard output that it is ready. `kinds` are the calls that it can make, by default all four; `client` is its name and
version:

    {"ready": true, "kinds": ["get", "put", "post", "complete"], "client": "acme-storage 2.1"}

A command that cannot make a client writes the reason instead:

    {"ready": false, "error": "no region"}

After "ready", faultinject writes a line for each call at the moment when the call must begin. Other calls may still be
running then:

    {"key": "throttled-003", "do": "put", "client": "throttled"}

- `get` reads the object of that key in the bucket.
- `put` writes an object of a few hundred bytes.
- `post` begins a multipart upload.
- `complete` ends the multipart upload of the object of that key. faultinject has begun this upload: its id is the key
  too, and its one part has the number 1 and the ETag of the first line. In S3's API:
  `POST /BUCKET/error-in-200-001?uploadId=error-in-200-001`.

A client that cannot do a call leaves its kind out of `kinds`. The key must be a whole segment in the path of each
request of its call, and in no other request. When a call ends, the command writes what the caller got:

    {"key": "throttled-003", "ok": true}
    {"key": "throttled-003", "ok": false, "error": "503 SlowDown"}

At the end of its input the command may exit. At the deadline faultinject ends it, with all processes that it has
started. The client fails if the command

- exits before that, or leaves processes behind;
- writes another line, or answers a call that is not running;
- stays silent while calls are running;
- reports success for a call that has sent no request, or whose requests have all failed with an error that may pass;
- cannot read an object though there is no fault;
- sends no request for any call of one of its `kinds`, although other requests arrive;
- ends an upload that is not there.

faultinject then shows the command's standard error. If no request arrives at all, nothing is judged: the exit code is
3, and the first line has the first error that the command answered.

A client in Python may be a factory instead of a command: `--client MODULE:FACTORY`. FACTORY(endpoint, bucket) returns
an object with some of the methods `get`, `put`, `post` and `complete`. Each takes a key, and raises if its call fails;
`complete(key, etag)` gets the ETag of the upload's one part, too. FACTORY.title may be the name and version.
""".strip()
"""The contract that a command keeps."""

LONGEST_LINE = 1 << 16
"""The most characters of a line that a command may write."""
SHOWN = 1000
"""The most characters that are shown of a line that breaks the contract."""
READY = 60.0
"""The default of the seconds until a command must be ready."""
GRACE = 2.0
"""Seconds that a command has to exit after the end of its input and of all its calls."""
TAIL = 2000
"""Bytes of standard error that are shown."""
LEFT = 1.0
"""Seconds to wait for the end of a dead command's processes and output."""
MARK = "CONFORMANCE_CLIENT"
"""The variable that marks all processes of a client, with a new value for each client."""
HINT = "; `faultinject conformance --contract` says what a command has to do"


class Process:
    """A command that makes the calls.

    Args:
        words: the command.
        endpoint: the server's URL, without a bucket.
        names: the phases.
        tell: called when a call has ended.
        wake: called when the command has failed.
        variables: variables that are added to this process's environment.
        ready: seconds until it must be ready.

    Attributes:
        kinds: the calls that it can make.
        title: the name that it reports, or None.
        failure: its breach of the contract, in one line; empty: there is none.
        stderr: the end of its standard error, complete when that is closed.

    Raises:
        ConfigurationError: it cannot be run, or is not ready in time.
    """

    def __init__(
        self,
        words: Sequence[str],
        endpoint: str,
        names: Sequence[str],
        tell: Tell,
        wake: Callable[[], None],
        variables: Mapping[str, str] = MappingProxyType({}),
        ready: float = READY,
    ) -> None:
        self.kinds: Sequence[str] = plan.KINDS
        self.title: str | None = None
        self.failure = ""
        self.stderr = ""
        self._words = words
        self._tell = tell
        self._wake = wake
        self._ready = Event()
        self._was_ready = False
        self._dead = Event()
        self._closing = False
        self._running: set[str] = set()
        self._lock = Lock()
        self._mark = token_hex(16)
        try:
            self._process = processes.Child[str](
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                encoding="utf-8",
                errors="replace",
                env={**_environment(), **variables, MARK: self._mark},
            )
        except OSError as error:
            raise ConfigurationError(f"{words[0]} cannot be run: {processes.why_not_run(error)}") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._stdin, self._stdout, self._stderr = (
            self._process.stdin,
            self._process.stdout,
            self._process.stderr,
        )
        self._readers = [Thread(target=reader, daemon=True) for reader in (self._read_errors, self._read)]
        try:
            for reader in self._readers:
                reader.start()
            self._write(
                {
                    "v": 1,
                    "endpoint": endpoint,
                    "bucket": plan.BUCKET,
                    "etag": plan.ETAG,
                    "clients": list(names),
                }
            )
            if not self._ready.wait(ready):
                self._fail(f"did not report within {ready:g} s that it is ready")
        except BaseException:  # after Ctrl-C the caller has no object to close
            self.failure = "interrupted"
            self.close()
            raise
        if self.failure and not self._was_ready:
            self.close()
            raise ConfigurationError(f"{self.failure}\n{self.stderr}".rstrip())

    def start(self, call: PlannedCall) -> None:
        """Ask the command to make a call."""
        with self._lock:
            self._running.add(call.key)
        self._write({"key": call.key, "do": call.kind, "client": call.phase})

    def close(self) -> None:
        """End the command, with all processes that it has started."""
        self._closing = True
        with suppress(OSError):
            self._stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(0 if self.failure else GRACE)
        if self._process.returncode is None or self.failure or self._running:
            left_behind = 0
        else:
            left_behind = processes.living_after(LEFT, self._process, self._mark)
        if left_behind:
            number = "a process" if left_behind == 1 else f"{left_behind} processes"
            self.failure = f"{self._words[0]} ended and left {number} behind{HINT}"
        processes.kill_group(self._process)
        processes.kill_marked(LEFT, self._process, self._mark)
        self._process.wait()
        self._dead.set()
        for reader, pipe in zip(self._readers, (self._stderr, self._stdout), strict=True):
            if reader.is_alive():
                reader.join(LEFT)
            else:
                pipe.close()  # Ctrl-C may have come before the reader was started

    def _write(self, line: dict[str, object]) -> None:
        with suppress(OSError):  # the command has ended, which the reader notices
            self._stdin.write(json.dumps(line) + "\n")
            self._stdin.flush()

    def _read(self) -> None:
        self._listen()
        self._dead.wait()  # a command that writes to a closed pipe would fail
        self._stdout.close()

    def _read_errors(self) -> None:
        tail = b""
        while more := os.read(self._stderr.fileno(), LONGEST_LINE):
            tail = (tail + more)[-TAIL:]
            self.stderr = tail.decode(errors="replace").rstrip()
        self._stderr.close()

    def _listen(self) -> None:
        while line := self._stdout.readline(LONGEST_LINE):
            if not self._understand(line):
                self._fail(f"wrote {line.strip()[:SHOWN]!r}, which is no line of the contract")
            if self.failure:
                return
        if self._closing:
            return
        early = "" if self._ready.is_set() else " before it was ready"
        try:
            code = self._process.wait(GRACE)
        except subprocess.TimeoutExpired:
            self._fail("closed its standard output")
            return
        self._readers[0].join(LEFT)
        cause = processes.cause_in(self.stderr) or next(reversed(self.stderr.splitlines()), "")
        cause = _line(f": {cause}") if cause else ""
        self._fail(f"ended with {f'exit code {code}' if code >= 0 else f'signal {-code}'}{early}{cause}")

    def _understand(self, line: str) -> bool:
        try:
            event = json.loads(line)
        except (ValueError, RecursionError):
            return False
        if not isinstance(event, dict):
            return False
        if event.get("ready") is False and isinstance(event.get("error"), str):
            self.failure = _line(event["error"])
            self._ready.set()
            return True
        if event.get("ready") is True:
            kinds, title = event.get("kinds", [*plan.KINDS]), event.get("client")
            if not isinstance(kinds, list) or not isinstance(title, str | None):
                return False
            self.kinds = [kind for kind in plan.KINDS if kind in kinds]
            if strange := [kind for kind in kinds if kind not in plan.KINDS]:
                self._fail(f"can do {strange[0]!r}, which is not one of {', '.join(plan.KINDS)}")
            elif not kinds:
                self._fail(f"can do none of {', '.join(plan.KINDS)}")
            self.title = title and _line(title)
            self._was_ready = not self.failure
            self._ready.set()
            return True
        key, ok, error = event.get("key"), event.get("ok"), event.get("error")
        if not (isinstance(key, str) and isinstance(ok, bool)):
            return False
        with self._lock:
            known = key in self._running
            self._running.discard(key)
        if not known:
            self._fail(f"answered {key[:SHOWN]!r}, a call that was not running")
            return True
        self._tell(key, ok, None if ok or error is None else _line(str(error)))
        return True

    def _fail(self, breach: str) -> None:
        self.failure = f"{self._words[0]} {breach}{HINT}"
        self._ready.set()
        self._wake()


def _line(text: str) -> str:
    """A client's text in one line, without half surrogate pairs, which JSON can contain."""
    return quoted(" ".join(text.split()))[:LONGEST]


def _environment() -> dict[str, str]:
    """The environment of this process without its proxies, which do not reach loopback."""
    names = ("http_proxy", "https_proxy", "all_proxy")
    return {name: value for name, value in os.environ.items() if name.lower() not in names}
