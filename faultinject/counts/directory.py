"""A directory as a store of scenario, counts and journal for the processes of one machine.

version      the layout, by which another version of faultinject refuses the directory, and a unique token
lock         the file that is locked; it holds the number of the scenario in force, 0 if there is none
scenario-N   JSON: the number of its counts, and the published data
counts-N     see `counts.table`
journal      JSON lines of a session
journal-N    see `counts.file_journal`
answers-X    see `counts.file_answers`; X is a digest of the bound
attached     exists since another process took part in a session
users        locked by every process that has the store open, see `counts.filelock`
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager
from functools import cached_property
from hashlib import blake2b
from json import dumps, loads
from typing import TYPE_CHECKING, Any

from faultinject.counts.file_counts import FileCounts
from faultinject.counts.filelock import AVAILABLE, CUT, FileLock, Users
from faultinject.counts.files import (
    COUNTS,
    SCENARIO,
    is_ours,
    open_directory,
    read_file,
    refuse,
    remove_directory,
    remove_file,
    write_file,
)
from faultinject.counts.private import ServerNote
from faultinject.counts.processes import server_process
from faultinject.counts.store import SharedStore
from faultinject.counts.table import MOST_RULES, make_table
from faultinject.exceptions import (
    ConfigurationError,
    ConflictError,
    FaultInjectError,
    StoreBusyError,
    StoreInUseError,
    StoreUnavailableError,
)
from faultinject.rules.store import FILE, REPLACE

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from faultinject.counts.file_answers import FileAnswers
    from faultinject.counts.file_journal import FileJournal
    from faultinject.journal.outcome import Outcome
    from faultinject.rules.files import OwnFile


LAYOUT = b"6\n"
PATIENCE = 2.0
"""Seconds to wait for the lock when opening and publishing; requests wait less."""


class DirectoryStore(SharedStore):
    """A store in a directory, for the processes of one machine.

    Args:
        path: the directory.
        replaces: whether these rules replace other rules in force.
        named: whether FAULTINJECT_STORE or `store=` names it; otherwise only processes with equal rules find it.

    Attributes:
        place: the store, for logs.
        shown: its absolute path, for messages.
        by: the process that represents this server in the states that it puts in force.
        lock: the lock of the open directory.
        token: its unique token; a directory made in its place has another one.
        directory: the descriptor of the directory.
    """

    lock: FileLock
    token: str
    directory: int

    def __init__(self, path: str, *, replaces: bool = False, named: bool = True) -> None:
        self.shown = path = os.path.abspath(path)
        self.place = f"{FILE}{path}"
        self.by = server_process()
        self._replaces = replaces
        self._named = named
        self._note = ServerNote(path) if named else None
        self._opened: OwnFile | None = None
        self._counts: FileCounts | None = None
        self._answers: dict[str, FileAnswers] = {}

    def open(self, *, make: bool = True) -> None:
        """Open the directory.

        Args:
            make: whether to make it if it does not exist.

        Raises:
            ConfigurationError: it cannot serve as a store; the message gives the reason and a remedy.
            StoreUnavailableError: other processes hold its lock.
        """
        if not AVAILABLE:  # pragma: no cover - Windows, or a Python without ctypes
            raise ConfigurationError("the store `file:` needs flock and ctypes; use `memory:` here")
        try:
            opened = open_directory(self.shown, make=make)
            names = os.listdir(opened.number)
            if "version" not in names and any(not is_ours(name) for name in names):
                refuse(self.shown, "holds other files", "name an empty or a new directory")
            lock = FileLock.open(f"{self.shown}/lock", directory=opened.number)
            lock.acquire(PATIENCE)
            try:
                self.token = self._prepare(opened.number, lock)
            finally:
                lock.release()
            self._opened, self.directory, self.lock = opened, opened.number, lock
        except OSError as error:
            unwritable = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
            problem = "is not writable" if unwritable else f"cannot be used ({error.strerror})"
            refuse(self.shown, problem, "name another directory")

    def waits_for_store(self, error: FaultInjectError) -> bool:
        """Whether a process that could not begin waits for the store.

        It waits if the store may hold the counts of others.
        """
        return bool(self._read_start_note()) or (isinstance(error, StoreBusyError) and not self._named)

    def begin(self, data: dict[str, Any], *, chosen: bool, keeps: Sequence[str] = ()) -> None:
        """As `Store.begin`; a later process of a server joins the scenario in force.

        A later worker never sets the counts to zero.

        Raises:
            ConfigurationError: it has too many rules.
            StoreInUseError: other processes use the store with other rules.
            StoreUnavailableError: the directory with which this server began was removed, has lost its scenario, or is
                unavailable.
        """
        try:
            self._join_scenario(data, chosen=chosen, keeps=keeps)
        except BaseException:
            # A refused process releases the directory, so that other rules may replace those in force.
            self._opened = None
            vars(self).pop("lock", None)
            raise

    def _join_scenario(self, data: dict[str, Any], *, chosen: bool, keeps: Sequence[str]) -> None:
        start_note = self._read_start_note()
        try:
            # If the directory with which this server began was removed, a new one must not take its place.
            self.open(make=not start_note)
        except ConfigurationError as error:
            if not start_note:
                raise
            raise StoreUnavailableError(str(error)) from None
        if start_note and start_note[0] != self.token:
            raise StoreUnavailableError(
                f"the store {self.shown} was removed and replaced while this server was running"
            )
        scenario, seed = data["scenario"], data["seed"]
        text = f"{scenario}\n{'' if chosen else seed}"
        own_note = [self.token, blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()]
        with self._lock_scenario():
            published = self._last()
            if published is None and self.lock.read() > 0:
                raise StoreUnavailableError(f"the store {self.shown} has lost its scenario")
            data_before: dict[str, Any] = {} if published is None else published["data"]
            is_in_force = data_before.get("scenario") == scenario and (
                chosen or data_before.get("seed") == seed
            )
            # A worker that starts again has the server's note, and joins even if the rules were changed since.
            if published is None or (self._named and not is_in_force and own_note != start_note):
                if (
                    published is not None
                    and not self._replaces
                    and self.lock.users
                    and self.lock.users.others()
                ):
                    problem = "is in use with other rules or another seed"
                    cure = (
                        "end that server, name another directory,"
                        f" or replace its rules with {self.place}{REPLACE}"
                    )
                    refuse(self.shown, problem, cure, StoreInUseError)
                self._publish({**data, **{name: data_before[name] for name in keeps if name in data_before}})
        if self._note is not None:
            self._note.write(" ".join(own_note).encode())

    def _read_start_note(self) -> list[str]:
        """The directory's token and the digest of the rules with which this server began.

        Earlier processes of the server have noted them.
        """
        return [] if self._note is None else self._note.read().decode("ascii", "replace").split()

    @property
    def version(self) -> int:
        """The number of the scenario in force; 0 if there is none, `CUT` if the file was cut."""
        self._reopen()
        return self.lock.read()

    def publish(self, data: dict[str, Any], *, after: Hashable = None, anew: bool) -> None:
        """As `Store.publish`; with added rules the counts continue.

        A new rule gets a number that no rule had before.

        Args:
            data: data as `counts` returns them.
            after: the version that must still be in force; None: any version.
            anew: whether counts begin at zero.

        Raises:
            ConflictError: another version is in force, and stays in force.
            ConfigurationError: it has too many rules.
            StoreUnavailableError: no space left, or other processes hold the lock; the old scenario stays in force.
        """
        with self._lock_scenario():
            if after is not None and self.version != after:
                raise ConflictError(f"{self.shown} was changed since")
            self._publish(data, keep_counts=not anew)

    def counts(self) -> tuple[int, dict[str, Any], FileCounts]:
        """The generation, the data and the counts of the scenario in force.

        The counts are the same object as before as long as their file is the same.

        Raises:
            StoreUnavailableError: the data cannot be read, or no scenario is in force.
        """
        while True:
            generation = self.version
            if generation == CUT:
                raise StoreUnavailableError(f"{self.lock.path} was cut short")
            if not generation:
                raise StoreUnavailableError(f"{self.shown} has lost its scenario")
            path = f"{self.shown}/{SCENARIO}{generation}"
            try:
                published = self._read(generation)
                path = f"{self.shown}/{COUNTS}{published['counts']}"
                counts = self._counts
                if counts is None or (counts.path, counts.lock) != (path, self.lock):
                    counts = self._counts = FileCounts(path, self.lock, directory=self.directory)
                return generation, published["data"], counts
            except FileNotFoundError:
                # Probably it was replaced meanwhile.
                if self.version == generation:
                    raise StoreUnavailableError(f"{path} is gone") from None
            except (OSError, ValueError, TypeError, KeyError) as error:
                raise StoreUnavailableError(f"{path} cannot be read: {error}") from error

    @cached_property
    def journal(self) -> FileJournal:
        """The outcomes that all processes of the directory write."""
        from faultinject.counts.file_journal import FileJournal

        self._reopen()
        return FileJournal(self)

    def answers(self, bound: str, width: float) -> FileAnswers:  # noqa: ARG002 - it follows from the bound
        """See `SharedStore.answers`."""
        answers = self._answers.get(bound)
        if answers is None:
            from faultinject.counts.file_answers import FileAnswers

            self._reopen()
            answers = self._answers[bound] = FileAnswers(bound, self.lock, self.directory)
        return answers

    def withdraw(self) -> None:
        """Withdraw the scenario in all processes, as if none had been published.

        Raises:
            StoreUnavailableError: other processes hold the lock; the scenario stays in force.
        """
        with self._lock_scenario():
            self.lock.write(0)

    def new_outcomes(self, offset: int = 0) -> tuple[list[Outcome], int]:
        """Read the outcomes in the journal from an offset on, and the offset for the next call.

        A half-written line is left for the next call.

        Raises:
            OSError: the journal cannot be read.
        """
        from faultinject.counts.file_journal import outcomes

        added, _, length = outcomes(read_file("journal", self.directory, offset) or b"")
        return added, offset + length

    def attach(self) -> None:
        """Note that a process other than the owner of the directory takes part."""
        write_file("attached", self.directory, b"")

    @property
    def attached(self) -> bool:
        """Whether another process has ever taken part."""
        return os.path.exists(f"{self.shown}/attached")

    def remove(self) -> None:
        """Remove the directory and our files in it; processes that have it open stop counting."""
        remove_directory(self.directory, self.shown)

    def _prepare(self, directory: int, lock: FileLock) -> str:
        """Make the files of a new directory, and return its token; call it under the lock."""
        version = read_file("version", directory)
        if not version:
            version = LAYOUT + os.urandom(16).hex().encode()
            write_file("version", directory, version)
        elif not version.startswith(LAYOUT):
            problem = "was made by another version of faultinject"
            refuse(self.shown, problem, "remove it, or name another directory")
        if lock.read() == CUT:
            if any(name.startswith(COUNTS) for name in os.listdir(directory)):
                refuse(self.shown, "has lost its lock", "remove it, or name another directory")
            lock.write(0)
        if lock.users is None:
            lock.users = Users(directory)
        return version.removeprefix(LAYOUT).decode("ascii", "replace")

    def _reopen(self) -> None:
        """Open the directory, if this process could not open it at its beginning."""
        if self._opened is None:
            self.open(make=False)

    @contextmanager
    def _lock_scenario(self) -> Iterator[None]:
        """Keep other processes from changing the scenario in force during a block.

        The caller has read the version before, or has opened the directory itself.
        """
        try:
            self.lock.acquire(PATIENCE)
            try:
                yield
            finally:
                self.lock.release()
        except OSError as error:
            raise StoreUnavailableError(f"{self.shown}: {error.strerror}") from error

    def _publish(self, data: dict[str, Any], *, keep_counts: bool = False) -> None:
        rules = int(data["next_place"])  # including rules that were removed
        if rules > MOST_RULES and keep_counts:
            raise ConfigurationError(
                f"the store `file:` counts for at most {MOST_RULES} rules, including those that were replaced or"
                " removed: put all rules in force again; their counts then begin at zero"
            )
        if rules > MOST_RULES:
            raise ConfigurationError(f"the store `file:` holds at most {MOST_RULES} rules, not {rules}")

        generation = self._next()
        old = self._last() if keep_counts else None
        counts = generation if old is None else old["counts"]
        names_kept = f"{SCENARIO}{generation}", f"{COUNTS}{counts}"
        if counts == generation:
            make_table(names_kept[1], directory=self.directory)
        write_file(names_kept[0], self.directory, dumps({"counts": counts, "data": data}).encode())
        self.lock.write(generation)
        for name in os.listdir(self.directory):
            if name.startswith((SCENARIO, COUNTS)) and name not in names_kept:
                remove_file(name, self.directory)

    def _next(self) -> int:
        """The next generation; if the last one was lost, one that no process has seen."""
        last = self.lock.read()
        if last <= 0:
            names = os.listdir(self.directory)
            suffixes = [name.removeprefix(SCENARIO) for name in names]
            last = max(map(int, filter(str.isdecimal, suffixes)), default=0)
        return last + 1

    def _last(self) -> dict[str, Any] | None:
        """The scenario that was published last; None if it is damaged and may be replaced."""
        try:
            return self._read(self.lock.read())
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _read(self, generation: int) -> dict[str, Any]:
        content = read_file(f"{SCENARIO}{generation}", self.directory)
        if content is None:
            raise FileNotFoundError
        published = loads(content)
        return {name: published[name] for name in ("counts", "data")}
