"""Counts that are not on this machine: on a Redis server, or where another package keeps them."""

from __future__ import annotations

import os

from faultinject.counts.patience import monotonic
from faultinject.exceptions import ConfigurationError, FaultInjectError, StoreUnavailable
from faultinject.injector.standing import SWITCH, read_standing
from faultinject.rules.redis_url import is_redis, read_redis
from faultinject.rules.store import opener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from faultinject.counts.redis_store import RedisStore
    from faultinject.engine.counting import Counts
    from faultinject.injector.standing import Standing

    class Store(Protocol):
        """A place where scenarios are counted, on a Redis server or as the function of another package's entry point opens it."""

        def counts(self, scenario: str, seed: str, *, chosen: bool, anew: bool) -> tuple[Counts, str]:
            """Counts for a scenario, and the seed that all its processes draw with.

            Args:
                scenario: the rules and the given seed as JSON: processes of the same text count together.
                seed: this process's.
                chosen: nobody gave it: where another process was first, its seed holds.
                anew: another scenario takes the place of the one in force, and counts begin at zero.
            """


PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds until a server is asked again that did not answer when this process began, and at most."""


class Elsewhere:
    """A store that other hosts may count in as well.

    Args:
        store: `redis://…`, or one of another package's scheme.

    Attributes:
        server: the Redis server, or None.
        place: the store as a log may have it: without its password.
        missing: why it did not answer when this process began; empty when it did, or does now.

    Raises:
        ConfigurationError: it cannot be opened.
    """

    def __init__(self, store: str) -> None:
        self.server: RedisStore | None = None
        self._other: Store | None = None
        self.missing = ""
        # Asks again what did not answer when this process began; None once it has.
        self._ask: Callable[[], tuple[Standing, Counts]] | None = None
        self._pause = PAUSE
        self._again = 0.0
        # What the server has cannot be taken over, and nobody was told so far.
        self._refused = False
        if is_redis(store):
            from faultinject.counts.redis_store import RedisStore

            self.server = RedisStore(read_redis(store))
            self.place = self.server.place
        else:
            # Only the scheme is known to hold no password.
            self.place = f"{store.partition(':')[0]}:"
            self._other = _opened(store)

    @property
    def follows(self) -> bool:
        """Whether what is in force may be another process's, or is not known yet."""
        return self._ask is not None or self.server is not None

    @property
    def due(self) -> bool:
        """Whether it is to be asked what is in force."""
        if self._ask is not None:
            return monotonic() >= self._again
        return self.server is not None and self.server.due

    @property
    def stale(self) -> bool:
        """Whether another process has published something since, or it is to be asked that was not there."""
        if self._ask is not None:
            return monotonic() >= self._again
        return self.server is not None and self.server.newer

    def begin(self, own: Standing, *, chosen: bool) -> tuple[Standing, Counts]:
        """As `CountStorage.begin`; no counts until it answers, where it does not when this process begins."""

        def ask() -> tuple[Standing, Counts]:
            if self.server is not None:
                generation, data, counts = self.server.agree(own.to_data(), chosen=chosen, keeps=SWITCH)
                found = read_standing(data, generation, own, self.server.shown)
                # What was put in force since this server began is taken over by the first request.
                return found if found.scenario is own.scenario else own, counts
            assert self._other is not None
            given, seed = self._other.counts(own.text, own.seed, chosen=chosen, anew=False)
            return own.but(seed=seed), given

        try:
            found = ask()
        except StoreUnavailable as error:
            self._ask, self._again, self.missing = ask, monotonic() + self._pause, str(error)
            return own, _nothing(error)
        self._ask, self.missing = None, ""
        return found

    def newest(self, known: Standing, *, in_any_case: bool) -> tuple[Standing, int]:
        """As `CountStorage.newest`."""
        server = self.server
        if server is None:
            return known, known.generation
        if self._ask is not None and not in_any_case:
            self._ask()
        generation, follows = server.look()
        if follows and generation == known.generation:
            return known, generation
        try:
            generation, data = server.read()
            return read_standing(data, generation, known, server.shown), generation
        except FaultInjectError:
            if not in_any_case:
                raise
            return known, generation

    def publish(self, new: Standing, *, after: int, anew: bool, counts: Counts) -> tuple[Standing, Counts]:
        """As `CountStorage.publish`."""
        if self.server is not None:
            generation, counts = self.server.put(new.to_data(), after=after, anew=anew)
            self._ask, self.missing = None, ""
            return new.but(generation=generation), counts
        assert self._other is not None
        if anew:
            counts, seed = self._other.counts(new.text, new.seed, chosen=False, anew=True)
            new = new.but(seed=seed)
        return new.but(generation=after + 1, by=os.getpid()), counts

    def join(self, known: Standing) -> tuple[Standing, Counts]:
        """As `CountStorage.join`."""
        if self._ask is not None:
            return self._join_late(self._ask)
        assert self.server is not None
        generation, data, counts = self.server.join()
        try:
            return read_standing(data, generation, known, self.server.shown), counts
        except FaultInjectError:
            self._refused = True
            raise

    def is_refused(self) -> bool:
        """Whether what the server has cannot be taken over, and that is news."""
        refused, self._refused = self._refused, False
        return refused

    def _join_late(self, ask: Callable[[], tuple[Standing, Counts]]) -> tuple[Standing, Counts]:
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        # At once: the other threads do not wait for it.
        self._again = monotonic() + self._pause
        try:
            found = ask()
        except StoreUnavailable:
            raise
        except FaultInjectError:
            self._ask = None  # to ask again would not help
            self._refused = True
            raise
        self._ask, self.missing = None, ""
        return found


def _opened(text: str) -> Store:
    """A store of another package's scheme."""
    opens = opener(text)
    assert opens is not None
    try:
        store: Store = opens(text)
    except FaultInjectError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {error}"
        raise ConfigurationError(f"the store {text.partition(':')[0]}: cannot be opened: {why}") from error
    return store


def _nothing(error: Exception) -> Counts:
    """Counts that cannot be had; the log says so."""
    from contextlib import suppress

    from faultinject.counts.away import Away
    from faultinject.counts.guarded import Guarded

    counts = Guarded(Away(str(error)))
    with suppress(StoreUnavailable):
        counts.match([], 0.0)
    return counts
