"""The directory of a store: scenario, counts and journal that processes share.

version      the layout, so that another version of faultinject keeps out, and what no other directory has
lock         locked; holds the number of the scenario in force, 0 while none is
scenario-N   JSON: the number in the name of its counts, and what was published
counts-N     see `counts.table`
journal      JSON lines of a session
journal-N    see `counts.file_journal`
attached     there since another process took part in a session
users        locked by every process that has the store open, see `counts.filelock`
"""

from __future__ import annotations

import errno
import os
from contextlib import contextmanager

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
from faultinject.counts.table import MOST_RULES, make_table
from faultinject.exceptions import ConfigurationError, Conflict, StoreInUse, StoreUnavailable
from faultinject.rules.files import OwnFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterator, Sequence
    from typing import Any

    from faultinject.counts.file_journal import FileJournal
    from faultinject.journal.outcome import Outcome


LAYOUT = b"5\n"
PATIENCE = 2.0
"""Seconds that opening and publishing wait for the lock; requests wait less."""


class StoreDirectory:
    """An open store.

    Args:
        path: the directory.
        make: make it if it is not there.

    Attributes:
        path: the directory, absolute.
        journal: the path of the journal that all processes append to.
        lock: what excludes the others.
        token: what no other directory has, also one that is made in its place.

    Raises:
        ConfigurationError: the directory cannot serve; the message says why and what to do.
        StoreUnavailable: its lock is held by others.
    """

    lock: FileLock
    token: str

    def __init__(self, path: str, *, make: bool = True) -> None:
        if not AVAILABLE:  # pragma: no cover - Windows, or a Python without ctypes
            raise ConfigurationError("the store `file:` needs flock and ctypes; use `memory:` here")
        self.path = path = os.path.abspath(path)  # noqa: PTH100 - pathlib takes its time to load
        self.journal = f"{path}/journal"
        try:
            self._own = OwnFile(open_directory(path, make=make))
            self._directory = self._own.number
            self._check()
            self.lock = FileLock.open(f"{path}/lock", directory=self._directory)
            self.lock.acquire(PATIENCE)
            try:
                self._begin()
            finally:
                self.lock.release()
        except OSError as error:
            unwritable = error.errno in (errno.EACCES, errno.EPERM, errno.EROFS)
            why = "is not writable" if unwritable else f"cannot be used ({error.strerror})"
            refuse(path, why, "name another directory")

    @property
    def generation(self) -> int:
        """The number of the scenario in force, 0 while none is, `CUT` where that cannot be told."""
        return self.lock.read()

    def publish(
        self, data: dict[str, Any], *, rules: int, keep_counts: bool = False, after: Hashable = None
    ) -> int:
        """Put a scenario in force in all processes.

        Args:
            data: what `join` gives; JSON.
            rules: how many rules have been counted, those that are gone as well.
            keep_counts: go on with the counts so far: a new rule has a number that none had before.
            after: the generation that must be in force still; None: whichever is.

        Returns:
            Its generation.

        Raises:
            Conflict: another generation is in force, and stays so.
            ConfigurationError: it has too many rules.
            StoreUnavailable: no space left, or the lock is held by others; the old scenario stays in force.
        """
        with self._changing(rules):
            if after is not None and self.generation != after:
                raise Conflict(f"{self.path} was changed since")
            return self._publish(data, keep_counts=keep_counts)

    def withdraw(self) -> None:
        """Have nothing in force in any process, as before the first scenario.

        Raises:
            StoreUnavailable: the lock is held by others; the scenario stays in force.
        """
        with self._changing():
            self.lock.write(0)

    def agree(
        self,
        data: dict[str, Any],
        *,
        rules: int,
        same: Callable[[dict[str, Any]], bool],
        replace: str | None = None,
        keeps: Sequence[str] = (),
    ) -> int:
        """As `publish`, unless the same is in force already: the first of equal processes publishes.

        A later process of a server finds what was put in force since, and never begins at zero again.

        Args:
            data: what `join` gives; JSON.
            rules: how many rules it has.
            same: whether what is in force is the same, or what a later process of the same server finds.
            replace: how one says that other rules are to be replaced, empty where that was said; None: nobody named the
                directory, and nobody else finds it.
            keeps: what of other rules' data stays when these take their place.

        Raises:
            ConfigurationError: it has too many rules.
            StoreInUse: another process counts here by other rules.
            StoreUnavailable: what was in force is lost, or the lock is held by others.
        """
        with self._changing(rules):
            found = self._last()
            if found is None and self.generation > 0:
                raise StoreUnavailable(f"the store {self.path} has lost its scenario")
            if found is None or not same(found["data"]):
                before = {} if found is None else found["data"]
                if found is not None and replace and self.lock.users and self.lock.users.others():
                    why = "is in use by other rules, or the same with another seed"
                    cure = f"end that server, name another directory, or replace its rules with {replace}"
                    refuse(self.path, why, cure, StoreInUse)
                self._publish({**data, **{name: before[name] for name in keeps if name in before}})
            return self.generation

    def join(self, before: FileCounts | None = None) -> tuple[int, dict[str, Any], FileCounts | None]:
        """The scenario in force: its generation, what was published, and its counts; 0 and nothing while none is.

        Args:
            before: counts that this process has joined before: the very same where these are still counted in.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        while True:
            generation = self.generation
            if not generation:
                return 0, {}, None
            if generation == CUT:
                raise StoreUnavailable(f"{self.lock.path} was cut short")
            path = f"{self.path}/{SCENARIO}{generation}"
            try:
                found = self._read(generation)
                path = f"{self.path}/{COUNTS}{found['counts']}"
                if before is None or (before.path, before.lock) != (path, self.lock):
                    before = FileCounts(path, self.lock, directory=self._directory)
                return generation, found["data"], before
            except FileNotFoundError:
                # Most likely replaced since.
                if self.generation == generation:
                    raise StoreUnavailable(f"{path} is gone") from None
            except (OSError, ValueError, TypeError, KeyError) as error:
                raise StoreUnavailable(f"{path} cannot be read: {error}") from error

    def new_outcomes(self, offset: int = 0) -> tuple[list[Outcome], int]:
        """What the journal says from an offset on, and the offset to go on from; a line half written waits.

        Raises:
            OSError: the journal cannot be read.
        """
        from faultinject.counts.lines import outcomes

        found, _, length = outcomes(read_file("journal", self._directory, offset) or b"")
        return found, offset + length

    def events(self) -> FileJournal:
        """What happens in all processes that say so there."""
        from faultinject.counts.file_journal import FileJournal

        return FileJournal(self, self._directory)

    def attach(self) -> None:
        """Note that a process takes part beside the one that has the directory."""
        write_file("attached", self._directory, b"")

    @property
    def attached(self) -> bool:
        """Whether one ever has."""
        return os.path.exists(f"{self.path}/attached")  # noqa: PTH110 - pathlib takes its time to load

    def remove(self) -> None:
        """Remove the directory and everything of ours in it; whoever has it open counts no more."""
        remove_directory(self._directory, self.path)

    def _check(self) -> None:
        """No scattering of files into a directory that serves something else."""
        names = os.listdir(self._directory)  # noqa: PTH208 - by its descriptor
        if "version" not in names and any(not is_ours(name) for name in names):
            refuse(self.path, "holds other files", "name an empty or a new directory")

    def _begin(self) -> None:
        found = read_file("version", self._directory)
        if not found:
            found = LAYOUT + os.urandom(16).hex().encode()
            write_file("version", self._directory, found)
        elif not found.startswith(LAYOUT):
            refuse(
                self.path,
                "was made by another version of faultinject",
                "remove it, or name another directory",
            )
        if self.generation == CUT:
            if any(name.startswith(COUNTS) for name in os.listdir(self._directory)):  # noqa: PTH208 - by its descriptor
                refuse(self.path, "has lost its lock", "remove it, or name another directory")
            self.lock.write(0)
        self.token = found.removeprefix(LAYOUT).decode("ascii", "replace")
        if self.lock.users is None:
            self.lock.users = Users(self._directory)

    @contextmanager
    def _changing(self, rules: int = 0) -> Iterator[None]:
        """For its block nobody else changes what is in force, which has so many rules."""
        if rules > MOST_RULES:
            raise ConfigurationError(f"the store `file:` holds at most {MOST_RULES} rules, not {rules}")
        self.lock.acquire(PATIENCE)
        try:
            yield
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: {error.strerror}") from error
        finally:
            self.lock.release()

    def _publish(self, data: dict[str, Any], *, keep_counts: bool = False) -> int:
        from json import dumps

        generation = self._next()
        old = self._last() if keep_counts else None
        counts = generation if old is None else old["counts"]
        kept = f"{SCENARIO}{generation}", f"{COUNTS}{counts}"
        if counts == generation:
            # From a process that was killed before it was done.
            remove_file(kept[1], self._directory)
            make_table(kept[1], directory=self._directory)
        write_file(kept[0], self._directory, dumps({"counts": counts, "data": data}).encode())
        self.lock.write(generation)
        for each in os.listdir(self._directory):  # noqa: PTH208 - by its descriptor
            if each.startswith((SCENARIO, COUNTS)) and each not in kept:
                remove_file(each, self._directory)
        return generation

    def _next(self) -> int:
        """The next generation; where the last one was lost, one that no process has seen."""
        last = self.generation
        if last <= 0:
            found = [each.removeprefix(SCENARIO) for each in os.listdir(self._directory)]  # noqa: PTH208 - by its descriptor
            last = max(map(int, filter(str.isdecimal, found)), default=0)
        return last + 1

    def _last(self) -> dict[str, Any] | None:
        """What was published last; a new scenario takes the place of one that is damaged."""
        try:
            return self._read(self.generation)
        except (OSError, ValueError, TypeError, KeyError):
            return None

    def _read(self, generation: int) -> dict[str, Any]:
        from json import loads

        content = read_file(f"{SCENARIO}{generation}", self._directory)
        if content is None:
            raise FileNotFoundError
        found = loads(content)
        return {name: found[name] for name in ("counts", "data")}
