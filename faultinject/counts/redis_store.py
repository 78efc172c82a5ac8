"""A prefix of a Redis server as a store: the scenario of its processes, and their counts."""

from __future__ import annotations

import os
from functools import cached_property
from hashlib import blake2b
from json import dumps, loads
from typing import TYPE_CHECKING, Any, NoReturn

from faultinject.counts.patience import LONGEST_PAUSE, PAUSE, monotonic
from faultinject.counts.redis_counts import RedisCounts, keys_of
from faultinject.counts.redis_link import Argument, Link
from faultinject.counts.redis_scripts import AGREE, JOIN, LOOK, PUT, RESTORE
from faultinject.counts.store import SharedStore
from faultinject.exceptions import (
    ConfigurationError,
    ConflictError,
    Problem,
    StoreInUseError,
    StoreUnavailableError,
)
from faultinject.journal import log

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from faultinject.counts.redis_answers import RedisAnswers
    from faultinject.counts.redis_journal import RedisJournal
    from faultinject.rules.redis_url import RedisURL

_FIELDS = 5
_QUIET = 60.0
"""Seconds in which the log does not say again that the server has lost its data."""


class RedisStore(SharedStore):
    """An open store.

    Args:
        url: the server, and the prefix of the keys.

    Raises:
        MissingExtraError: the package redis is not installed.
    """

    def __init__(self, url: RedisURL) -> None:
        self._link = Link(url)
        # One slot of a cluster has all of them.
        self._prefix = f"{{{url.prefix}}}"
        self._replaces = url.replace
        self._scenario = (f"{self._prefix}:scenario",)
        # The mark of the rules with which this server began.
        self._began = ""
        # Generation, id of the counts, scenario, seed and the rest, as the server had them when it was asked last;
        # nothing at first.
        self._told: Sequence[Any] = ()
        self._counts: RedisCounts | None = None
        self._counts_id = b""
        self._answers: dict[str, RedisAnswers] = {}
        # When it is asked again, and how long after that the next time.
        self._look = 0.0
        self._pause = PAUSE
        self._quiet_until = float("-inf")
        scripts = map(self._link.script, (AGREE, PUT, LOOK, JOIN, RESTORE))
        self._agree, self._put, self._looks, self._join, self._restore = scripts
        self.place = url.shown
        self.shown = f"the store {url.shown} (prefix {url.prefix})"
        self.sender = self._link.sender

    def begin(self, data: dict[str, Any], *, chosen: bool, keeps: Sequence[str] = ()) -> None:
        """Put a scenario in force, unless it already is: the first of equal processes does so.

        Args:
            data: what `counts` gives; JSON, with `scenario` and `seed` as text.
            chosen: nobody gave the seed: where another process was first, its seed holds.
            keeps: what of other rules' data stays when these are replaced.

        Raises:
            StoreInUseError: others count below the prefix, by other rules or another seed.
            ConfigurationError: another version of faultinject made what is there.
            StoreUnavailableError: the server cannot be asked.
        """
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
            there = loads(standing)
            data = {**data, **{name: there[name] for name in keeps if name in there}}
        if what == b"differs":
            why = "is in use by other rules, or the same with another seed"
            self._refuse(why, "name another with ?prefix=, or replace them with ?replace", StoreInUseError)
        self._told, self._look = told, monotonic() + self._pause

    def publish(self, data: dict[str, Any], *, after: Hashable, anew: bool) -> None:
        """Put another scenario in force.

        Args:
            data: what `counts` gives.
            after: the version that must be in force still.
            anew: whether counts begin at zero.

        Raises:
            ConflictError: another generation is in force, and stays so.
            ConfigurationError: another version of faultinject made what is there.
            StoreUnavailableError: the server cannot be asked.
        """
        known = [each or b"" for each in after] if isinstance(after, tuple) else []
        told = self._run(self._put, _new() if anew else "", *_texts(data), *known)
        if told[0] == b"changed":
            raise ConflictError(f"{self.shown} was changed since")
        self._told, self._look = told[1:], monotonic() + self._pause

    @property
    def version(self) -> Hashable:
        """The version in force when the server was last asked.

        It is asked once a second while somebody wants to know.
        """
        if self._told and monotonic() >= self._look:
            self._look = monotonic() + self._pause
            self._link.sender.do(self.refresh)
        return tuple(self._told[:2]) or (None, None)

    def refresh(self) -> None:
        """Ask the server; if it has lost the scenario in force, send it again.

        Raises:
            StoreUnavailableError: the server cannot be asked.
        """
        self._look = monotonic() + self._pause
        try:
            seen = self._seen()
        except StoreUnavailableError:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            raise
        self._pause = PAUSE
        if seen[0] is None and self._told and None not in self._told:
            self._tell_lost()
            self._restore(self._scenario, *self._told, self._began)
            seen = self._seen()
        if seen != [*self._told[:2]]:
            self._told = self._run(self._join)

    def _seen(self) -> list[bytes | None]:
        """Generation and id of the server's scenario in force."""
        identity = self._told[1] if self._told else None
        counts = keys_of(self._prefix, identity.decode()) if identity else ()
        found: list[bytes | None] = self._looks((*self._scenario, *counts))
        return found

    @cached_property
    def journal(self) -> RedisJournal:
        """The outcomes of all processes that write them there."""
        from faultinject.counts.redis_journal import RedisJournal

        return RedisJournal(self._link, self._prefix, self.shown)

    def answers(self, bound: str, width: float) -> RedisAnswers:
        """As `SharedStore.answers`."""
        found = self._answers.get(bound)
        if found is None:
            from faultinject.counts.redis_answers import RedisAnswers

            found = self._answers[bound] = RedisAnswers(bound, width, self._link, self._prefix)
        return found

    def counts(self) -> tuple[int, dict[str, Any], RedisCounts]:
        """The scenario that the server had when last asked: its generation, itself and its counts.

        Raises:
            StoreUnavailableError: it had no rules, or some that cannot be read.
        """
        fields: list[bytes] = [field for field in self._told if field is not None]
        if len(fields) != _FIELDS:
            raise StoreUnavailableError(f"{self.shown} has rules that are not whole")
        generation, identity, scenario, seed, standing = fields
        data = {"scenario": _text(scenario), "seed": _text(seed)}
        try:
            data |= loads(standing)
        except (ValueError, TypeError) as error:
            raise StoreUnavailableError(f"{self.shown} has rules that cannot be read: {error}") from error
        if self._counts is None or self._counts_id != identity:
            self._counts = RedisCounts(self._link, self._prefix, identity.decode(), lost=self._tell_lost)
            self._counts_id = identity
        return int(generation), data, self._counts

    def _run(self, script: Callable[..., Any], *arguments: Argument) -> Any:
        found = script(self._scenario, *arguments, patient=True)
        if found[0] == b"layout":
            why = "was made by another version of faultinject"
            self._refuse(why, "name another with ?prefix=", ConfigurationError)
        return found

    def _tell_lost(self) -> None:
        """Log the loss once, whether counts or rules are missed first."""
        now = monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET
            # A server has lost its counts.
            log.error("faultinject: %s has lost its data: counts begin at zero again", self.shown)

    def _refuse(self, why: str, cure: str, error: type[ConfigurationError]) -> NoReturn:
        raise error([Problem(f"{self.shown} {why}: {cure}")])


def _texts(data: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
    """Scenario, seed and all the rest, as texts."""
    rest = {name: value for name, value in data.items() if name not in ("scenario", "seed")}
    scenario, seed = (data[each].encode("utf-8", "surrogatepass") for each in ("scenario", "seed"))
    return scenario, seed, dumps(rest).encode()


def _new() -> str:
    """An id for new counts."""
    return os.urandom(8).hex()


def _text(told: bytes) -> str:
    return told.decode("utf-8", "surrogatepass")
