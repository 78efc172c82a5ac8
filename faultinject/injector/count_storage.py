"""Where one injector's counts live: in memory, in a store that somebody has named, or in a directory that its processes find by themselves."""

from __future__ import annotations

import os
from contextlib import suppress

from faultinject.counts.memory import MemoryCounts
from faultinject.counts.patience import LONGEST_PAUSE, PAUSE, monotonic
from faultinject.counts.store import open_store
from faultinject.exceptions import FaultInjectError, StoreUnavailable
from faultinject.injector.state import SWITCH, State, read_state
from faultinject.rules.store import MEMORY

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from faultinject.counts.background_sender import BackgroundSender
    from faultinject.counts.store import SharedJournal, SharedStore
    from faultinject.engine.counting import Counts
    from faultinject.rules.scenario import Scenario

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

    Raises:
        ConfigurationError: the store cannot be used.
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
        # The version that this process has; None before it has begun with the others.
        self._seen: Hashable = None
        # The one that could not be read, and when it is tried again.
        self._unread: Hashable = None
        self._again = 0.0
        self._alone = alone
        self._make = make or MemoryCounts
        self._named = store is not None
        self.store: SharedStore | None = None if store is None or store == MEMORY else open_store(store)

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
    def journal(self) -> SharedJournal | None:
        """The outcomes of all processes; None where this one is alone."""
        return None if self.store is None else self.store.journal

    @property
    def sender(self) -> BackgroundSender | None:
        """Where a store that could not be had is asked again that no request waits for; None where it can be asked at once."""
        return None if self.store is None or self._begin_late is None else self.store.sender

    @property
    def stale(self) -> bool:
        """Whether something else is in force than this process has, or the store is to be asked that could not be had."""
        if self.store is None:
            return False
        if self._begin_late is None:
            version = self._seen if self._seen is None else self.store.version
            if version != self._unread or version == self._seen:
                return version != self._seen
        return monotonic() >= self._again

    def hurry(self) -> None:
        """Let `stale` know of what was put in force just now."""
        if self.store is not None and self._seen is not None:
            with suppress(StoreUnavailable):
                self.store.refresh()

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
            store.begin(own.but(by=store.by).to_data(), chosen=chosen, keeps=SWITCH)
            return self._follow(store, own)

        try:
            return begin()
        except (FaultInjectError, OSError) as error:
            if isinstance(error, StoreUnavailable) and store.rests(error):
                # Who counted alone in the meantime would make more faults than `times`.
                self._begin_late, self._again, self.missing = begin, monotonic() + self._pause, str(error)
                from faultinject.counts.shared_counts import UnavailableCounts

                return own, UnavailableCounts(str(error))
            if self._named:
                raise
            self._give_up(error)
            return own, self._make()

    def newest(self, known: State, *, in_any_case: bool = False) -> tuple[State, Hashable]:
        """What is in force for all processes now, and its version.

        Args:
            known: what this process has in force.
            in_any_case: where what is in force cannot be read, what this process has stands for it.

        Raises:
            StoreUnavailable: it cannot be read.
            ConfigurationError: it has rules that this process refuses.
        """
        store = self.store
        if store is None:
            return known, None
        late = self._begin_late
        try:
            if late is not None and not in_any_case:
                late()
            store.refresh()
            version = store.version
            if late is None and version == self._seen:
                return known, version
            generation, data, _ = store.counts()
            return read_state(data, generation, known, store.shown), version
        except FaultInjectError:
            if not in_any_case:
                raise
            return known, store.version

    def publish(self, new: State, *, after: Hashable, anew: bool, counts: Counts) -> tuple[State, Counts]:
        """Put something in force in all processes.

        Args:
            new: what.
            after: the version that it was made from.
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
            return new.but(generation=new.generation + 1, by=os.getpid()), self._make() if anew else counts
        new = new.but(by=store.by)
        store.publish(new.to_data(), after=after, anew=anew)
        self._begin_late, self.missing = None, ""
        return self._follow(store, new)

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
            return self._follow(self.store, known)
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

    def postpone(self) -> bool:
        """What was published cannot be read: it is tried again in a while; whether that is news."""
        store = self.store
        if store is None or self._begin_late is not None:
            return False
        self._again = monotonic() + PAUSE
        before, self._unread = self._unread, store.version
        return before != self._unread

    def tell(self, seed: str) -> None:
        """Log how several processes count, if there are several; `seed` is what they draw with."""
        from faultinject.journal import log

        if self.shown and not self.missing:
            log.shared(self.shown.removeprefix("the store "), seed)
        elif self.salt:
            log.detach(self.why)

    def _follow(self, store: SharedStore, known: State) -> tuple[State, Counts]:
        # Before the rest: what is put in force meanwhile is another one.
        version = store.version
        generation, data, counts = store.counts()
        state = read_state(data, generation, known, store.shown)
        self._seen, self._unread = version, None
        self.replaced_by = 0 if state.by == store.by else state.by
        return state, counts

    def _share(self, common: str, owner: int | None) -> None:
        from faultinject.counts.directory import DirectoryStore
        from faultinject.counts.filelock import AVAILABLE
        from faultinject.counts.private import private_path
        from faultinject.counts.processes import common_process

        if not AVAILABLE:  # pragma: no cover - Windows, or a Python without ctypes
            raise StoreUnavailable("there is no flock, or no ctypes")
        number = _alike[common] = _alike.get(common, 0) + 1
        path = private_path(f"{common}\n{number}", owner=owner or common_process())
        self.store = DirectoryStore(path, named=False)

    def _give_up(self, error: Exception) -> None:
        self.store = None
        self.why = str(error)
        self.salt, self._salted = os.urandom(16), os.getpid()
