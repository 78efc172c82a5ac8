"""Where one injector's counts live: in memory, in a store that somebody has named, or in a directory that its processes find by themselves."""

from __future__ import annotations

import os

from faultinject.counts.memory import MemoryCounts
from faultinject.counts.patience import monotonic
from faultinject.exceptions import FaultInjectError, StoreBusy, StoreUnavailable
from faultinject.injector.state import SWITCH, read_state
from faultinject.rules.redis_url import is_redis, read_redis
from faultinject.rules.store import FILE, MEMORY, read_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Protocol

    from faultinject.counts.background_sender import BackgroundSender
    from faultinject.engine.counting import Counts
    from faultinject.engine.journal_entry import Entry
    from faultinject.injector.state import State
    from faultinject.journal.outcome import Outcome
    from faultinject.rules.scenario import Scenario
    from faultinject.vendors.addressing import Addressing

    class SharedJournal(Protocol):
        """The outcomes of all processes of a store."""

        def add(self, line: Entry, reading: Addressing | None) -> None:
            """One more of this process."""

        def read(self, after: str = "", limit: int = 500) -> tuple[list[Outcome], str, int]:
            """As `Journal.events`, for all processes."""

    class Store(Protocol):
        """What processes share: a scenario with a version, and its counts.

        Attributes:
            place: the store as a log may have it, without its password.
            shown: the same as messages name it; empty where nothing is shared.
            follows: whether other processes may put something in force.
            by: the process that stands for this server's where it puts something in force.
        """

        place: str
        shown: str
        follows: bool
        by: int

        @property
        def sender(self) -> BackgroundSender | None:
            """Where it is asked what requests do not wait for; None where what is in force can be seen at once."""

        @property
        def due(self) -> bool:
            """Whether it is to be asked what is in force."""

        @property
        def version(self) -> int:
            """The number of what is in force."""

        @property
        def newer(self) -> bool:
            """Whether that is another one than this process has joined."""

        def rests(self, error: FaultInjectError, /) -> bool:
            """Whether a process that could not begin injects nothing until it can."""

        def begin(
            self, data: dict[str, Any], *, chosen: bool, keeps: Sequence[str] = ()
        ) -> tuple[int, dict[str, Any], Counts]:
            """Put something in force, unless the same is: the first of equal processes does."""

        def publish(self, data: dict[str, Any], *, after: int, anew: bool) -> None:
            """Put something else in force."""

        def join(self) -> tuple[int, dict[str, Any], Counts]:
            """What is in force: its version, itself and its counts."""

        def look(self) -> tuple[int, bool]:
            """The version of what is in force, and whether this process follows it."""

        def read(self) -> tuple[int, dict[str, Any]]:
            """What is in force, and its version."""

        def hurry(self) -> None:
            """Let the next question to `newer` be asked at once."""

        def events(self) -> SharedJournal | None:
            """What happens in all processes that say so there."""


PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds until a store is asked again that could not be read or begun with, and at most."""
_STARTS = 5

# How many injectors of this process had the same scenario: those of two apps are two, in every worker.
_alike: dict[str, int] = {}


class CountStorage:
    """The store of one injector.

    Args:
        store: `memory:`, `file:DIRECTORY` with or without `?replace`, `redis://…`, one of another package's scheme, or None: memory
            until there are several processes.
        alone: no other process is to count with it, however many there are.
        make: makes counts where there is no store, by default in memory.

    Attributes:
        store: where processes share their counts, or None.
        salt: what this process draws with besides the seed, where each counts for itself.
        why: what keeps processes from sharing counts that were to share them; empty when nothing does.
        missing: why the store did not answer when this process began; empty when it did, or does now.
        replaced_by: the process of another server that put in force what is; 0 for one of this server.
        watched: where the outcomes of all processes are; None where nobody asked for them, or there is one process.

    Raises:
        ConfigurationError: the store cannot be used.
        StoreUnavailable: its lock is held by others.
    """

    def __init__(
        self, store: str | None, *, alone: bool = False, make: Callable[[], Counts] | None = None
    ) -> None:
        self.replaced_by = 0
        self.salt = b""
        self.why = self.missing = ""
        self._salted = 0
        # Begins with the store that could not be had at first; None once it could.
        self._begin_late: Callable[[], tuple[State, Counts]] | None = None
        self._pause = PAUSE
        # The version that could not be read, and when it is tried again.
        self._unread: int | None = None
        self._again = 0.0
        # What a server has cannot be taken over, and nobody was told so far.
        self._refused = False
        self._alone = alone
        self._make = make or MemoryCounts
        self._named = store is not None
        self.store: Store | None = None if store is None or store == MEMORY else _opened(store)
        self.watched: SharedJournal | None = None
        self._watched_at: Store | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing changes when there are several processes."""
        return self._alone or self.store is not None or self._salted == os.getpid()

    @property
    def undecided(self) -> bool:
        """Whether nobody said where counts live, and one process was enough so far."""
        return not self._alone and not self._named and self.store is None

    @property
    def shown(self) -> str:
        """What tells a store that processes share from others; empty where nothing is shared."""
        return "" if self.store is None else self.store.shown

    @property
    def place(self) -> str:
        """Where counts live, as a log may have it: the store without its password."""
        return MEMORY if self.store is None else self.store.place

    @property
    def follows(self) -> bool:
        """Whether what is in force may be another one's."""
        return self._begin_late is not None or (self.store is not None and self.store.follows)

    @property
    def sender(self) -> BackgroundSender | None:
        """Where a server is asked that requests do not wait for; None where what is in force can be seen at once."""
        return None if self.store is None else self.store.sender

    @property
    def due(self) -> bool:
        """Whether the server is to be asked what is in force."""
        if self._begin_late is not None:
            return monotonic() >= self._again
        return self.store is not None and self.store.due

    @property
    def stale(self) -> bool:
        """Whether another process has published a scenario since, or the store is to be asked that could not be had."""
        store = self.store
        if store is None or (self._begin_late is None and not store.newer):
            return False
        waits = self._begin_late is not None or store.version == self._unread
        return not waits or monotonic() >= self._again

    def hurry(self) -> None:
        """Let `stale` know of what was put in force just now."""
        if self.store is not None:
            self.store.hurry()

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

    def begin(self, own: State, *, chosen: bool) -> tuple[State, Counts]:
        """What is in force for all processes, and its counts: this process's own, unless others have something.

        Args:
            own: what this process would put in force.
            chosen: nobody gave its seed: where another process was first, that one's holds.

        Raises:
            ConfigurationError: the named store cannot hold it, or others count there by other rules.
            StoreUnavailable: the named store cannot be had.
        """
        store = self.store
        if store is None:
            return own, self._make()

        def begin() -> tuple[State, Counts]:
            data = own.but(by=store.by).to_data()
            return self._joined(store.begin(data, chosen=chosen, keeps=SWITCH), own)

        try:
            return begin()
        except (FaultInjectError, OSError) as error:
            if isinstance(error, StoreUnavailable) and store.rests(error):
                # Who counted alone in the meantime would make more faults than `times`.
                self._begin_late, self._again, self.missing = begin, monotonic() + self._pause, str(error)
                return own, _unavailable(error)
            if self._named:
                raise
            self._give_up(error)
            return own, self._make()

    def newest(self, known: State, *, in_any_case: bool = False) -> tuple[State, int]:
        """What is in force for all processes now, and its generation.

        Args:
            known: what this process has in force.
            in_any_case: where what is in force cannot be read, what this process has stands for it.

        Raises:
            StoreUnavailable: it cannot be read.
            ConfigurationError: likewise.
        """
        store = self.store
        if store is None:
            return known, known.generation
        if self._begin_late is not None and not in_any_case:
            self._begin_late()
        generation, follows = store.look()
        if follows and generation == known.generation:
            return known, generation
        try:
            generation, data = store.read()
            return read_state(data, generation, known, store.shown), generation
        except FaultInjectError:
            if not in_any_case:
                raise
            return known, generation

    def publish(self, new: State, *, after: int, anew: bool, counts: Counts) -> tuple[State, Counts]:
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
        store = self.store
        if store is None:
            return new.but(generation=after + 1, by=os.getpid()), self._make() if anew else counts
        new = new.but(by=store.by)
        store.publish(new.to_data(), after=after, anew=anew)
        self._begin_late, self.missing = None, ""
        return self._joined(store.join(), new)

    def join(self, known: State) -> tuple[State, Counts]:
        """What is in force for all processes, and its counts.

        Args:
            known: what this process has in force.

        Raises:
            StoreInUse: the store, which could not be had before, has other rules.
            StoreUnavailable: it cannot be read.
        """
        begin = self._begin_late
        if begin is None:
            assert self.store is not None
            return self._joined(self.store.join(), known)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        # At once: the other threads do not wait for it.
        self._again = monotonic() + self._pause
        try:
            found = begin()
        except StoreUnavailable:
            raise
        except FaultInjectError:
            self._begin_late = None  # to ask again would not help
            raise
        self._begin_late, self.missing = None, ""
        return found

    def postpone(self, error: FaultInjectError) -> bool:
        """What was published cannot be read: it is tried again in a while; whether that is news."""
        store = self.store
        if store is None or self._begin_late is not None:
            return False
        if store.sender is not None:
            # While a server is away, that is said where it is asked for counts.
            refused, self._refused = self._refused, False
            return refused or not isinstance(error, StoreUnavailable)
        self._again = monotonic() + PAUSE
        before, self._unread = self._unread, store.version
        return before != self._unread

    def let_watch(self) -> Callable[[Entry, Addressing | None], None] | None:
        """Have the outcomes of all processes in one place; gives what takes those of this one, None where it is alone."""
        if self._watched_at is not self.store:
            self._watched_at = self.store
            self.watched = None if self.store is None else self.store.events()
        return None if self.watched is None else self.watched.add

    def tell(self, seed: str) -> None:
        """Log how several processes count, if there are several; `seed` is what they draw with."""
        from faultinject.journal import log

        if self.shown and not self.missing:
            log.shared(self.shown.removeprefix("the store "), seed)
        elif self.salt:
            log.detach(self.why)

    def _joined(self, found: tuple[int, dict[str, Any], Counts], known: State) -> tuple[State, Counts]:
        assert self.store is not None
        generation, data, counts = found
        self._refused = True
        state = read_state(data, generation, known, self.store.shown)
        self._refused, self._unread = False, None
        self.replaced_by = 0 if state.by == self.store.by else state.by
        return state, counts

    def _share(self, common: str, owner: int | None) -> None:
        from faultinject.counts.directory_store import DirectoryStore
        from faultinject.counts.filelock import AVAILABLE
        from faultinject.counts.private import clean_up_dead_owners, private_path
        from faultinject.counts.processes import common_process

        if not AVAILABLE:  # pragma: no cover - Windows
            raise StoreUnavailable("this system has no flock")
        number = _alike[common] = _alike.get(common, 0) + 1
        clean_up_dead_owners()
        path = private_path(f"{common}\n{number}", owner=owner or common_process())
        tries = _STARTS
        while self.store is None:
            tries -= 1
            try:
                self.store = DirectoryStore(path, named=False)
            except StoreBusy:
                if not tries:
                    raise

    def _give_up(self, error: Exception) -> None:
        self.store = None
        self.why = str(error)
        self.salt, self._salted = os.urandom(16), os.getpid()


def _opened(text: str) -> Store:
    """A store that somebody has named."""
    if text.startswith(FILE):
        from faultinject.counts.directory_store import DirectoryStore

        path, replaces = read_directory(text)
        return DirectoryStore(path, replaces=replaces)
    if is_redis(text):
        from faultinject.counts.redis_store import RedisStore

        return RedisStore(read_redis(text))
    from faultinject.injector.foreign_store import ForeignStore

    return ForeignStore(text)


def _unavailable(error: Exception) -> Counts:
    """Counts that cannot be had; the log says so."""
    from contextlib import suppress

    from faultinject.counts.guarded import Guarded
    from faultinject.counts.unavailable_counts import UnavailableCounts

    counts = Guarded(UnavailableCounts(str(error)))
    with suppress(StoreUnavailable):
        counts.match([], 0.0)
    return counts
