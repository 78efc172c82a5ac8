"""What a process tells a Redis server that has lost its data: what was in force, so that nobody begins at zero.

Only who has counted knows that there were counts; how high they were nobody knows. So what is told again is everything but the
counts, without which nothing that needs one is injected, until somebody puts rules in force by hand.
"""

from __future__ import annotations

from faultinject.counts.begun import Begun
from faultinject.counts.redis_counts import KINDS
from faultinject.counts.redis_link import Script
from faultinject.counts.redis_scripts import RECALL, RECALLED, STARTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from faultinject.counts.redis_link import Argument, Link


class Memory:
    """What one process knows of a store.

    Args:
        link: the server.
        prefix: of all keys.
        place: what tells the store from others.

    Attributes:
        began: what tells the rules that this server began with from others; empty before it has.
    """

    def __init__(self, link: Link, prefix: str, place: str) -> None:
        self.began = ""
        self._link = link
        self._prefix = prefix
        self._begun = Begun(place)
        self._recall = Script(RECALL)
        # What this process has followed: its generation, its id, and the texts that say what was in force; one value for all threads.
        self._followed: tuple[int, str, Sequence[Argument]] = (0, "", ())

    @property
    def identity(self) -> str:
        """The id of the counts that this process, or one of its server before it, has counted in; empty where none has."""
        return self._followed[1] or (self._begun.read() or b"").decode("ascii", "replace")

    def learn(self, generation: int, identity: str, texts: Sequence[Argument]) -> None:
        """Remember what is in force, and followed."""
        if identity != self._followed[1]:
            self._begun.write(identity.encode())
        self._followed = generation, identity, texts

    def tell(self, generation: int, identity: str, origin: str) -> bool:
        """Tell the server what it has lost, where it has.

        Args:
            generation: of what it has in force, 0 where there is nothing.
            identity: the id of its counts.
            origin: how they came there.

        Returns:
            Whether it had, so that it has something else in force now.

        Raises:
            StoreUnavailable: it cannot be told.
        """
        own, known, texts = self._followed
        known = known or self.identity
        again, lost = own, []
        if generation and origin == STARTED + self.began and identity not in ("", known) and known:
            # Begun at zero by one who could not know. What was changed by hand since stays, but for its counts.
            again = max(own, generation + 1) if own and generation == 1 else 0
            lost = [f"{self._prefix}:{kind}:{identity}" for kind in KINDS]
        elif not own or (generation and not (origin == RECALLED and generation < own)):
            return False
        arguments: list[Argument] = [again, known, *texts, self.began] if again else [""] * bool(own)
        self._link.run(self._recall, [f"{self._prefix}:scenario", *lost], generation, identity, *arguments)
        return True
