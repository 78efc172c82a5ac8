"""The journal: one line a request, kept as a tuple in a bounded ring and, if asked, appended to a file."""

from __future__ import annotations

import os
from collections import deque
from errno import EBADF
from stat import S_ISREG

from faultinject import announcement
from faultinject.audit.marks import attempt_hint
from faultinject.audit.pressure import Pressure
from faultinject.core.counter import Counter
from faultinject.core.draw import blake2b
from faultinject.core.facts import GUARDS, LONGEST_TEXT, QUERY_GUARDS
from faultinject.core.outcome import INJECTED, Outcome
from faultinject.core.printed import json_text
from faultinject.core.values import whole
from faultinject.exceptions import ConfigurationError, Problem
from faultinject.files import close_own, identity

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from faultinject.audit.endings import Parent, Written
    from faultinject.core.outcome import Line
    from faultinject.core.places import Place
    from faultinject.core.reading import Reading

KEPT = 10_000
"""Lines that the ring keeps."""
LARGEST_FILE = 1 << 30
"""Bytes at which a journal file takes no more lines."""


class Journal:
    """What happened to requests, newest last.

    Args:
        path: a file that each outcome is appended to as a JSON line (mode 0600), or None.
        test: a function to the id of the test that runs, or None.
        measures: whether each line says for how long the machine had kept work waiting when the request came; a line
            of a file always does.
        parent: a function to the process that may start another one when this one ends, as text, or None. Given, the
            file says when this process has ended.
        size: lines that the ring keeps; older ones are dropped and counted.

    Raises:
        ConfigurationError: the file cannot be opened.
    """

    def __init__(
        self,
        *,
        path: str | None = None,
        test: Callable[[], str | None] | None = None,
        measures: bool = False,
        parent: Parent | None = None,
        size: int = KEPT,
    ) -> None:
        self.path = path
        self.test = test
        self._size = size
        self._lines: deque[tuple[str | None, Line]] = deque(maxlen=size)
        self._pressure = Pressure() if measures or path is not None else None
        self._stalled: dict[int, float | None] = {}
        self._taken = Counter()
        self._begun = Counter()
        self._file = None if path is None else JournalFile(path, parent=parent)
        self._followers: tuple[Callable[[Outcome], None], ...] = ()
        self.reading: Reading | None = None
        """How every request is read, whatever the vendor of the rule that it met; None: as that rule does."""
        self.count: Callable[[int], None] | None = None
        """Called with the number of requests so far when one more is noted, on its thread; may raise."""

    def add(self, line: Line) -> None:
        """Keep one line; what goes wrong with it is no concern of the request."""
        test = None if self.test is None else self.test()
        begins = line[-1] is None
        if begins and self._pressure is not None:
            self._measure(line[0], self._pressure)
        self._lines.append((test, line))
        self._taken.next()
        if begins:
            self._begun.next()
            if self.count is not None:
                self.count(self._begun.value)
        # The first line of a fault, or a later one of a fault that was not carried out.
        told = (
            line[8] is not None
            and announcement.tells_injections()
            and (line[19] is None) is (line[16] in INJECTED)
        )
        if self._file is None and not self._followers and not told:
            return
        try:
            outcome = self._outcome(test, line)
            if told:
                announcement.injection(outcome)
            if self._file is not None:
                self._file.append(outcome)
            for tell in self._followers:
                tell(outcome)
        except Exception as error:
            announcement.failed(error, line[7] or "")

    def follow(self, tell: Callable[[Outcome], None]) -> None:
        """Call `tell` with each outcome when its line is written, on the thread of the request.

        A request whose end is not known at once is told twice, the second time with `final` true.
        """
        self._followers = (*self._followers, tell)

    @property
    def dropped(self) -> int:
        """How many lines the ring no longer holds."""
        return max(0, self._taken.value - self._size)

    @property
    def requests(self) -> int:
        """How many requests were noted, also those that the ring no longer holds."""
        return self._begun.value

    @property
    def outcomes(self) -> list[Outcome]:
        """One outcome a request, in the order they were decided; a final line stands for its first."""
        merged: dict[int, Outcome] = {}
        for test, line in self._lines.copy():
            merged[line[0]] = self._outcome(test, line)
        return list(merged.values())

    def end(self) -> None:
        """Say in the file, if there is one, that no more comes of this process."""
        if self._file is not None:
            self._file.end()

    def clear(self) -> None:
        """Forget the lines in memory; a file keeps its own."""
        self._lines.clear()
        self._stalled = {}
        self._taken = Counter()
        self._begun = Counter()

    def __len__(self) -> int:
        return len(self._lines)

    def _measure(self, seq: int, pressure: Pressure) -> None:
        """Note for how long the machine has kept work waiting when this request came."""
        known = self._stalled
        known[seq] = pressure.stalled()
        if len(known) > 2 * self._size:
            self._stalled = dict(list(known.items())[self._size :])

    def _outcome(self, test: str | None, line: Line) -> Outcome:
        (
            seq, origin, time, arrived, answered, facts, reading, rule, fault, when, n, status, response_bytes, request_id,
            hint, hint_form, did, applied, body, final,
        ) = line  # fmt: skip
        generation, seed, key_of_seed = origin
        (
            method, path, mount, query, host, client, port, key_id, credential, precondition, user_agent, content_length,
            headers,
        ) = facts  # fmt: skip
        reading = reading and (self.reading or reading)
        recalled = _Recalled(method, path[mount:], query, host, headers)
        bucket, key = (None, None) if reading is None else reading.read_address(recalled)
        size, digest, complete = body or (whole(content_length), None, None)
        return Outcome(
            v=1,
            time=time,
            arrived=arrived,
            answered=answered,
            pid=os.getpid(),
            seq=seq,
            generation=generation,
            connection=whole(port),
            principal=_principal(key_id, key_of_seed),
            credential=_digest_of(credential, key_of_seed),
            test=test and test[:LONGEST_TEXT],
            method=method,
            path=path,
            query=query,
            host=host,
            client=client or None,
            operation=None if reading is None else reading.operation(recalled),
            bucket=bucket,
            key=key,
            request_bytes=size,
            request_digest=digest,
            body_complete=complete,
            user_agent=user_agent,
            attempt_hint=attempt_hint(headers, key_of_seed),
            rule=rule,
            fault=fault,
            when=when,
            applied=applied,
            guarded=not GUARDS.isdisjoint(headers) or any(each in query for each in QUERY_GUARDS),
            precondition=_digest_of(precondition, key_of_seed),
            hint=hint,
            hint_form=hint_form,
            did=did,
            status=status,
            response_bytes=response_bytes,
            request_id=request_id,
            elapsed=None if answered is None else answered - arrived,
            stalled=self._stalled.get(seq),
            seed=seed,
            n=n,
            final=final,
        )


class JournalFile:
    """A file that outcomes are appended to, one write a line, by any number of processes.

    Args:
        path: where; a regular file of ours can be read by nobody else (mode 0600), also when it is not new.
        parent: as for `Journal`.
        option: what named it, for the message that it cannot be opened.

    Raises:
        ConfigurationError: it cannot be opened.
    """

    def __init__(
        self, path: str, *, parent: Parent | None = None, option: str = "FAULTINJECT_JOURNAL"
    ) -> None:
        self.path = path
        self._file: int | None = None
        self._place: Written | None = None
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK"):
            flags |= getattr(os, name, 0)
        try:
            self._file = os.open(path, flags, 0o600)
            self._identity = identity(self._file)
            _close_to_others(self._file)
            if parent is not None:
                from faultinject.audit.endings import place_of

                self._place = place_of(path, self._file)
                self._place.limit, self._place.parent = LARGEST_FILE, parent
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or error
            raise ConfigurationError([Problem(f"cannot write to {path!r}: {why}", where=option)]) from None

    def append(self, outcome: Outcome) -> None:
        """Write one line; at the first that cannot be written the file ends, and the log says so."""
        file = self._file
        if file is None:
            return
        text = json_text(outcome.to_dict())
        data = text.encode("utf-8", "replace") + b"\n"
        try:
            found = os.fstat(file)
            if (found.st_dev, found.st_ino) != self._identity:
                raise OSError(EBADF, "somebody has closed it")
            size = found.st_size + len(data)
            full = size > LARGEST_FILE
            if self._place is not None:
                self._place.write(outcome.pid, size)
            if not full and os.write(file, data) == len(data):
                return
            why = "it has reached 1 GiB" if full else "no space left"
        except OSError as error:
            why = error.strerror or str(error)
        if self._place is not None:
            self._place.failed()
        self.close()
        announcement.journal_ends(self.path, why)

    def end(self) -> None:
        """Say that no more comes of this process, if it has written anything."""
        if self._place is not None:
            self._place.end()

    def close(self) -> None:
        """Take no more lines."""
        file, self._file = self._file, None
        if file is not None:
            if self._place is not None:
                self._place.files.discard(file)
            close_own(file, self._identity)

    def __del__(self) -> None:
        self.close()


def _close_to_others(file: int) -> None:
    """Give a regular file of ours mode 0600; some file systems have no modes."""
    found = os.fstat(file)
    ours = hasattr(os, "geteuid") and found.st_uid == os.geteuid()
    if ours and S_ISREG(found.st_mode) and found.st_mode & 0o077:
        from contextlib import suppress

        with suppress(OSError):
            os.fchmod(file, 0o600)


class _Recalled:
    """A request as the journal kept it, for reading bucket, key and operation afterwards."""

    def __init__(self, method: str, below: str, query: str, host: str, headers: dict[str, str]) -> None:
        self.method = method
        self.below = below
        self.query = query
        self.host = host
        self.read_by: Reading | None = None
        self.place: Place
        self.named_by: Reading | None = None
        self.operation: str | None
        self._headers = headers

    def telling(self, name: str) -> str | None:
        """The value of a header that was kept."""
        return self._headers.get(name)


def _digest_of(checksum: int | None, key: bytes) -> str | None:
    """Two bytes: enough to see that something has changed, too few to try guesses against."""
    return None if checksum is None else blake2b(b"%d" % checksum, key=key, digest_size=2).hexdigest()


def _principal(key_id: str | None, key: bytes) -> str | None:
    if key_id is None:
        return None
    return blake2b(key_id.encode("utf-8", "replace"), key=key, digest_size=8).hexdigest()
