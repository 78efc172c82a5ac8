"""A prefix of a Redis server as a store: its processes share the scenario and its counts."""

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
"""The number of fields: generation, id of the counts, scenario, seed and the rest."""
_QUIET = 60.0
"""Seconds between two log lines that the server has lost its data."""


class RedisStore(SharedStore):
    """An open store.

    Args:
        url: the server, and the prefix of the keys.

    Raises:
        MissingExtraError: the package redis is not installed.
    """

    def __init__(self, url: RedisURL) -> None:
        self._link = Link(url)
        # The braces put all keys into one slot of a cluster.
        self._prefix = f"{{{url.prefix}}}"
        self._replaces = url.replace
        self._scenario = (f"{self._prefix}:scenario",)
        # The digest of the rules with which this server began.
        self._began = ""
        # The server's last answer: generation, id of the counts, scenario, seed and the rest; empty at first.
        self._published: Sequence[Any] = ()
        self._counts: RedisCounts | None = None
        self._counts_id = b""
        self._answers: dict[str, RedisAnswers] = {}
        # The time of the next question, and the pause after it.
        self._next_look = 0.0
        self._pause = PAUSE
        self._quiet_until = float("-inf")
        scripts = map(self._link.script, (AGREE, PUT, LOOK, JOIN, RESTORE))
        self._agree, self._put, self._look, self._join, self._restore = scripts
        self.place = url.shown
        self.shown = f"the store {url.shown} (prefix {url.prefix})"
        self.sender = self._link.sender

    def begin(self, data: dict[str, Any], *, chosen: bool, keeps: Sequence[str] = ()) -> None:
        """Put a scenario in force, unless it already is: only the first of equal processes does so.

        Args:
            data: data as `counts` returns them: JSON, with `scenario` and `seed` as text.
            chosen: whether the seed was chosen at random; then the seed of an earlier process is in force.
            keeps: the names of entries that stay when these data replace others.

        Raises:
            StoreInUseError: other processes use the prefix with other rules or another seed.
            ConfigurationError: another version of faultinject made the keys below the prefix.
            StoreUnavailableError: the server cannot be reached.
        """
        texts = _split_data(data)
        self._began = began = blake2b(
            texts[0] + (b"" if chosen else b"\n" + texts[1]), digest_size=16
        ).hexdigest()
        replaced = b""
        while True:
            options = int(chosen), int(self._replaces), began, replaced
            result, *fields = self._run(self._agree, _new_id(), *_split_data(data), *options)
            if result != b"others":
                break
            replaced, rest = fields
            data_before = loads(rest)
            data = {**data, **{name: data_before[name] for name in keeps if name in data_before}}
        if result == b"differs":
            problem = "is in use with other rules or another seed"
            self._refuse(
                problem, "name another with ?prefix=, or replace them with ?replace", StoreInUseError
            )
        self._published, self._next_look = fields, monotonic() + self._pause

    def publish(self, data: dict[str, Any], *, after: Hashable, anew: bool) -> None:
        """Put another scenario in force.

        Args:
            data: data as `counts` returns them.
            after: the version that must still be in force.
            anew: whether counts begin at zero.

        Raises:
            ConflictError: another generation is in force, and stays in force.
            ConfigurationError: another version of faultinject made the keys below the prefix.
            StoreUnavailableError: the server cannot be reached.
        """
        version = [part or b"" for part in after] if isinstance(after, tuple) else []
        result, *fields = self._run(self._put, _new_id() if anew else "", *_split_data(data), *version)
        if result == b"changed":
            raise ConflictError(f"{self.shown} was changed since")
        self._published, self._next_look = fields, monotonic() + self._pause

    @property
    def version(self) -> Hashable:
        """The version in force when the server was last asked; it is asked at most once a second."""
        if self._published and monotonic() >= self._next_look:
            self._next_look = monotonic() + self._pause
            self._link.sender.do(self.refresh)
        return tuple(self._published[:2]) or (None, None)

    def refresh(self) -> None:
        """Ask the server; if it has lost the scenario in force, send it again.

        Raises:
            StoreUnavailableError: the server cannot be reached.
        """
        self._next_look = monotonic() + self._pause
        try:
            version = self._ask_version()
        except StoreUnavailableError:
            self._pause = min(2 * self._pause, LONGEST_PAUSE)
            raise
        self._pause = PAUSE
        if version[0] is None and self._published and None not in self._published:
            self._log_lost_data()
            self._restore(self._scenario, *self._published, self._began)
            version = self._ask_version()
        if version != [*self._published[:2]]:
            self._published = self._run(self._join)

    def _ask_version(self) -> list[bytes | None]:
        """Ask the server for the generation and the id of the scenario in force."""
        identity = self._published[1] if self._published else None
        counts = keys_of(self._prefix, identity.decode()) if identity else ()
        version: list[bytes | None] = self._look((*self._scenario, *counts))
        return version

    @cached_property
    def journal(self) -> RedisJournal:
        """The outcomes that all processes of the prefix write."""
        from faultinject.counts.redis_journal import RedisJournal

        return RedisJournal(self._link, self._prefix, self.shown)

    def answers(self, bound: str, width: float) -> RedisAnswers:
        """As `SharedStore.answers`."""
        answers = self._answers.get(bound)
        if answers is None:
            from faultinject.counts.redis_answers import RedisAnswers

            answers = self._answers[bound] = RedisAnswers(bound, width, self._link, self._prefix)
        return answers

    def counts(self) -> tuple[int, dict[str, Any], RedisCounts]:
        """The generation, the data and the counts that the server had when it was last asked.

        Raises:
            StoreUnavailableError: it had no rules, or they cannot be read.
        """
        fields: list[bytes] = [field for field in self._published if field is not None]
        if len(fields) != _FIELDS:
            raise StoreUnavailableError(f"{self.shown} has incomplete rules")
        generation, identity, scenario, seed, rest = fields
        data = {"scenario": _text(scenario), "seed": _text(seed)}
        try:
            data |= loads(rest)
        except (ValueError, TypeError) as error:
            raise StoreUnavailableError(f"{self.shown} has rules that cannot be read: {error}") from error
        if self._counts is None or self._counts_id != identity:
            self._counts = RedisCounts(self._link, self._prefix, identity.decode(), lost=self._log_lost_data)
            self._counts_id = identity
        return int(generation), data, self._counts

    def _run(self, script: Callable[..., Any], *arguments: Argument) -> Any:
        answer = script(self._scenario, *arguments, patient=True)
        if answer[0] == b"layout":
            problem = "was made by another version of faultinject"
            self._refuse(problem, "name another with ?prefix=", ConfigurationError)
        return answer

    def _log_lost_data(self) -> None:
        """Log once that the server has lost its data."""
        now = monotonic()
        if now >= self._quiet_until:
            self._quiet_until = now + _QUIET
            # A server has lost its counts.
            log.error("faultinject: %s has lost its data: counts begin at zero again", self.shown)

    def _refuse(self, problem: str, cure: str, error: type[ConfigurationError]) -> NoReturn:
        raise error([Problem(f"{self.shown} {problem}: {cure}")])


def _split_data(data: dict[str, Any]) -> tuple[bytes, bytes, bytes]:
    """Split data into scenario, seed and the rest, as texts."""
    rest = {name: value for name, value in data.items() if name not in ("scenario", "seed")}
    scenario, seed = (data[name].encode("utf-8", "surrogatepass") for name in ("scenario", "seed"))
    return scenario, seed, dumps(rest).encode()


def _new_id() -> str:
    """Make a random id for new counts."""
    return os.urandom(8).hex()


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogatepass")
