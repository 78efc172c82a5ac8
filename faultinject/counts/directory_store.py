"""A directory as the store of one injector: what its processes agree on, what is newer, and their counts."""

from __future__ import annotations

import os
from hashlib import blake2b

from faultinject.counts.directory import StoreDirectory
from faultinject.counts.private import ServerNote
from faultinject.counts.processes import server_process
from faultinject.counts.store import SharedStore
from faultinject.counts.table import MOST_RULES
from faultinject.exceptions import ConfigurationError, FaultInjectError, StoreBusy, StoreUnavailable
from faultinject.rules.store import FILE, REPLACE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from typing import Any

    from faultinject.counts.file_counts import FileCounts
    from faultinject.counts.file_journal import FileJournal


class DirectoryStore(SharedStore):
    """A store that processes of one machine share.

    Args:
        path: the directory.
        replaces: whether rules of others that are in force are replaced.
        named: whether somebody has named it; else only equal processes find it.

    Attributes:
        place: the store as a log may have it.
        shown: the same as messages name it.
        by: the process that stands for those of this server.

    Raises:
        ConfigurationError: the directory cannot be used.
        StoreUnavailable: its lock is held by others.
    """

    def __init__(self, path: str, *, replaces: bool = False, named: bool = True) -> None:
        self.shown = path = os.path.abspath(path)  # noqa: PTH100 - pathlib takes its time to load
        self.place = f"{FILE}{path}"
        self.by = server_process()
        self._replaces = replaces
        self._named = named
        self._note = ServerNote(path) if named else None
        # Where this server began with one that is gone, another one must not take its place.
        self._directory = None if self._began() else StoreDirectory(path)
        self._counts: FileCounts | None = None

    @property
    def directory(self) -> StoreDirectory:
        """The directory, as it is open."""
        if self._directory is None:
            self._directory = StoreDirectory(self.shown, make=False)
        return self._directory

    def rests(self, error: FaultInjectError) -> bool:
        """Whether a process that could not begin waits for the store, because it may hold what others have counted."""
        return bool(self._began()) or (isinstance(error, StoreBusy) and not self._named)

    def begin(self, data: dict[str, Any], *, chosen: bool, keeps: Sequence[str] = ()) -> None:
        """Put something in force, unless the same rules are: the first of equal processes does.

        Args:
            data: what `counts` gives; JSON, with `scenario` and `seed` as text.
            chosen: nobody gave the seed: where another process was first, its seed holds.
            keeps: what of other rules' data stays when these take their place.

        Raises:
            ConfigurationError: it has too many rules.
            StoreInUse: another process counts here by other rules.
            StoreUnavailable: the directory that this server began with is gone, or cannot be had.
        """
        began = self._began()
        try:
            directory = StoreDirectory(self.shown, make=not began)
        except ConfigurationError as error:
            if not began:
                raise
            raise StoreUnavailable(str(error)) from None
        scenario, seed = data["scenario"], data["seed"]
        text = f"{scenario}\n{'' if chosen else seed}"
        agreed = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        if began and began[0] != directory.token:
            raise StoreUnavailable(
                f"the store {self.shown} was removed and replaced while this server was running"
            )

        def same(found: dict[str, Any]) -> bool:
            equal = found.get("scenario") == scenario and (chosen or found.get("seed") == seed)
            return equal or not self._named or began == [directory.token, agreed]

        replace = "" if self._replaces else f"{self.place}{REPLACE}"
        directory.agree(
            data, rules=_places(data), same=same, replace=replace if self._named else None, keeps=keeps
        )
        self._directory = directory
        if self._note is not None:
            self._note.write(f"{directory.token} {agreed}".encode())

    def _began(self) -> list[str]:
        """The token of the directory and the digest of the rules that this server's processes began with before this one."""
        return [] if self._note is None else self._note.read().decode("ascii", "replace").split()

    @property
    def version(self) -> int:
        """The number of what is in force."""
        return (self._directory or self.directory).lock.read()

    def publish(self, data: dict[str, Any], *, after: Hashable, anew: bool) -> None:
        """Put something else in force.

        Args:
            data: what `counts` gives.
            after: the generation that must be in force still.
            anew: whether counts begin at zero.

        Raises:
            Conflict: another generation is in force, and stays so.
            ConfigurationError: it has too many rules.
            StoreUnavailable: it cannot be written.
        """
        if _places(data) > MOST_RULES and not anew:
            raise ConfigurationError(
                f"the store `file:` counts by at most {MOST_RULES} rules, also those that were replaced or removed:"
                " put all rules in force again; their counts then begin at zero"
            )
        self.directory.publish(data, rules=_places(data), keep_counts=not anew, after=after)

    def counts(self) -> tuple[int, dict[str, Any], FileCounts]:
        """What is in force: its generation, itself and its counts.

        Raises:
            StoreUnavailable: it cannot be read.
        """
        generation, data, counts = self.directory.join(self._counts)
        if counts is None:
            raise StoreUnavailable(f"{self.shown} has lost its scenario")
        self._counts = counts
        return generation, data, counts

    def events(self) -> FileJournal:
        """What happens in all processes that say so there."""
        return self.directory.events()


def _places(data: dict[str, Any]) -> int:
    """How many rules have been counted, those that are gone as well."""
    return int(data["next_place"])
