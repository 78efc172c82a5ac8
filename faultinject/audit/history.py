"""What a client asked for just before, as far as it tells which requests belong together."""

from __future__ import annotations

from collections import OrderedDict, deque

from faultinject.audit.call_groups import OTHER_KEY, SOON
from faultinject.audit.clients import client_of
from faultinject.audit.matching import alike, changed, fingerprint, has_own_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from faultinject.audit.call_groups import OpenCall
    from faultinject.journal.attempts import Attempt

CLIENTS = 2_000
"""Of how many clients, and of how many things that were asked for under an id, something is remembered."""
WRITES = 200
"""How many writes of a client are remembered, and how many reads."""
READING = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods that change nothing."""
STALE = 412
"""The answer after which a client reads again what it wants to write, and may find that it is as it was."""
LOCKED_OUT = (401, 403)
"""Answers after which a client may have to log in, wherever that is."""


class History:
    """Takes attempts in order of arrival."""

    def __init__(self) -> None:
        self._clients: OrderedDict[Hashable, _Client] = OrderedDict()
        self._begun: OrderedDict[Hashable, OpenCall] = OrderedDict()

    def see(self, attempt: Attempt) -> int:
        """Take the next attempt; its number among those of its client."""
        client = self._client(attempt)
        client.requests += 1
        (client.reads if attempt.method in READING else client.writes).append(attempt)
        return client.requests

    def written(self, before: Attempt, attempt: Attempt) -> bool:
        """Whether a client that was refused has written to that place, or logged in, before it asked again.

        After a 412 it is enough that it has read what it wants to write.
        """
        looks, client = fingerprint(attempt), self._client(attempt)
        if before.status == STALE:
            for each in reversed(client.reads):
                if each.arrived <= before.arrived:
                    break
                if each.path == attempt.path and not each.failed and each is not attempt:
                    return True
        for each in reversed(client.writes):
            if each.arrived <= before.arrived:
                break
            if each is attempt or fingerprint(each) == looks:
                continue
            logs_in = before.status in LOCKED_OUT and each.method == "POST" and not each.failed
            if logs_in or _related(each.path, attempt.path):
                return True
        return False

    def begin(self, running: OpenCall, looks: Hashable) -> str | None:
        """Note where a call that has just failed may go on under another id: another key of the caller's own, or of an SDK.

        Args:
            running: a call that begins, under an id.
            looks: its looks.

        Returns:
            Why it may be of the call before; None: it is not, for an SDK's ids tell.
        """
        attempt = running.attempts[0]
        own = has_own_key(attempt)
        before = self._begun.pop((looks, own), None)
        self._begun[looks, own] = running
        if len(self._begun) > CLIENTS:
            self._begun.popitem(last=False)
        if before is None or not before.failed or before.flies(attempt.arrived):
            return None
        last = before.attempts[-1]
        wait = attempt.arrived - before.over - (last.hint or 0.0)
        if wait > SOON or not alike(last, attempt):
            return None
        if own:
            before.followed = OTHER_KEY
            return OTHER_KEY
        if not changed(last, attempt) and not (last.kind == "client" and self.written(last, attempt)):
            before.again = wait
        return None

    def _client(self, attempt: Attempt) -> _Client:
        key = attempt.clock, attempt.client, client_of(attempt.user_agent)
        found = self._clients.get(key)
        if found is None:
            found = self._clients[key] = _Client()
            if len(self._clients) > CLIENTS:
                self._clients.popitem(last=False)
        else:
            self._clients.move_to_end(key)
        return found


class _Client:
    """One client."""

    __slots__ = ("reads", "requests", "writes")

    def __init__(self) -> None:
        self.requests = 0
        self.reads: deque[Attempt] = deque(maxlen=WRITES)
        self.writes: deque[Attempt] = deque(maxlen=WRITES)


def _related(one: str, other: str) -> bool:
    """Whether two paths are the same, or one is above the other."""
    one, other = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return one.startswith(other) or other.startswith(one)
