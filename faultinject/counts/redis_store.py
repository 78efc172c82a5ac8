"""A prefix of a Redis server as a store: the scenario that its processes agree on, and their counts."""

from __future__ import annotations

import os
from hashlib import blake2b

from faultinject.counts.guarded import Guarded
from faultinject.counts.patience import monotonic
from faultinject.counts.redis_counts import RedisCounts, keys_of
from faultinject.counts.redis_link import Link
from faultinject.counts.redis_scripts import AGREE, JOIN, LOOK, PUT, RESTORE
from faultinject.exceptions import (
    ConfigurationError,
    Conflict,
    FaultInjectError,
    Problem,
    StoreInUse,
    StoreUnavailable,
)
from faultinject.journal import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    from faultinject.counts.background_sender import BackgroundSender
    from faultinject.counts.redis_journal import RedisJournal
    from faultinject.counts.redis_link import Argument
    from faultinject.rules.redis_url import RedisURL

PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds until the server is asked again whether other rules are in force, and at most while it does not answer."""
_QUIET = 60.0
"""Seconds in which the log does not say again that the server has lost its data."""


class RedisStore:
    """An open store.

    Args:
        url: the server, and the prefix of the keys.

    Attributes:
        place: where it is, without password and options.
        by: no process of one host stands for those of all.
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
        # What the rules are known by that this server began with.
        self._began = ""
        # What a server that has lost its data is told: scenario, seed and standing that this process follows.
        self._texts: Sequence[Argument] = ()
        # Generation and counts that this process follows; None before it has begun with the others.
        self._followed: tuple[int, str] | None = None
        self._counts: Guarded | None = None
        self._counts_id = ""
        # When it is looked for another one, and how long after that the next time.
        self._look = 0.0
        self._pause = PAUSE
        self._newer = False
        self._quiet_until = float("-inf")
        scripts = map(self._link.script, (AGREE, PUT, LOOK, JOIN, RESTORE))
        self._agree, self._put, self._looks, self._join, self._restore = scripts
        self.place = url.shown
        self.shown = f"the store {url.shown} (prefix {url.prefix})"

    def begin(
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
            StoreUnavailable: the server cannot be asked.
        """
        from json import loads

        texts = _texts(data)
        self._began = began = blake2b(
            texts[0] + (b"" if chosen else b"\n" + texts[1]), digest_size=16
        ).hexdigest()
        others = b""
        while True:
            how = int(chosen), int(self._replaces), began, others
            what, *told = self._run(self._agree, _new(), *_texts(data), *how)
            if what != b"others":
                break
            others, standing = told
            data = {**data, **_some(loads(standing), keeps)}
        if what == b"differs":
            why = "is in use by other rules, or the same with another seed"
            self._refuse(why, "name another with ?prefix=, or replace them with ?replace", StoreInUse)
        generation, identity, data = self._read(told)
        return generation, data, self._follow(generation, identity, told[2:5])

    def publish(self, data: dict[str, Any], *, after: int, anew: bool) -> None:
        """Put something else in force.

        Args:
            data: what `join` gives.
            after: the generation that must be in force still; 0: none.
            anew: whether counts begin at zero.

        Raises:
            Conflict: another generation is in force, and stays so.
            ConfigurationError: another version of faultinject made what is there.
            StoreUnavailable: the server cannot be asked.
        """
        if self._run(self._put, _new() if anew else "", *_texts(data), after)[0] == b"changed":
            raise Conflict(f"{self.shown} was changed since")

    follows = True
    by = 0

    def rests(self, _: FaultInjectError) -> bool:
        """A process that could not begin waits for the server, and injects nothing until then."""
        return True

    @property
    def version(self) -> int:
        """The number of what this process follows."""
        return self._followed[0] if self._followed else 0

    def look(self) -> tuple[int, bool]:
        """The generation in force, 0 where there is none; and whether this process follows it.

        A server that has lost what was in force is told it again before.

        Raises:
            StoreUnavailable: the server cannot be asked.
        """
        seen = self._seen()
        if not seen[0] and self._followed is not None:
            self._tell_lost()
            self._restore(self._scenario, *self._followed, *self._texts, self._began)
            seen = self._seen()
        return seen[0], seen[0] != 0 and seen == self._followed

    def _seen(self) -> tuple[int, str]:
        counts = () if self._followed is None else keys_of(self._prefix, self._followed[1])
        return _place(*self._looks((*self._scenario, *counts)))

    @property
    def sender(self) -> BackgroundSender:
        """Where what nobody waits for is done."""
        return self._link.sender

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
        generation, _, data = self._read(self._run(self._join))
        return generation, data

    def join(self) -> tuple[int, dict[str, Any], Guarded]:
        """What is in force: its generation, itself and its counts.

        Raises:
            StoreUnavailable: the server cannot be asked, or has no rules any more.
        """
        # At once: the other threads do not wait for it.
        self._look = monotonic() + PAUSE
        told = self._run(self._join)
        generation, identity = _place(*told[:2])
        if not generation:
            self._newer = False
            raise self._lost()
        # Also what nobody understands is not asked for again.
        counts = self._follow(generation, identity, told[2:5])
        generation, _, data = self._read(told)
        return generation, data, counts

    def _follow(self, generation: int, identity: str, texts: Sequence[Argument]) -> Guarded:
        self._texts = texts
        self._followed, self._newer = (generation, identity), False
        self._look = monotonic() + self._pause
        if self._counts is None or self._counts_id != identity:
            self._counts = Guarded(RedisCounts(self._link, self._prefix, identity, lost=self._tell_lost))
            self._counts_id = identity
        return self._counts

    def _read(self, told: Sequence[bytes | None]) -> tuple[int, str, dict[str, Any]]:
        """Generation, id and what is in force of what the server has."""
        from json import loads

        generation, identity, scenario, seed, standing = told
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

    def _run(self, script: Callable[..., Any], *arguments: Argument) -> Any:
        found = script(self._scenario, *arguments, patient=True)
        if found[0] == b"layout":
            why = "was made by another version of faultinject"
            self._refuse(why, "name another with ?prefix=", ConfigurationError)
        return found

    def _tell_lost(self) -> None:
        """The log says it once, whether counts or rules are missed first."""
        now = monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET
            log.store_lost(self.shown)

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


def _new() -> str:
    """An id for new counts."""
    return os.urandom(8).hex()


def _place(generation: bytes | None, identity: bytes | None) -> tuple[int, str]:
    """What is in force by its generation and the id of its counts; 0 and nothing where there is none."""
    if generation is None or identity is None:
        return 0, ""
    return int(generation), identity.decode()


def _some(data: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: data[name] for name in names if name in data}


def _text(told: bytes) -> str:
    return told.decode("utf-8", "surrogatepass")
