"""A prefix of a Redis server as a store: the scenario that its processes agree on, and their counts."""

from __future__ import annotations

import os
from time import monotonic

from faultinject.counts.away import Away
from faultinject.counts.guarded import Guarded
from faultinject.counts.redis_counts import KINDS, RedisCounts
from faultinject.counts.redis_link import Link, Script
from faultinject.counts.redis_scripts import AGREE, JOIN, LOOK
from faultinject.engine.draw import blake2b
from faultinject.exceptions import ConfigurationError, Problem, StoreInUse, StoreUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.counts.redis_beside import Beside
    from faultinject.counts.redis_journal import RedisJournal
    from faultinject.rules.redis_url import RedisURL

PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds until the server is asked again whether other rules are in force, and at most while it does not answer."""


class RedisStore:
    """An open store.

    Args:
        url: the server, and the prefix of the keys.

    Raises:
        MissingExtra: the package redis is not installed.
    """

    def __init__(self, url: RedisURL) -> None:
        self._link = Link(url)
        # One slot of a cluster has all of them.
        self._prefix = f"{{{url.prefix}}}"
        self._replaces = url.replace
        self._scenario = (f"{self._prefix}:scenario",)
        # The id of the scenario that this process counts by; empty before it has agreed with the others.
        self._id = ""
        # When it is looked for another one, and how long after that the next time.
        self._look = 0.0
        self._pause = PAUSE
        self._newer = False
        self._agree, self._looks, self._join = Script(AGREE), Script(LOOK), Script(JOIN)
        self._shown = f"the store {url.shown} (prefix {url.prefix})"

    def counts(self, scenario: str, seed: str, *, chosen: bool, anew: bool) -> tuple[Guarded, str]:
        """Counts for a scenario, and the seed that all its processes draw with.

        Args:
            scenario: the rules and the given seed as JSON: processes of the same text count together.
            seed: this process's.
            chosen: nobody gave it: where another process was first, its seed holds.
            anew: another scenario takes the place of the one in force, and counts begin at zero.

        Raises:
            StoreInUse: others count below the prefix, by other rules or another seed.
            ConfigurationError: another version of faultinject made what is there.
            StoreUnavailable: the server cannot be asked.
        """
        new = os.urandom(8).hex()
        keys = [*self._scenario, *(f"{self._prefix}:{kind}:{new}" for kind in KINDS)]
        texts = [each.encode("utf-8", "surrogatepass") for each in (scenario, seed)]
        began = blake2b(texts[0] + (b"" if chosen else b"\n" + texts[1]), digest_size=16).hexdigest()
        replaces = int(self._replaces or anew)
        what, *told = self._link.run(self._agree, keys, *texts, int(chosen), replaces, int(anew), new, began)
        if what == b"layout":
            why = "was made by another version of faultinject"
            self._refuse(why, "name another with ?prefix=", ConfigurationError)
        identity, found = told[0].decode(), told[1].decode("utf-8", "surrogatepass")
        cure = "name another with ?prefix=, or replace them with ?replace"
        if what == b"seed":
            self._refuse(f"is in use by the same rules with the seed {found}, not {seed}", cure, StoreInUse)
        if what == b"rules":
            self._refuse("is in use by other rules", cure, StoreInUse)
        if told[2] != texts[0]:
            # Put in force since this server began: the first request takes it over.
            self._newer = True
            return Guarded(Away(f"{self._shown} has newer rules")), seed
        self._follow(identity)
        return Guarded(RedisCounts(self._link, self._prefix, identity)), found

    @property
    def beside(self) -> Beside:
        """Where what nobody waits for is done."""
        return self._link.beside

    @property
    def due(self) -> bool:
        """Whether it is to be asked whether there is something newer."""
        return bool(self._id or self._newer) and monotonic() >= self._look

    def events(self) -> RedisJournal:
        """What happens in all processes that say so there."""
        from faultinject.counts.redis_journal import RedisJournal

        return RedisJournal(self._link, self._prefix, self._shown)

    @property
    def newer(self) -> bool:
        """Whether another process has put rules in force since; asked once a second."""
        now = monotonic()
        if not (self._id or self._newer) or now < self._look:
            return False
        if self._newer:
            return True
        self._look = now + self._pause
        try:
            found = self._link.run(self._looks, self._scenario)
        except StoreUnavailable:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            return False
        self._pause = PAUSE
        if found is not None and found.decode() != self._id:
            self._newer, self._look = True, 0.0
        return self._newer

    def join(self) -> tuple[str, Guarded, str]:
        """The rules in force as JSON, their counts and their seed.

        Raises:
            StoreUnavailable: the server cannot be asked, or has no rules any more.
        """
        # At once: the other threads do not wait for it.
        self._look = monotonic() + PAUSE
        identity, seed, scenario = self._link.run(self._join, self._scenario)
        if identity is None:
            raise StoreUnavailable(f"{self._shown} has lost its rules")
        self._follow(identity.decode())
        texts = [each.decode("utf-8", "surrogatepass") for each in (scenario, seed)]
        return texts[0], Guarded(RedisCounts(self._link, self._prefix, self._id)), texts[1]

    def _follow(self, identity: str) -> None:
        self._id, self._newer = identity, False
        self._look = monotonic() + self._pause

    def _refuse(self, why: str, cure: str, error: type[ConfigurationError]) -> None:
        raise error([Problem(f"{self._shown} {why}: {cure}")])
