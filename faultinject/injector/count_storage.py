"""Where one injector's counts live: in memory, in a named directory, or in one that its processes find by themselves."""

from __future__ import annotations

import os
from time import monotonic

from faultinject.counts.memory import MemoryCounts
from faultinject.engine.draw import blake2b
from faultinject.exceptions import ConfigurationError, FaultInjectError, StoreBusy, StoreUnavailable
from faultinject.rules.redis_url import is_redis, read_redis
from faultinject.rules.store import FILE, MEMORY, REPLACE, opener, read_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from faultinject.counts.directory import StoreDirectory
    from faultinject.counts.file_counts import FileCounts
    from faultinject.counts.guarded import Guarded
    from faultinject.counts.redis_beside import Beside
    from faultinject.counts.redis_store import RedisStore
    from faultinject.engine.counting import Counts, MatchKey, Number, Take
    from faultinject.engine.journal_entry import Line, Outcome
    from faultinject.injector.standing import Standing
    from faultinject.rules.scenario import Scenario
    from faultinject.vendors.addressing import Addressing

    class SharedJournal(Protocol):
        """The outcomes of all processes of a store."""

        def add(self, line: Line, reading: Addressing | None) -> None:
            """One more of this process."""

        def read(self, after: str = "", limit: int = 500) -> tuple[list[Outcome], str, int]:
            """As `Journal.events`, for all processes."""

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
"""Seconds until a scenario that could not be read is tried again, and at most until a server is that does not answer."""
SWITCH = ("on", "until", "why_off")
"""What of a standing stays when other rules take its place: what somebody or `abort` has switched off needs a hand to go on."""
_TRIES = 50
_NEVER = -2
"""No generation."""

# How many injectors of this process had the same scenario: those of two apps are two, in every worker.
_alike: dict[str, int] = {}


class CountStorage:
    """The store of one injector.

    Args:
        store: `memory:`, `file:DIRECTORY` with or without `?replace`, `redis://…`, one of another package's scheme, or None: memory
            until there are several processes.
        alone: no other process is to count with it, however many there are.
        make: makes counts where there is no directory, by default in memory.
        grows: whether somebody may put rules in force later, so that processes without any share a directory too.

    Attributes:
        directory: where processes share their counts, or None.
        salt: what this process draws with besides the seed, where each counts for itself.
        seen: the generation that this process has joined.
        why: what keeps processes from sharing counts that were to share them; empty when nothing does.
        missing: why the server did not answer when this process began; empty when it did, or does now.
        replaced_by: the process of another server that put in force what is; 0 for one of this server.
        watched: where the outcomes of all processes are; None where nobody asked for them, or there is one process.

    Raises:
        ConfigurationError: the directory cannot be used.
        StoreUnavailable: its lock is held by others.
    """

    def __init__(
        self,
        store: str | None,
        *,
        alone: bool = False,
        make: Callable[[], Counts] | None = None,
        grows: bool = False,
    ) -> None:
        self.seen = 0
        self.replaced_by = 0
        # Takes part in a directory as the first did; None once it has.
        self._agree: Callable[[StoreDirectory], int] | None = None
        self._replaces = False
        self.salt = b""
        self.why = self.missing = ""
        self._salted = 0
        # The generation that could not be read, and when it is tried again.
        self._unread: int | None = None
        self._again = 0.0
        self._alone = alone
        self._grows = grows
        self._make = make or MemoryCounts
        # The directory's counts as they are open, as they are and as requests ask them.
        self._file_counts: FileCounts | None = None
        self._guarded: Guarded | None = None
        self._named = store is not None
        self.directory: StoreDirectory | None = None
        if store is not None and store.startswith(FILE):
            path, self._replaces = read_directory(store)
            self.directory = _opened(path)
        self._store: Store | None = None  # of another package
        self._server: RedisStore | None = None
        # Asks the server again that did not answer when this process began; None once it has.
        self._ask: Callable[[], tuple[Standing, Counts]] | None = None
        self._pause = PAUSE
        self.watched: SharedJournal | None = None
        self._watched_at: StoreDirectory | RedisStore | None = None
        # What the server has cannot be taken over, and nobody was told so far.
        self._refused = False
        if store is not None and is_redis(store):
            from faultinject.counts.redis_store import RedisStore

            self._server = RedisStore(read_redis(store))
        elif store is not None and self.directory is None and store != MEMORY:
            self._scheme = store.partition(":")[0]
            self._store = _opened_elsewhere(store)

    @property
    def settled(self) -> bool:
        """Whether nothing changes when there are several processes."""
        return (
            self._alone
            or self.directory is not None
            or self._store is not None
            or self._server is not None
            or self._salted == os.getpid()
        )

    @property
    def undecided(self) -> bool:
        """Whether nobody said where counts live, and one process was enough so far."""
        return not self._alone and not self._named and self.directory is None

    @property
    def shown(self) -> str:
        """What tells a store that processes share from others; empty where nothing is shared."""
        if self.directory is not None:
            return self.directory.path
        return "" if self._server is None else self._server.shown

    @property
    def place(self) -> str:
        """Where counts live, as a log may have it: the store without its password."""
        if self.directory is not None:
            return f"{FILE}{self.directory.path}"
        # Of another package's store only the scheme is known to hold no password.
        return self.shown or (f"{self._scheme}:" if self._store is not None else MEMORY)

    @property
    def follows(self) -> bool:
        """Whether what is in force may be another one's."""
        return self.directory is not None or self._ask is not None or self._server is not None

    @property
    def beside(self) -> Beside | None:
        """Where a server is asked that requests do not wait for; None where what is in force can be seen at once."""
        return None if self._server is None else self._server.beside

    @property
    def due(self) -> bool:
        """Whether the server is to be asked what is in force."""
        if self._ask is not None:
            return monotonic() >= self._again
        return self._server is not None and self._server.due

    @property
    def stale(self) -> bool:
        """Whether another process has published a scenario since, or the server is to be asked that was not there."""
        if self.directory is None:
            if self._ask is not None:
                return monotonic() >= self._again
            return self._server is not None and self._server.newer
        number = self.directory.number.read()
        return number != self.seen and (number != self._unread or monotonic() >= self._again)

    def hurry(self) -> None:
        """Let `stale` know of what was put in force just now."""
        if self._server is not None:
            self._server.hurry()

    def detach(
        self, scenario: Scenario, seed: str | None, *, owner: int | None = None, empty: bool = False
    ) -> None:
        """Several processes serve the app: they find one directory, or each counts for itself.

        Args:
            scenario: what they have in common.
            seed: the seed that was given; None when each has chosen its own.
            owner: the process that they have in common, which has the directory as long as it lives.
            empty: whether they share a scenario without rules as well.
        """
        if self.undecided and (scenario.rules or empty or self._grows):
            try:
                self._share(f"{scenario.to_json()}\n{seed}", owner)
            except (FaultInjectError, OSError) as error:
                self._give_up(error)
        else:
            self.salt, self._salted = os.urandom(16), os.getpid()

    def begin(self, own: Standing, *, chosen: bool) -> tuple[Standing, Counts]:
        """What is in force for all processes, and its counts: this process's own, unless others have something.

        Args:
            own: what this process would put in force.
            chosen: nobody gave its seed: where another process was first, that one's holds.

        Raises:
            ConfigurationError: the named store cannot hold it, or others count there by other rules.
            StoreUnavailable: the named store cannot be had.
        """
        if self._store is not None or self._server is not None:
            return self._begin_elsewhere(own, chosen=chosen)
        if self.directory is None:
            return own, self._make()
        data = self._data(own)
        text = f"{own.text}\n{'' if chosen else own.seed}"
        agreed = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        how = "" if self._replaces else f"{FILE}{self.directory.path}{REPLACE}"
        replace = how if self._named else None

        def same(found: dict[str, Any]) -> bool:
            return found.get("scenario") == own.text and (chosen or found.get("seed") == own.seed)

        def agree(directory: StoreDirectory) -> int:
            return directory.agree(
                data, rules=own.next_place, same=same, agreed=agreed, replace=replace, keeps=SWITCH
            )

        try:
            agree(self.directory)
            found, counts = self.join(own)
        except (FaultInjectError, OSError) as error:
            if isinstance(error, StoreUnavailable) and self._named and self._is_late(agreed):
                return own, self._rest(error, agree)
            if self._named:
                raise
            self._give_up(error)
            return own, self._make()
        if found.scenario is not own.scenario:
            # Put in force since this server began: the first request takes it over.
            self.seen = _NEVER
            return own.but(seed=found.seed), counts
        return found, counts

    def newest(self, known: Standing, *, in_any_case: bool = False) -> tuple[Standing, int]:
        """What is in force for all processes now, and its generation.

        Args:
            known: what this process has in force.
            in_any_case: where what is in force cannot be read, what this process has stands for it.

        Raises:
            StoreUnavailable: it cannot be read.
            ConfigurationError: likewise.
        """
        if self._server is not None:
            return self._newest_of_server(self._server, known, in_any_case=in_any_case)
        if self.directory is None:
            return known, known.generation
        generation = self.directory.generation
        if generation == known.generation == self.seen:
            return known, generation
        try:
            generation, data = self.directory.read()
            return _read(data, generation, known, self.directory.path), generation
        except FaultInjectError:
            if not in_any_case:
                raise
            return known, self.directory.generation

    def publish(self, new: Standing, *, after: int, anew: bool, counts: Counts) -> tuple[Standing, Counts]:
        """Put something in force in all processes.

        Args:
            new: what.
            after: the generation that it was made from.
            anew: whether counts begin at zero.
            counts: those of this process so far.

        Returns:
            What is in force now, and its counts.

        Raises:
            Conflict: another generation is in force by now; nothing was changed.
            ConfigurationError: the store cannot hold it.
            StoreUnavailable: the store cannot be had; nothing was changed.
        """
        if self.directory is not None:
            from faultinject.counts.table import MOST_RULES

            if new.next_place > MOST_RULES and not anew:
                raise ConfigurationError(
                    f"the store `file:` counts by at most {MOST_RULES} rules, also those that were replaced or removed:"
                    " put all rules in force anew, which lets them begin at zero"
                )
            rules = new.next_place
            self.directory.publish(self._data(new), rules=rules, keep_counts=not anew, after=after)
            return self.join(new)
        if self._server is not None:
            generation, counts = self._server.put(new.to_data(), after=after, anew=anew)
            self._ask, self.missing = None, ""
            return new.but(generation=generation), counts
        if anew:
            counts = self._make()
            if self._store is not None:
                counts, seed = self._store.counts(new.text, new.seed, chosen=False, anew=True)
                new = new.but(seed=seed)
        return new.but(generation=after + 1, by=os.getpid()), counts

    def join(self, known: Standing) -> tuple[Standing, Counts]:
        """What is in force for all processes, and its counts.

        Args:
            known: what this process has in force.

        Raises:
            StoreInUse: the server, which was not there before, has other rules.
            StoreUnavailable: it cannot be read.
        """
        if self._ask is not None:
            return self._join_late(self._ask)
        if self._server is not None:
            return self._join_server(self._server, known)
        assert self.directory is not None
        if self._agree is not None:
            from faultinject.counts.directory import StoreDirectory

            # Another one may be in its place by now.
            again = StoreDirectory(self.directory.path, make=False)
            self._agree(again)
            self.directory, self._agree = again, None
        generation, data, counts = self.directory.join(self._file_counts)
        if counts is None:
            raise StoreUnavailable(f"{self.directory.path} has lost its scenario")
        found = _read(data, generation, known, self.directory.path)
        if counts is not self._file_counts:
            from faultinject.counts.guarded import Guarded

            self._file_counts, self._guarded = counts, Guarded(counts)
        assert self._guarded is not None
        self._unread = None
        self.seen = generation
        self.replaced_by = 0 if found.by == self.directory.holders.pid else found.by
        return found, self._guarded

    def let_watch(self) -> Callable[[Line, Addressing | None], None] | None:
        """Have the outcomes of all processes in one place; gives what takes those of this one, None where it is alone."""
        where = self.directory or self._server
        if self._watched_at is not where:
            self._watched_at, self.watched = where, None if where is None else where.events()
        return None if self.watched is None else self.watched.add

    def tell(self, seed: str) -> None:
        """Log how several processes count, if there are several; `seed` is what they draw with."""
        from faultinject.journal import log

        if self.directory is not None:
            log.shared(self.directory.path, seed)
        elif self.salt:
            log.detach(self.why)

    def postpone(self) -> bool:
        """What was published cannot be read: it is tried again in a while; whether that is news."""
        if self.directory is None:
            refused, self._refused = self._refused, False
            return refused
        self._again = monotonic() + PAUSE
        before, self._unread = self._unread, self.directory.generation
        return before != self._unread

    def _begin_elsewhere(self, own: Standing, *, chosen: bool) -> tuple[Standing, Counts]:
        """On a server, or where another package counts; none until it answers, where it does not when this process begins."""

        def ask() -> tuple[Standing, Counts]:
            if self._server is not None:
                generation, data, counts = self._server.agree(own.to_data(), chosen=chosen, keeps=SWITCH)
                found = _read(data, generation, own, self._server.shown)
                # What was put in force since this server began is taken over by the first request.
                return found if found.scenario is own.scenario else own, counts
            assert self._store is not None
            given, seed = self._store.counts(own.text, own.seed, chosen=chosen, anew=False)
            return own.but(seed=seed), given

        try:
            found = ask()
        except StoreUnavailable as error:
            self._ask, self._again, self.missing = ask, monotonic() + self._pause, str(error)
            return own, _nothing(error)
        self._ask, self.missing = None, ""
        return found

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

    def _join_server(self, server: RedisStore, known: Standing) -> tuple[Standing, Counts]:
        generation, data, counts = server.join()
        try:
            return _read(data, generation, known, server.shown), counts
        except FaultInjectError:
            self._refused = True
            raise

    def _newest_of_server(
        self, server: RedisStore, known: Standing, *, in_any_case: bool
    ) -> tuple[Standing, int]:
        if self._ask is not None and not in_any_case:
            self._ask()
        generation, follows = server.look()
        if follows and generation == known.generation:
            return known, generation
        try:
            generation, data = server.read()
            return _read(data, generation, known, server.shown), generation
        except FaultInjectError:
            if not in_any_case:
                raise
            return known, generation

    def _data(self, standing: Standing) -> dict[str, Any]:
        assert self.directory is not None
        return standing.but(by=self.directory.holders.pid).to_data()

    def _is_late(self, agreed: str) -> bool:
        """Whether other processes of this server took part before."""
        assert self.directory is not None
        holders = self.directory.holders
        return holders.begun() == agreed or holders.lost()

    def _rest(self, error: Exception, agree: Callable[[StoreDirectory], int]) -> Counts:
        """Nothing is injected until the store is back that this server began with."""
        from faultinject.counts.away import Away
        from faultinject.counts.guarded import Guarded

        self._agree = agree
        self.seen = _NEVER
        self.postpone()
        return Guarded(Away(str(error)))

    def _share(self, common: str, owner: int | None) -> None:
        from faultinject.counts.directory import private_directory
        from faultinject.counts.filelock import AVAILABLE
        from faultinject.counts.private import clean_up_dead_owners
        from faultinject.counts.processes import common_process

        if not AVAILABLE:  # pragma: no cover - Windows
            raise StoreUnavailable("this system has no flock")
        number = _alike[common] = _alike.get(common, 0) + 1
        clean_up_dead_owners()
        self.directory = private_directory(f"{common}\n{number}", owner=owner or common_process())

    def _give_up(self, error: Exception) -> None:
        self.directory = None
        self.why = str(error)
        self.salt, self._salted = os.urandom(16), os.getpid()


def _opened(path: str) -> StoreDirectory:
    """A named directory.

    Workers that find the one gone which their server began with make it, see that, and remove it, at the same time.
    """
    from faultinject.counts.directory import StoreDirectory
    from faultinject.counts.holders import begun_with

    tries = _TRIES if begun_with(os.path.abspath(path)) else 1  # noqa: PTH100 - pathlib takes its time to load
    while True:
        tries -= 1
        try:
            return StoreDirectory(path)
        except StoreBusy:
            raise
        except FaultInjectError:
            if not tries:
                raise


def _opened_elsewhere(text: str) -> Store:
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


def _read(data: dict[str, Any], generation: int, known: Standing, path: str) -> Standing:
    """What other processes have in force; `known` may have the same rules, which then need not be read."""
    from faultinject.injector.standing import Standing

    if not data:
        raise StoreUnavailable(f"{path} has lost its scenario")
    try:
        return Standing.from_data(data, generation, known)
    except (ValueError, TypeError, KeyError) as error:
        if isinstance(error, FaultInjectError):
            raise
        raise StoreUnavailable(f"the scenario of {path} cannot be read: {error}") from error


def _nothing(error: Exception) -> Counts:
    """Counts that cannot be had; the log says so."""
    from contextlib import suppress

    from faultinject.counts.away import Away
    from faultinject.counts.guarded import Guarded

    counts = Guarded(Away(str(error)))
    with suppress(StoreUnavailable):
        counts.match([], 0.0)
    return counts


class SessionCounts:
    """What this process counts in: its memory, and once other processes take part, what they all count in."""

    holds = True
    """Whether a request may keep them from others for its takes."""
    shared = None
    """What other processes do is told by their journals."""

    def __init__(self) -> None:
        self._counts: Counts = MemoryCounts()
        self._used = False

    def share(self, counts: Callable[[], Counts | None]) -> None:
        """Count with the others, if nothing was counted yet."""
        if not self._used:
            self._counts = counts() or self._counts

    def match(
        self, keys: Sequence[MatchKey], now: float, hold: bool = False, enough: Sequence[int] | None = None
    ) -> list[Number]:
        """As the counts do."""
        self._used = True
        return self._counts.match(keys, now, hold, enough)

    def take(self, ask: Take, held: bool = False) -> bool:
        """As the counts do."""
        return self._counts.take(ask, held)

    def release(self) -> None:
        """As the counts do."""
        self._counts.release()

    def give_back(self, ask: Take) -> None:
        """As the counts do."""
        self._counts.give_back(ask)

    def matched(self, rule: int) -> int:
        """As the counts do."""
        return self._counts.matched(rule)
