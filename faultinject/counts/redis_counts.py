"""Counts on a Redis server, exact for processes and hosts: one round trip for match or take.

A match also returns each rule's number of takes, so a process asks for no take of a rule that has none left.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from threading import local

from faultinject.counts.per_process import PerProcess
from faultinject.counts.redis_link import Argument, Link, UnansweredError
from faultinject.counts.redis_scripts import MATCH, NOTE, TAKE
from faultinject.counts.shared_counts import SharedCounts, key_of
from faultinject.engine.counting import PASSED, MatchKey, Number, Take
from faultinject.exceptions import StoreUnavailableError
from faultinject.locks import Lock

_KINDS = ("rules", "scopes", "identities", "scopes-used", "identities-used")
# Fields of the hash `rules`: a letter and the rule's number. A match is counted by the script MATCH, or, if no
# decision needs its number, in the background (noted).
_MATCHED, _NOTED, _INJECTED, _FAILED = "mnif"
# Two more fields: a letter and the number of a reason, and the requests of all rules together.
_PASSED, _REQUESTS = "p", "requests"


def keys_of(prefix: str, identity: str) -> tuple[str, ...]:
    """The names of all keys of a scenario's counts."""
    return tuple(f"{prefix}:{kind}:{identity}" for kind in _KINDS)


class RedisCounts(SharedCounts):
    """The counts of one scenario, for all processes that know its id.

    Args:
        link: the connection to the server.
        prefix: the prefix of all keys.
        identity: the scenario's id.
        lost: called when the server has lost the counts of this process.
    """

    waits = True

    def __init__(self, link: Link, prefix: str, identity: str, *, lost: Callable[[], None]) -> None:
        super().__init__()
        self._link = link
        self._keys = keys_of(prefix, identity)
        self._match_all, self._take_one = link.script(MATCH), link.script(TAKE)
        self._statistics = _Statistics(link, self._keys)
        # How often these counts had been used at the server's last answer. If a later answer is 1, the server has lost
        # its data.
        self._used = 0
        self._lost = lost
        # For each thread the number of takes, by rule and scope, at its last match. If gevent patches the process
        # later, all greenlets share these numbers: a greenlet may then see newer numbers, which are right, or none,
        # and then it asks the server.
        self._of_thread = local()

    def _match(
        self,
        keys: Sequence[MatchKey],
        now: float,
        hold: bool,  # noqa: ARG002 - the server does one thing after another
    ) -> list[Number]:
        if not keys:
            return []
        arguments: list[Argument] = [repr(now)]
        for rule, scope, identity, above in keys:
            arguments += (rule, key_of(rule, scope) if scope else b"", key_of(rule, identity))
            arguments += ("", "") if above is None else (repr(above[0]), repr(above[1]))
        self._statistics.send_returned_takes()
        # Read before the question is sent: while this thread waits for the answer 1, another thread may ask later, get
        # its answer first, and set a higher number.
        used_before = self._used
        used, *values_found = self._match_all(self._keys, *arguments)
        if used == 1 and used_before:
            self._lost()
        self._used = used
        values = iter(values_found)
        numbers, takes = [], {}
        results = zip(values, values, values, values)  # noqa: B905 - four values for each key
        for (rule, scope, _, _), (n_in_scope, n, exceeds, takes_so_far) in zip(keys, results):  # noqa: B905
            numbers.append((n_in_scope, n, exceeds == 1))
            takes[rule, scope] = takes_so_far
        self._of_thread.takes = takes
        return numbers

    def _take(self, ask: Take, held: bool) -> bool:  # noqa: ARG002 - only counts with a lock need it
        takes = getattr(self._of_thread, "takes", {})
        if takes.get((ask.rule, ask.scope), 0) >= ask.times:
            return False
        self._statistics.send_returned_takes()
        return bool(self._take_one(self._keys, *_take_keys(ask), ask.times))

    def _give_back(self, ask: Take) -> None:
        if ask.beside:  # an event loop must not wait for the server
            self._statistics.give_back(_take_keys(ask))
        else:
            self._take_one(self._keys, *_take_keys(ask))

    def match_without_lock(
        self, keys: Sequence[MatchKey], lock_free_after: Sequence[int]
    ) -> list[Number] | None:
        """See `SharedCounts.match_without_lock`."""
        if any(lock_free_after):
            return None
        self._statistics.add(_REQUESTS)
        for rule, _, _, _ in keys:
            self._statistics.add(f"{_NOTED}{rule}")
        return [(0, self._statistics.number, True)] * len(keys)

    def note_injected(self, rule: int, by: int = 1) -> None:
        """Note that a request got the rule's fault; -1: that it got none after all."""
        for field in (f"{_INJECTED}{rule}", _INJECTED):
            self._statistics.add(field, by)

    def note_failed(self, rule: int) -> None:
        """Note that a request met the rule's conditions and was left undecided."""
        self._statistics.add(f"{_FAILED}{rule}")

    def totals(self, rules: Sequence[int]) -> list[tuple[int, int, int]]:
        """The requests of each rule that matched it, got its fault, or were undecided.

        While the server does not answer, they are those that this process has not sent yet.
        """
        values = iter(
            self._read([f"{kind}{rule}" for rule in rules for kind in (_MATCHED, _NOTED, _INJECTED, _FAILED)])
        )
        by_rule = zip(values, values, values, values)  # noqa: B905 - four values for each rule
        return [(matched + noted, injected, failed) for matched, noted, injected, failed in by_rule]

    def requests(self) -> int:
        """The number of requests that matched a rule; without an answer, those not sent yet."""
        return self._read([_REQUESTS])[0]

    def injected(self) -> int:
        """The number of requests that got a fault; without an answer, those not sent yet."""
        return self._read([_INJECTED])[0]

    def note_passed(self, reason: int) -> None:
        """Note that a request passed for one of the reasons `PASSED`."""
        self._statistics.add(f"{_PASSED}{reason}")

    def passed(self) -> tuple[int, ...]:
        """The number of requests that passed for each reason.

        While the server does not answer, they are those that this process has not sent yet.
        """
        return tuple(self._read([f"{_PASSED}{reason}" for reason in PASSED]))

    def _read(self, fields: Sequence[str]) -> list[int]:
        """The server's values of these fields, plus the increments that were not sent to it yet."""
        unsent = self._statistics.totals()
        try:
            sent = self._link.ask("HMGET", self._keys[0], *fields) if fields else []
        except StoreUnavailableError:
            sent = [None] * len(fields)
        return [int(number or 0) + unsent.get(field, 0) for field, number in zip(fields, sent, strict=True)]


class _Statistics(PerProcess):
    """Increments that a process sends to the server in the background.

    They are matches whose number no decision needs, injections, failures, and returned takes. The server adds them to
    the fields of a hash. The process keeps them until it can send them. Increments that were sent without an answer
    count as received: sending a match twice would count it twice.

    Args:
        link: the connection to the server.
        keys: the keys of scripts on counts; the first one is the hash.
    """

    def __init__(self, link: Link, keys: Sequence[str]) -> None:
        self._sender = link.sender
        self._keys = keys
        self._note, self._take = link.script(NOTE), link.script(TAKE)
        self._begin_once()

    def add(self, field: str, count: int = 1) -> None:
        """Add to a field in the background."""
        self._begin_once()  # a child must not add to its parent's increments
        with self._lock:
            self._unsent[field] = self._unsent.get(field, 0) + count
        self._sender.do(self._send)

    def give_back(self, take: Sequence[Argument]) -> None:
        """Return a take before this process asks for another; without the server, it stays taken."""
        self._begin_once()
        self._returned_takes.append(take)
        self._sender.do(self._send)

    def send_returned_takes(self) -> None:
        """Send the returned takes to the server.

        Raises:
            StoreUnavailableError: the server does not answer; it is not asked a second time.
        """
        self._begin_once()  # a child must not return its parent's takes
        if self._returned_takes:
            self._send()

    def totals(self) -> dict[str, int]:
        """The increments that the server has not received, after an attempt to send them."""
        self._begin_once()
        with suppress(StoreUnavailableError):
            self._send()
        with self._lock:
            return dict(self._unsent)

    def _begin(self) -> None:
        # One lock for the increments, one for the thread that sends them.
        self._lock, self._sending = Lock(), Lock()
        self._returned_takes: deque[Sequence[Argument]] = deque()
        self._unsent: dict[str, int] = {}
        # A random number below 0, so that it almost surely differs from those of other processes and hosts.
        self.number = -1 - int.from_bytes(os.urandom(4))

    def _send(self) -> None:
        with self._sending:
            while self._returned_takes:
                self._take(self._keys, *self._returned_takes.popleft())
            with self._lock:
                increments, self._unsent = self._unsent, {}
            if not increments:
                return
            try:
                self._note(self._keys[:1], *[part for pair in increments.items() for part in pair])
            except UnansweredError:
                raise
            except StoreUnavailableError:
                with self._lock:
                    for field, count in increments.items():
                        self._unsent[field] = self._unsent.get(field, 0) + count
                raise


def _take_keys(ask: Take) -> tuple[Argument, Argument]:
    return ask.rule, key_of(ask.rule, ask.scope) if ask.scope else b""
