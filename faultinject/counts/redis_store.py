"""A prefix of a Redis server as a store: the scenario that its processes agree on, and their counts."""

from __future__ import annotations

import os

from faultinject.counts.guarded import Guarded
from faultinject.counts.redis_counts import KINDS, RedisCounts
from faultinject.counts.redis_link import Link, Script
from faultinject.counts.redis_scripts import AGREE
from faultinject.exceptions import ConfigurationError, Problem, StoreInUse

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.rules.redis_url import RedisURL


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
        prefix = self._prefix
        keys = [f"{prefix}:scenario", *(f"{prefix}:{kind}:{new}" for kind in KINDS)]
        texts = [each.encode("utf-8", "surrogatepass") for each in (scenario, seed)]
        replaces = int(self._replaces or anew)
        answer = self._link.run(Script(AGREE), keys, *texts, int(chosen), replaces, int(anew), new)
        what = answer[0].decode()
        if what == "layout":
            why = "was made by another version of faultinject"
            self._refuse(why, "name another with ?prefix=", ConfigurationError)
        identity, found = answer[2].decode("ascii", "replace"), answer[3].decode("utf-8", "surrogatepass")
        cure = "name another with ?prefix=, or replace them with ?replace"
        if what == "seed":
            self._refuse(f"is in use by the same rules with the seed {found}, not {seed}", cure, StoreInUse)
        if what == "rules":
            self._refuse("is in use by other rules", cure, StoreInUse)
        return Guarded(RedisCounts(self._link, prefix, identity)), found

    def _refuse(self, why: str, cure: str, error: type[ConfigurationError]) -> None:
        raise error([Problem(f"{self._shown} {why}: {cure}")])
