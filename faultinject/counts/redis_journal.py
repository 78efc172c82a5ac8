"""The outcomes of all processes of a Redis server: lines in a stream that is cut at its end."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from time import time

from faultinject.counts.per_process import PerProcess
from faultinject.counts.redis_link import Link, Unanswered
from faultinject.counts.redis_scripts import PUSH
from faultinject.engine.entry import Entry
from faultinject.exceptions import StoreUnavailableError
from faultinject.journal import log
from faultinject.journal.line_fields import outcome_of
from faultinject.journal.outcome import Outcome, outcome_in
from faultinject.locks import Lock
from faultinject.vendors.addressing import Addressing

KEPT = 10_000
"""Lines that wait for the server; older ones are dropped."""
_BATCH = 200


class RedisJournal(PerProcess):
    """The stream of one prefix.

    The id of an entry is a number that the stream has as long as it exists, and the entry's own from 1 on: so a
    reader knows how many are gone.

    Args:
        link: the server.
        prefix: of all keys.
        shown: the store, for the log.
    """

    _drops_lines = False

    def __init__(self, link: Link, prefix: str, shown: str) -> None:
        self._link = link
        self._keys = (f"{prefix}:journal",)
        self._shown = shown
        self._push = link.script(PUSH)
        self._begin_once()

    def add(self, line: Entry, reading: Addressing | None) -> None:
        """Send one more line of this process; nobody waits for it."""
        self._begin_once()
        if len(self._lines) == KEPT and not self._drops_lines:
            self._drops_lines = True
            # Other processes cannot get the outcomes; logged for the first lost line.
            log.error(
                "faultinject: the shared journal in %s cannot be written to, lines are dropped: %s",
                self._shown,
                f"more than {KEPT:,} wait for it",
            )
        self._lines.append((line, reading))
        self._link.sender.do(self._send)

    def read(self, after: str = "", limit: int = 500) -> tuple[list[Outcome], str, int]:
        """Read as `Journal.events` does, for all processes.

        Raises:
            StoreUnavailableError: the server did not answer.
        """
        if limit <= 0:
            return [], after, 0
        self._begin_once()
        with suppress(StoreUnavailableError):
            self._send()
        stream, seen = _place(after)
        entries: list[tuple[bytes, dict[bytes, bytes]]] = self._link.ask(
            "XRANGE", self._keys[0], f"{stream}-{seen + 1}", "+", "COUNT", limit, patient=True
        )
        outcomes: list[Outcome] = []
        dropped = 0
        for name, fields in entries:
            after = name.decode()
            place = _place(after)
            dropped += place[1] - 1 - (seen if place[0] == stream else 0)
            stream, seen = place
            outcome = outcome_in(fields[b"line"])
            if outcome is not None:
                outcomes.append(outcome)
        return outcomes, after, dropped

    def _begin(self) -> None:
        self._sending = Lock()
        self._lines: deque[tuple[Entry, Addressing | None]] = deque(maxlen=KEPT)
        # The lines to send next; they stay while the server is away.
        self._texts: list[bytes] = []

    def _send(self) -> None:
        with self._sending:
            texts = self._texts
            while self._lines or texts:
                while self._lines and len(texts) < _BATCH:
                    texts.append(outcome_of(*self._lines.popleft()).to_line())
                try:
                    self._push(self._keys, int(time() * 1000), *texts)
                except Unanswered:
                    texts.clear()
                    raise
                texts.clear()
                self._drops_lines = False


def _place(cursor: str) -> tuple[int, int]:
    """The number of a cursor's stream, and the entry's number in it; both 0 for an empty cursor."""
    stream, _, number = cursor.partition("-")
    if not (stream.isdecimal() and number.isdecimal()):
        return 0, 0
    return int(stream), int(number)
