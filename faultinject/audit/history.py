"""What a client asked for just before, as far as it tells which requests belong together."""

from __future__ import annotations

from collections import OrderedDict, deque

from faultinject.audit.clients import client_of
from faultinject.audit.lanes import OTHER_KEY, SOON
from faultinject.audit.likeness import alike, fingerprint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from faultinject.audit.attempts import Attempt
    from faultinject.audit.lanes import Running

CLIENTS = 2_000
"""Of how many clients, and of how many things with a key of the caller's own, something is remembered."""
WRITES = 200
"""How many writes of a client are remembered."""
READING = frozenset(("GET", "HEAD", "OPTIONS"))
"""Methods that change nothing."""
LOCKED_OUT = (401, 403)
"""Answers after which a client may have to log in, wherever that is."""


class History:
    """Takes attempts in order of arrival."""

    def __init__(self) -> None:
        self._clients: OrderedDict[Hashable, _Client] = OrderedDict()
        self._keyed: OrderedDict[Hashable, Running] = OrderedDict()

    def see(self, attempt: Attempt) -> int:
        """Take the next attempt; its number among those of its client."""
        client = self._client(attempt)
        client.requests += 1
        if attempt.method not in READING:
            client.writes.append(attempt)
        return client.requests

    def written(self, before: Attempt, attempt: Attempt) -> bool:
        """Whether a client that was refused has written to that place, or logged in, before it asked again."""
        looks = fingerprint(attempt)
        for each in reversed(self._client(attempt).writes):
            if each.arrived <= before.arrived:
                break
            if each is attempt or fingerprint(each) == looks:
                continue
            logs_in = before.status in LOCKED_OUT and each.method == "POST" and not each.failed
            if logs_in or _related(each.path, attempt.path):
                return True
        return False

    def other_key(self, running: Running, looks: Hashable) -> str | None:
        """Note where a call that has just failed may go on under another key of the caller's own.

        Args:
            running: a call that begins, under a key of the caller's own.
            looks: its looks.
        """
        before = self._keyed.pop(looks, None)
        self._keyed[looks] = running
        if len(self._keyed) > CLIENTS:
            self._keyed.popitem(last=False)
        attempt = running.attempts[0]
        if before is None or not before.failed or before.flies(attempt.arrived):
            return None
        wait = attempt.arrived - before.over - (before.attempts[-1].hint or 0.0)
        if wait > SOON or not alike(before.attempts[-1], attempt):
            return None
        before.followed = OTHER_KEY
        return OTHER_KEY

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

    __slots__ = ("requests", "writes")

    def __init__(self) -> None:
        self.requests = 0
        self.writes: deque[Attempt] = deque(maxlen=WRITES)


def _related(one: str, other: str) -> bool:
    """Whether two paths are the same, or one is above the other."""
    one, other = one.rstrip("/") + "/", other.rstrip("/") + "/"
    return one.startswith(other) or other.startswith(one)
