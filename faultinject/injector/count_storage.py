"""The place of one injector's counts.

It is memory, a store that somebody has named, or a directory that the processes find by themselves.
"""

from __future__ import annotations

import os
from contextlib import suppress

from faultinject.counts.memory import MemoryCounts
from faultinject.counts.patience import LONGEST_PAUSE, PAUSE, monotonic
from faultinject.counts.store import open_store
from faultinject.exceptions import FaultInjectError, StoreUnavailableError
from faultinject.injector.state import KEPT_SWITCHES, State, read_state
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
        store: `memory:`, `file:DIRECTORY` with or without `?replace`, `redis://…`, one of another package's scheme,
            or None: memory until there are several processes.
        alone: no other process is to count with it, however many there are.
        make: makes counts if there is no store, by default in memory.

    Attributes:
        store: the store in which processes share their counts, or None.
        salt: an addition to the seed of this process's draws, if each process counts for itself.
        reason_for_store: the reason why processes that were to share counts cannot; empty if they can.
        missing: the reason why the store did not answer when this process began; empty if it did, or does now.
        replaced_by: the process of another server that put the present state in force; 0 for one of this server.

    Raises:
        ConfigurationError: the store cannot be used.
    """

    def __init__(
        self, store: str | None, *, alone: bool = False, make: Callable[[], Counts] | None = None
    ) -> None:
        self.replaced_by = 0
        self.salt = b""
        self.reason_for_store = self.missing = ""
        self._salted = 0
        # Begins with the store that could not be had at first; None once it could.
        self._begin_late: Callable[[], tuple[State, Counts]] | None = None
        self._pause = PAUSE
        # The version that this process has; None before it has begun with the others. And the one that was read last.
        self._seen: Hashable = None
        self._read: Hashable = None
        # The one that could not be read, and when it is retried.
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
        """Whether nobody named a store, and one process was enough so far."""
        return not self._alone and not self._named and self.store is None

    @property
    def shown(self) -> str:
        """The unique name of a store that processes share; empty if nothing is shared."""
        return "" if self.store is None else self.store.shown

    @property
    def place(self) -> str:
        """The place of the counts, as a log may have it: the store without its password."""
        return MEMORY if self.store is None else self.store.place

    @property
    def journal(self) -> SharedJournal | None:
        """The outcomes of all processes; None if this one is alone."""
        return None if self.store is None else self.store.journal

    @property
    def sender(self) -> BackgroundSender | None:
        """The thread that asks again a store which could not be had, without a waiting request.

        None if the store can be asked at once.
        """
        return None if self.store is None or self._begin_late is None else self.store.sender

    @property
    def stale(self) -> bool:
        """Whether another state is in force than this process has, or a missing store is due.

        A store that could not be had is asked again after a pause.
        """
        if self.store is None:
            return False
        if self._begin_late is None:
            version = self._seen if self._seen is None else self.store.version
            if version != self._unread or version == self._seen:
                return version != self._seen
        return monotonic() >= self._again

    def hurry(self) -> None:
        """Update `stale`, if something was put in force just now."""
        if self.store is not None and self._seen is not None:
            with suppress(StoreUnavailableError):
                self.store.refresh()

    def detach(self, scenario: Scenario, seed: str | None, *, shares: bool, owner: int | None = None) -> None:
        """Prepare for several processes: they find one directory, or count separately.

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
        """Begin with the state in force for all processes, and its counts.

        They are this process's own, unless others have put something in force.

        Args:
            own: the state that this process would put in force.
            chosen: nobody gave its seed: if another process was first, that one's seed holds.

        Raises:
            ConfigurationError: the named store cannot hold it, or others count there by other rules.
            StoreUnavailableError: the named store is unavailable.
        """
        store = self.store
        if store is None:
            return own, self._make()

        def begin() -> tuple[State, Counts]:
            store.begin(own.but(by=store.by).to_data(), chosen=chosen, keeps=KEPT_SWITCHES)
            return self._follow(store, own)

        try:
            return begin()
        except (FaultInjectError, OSError) as error:
            if isinstance(error, StoreUnavailableError) and store.rests(error):
                # A process that counted alone in the meantime would make more faults than `times`.
                self._begin_late, self._again, self.missing = begin, monotonic() + self._pause, str(error)
                from faultinject.counts.shared_counts import UnavailableCounts

                return own, UnavailableCounts(str(error))
            if self._named:
                raise
            self._give_up(error)
            return own, self._make()

    def newest(self, known: State, *, in_any_case: bool = False) -> tuple[State, Hashable]:
        """The state in force for all processes now, and its version.

        Args:
            known: the state of this process.
            in_any_case: if the state in force cannot be read, return this process's own.

        Raises:
            StoreUnavailableError: it cannot be read.
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
        """Put a state in force in all processes.

        Args:
            new: what.
            after: the version that it was made from.
            anew: whether counts begin at zero.
            counts: those of this process so far.

        Returns:
            What is in force now, and its counts.

        Raises:
            ConflictError: another generation is in force by now; nothing was changed.
            ConfigurationError: the store cannot hold it.
            StoreUnavailableError: the store is unavailable; nothing was changed.
        """
        store = self.store
        if store is None:
            return new.but(generation=new.generation + 1, by=os.getpid()), self._make() if anew else counts
        new = new.but(by=store.by)
        store.publish(new.to_data(), after=after, anew=anew)
        self._begin_late, self.missing = None, ""
        return self._follow(store, new)

    def join(self, known: State) -> tuple[State, Counts]:
        """The state in force for all processes, and its counts.

        Args:
            known: the state of this process.

        Raises:
            StoreInUseError: the store, which could not be had before, has other rules.
            StoreUnavailableError: it cannot be read.
        """
        begin = self._begin_late
        if begin is None:
            assert self.store is not None
            return self._follow(self.store, known)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        # At once: the other threads do not wait for it.
        self._again = monotonic() + self._pause
        try:
            joined = begin()
        except StoreUnavailableError:
            raise
        except FaultInjectError:
            self._begin_late = None  # to ask again would not help
            raise
        self._begin_late, self.missing = None, ""
        return joined

    def adopted(self) -> None:
        """Note that the state that was read last is in force in this process.

        Until then every request finds `stale`, and waits for it.
        """
        self._seen = self._read

    def postpone(self) -> bool:
        """Try again in a while, as the published state cannot be read; whether that is news."""
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
            place = self.shown.removeprefix("the store ")
            # Several processes serve the app, and share their counts.
            log.warning("faultinject: several processes share their counts in %s, seed %s", place, seed)
        elif self.salt:
            cause = self.reason_for_store or "FAULTINJECT_STORE is memory:"
            # Several processes serve the app, and do not share counts.
            log.warning(
                "faultinject: several processes count separately and replay is off, because %s", cause
            )

    def _follow(self, store: SharedStore, known: State) -> tuple[State, Counts]:
        # Before the rest: what is put in force meanwhile is another one.
        version = store.version
        generation, data, counts = store.counts()
        state = read_state(data, generation, known, store.shown)
        self._read, self._unread = version, None
        self.replaced_by = 0 if state.by == store.by else state.by
        return state, counts

    def _share(self, common: str, owner: int | None) -> None:
        from faultinject.counts.directory import DirectoryStore
        from faultinject.counts.filelock import AVAILABLE
        from faultinject.counts.private import private_path
        from faultinject.counts.processes import common_process

        if not AVAILABLE:  # pragma: no cover - Windows, or a Python without ctypes
            raise StoreUnavailableError("there is no flock, or no ctypes")
        number = _alike[common] = _alike.get(common, 0) + 1
        path = private_path(f"{common}\n{number}", owner=owner or common_process())
        self.store = DirectoryStore(path, named=False)

    def _give_up(self, error: Exception) -> None:
        self.store = None
        self.reason_for_store = str(error)
        self.salt, self._salted = os.urandom(16), os.getpid()
