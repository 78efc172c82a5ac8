"""A prefix of a Redis server as a store: the scenario that its processes agree on, and their counts."""

from __future__ import annotations

import os
from hashlib import blake2b

from faultinject.counts.away import Away
from faultinject.counts.differing import difference
from faultinject.counts.guarded import Guarded
from faultinject.counts.patience import monotonic
from faultinject.counts.redis_counts import KINDS, RedisCounts, keys_of
from faultinject.counts.redis_link import Link, Script, Until
from faultinject.counts.redis_memory import Memory
from faultinject.counts.redis_scripts import AGREE, JOIN, LOOK, PUT
from faultinject.exceptions import ConfigurationError, Conflict, Problem, StoreInUse, StoreUnavailable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, NoReturn

    from faultinject.counts.redis_beside import Beside
    from faultinject.counts.redis_journal import RedisJournal
    from faultinject.counts.redis_link import Argument
    from faultinject.rules.redis_url import RedisURL

PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds until the server is asked again whether other rules are in force, and at most while it does not answer."""


class RedisStore:
    """An open store.

    Args:
        url: the server, and the prefix of the keys.

    Attributes:
        place: where it is, without password and options.
        shown: the store as messages name it.

    Raises:
        MissingExtra: the package redis is not installed.
    """

    def __init__(self, url: RedisURL) -> None:
        self._link = Link(url)
        # One slot of a cluster has all of them.
        self._prefix = f"{{{url.prefix}}}"
        self._replaces = url.replace
        self._scenario = (f"{self._prefix}:scenario",)
        self._memory = Memory(self._link, self._prefix, f"{url.shown}?db={url.db}&prefix={url.prefix}")
        # Generation and counts that this process follows; None before it has agreed with the others.
        self._followed: tuple[int, str] | None = None
        self._counts: Guarded | None = None
        self._counts_id = ""
        # When it is looked for another one, and how long after that the next time.
        self._look = 0.0
        self._pause = PAUSE
        self._newer = False
        self._agree, self._put, self._looks, self._join = map(Script, (AGREE, PUT, LOOK, JOIN))
        self.place = url.shown
        self.shown = f"the store {url.shown} (prefix {url.prefix})"

    def agree(
        self, data: dict[str, Any], *, chosen: bool, keeps: Sequence[str] = ()
    ) -> tuple[int, dict[str, Any], Guarded]:
        """Put something in force, unless the same rules are: the first of equal processes does.

        Args:
            data: what `join` gives; JSON, with `scenario` and `seed` as text.
            chosen: nobody gave the seed: where another process was first, its seed holds.
            keeps: what of other rules' data stays when these are replaced.

        Returns:
            What is in force: its generation, itself, its counts; none that answer where others have changed the rules since.

        Raises:
            StoreInUse: others count below the prefix, by other rules or another seed.
            ConfigurationError: another version of faultinject made what is there.
            StoreUnavailable: the server cannot be asked, or has lost what other processes of this server have counted.
        """
        from json import loads

        texts = _texts(data)
        began = blake2b(texts[0] + (b"" if chosen else b"\n" + texts[1]), digest_size=16).hexdigest()
        self._memory.began = began
        new, keys = self._new()
        known = self._memory.identity
        others = b""
        while True:
            how = int(chosen), int(self._replaces), began, known, others
            what, *told = self._run(self._agree, keys, new, *_texts(data), *how)
            if what != b"others":
                break
            others, standing = told
            data = {**data, **_some(loads(standing), keeps)}
        if what == b"lost":
            raise StoreUnavailable(
                f"{self.shown} has lost what this server has counted: put its rules in force again, or restart it"
            )
        if what == b"differs":
            there = {"scenario": _text(told[0]), "seed": _text(told[1])}
            why = f"is in use by {difference(there, data, chosen=chosen)}"
            self._refuse(why, "name another with ?prefix=, or replace them with ?replace", StoreInUse)
        generation, identity, data = self._read(told)
        self._memory.tell(generation, identity, _text(told[5] or b""))
        if told[2] != texts[0]:
            # Put in force since this server began: the first request takes it over.
            self._newer = True
            return generation, data, Guarded(Away(f"{self.shown} has newer rules"))
        self._memory.learn(generation, identity, told[2:5])
        return generation, data, self._follow(generation, identity)

    def put(self, data: dict[str, Any], *, after: int, anew: bool) -> tuple[int, Guarded]:
        """Put something else in force.

        Args:
            data: what `join` gives.
            after: the generation that must be in force still; 0: none.
            anew: whether counts begin at zero.

        Returns:
            Its generation, and its counts.

        Raises:
            Conflict: another generation is in force, and stays so.
            ConfigurationError: another version of faultinject made what is there.
            StoreUnavailable: the server cannot be asked.
        """
        new, keys = self._new() if anew else ("", self._scenario)
        texts = _texts(data)
        what, *told = self._run(self._put, keys, new, *texts, after)
        if what == b"changed":
            raise Conflict(f"{self.shown} was changed since")
        generation = int(told[0])
        identity = told[1].decode()
        self._memory.learn(generation, identity, texts)
        return generation, self._follow(generation, identity)

    def look(self) -> tuple[int, bool]:
        """The generation in force, 0 where there is none; and whether this process follows it.

        A server that has lost what was in force is told it again before.

        Raises:
            StoreUnavailable: the server cannot be asked.
        """
        seen = self._seen()
        if self._memory.tell(*seen):
            seen = self._seen()
        return seen[0], seen[0] != 0 and seen[:2] == self._followed

    def _seen(self) -> tuple[int, str, str]:
        counts = () if self._followed is None else keys_of(self._prefix, self._followed[1])
        return _place(*self._link.run(self._looks, (*self._scenario, *counts), self._memory.began))

    @property
    def beside(self) -> Beside:
        """Where what nobody waits for is done."""
        return self._link.beside

    @property
    def due(self) -> bool:
        """Whether it is to be asked whether there is something newer."""
        return bool(self._followed or self._newer) and monotonic() >= self._look

    def events(self) -> RedisJournal:
        """What happens in all processes that say so there."""
        from faultinject.counts.redis_journal import RedisJournal

        return RedisJournal(self._link, self._prefix, self.shown)

    @property
    def newer(self) -> bool:
        """Whether another process has changed what is in force since; asked once a second."""
        now = monotonic()
        if not (self._followed or self._newer) or now < self._look:
            return False
        if self._newer:
            return True
        self._look = now + self._pause
        try:
            generation, follows = self.look()
        except StoreUnavailable:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            return False
        self._pause = PAUSE
        if generation and not follows:
            self._newer, self._look = True, 0.0
        return self._newer

    def hurry(self) -> None:
        """Let the next question to `newer` go to the server, unless that does not answer."""
        if self._pause == PAUSE:
            self._look = 0.0

    def read(self) -> tuple[int, dict[str, Any]]:
        """What is in force, and its generation.

        Raises:
            StoreUnavailable: the server cannot be asked, or has no rules any more, or some that nobody understands.
        """
        generation, _, data = self._read(self._run(self._join, self._scenario))
        return generation, data

    def join(self) -> tuple[int, dict[str, Any], Guarded]:
        """What is in force: its generation, itself and its counts.

        Raises:
            StoreUnavailable: the server cannot be asked, or has no rules any more.
        """
        # At once: the other threads do not wait for it.
        self._look = monotonic() + PAUSE
        told = self._run(self._join, self._scenario)
        generation, identity, origin = _place(told[0], told[1], told[5])
        if self._memory.tell(generation, identity, origin) or not generation:
            self._newer = False
            raise self._lost()
        # Also what nobody understands is not asked for again.
        counts = self._follow(generation, identity)
        generation, _, data = self._read(told)
        self._memory.learn(generation, identity, told[2:5])
        return generation, data, counts

    def _follow(self, generation: int, identity: str) -> Guarded:
        self._followed, self._newer = (generation, identity), False
        self._look = monotonic() + self._pause
        if self._counts is None or self._counts_id != identity:
            self._counts = Guarded(RedisCounts(self._link, self._prefix, identity))
            self._counts_id = identity
        return self._counts

    def _read(self, told: Sequence[bytes | None]) -> tuple[int, str, dict[str, Any]]:
        """Generation, id and what is in force of what the server has."""
        from json import loads

        generation, identity, scenario, seed, standing, _ = told
        if generation is None or identity is None:
            raise self._lost()
        if scenario is None or seed is None or standing is None:
            raise StoreUnavailable(f"{self.shown} has rules that are not whole")
        data = {"scenario": _text(scenario), "seed": _text(seed)}
        try:
            data |= loads(standing)
        except (ValueError, TypeError) as error:
            raise StoreUnavailable(f"{self.shown} has rules that cannot be read: {error}") from error
        return int(generation), identity.decode(), data

    def _new(self) -> tuple[str, Sequence[str]]:
        """An id for new counts, and the keys of a scenario with them."""
        new = os.urandom(8).hex()
        return new, [*self._scenario, *(f"{self._prefix}:{kind}:{new}" for kind in KINDS)]

    def _run(self, script: Script, keys: Sequence[str], *arguments: Argument) -> Any:
        found = self._link.run(script, keys, *arguments, until=Until(opening=True))
        if found[0] == b"layout":
            why = "was made by another version of faultinject"
            self._refuse(why, "name another with ?prefix=", ConfigurationError)
        return found

    def _lost(self) -> StoreUnavailable:
        return StoreUnavailable(f"{self.shown} has lost its rules")

    def _refuse(self, why: str, cure: str, error: type[ConfigurationError]) -> NoReturn:
        raise error([Problem(f"{self.shown} {why}: {cure}")])


def _texts(data: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
    """Scenario, seed and everything else."""
    from json import dumps

    rest = {name: value for name, value in data.items() if name not in ("scenario", "seed")}
    scenario, seed = (data[each].encode("utf-8", "surrogatepass") for each in ("scenario", "seed"))
    return scenario, seed, dumps(rest).encode()


def _place(generation: bytes | None, identity: bytes | None, origin: bytes | None) -> tuple[int, str, str]:
    """What is in force by its generation and the id of its counts, 0 and nothing where there is none; and how it came there."""
    if generation is None or identity is None:
        return 0, "", ""
    return int(generation), identity.decode(), (origin or b"").decode()


def _some(data: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: data[name] for name in names if name in data}


def _text(told: bytes) -> str:
    return told.decode("utf-8", "surrogatepass")
