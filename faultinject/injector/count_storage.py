"""The place of one injector's counts: memory, a named store, or a directory of a server.

The processes of a server find that directory by themselves.
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

# The number of this process's injectors by scenario. Two apps with the same rules have two directories, which every
# worker numbers in the same order.
_numbers: dict[str, int] = {}


class CountStorage:
    """The place of one injector's counts.

    Args:
        store: `memory:`, `file:DIRECTORY` with or without `?replace`, `redis://…`, one of another package's scheme,
            or None: memory until there are several processes.
        alone: whether this process counts for itself even if there are others.
        make: makes the counts if there is no store, by default in memory.

    Attributes:
        store: the store in which processes share their counts, or None.
        salt: random bytes in this process's draws, if each process counts for itself; otherwise empty.
        reason_for_store: the reason why processes cannot share a directory, so that they need a named store; empty if
            they can.
        missing: the reason why the store has not answered since this process began; empty if it has answered.
        replaced_by: the process of another server that put the current state in force; 0 for one of this server.

    Raises:
        ConfigurationError: the store cannot be used.
    """

    def __init__(
        self, store: str | None, *, alone: bool = False, make: Callable[[], Counts] | None = None
    ) -> None:
        self.replaced_by = 0
        self.salt = b""
        self.reason_for_store = self.missing = ""
        self._salt_pid = 0
        # Called again until a store that was unavailable at the start answers; then None.
        self._begin_late: Callable[[], tuple[State, Counts]] | None = None
        self._pause = PAUSE
        # The version in force in this process, None before the first one; and the version read last.
        self._version_in_force: Hashable = None
        self._version_read: Hashable = None
        # The version that could not be read, and the time of the next attempt.
        self._version_unread: Hashable = None
        self._next_try = 0.0
        self._alone = alone
        self._make = make or MemoryCounts
        self._named = store is not None
        self.store: SharedStore | None = None if store is None or store == MEMORY else open_store(store)

    @property
    def settled(self) -> bool:
        """Whether the place stays the same when there are several processes."""
        return self._alone or self.store is not None or self._salt_pid == os.getpid()

    @property
    def may_become_shared(self) -> bool:
        """Whether a directory may still take the counts: no store is named or in use."""
        return not self._alone and not self._named and self.store is None

    @property
    def shown(self) -> str:
        """The unique name of the shared store; empty if nothing is shared."""
        return "" if self.store is None else self.store.shown

    @property
    def place(self) -> str:
        """The place of the counts for logs: the store without its password."""
        return MEMORY if self.store is None else self.store.place

    @property
    def journal(self) -> SharedJournal | None:
        """The outcomes of all processes; None if nothing is shared."""
        return None if self.store is None else self.store.journal

    @property
    def sender(self) -> BackgroundSender | None:
        """The thread that asks an unavailable store again, so that no request waits for it.

        None if the store can be asked at once.
        """
        return None if self.store is None or self._begin_late is None else self.store.sender

    @property
    def stale(self) -> bool:
        """Whether the store has a newer state than this process, or is to be asked again.

        A store that was unavailable is asked again after a pause.
        """
        if self.store is None:
            return False
        if self._begin_late is None:
            # Before the first state is in force, the store's version is not asked for.
            version = None if self._version_in_force is None else self.store.version
            if version != self._version_unread or version == self._version_in_force:
                return version != self._version_in_force
        return monotonic() >= self._next_try

    def refresh(self) -> None:
        """Read the store's version now, so that `stale` is up to date."""
        if self.store is not None and self._version_in_force is not None:
            with suppress(StoreUnavailableError):
                self.store.refresh()

    def split_counts(
        self, scenario: Scenario, seed: str | None, *, shares: bool, owner: int | None = None
    ) -> None:
        """Prepare for several processes: they share one directory, or count separately.

        Args:
            scenario: the scenario of all of them.
            seed: the given seed; None if each process has chosen its own.
            shares: whether they have rules in common, or may get some by the control API.
            owner: a process that they have in common; the directory exists as long as this process.
        """
        if self.may_become_shared and shares:
            try:
                self._share(f"{scenario.to_json()}\n{seed}", owner)
            except (FaultInjectError, OSError) as error:
                self._give_up(error)
        else:
            self.salt, self._salt_pid = os.urandom(16), os.getpid()

    def begin(self, own_state: State, *, chosen: bool) -> tuple[State, Counts]:
        """Begin to count: return the state in force for all processes, and its counts.

        The state is this process's own, unless other processes have put another one in force.

        Args:
            own_state: the state that this process would put in force.
            chosen: whether its seed was chosen at random; then the seed of an earlier process is in force.

        Raises:
            ConfigurationError: the named store cannot hold the state, or is in use with other rules.
            StoreUnavailableError: the named store is unavailable.
        """
        store = self.store
        if store is None:
            return own_state, self._make()

        def begin() -> tuple[State, Counts]:
            store.begin(own_state.with_changes(by=store.by).to_data(), chosen=chosen, keeps=KEPT_SWITCHES)
            return self._follow(store, own_state)

        try:
            return begin()
        except (FaultInjectError, OSError) as error:
            if isinstance(error, StoreUnavailableError) and store.waits_for_store(error):
                # Until the store answers, nothing is injected: a process that counted for itself would exceed `times`.
                self._begin_late, self._next_try, self.missing = begin, monotonic() + self._pause, str(error)
                from faultinject.counts.shared_counts import UnavailableCounts

                return own_state, UnavailableCounts(str(error))
            if self._named:
                raise
            self._give_up(error)
            return own_state, self._make()

    def read_newest(self, own_state: State, *, in_any_case: bool = False) -> tuple[State, Hashable]:
        """Read the state in force for all processes now, and its version.

        Args:
            own_state: the state of this process.
            in_any_case: whether to return this process's own state if the one in force cannot be read.

        Raises:
            StoreUnavailableError: it cannot be read.
            ConfigurationError: it has rules that this process refuses.
        """
        store = self.store
        if store is None:
            return own_state, None
        begin_late = self._begin_late
        try:
            if begin_late is not None and not in_any_case:
                begin_late()
            store.refresh()
            version = store.version
            if begin_late is None and version == self._version_in_force:
                return own_state, version
            generation, data, _ = store.counts()
            return read_state(data, generation, own_state, store.shown), version
        except FaultInjectError:
            if not in_any_case:
                raise
            return own_state, store.version

    def publish(self, new: State, *, based_on: Hashable, anew: bool, counts: Counts) -> tuple[State, Counts]:
        """Put a state in force in all processes.

        Args:
            new: the state.
            based_on: the version of the state that it changes.
            anew: whether counts begin at zero.
            counts: this process's counts so far.

        Returns:
            The state in force, and its counts.

        Raises:
            ConflictError: another generation is in force by now; nothing was changed.
            ConfigurationError: the store cannot hold it.
            StoreUnavailableError: the store is unavailable; nothing was changed.
        """
        store = self.store
        if store is None:
            return new.with_changes(
                generation=new.generation + 1, by=os.getpid()
            ), self._make() if anew else counts
        new = new.with_changes(by=store.by)
        store.publish(new.to_data(), after=based_on, anew=anew)
        self._begin_late, self.missing = None, ""
        return self._follow(store, new)

    def join(self, own_state: State) -> tuple[State, Counts]:
        """The state in force for all processes, and its counts.

        Args:
            own_state: the state of this process.

        Raises:
            StoreInUseError: the store was unavailable at the start, and is in use with other rules.
            StoreUnavailableError: it cannot be read.
        """
        begin = self._begin_late
        if begin is None:
            assert self.store is not None
            return self._follow(self.store, own_state)
        self._pause = min(2 * self._pause, LONGEST_PAUSE)
        # Set before the store is asked, so that other threads do not ask it at the same time.
        self._next_try = monotonic() + self._pause
        try:
            joined = begin()
        except StoreUnavailableError:
            raise
        except FaultInjectError:
            self._begin_late = None  # another attempt would have the same result
            raise
        self._begin_late, self.missing = None, ""
        return joined

    def mark_adopted(self) -> None:
        """Note that the state read last is in force in this process.

        Until then `stale` is true, so that every request waits for the state.
        """
        self._version_in_force = self._version_read

    def postpone(self) -> bool:
        """Pause, as the published state cannot be read; return whether this is its first pause."""
        store = self.store
        if store is None or self._begin_late is not None:
            return False
        self._next_try = monotonic() + PAUSE
        unread_before, self._version_unread = self._version_unread, store.version
        return unread_before != self._version_unread

    def log_place(self, seed: str) -> None:
        """Log whether several processes share their counts, and the seed."""
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

    def _follow(self, store: SharedStore, own_state: State) -> tuple[State, Counts]:
        # The version is read first: a state that is put in force meanwhile then counts as a newer one.
        version = store.version
        generation, data, counts = store.counts()
        state = read_state(data, generation, own_state, store.shown)
        self._version_read, self._version_unread = version, None
        self.replaced_by = 0 if state.by == store.by else state.by
        return state, counts

    def _share(self, common: str, owner: int | None) -> None:
        from faultinject.counts.directory import DirectoryStore
        from faultinject.counts.filelock import AVAILABLE
        from faultinject.counts.private import private_path
        from faultinject.counts.processes import common_process

        if not AVAILABLE:  # pragma: no cover - Windows, or a Python without ctypes
            raise StoreUnavailableError("there is no flock, or no ctypes")
        number = _numbers[common] = _numbers.get(common, 0) + 1
        path = private_path(f"{common}\n{number}", owner=owner or common_process())
        self.store = DirectoryStore(path, named=False)

    def _give_up(self, error: Exception) -> None:
        self.store = None
        self.reason_for_store = str(error)
        self.salt, self._salt_pid = os.urandom(16), os.getpid()
