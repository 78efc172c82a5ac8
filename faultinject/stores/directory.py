"""The directory of a store: scenario, counts and journal that processes share.

    version      the layout, so that another version of faultinject keeps out
    lock         locked, never read
    generation   eight bytes, mapped: the number of the scenario in force, 0 before the first
    scenario     JSON: generation, the number in the name of its counts, and what was published
    counts-N     see `stores.table`
    journal      JSON lines
    owner        the session that has the directory for itself, if one has
"""

from __future__ import annotations

import os
from mmap import mmap
from stat import S_IMODE, S_ISDIR, S_ISLNK

from faultinject.exceptions import ConfigurationError, Problem, StoreUnavailable
from faultinject.stores.file_counts import FileCounts
from faultinject.stores.filelock import AVAILABLE, FileLock
from faultinject.stores.owner import described, gone
from faultinject.stores.table import MOST_RULES, make_table

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, NoReturn

LAYOUT = b"1\n"
PATIENCE = 2.0
"""Seconds that opening and publishing wait for the lock; requests wait less."""
_FILES = ("generation", "journal", "lock", "owner", "scenario", "scenario.new", "version")
_COUNTS = "counts-"
_FLAGS = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


class StoreDirectory:
    """An open store.

    Args:
        path: the directory.
        make: make it if it is not there.

    Attributes:
        path: the directory, absolute.
        journal: the path of the journal that all processes append to.
        lock: what excludes the others.
        cell: the generation as a memory of one word, the quickest way to read it.

    Raises:
        ConfigurationError: the directory cannot serve; the message says why and what to do.
        StoreUnavailable: its lock is held by others.
    """

    cell: memoryview[int]

    def __init__(self, path: str, *, make: bool = True) -> None:
        self._directory = -1
        if not AVAILABLE:  # pragma: no cover - Windows
            raise ConfigurationError("the store `file:` needs a system with flock; here is `memory:`")
        self.path = path = os.path.abspath(path)  # noqa: PTH100 - pathlib takes its time to load
        self.journal = f"{path}/journal"
        try:
            self._directory = open_directory(path, make=make)
            self._check_content()
            self.lock = FileLock.open(f"{path}/lock", directory=self._directory)
            self.lock.acquire(PATIENCE)
            try:
                self._begin()
            finally:
                self.lock.release()
        except (OSError, ValueError) as error:
            if isinstance(error, ConfigurationError):
                raise
            refuse(path, getattr(error, "strerror", None) or str(error), "name another directory")

    @property
    def generation(self) -> int:
        """The number of the scenario in force, 0 before the first."""
        return self.cell[0]

    def publish(self, data: Mapping[str, Any], *, rules: int, keep_counts: bool = False) -> int:
        """Put a scenario in force in all processes.

        Args:
            data: what `read` gives; JSON.
            rules: how many rules it has.
            keep_counts: go on with the counts so far: the new rules stand behind the old ones.

        Returns:
            Its generation.

        Raises:
            ConfigurationError: it has too many rules.
            StoreUnavailable: no space left, or the lock is held by others; the old scenario stays in force.
        """
        if rules > MOST_RULES:
            raise ConfigurationError(f"the store `file:` holds at most {MOST_RULES} rules, not {rules}")
        with _Changes(self):
            return self._publish(data, keep_counts=keep_counts)

    def agree(self, data: Mapping[str, Any], *, rules: int) -> int:
        """As `publish`, unless the very same is in force already: the first of equal processes publishes.

        Raises:
            ConfigurationError: it has too many rules.
            StoreUnavailable: no space left, or the lock is held by others.
        """
        if rules > MOST_RULES:
            raise ConfigurationError(f"the store `file:` holds at most {MOST_RULES} rules, not {rules}")
        with _Changes(self):
            found = self._read()
            if found is not None and found["data"] == data:
                return self._settled(found["generation"])
            return self._publish(data)

    def read(self) -> tuple[int, dict[str, Any]]:
        """The scenario in force and its generation; 0 and nothing before the first.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        found = self._current()
        return (0, {}) if found is None else (found["generation"], found["data"])

    def join(self) -> tuple[int, dict[str, Any], FileCounts | None]:
        """The scenario in force, its generation and its counts; nothing before the first.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        missing = ""
        while True:
            found = self._current()
            if found is None:
                return 0, {}, None
            name = f"{_COUNTS}{found['counts']}"
            try:
                counts = FileCounts(name, self.lock, directory=self._directory)
            except FileNotFoundError:
                # Replaced meanwhile; the second time it is really gone.
                if missing == name:
                    raise StoreUnavailable(f"{self.path}/{name} is gone") from None
                missing = name
            except OSError as error:
                raise StoreUnavailable(f"{self.path}/{name}: {error.strerror}") from error
            else:
                return found["generation"], found["data"], counts
