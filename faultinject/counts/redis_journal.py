"""The outcomes of all processes of a Redis server, in a stream of bounded length."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from time import time

from faultinject.counts.per_process import PerProcess
from faultinject.counts.redis_link import Link, UnansweredError
from faultinject.counts.redis_scripts import PUSH
from faultinject.engine.entry import Entry
from faultinject.exceptions import StoreUnavailableError
from faultinject.journal import log
from faultinject.journal.line_fields import outcome_of
from faultinject.journal.outcome import Outcome, outcome_in
from faultinject.locks import Lock
from faultinject.vendors.addressing import Addressing

MOST_LINES = 10_000
"""The most lines that wait for the server; older lines are dropped."""
_BATCH = 200


class RedisJournal(PerProcess):
    """The stream of one prefix.

    The id of an entry has the number of the stream, and the entry's own number in it, from 1: so a reader knows how
    many entries were dropped.

    Args:
        link: the connection to the server.
        prefix: the prefix of all keys.
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
        """Send one more line of this process in the background."""
        self._begin_once()
        if len(self._lines) == MOST_LINES and not self._drops_lines:
            self._drops_lines = True
            # Other processes cannot get the outcomes; logged for the first lost line.
            log.error(
                "faultinject: the shared journal in %s cannot be written to, lines are dropped: %s",
                self._shown,
                f"more than {MOST_LINES:,} wait for it",
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
        stream, last_number = _place(after)
        entries: list[tuple[bytes, dict[bytes, bytes]]] = self._link.ask(
            "XRANGE", self._keys[0], f"{stream}-{last_number + 1}", "+", "COUNT", limit, patient=True
        )
        outcomes: list[Outcome] = []
        dropped = 0
        for name, fields in entries:
            after = name.decode()
            place = _place(after)
            dropped += place[1] - 1 - (last_number if place[0] == stream else 0)
            stream, last_number = place
            outcome = outcome_in(fields[b"line"])
            if outcome is not None:
                outcomes.append(outcome)
        return outcomes, after, dropped

    def _begin(self) -> None:
        self._sending = Lock()
        self._lines: deque[tuple[Entry, Addressing | None]] = deque(maxlen=MOST_LINES)
        # The lines to send next; they are kept while the server is unavailable.
        self._texts: list[bytes] = []

    def _send(self) -> None:
        with self._sending:
            texts = self._texts
            while self._lines or texts:
                while self._lines and len(texts) < _BATCH:
                    texts.append(outcome_of(*self._lines.popleft()).to_line())
                try:
                    self._push(self._keys, int(time() * 1000), *texts)
                except UnansweredError:
                    texts.clear()
                    raise
                texts.clear()
                self._drops_lines = False


def _place(cursor: str) -> tuple[int, int]:
    """The number of a cursor's stream, and the number of its entry; both 0 for an empty cursor."""
    stream, _, number = cursor.partition("-")
    if not (stream.isdecimal() and number.isdecimal()):
        return 0, 0
    return int(stream), int(number)
