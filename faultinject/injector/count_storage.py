"""Where one injector's counts live: in memory, in a named directory, or in one that its processes find by themselves."""

from __future__ import annotations

import os
from hashlib import blake2b

from faultinject.counts.memory import MemoryCounts
from faultinject.counts.patience import monotonic
from faultinject.exceptions import ConfigurationError, FaultInjectError, StoreBusy, StoreUnavailable
from faultinject.injector.standing import SWITCH, read_standing
from faultinject.rules.store import FILE, MEMORY, REPLACE, read_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, Protocol

    from faultinject.counts.background_sender import BackgroundSender
    from faultinject.counts.directory import StoreDirectory
    from faultinject.counts.file_counts import FileCounts
    from faultinject.counts.guarded import Guarded
    from faultinject.counts.redis_store import RedisStore
    from faultinject.engine.counting import Counts
    from faultinject.engine.journal_entry import Entry
    from faultinject.injector.elsewhere import Elsewhere
    from faultinject.injector.standing import Standing
    from faultinject.journal.outcome import Outcome
    from faultinject.rules.scenario import Scenario
    from faultinject.vendors.addressing import Addressing

    class SharedJournal(Protocol):
        """The outcomes of all processes of a store."""

        def add(self, line: Entry, reading: Addressing | None) -> None:
            """One more of this process."""

        def read(self, after: str = "", limit: int = 500) -> tuple[list[Outcome], str, int]:
            """As `Journal.events`, for all processes."""


PAUSE = 1.0
"""Seconds until a scenario that could not be read is tried again."""
_TRIES = 50
_STARTS = 5
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

    Attributes:
        directory: where processes share their counts, or None.
        salt: what this process draws with besides the seed, where each counts for itself.
        seen: the generation that this process has joined.
        why: what keeps processes from sharing counts that were to share them; empty when nothing does.
        elsewhere: what other hosts may count in as well, or None.
        replaced_by: the process of another server that put in force what is; 0 for one of this server.
        watched: where the outcomes of all processes are; None where nobody asked for them, or there is one process.

    Raises:
        ConfigurationError: the directory cannot be used.
        StoreUnavailable: its lock is held by others.
    """

    def __init__(
        self, store: str | None, *, alone: bool = False, make: Callable[[], Counts] | None = None
    ) -> None:
        self.seen = 0
        self.replaced_by = 0
        # Takes part in a directory as the first did; None once it has.
        self._agree: Callable[[StoreDirectory], int] | None = None
        self._replaces = False
        self.salt = b""
        self.why = ""
        self._salted = 0
        # The generation that could not be read, and when it is tried again.
        self._unread: int | None = None
        self._again = 0.0
        self._alone = alone
        self._make = make or MemoryCounts
        # The directory's counts as they are open, as they are and as requests ask them.
        self._file_counts: FileCounts | None = None
        self._guarded: Guarded | None = None
        self._named = store is not None
        self.directory: StoreDirectory | None = None
        if store is not None and store.startswith(FILE):
            path, self._replaces = read_directory(store)
            self.directory = _opened(path)
        self.watched: SharedJournal | None = None
        self._watched_at: StoreDirectory | RedisStore | None = None
        self.elsewhere: Elsewhere | None = None
        if store is not None and self.directory is None and store != MEMORY:
            from faultinject.injector.elsewhere import Elsewhere

            self.elsewhere = Elsewhere(store)

    @property
    def settled(self) -> bool:
        """Whether nothing changes when there are several processes."""
        return (
            self._alone
            or self.directory is not None
            or self.elsewhere is not None
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
        server = self._server
        return "" if server is None else server.shown

    @property
    def place(self) -> str:
        """Where counts live, as a log may have it: the store without its password."""
        if self.directory is not None:
            return f"{FILE}{self.directory.path}"
        return MEMORY if self.elsewhere is None else self.elsewhere.place

    @property
    def missing(self) -> str:
        """Why the store did not answer when this process began; empty when it did, or does now."""
        return "" if self.elsewhere is None else self.elsewhere.missing

    @property
    def follows(self) -> bool:
        """Whether what is in force may be another one's."""
        return self.directory is not None or (self.elsewhere is not None and self.elsewhere.follows)

    @property
    def sender(self) -> BackgroundSender | None:
        """Where a server is asked that requests do not wait for; None where what is in force can be seen at once."""
        server = self._server
        return None if server is None else server.sender

    @property
    def due(self) -> bool:
        """Whether the server is to be asked what is in force."""
        return self.elsewhere is not None and self.elsewhere.due

    @property
    def stale(self) -> bool:
        """Whether another process has published a scenario since, or the server is to be asked that was not there."""
        if self.directory is None:
            return self.elsewhere is not None and self.elsewhere.stale
        number = self.directory.lock.read()
        return number != self.seen and (number != self._unread or monotonic() >= self._again)

    def hurry(self) -> None:
        """Let `stale` know of what was put in force just now."""
        server = self._server
        if server is not None:
            server.hurry()

    def detach(self, scenario: Scenario, seed: str | None, *, shares: bool, owner: int | None = None) -> None:
        """Several processes serve the app: they find one directory, or each counts for itself.

        Args:
            scenario: what they have in common.
            seed: the seed that was given; None when each has chosen its own.
            shares: whether they have anything to share: rules, or those that somebody may put in force.
            owner: the process that they have in common, which has the directory as long as it lives.
        """
        if self.undecided and shares:
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
        if self.elsewhere is not None:
            return self.elsewhere.begin(own, chosen=chosen)
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
                data,
                rules=own.next_place,
                same=same,
                agreed=agreed,
                replace=replace,
                keeps=SWITCH,
            )

        try:
            agree(self.directory)
            found, counts = self.join(own)
        except (FaultInjectError, OSError) as error:
            # Who counted alone in the meantime would make more faults than `times`.
            others = isinstance(error, StoreUnavailable) and self._is_late(agreed)
            if others if self._named else isinstance(error, StoreBusy):
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
        if self.elsewhere is not None:
            return self.elsewhere.newest(known, in_any_case=in_any_case)
        if self.directory is None:
            return known, known.generation
        generation = self.directory.generation
        if generation == known.generation == self.seen:
            return known, generation
        try:
            generation, data = self.directory.read()
            return read_standing(data, generation, known, self.directory.path), generation
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
                    " put all rules in force again; their counts then begin at zero"
                )
            rules = new.next_place
            self.directory.publish(self._data(new), rules=rules, keep_counts=not anew, after=after)
            return self.join(new)
        if self.elsewhere is not None:
            return self.elsewhere.publish(new, after=after, anew=anew, counts=counts)
        return new.but(generation=after + 1, by=os.getpid()), self._make() if anew else counts

    def join(self, known: Standing) -> tuple[Standing, Counts]:
        """What is in force for all processes, and its counts.

        Args:
            known: what this process has in force.

        Raises:
            StoreInUse: the server, which was not there before, has other rules.
            StoreUnavailable: it cannot be read.
        """
        if self.elsewhere is not None:
            return self.elsewhere.join(known)
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
        found = read_standing(data, generation, known, self.directory.path)
        if counts is not self._file_counts:
            from faultinject.counts.guarded import Guarded

            self._file_counts, self._guarded = counts, Guarded(counts)
        assert self._guarded is not None
        self._unread = None
        self.seen = generation
        self.replaced_by = 0 if found.by == self.directory.holders.pid else found.by
        return found, self._guarded

    def let_watch(self) -> Callable[[Entry, Addressing | None], None] | None:
        """Have the outcomes of all processes in one place; gives what takes those of this one, None where it is alone."""
        where = self.directory or self._server
        if self._watched_at is not where:
            self._watched_at, self.watched = where, None if where is None else where.events()
        return None if self.watched is None else self.watched.add

    def tell(self, seed: str) -> None:
        """Log how several processes count, if there are several; `seed` is what they draw with."""
        from faultinject.journal import log

        server = self._server
        if self.directory is not None:
            log.shared(self.directory.path, seed)
        elif server is not None and not self.missing:
            log.shared(server.shown.removeprefix("the store "), seed)
        elif self.salt:
            log.detach(self.why)

    def postpone(self) -> bool:
        """What was published cannot be read: it is tried again in a while; whether that is news."""
        if self.directory is None:
            return self.elsewhere is not None and self.elsewhere.is_refused()
        self._again = monotonic() + PAUSE
        before, self._unread = self._unread, self.directory.generation
        return before != self._unread

    @property
    def _server(self) -> RedisStore | None:
        return None if self.elsewhere is None else self.elsewhere.server

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
        tries = _STARTS
        while self.directory is None:
            tries -= 1
            try:
                self.directory = private_directory(f"{common}\n{number}", owner=owner or common_process())
            except StoreBusy:
                if not tries:
                    raise

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
