"""The interface of a store that processes share: a scenario with a version, and its counts."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from faultinject.engine.counting import Counts
from faultinject.engine.counting import Take as Take
from faultinject.exceptions import ConfigurationError, FaultInjectError, StoreUnavailableError
from faultinject.rules.redis_url import is_redis, read_redis
from faultinject.rules.store import FILE, find_opener, read_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from faultinject.counts.background_sender import BackgroundSender
    from faultinject.engine.entry import Entry
    from faultinject.journal.outcome import Outcome
    from faultinject.vendors.addressing import Addressing

    T = TypeVar("T")

    class Store(Protocol):
        """The four operations of a store.

        An entry point in `faultinject.stores` names a function that opens a store of another package.
        """

        @property
        def version(self) -> Hashable:
            """A value that changes as soon as another scenario is in force.

            Each request reads it, so it must not wait for anything.
            """

        def begin(self, data: dict[str, Any], *, chosen: bool, keeps: Sequence[str] = ()) -> None:
            """Put data in force, unless equal data are: only the first of equal processes does so.

            Args:
                data: JSON, with `scenario` and `seed` as text; data are equal if both of these are.
                chosen: whether the seed was chosen at random; then the seed of an earlier process is in force.
                keeps: the names of entries that stay when these data replace others.

            Raises:
                StoreInUseError: other processes use the store with other rules.
                StoreUnavailableError: the store is unavailable.
            """

        def publish(self, data: dict[str, Any], *, after: Hashable, anew: bool) -> None:
            """Put other data in force.

            Args:
                data: as in `begin`.
                after: the version that must still be in force.
                anew: whether counts begin at zero.

            Raises:
                ConflictError: another version is in force, and stays in force.
                StoreUnavailableError: the store is unavailable; nothing was changed.
            """

        def counts(self) -> tuple[int, dict[str, Any], Counts]:
            """The number of data sets in force before, the data in force now, and their counts.

            Raises:
                StoreUnavailableError: the store cannot be read.
            """

    class SharedJournal(Protocol):
        """The outcomes of all processes of a store."""

        def add(self, line: Entry, reading: Addressing | None) -> None:
            """Add an outcome of this process."""

        def read(self, after: str = "", limit: int = 500) -> tuple[list[Outcome], str, int]:
            """Read as `Journal.events` does, for all processes."""

    class SharedAnswers(Protocol):
        """The answers of an app in a window, of all processes of a store."""

        def add(
            self, armed: int, part: int, answers: int, failures: int, judge: Callable[[int, int, bool], None]
        ) -> None:
            """Note answers of this process.

            Args:
                armed: how often faults were switched on again; each time the counts begin at zero.
                part: the current part of the window.
                answers: the number of new answers.
                failures: the number of them that are the app's own failures.
                judge: called, if there are failures, with the answers and failures of all processes in the window, and
                    with whether this is outside of a request.

            Raises:
                StoreUnavailableError: they cannot be noted.
                OSError: they cannot be noted.
            """

else:
    Store = object

_SHORT = 3
"""The most characters of a word that other words may contain by chance."""


class SharedStore(Store):
    """A store as injectors use it: one of ours, or a `PackageStore`.

    Attributes:
        place: the store for logs, without its password.
        shown: the store for messages, without its password.
        by: the process that represents this server in the states that it puts in force; 0: there is none.
        sender: does the store's work in the background; None if it has none.
    """

    place = shown = ""
    by = 0
    sender: BackgroundSender | None = None

    def waits_for_store(self, _: FaultInjectError) -> bool:
        """Whether a process that could not begin waits for the store, and injects nothing meanwhile."""
        return True

    @property
    def journal(self) -> SharedJournal | None:
        """The outcomes that all processes of the store write; None if it keeps none."""
        return None

    def answers(self, bound: str, width: float) -> SharedAnswers | None:  # noqa: ARG002 - for other stores
        """The app's answers that all processes count together for a bound; None if they cannot.

        Args:
            bound: the bound of its failures.
            width: seconds of a part of the bound's window.

        Raises:
            StoreUnavailableError: the store is unavailable.
            OSError: they cannot be counted there.
        """
        return None

    def refresh(self) -> None:
        """Read the store's version now, so that `version` is up to date.

        Raises:
            StoreUnavailableError: the store cannot be reached.
        """


class PackageStore(SharedStore):
    """A store of another package; an error that is not ours means that the store is unavailable.

    Args:
        text: the whole text of the store; every part but its scheme may be a password.

    Raises:
        ConfigurationError: it cannot be opened.
    """

    def __init__(self, text: str) -> None:
        scheme, _, self._secret = text.partition(":")
        self.place = self.shown = f"{scheme}:"
        opens = find_opener(text)
        assert opens is not None
        try:
            self._store: Store = opens(text)
        except FaultInjectError:
            raise
        except Exception as error:
            raise ConfigurationError(
                f"the store {self.place} cannot be opened: {self._reason(error)}"
            ) from None
        self._version: Hashable = None

    @property
    def version(self) -> Hashable:
        """The store's version; if it cannot be read, the previous one."""
        with suppress(Exception):
            self._version = self._store.version
        return self._version

    def begin(self, data: dict[str, Any], *, chosen: bool, keeps: Sequence[str] = ()) -> None:
        """Begin as the other package's store does."""
        self._call(lambda: self._store.begin(data, chosen=chosen, keeps=keeps))

    def publish(self, data: dict[str, Any], *, after: Hashable, anew: bool) -> None:
        """Publish as the other package's store does."""
        self._call(lambda: self._store.publish(data, after=after, anew=anew))

    def counts(self) -> tuple[int, dict[str, Any], Counts]:
        """The counts of the other package's store."""
        return self._call(self._store.counts)

    def _call(self, call: Callable[[], T]) -> T:
        """Call the other package; any error that is not ours means that the store is unavailable."""
        try:
            return call()
        except FaultInjectError:
            raise
        except Exception as error:
            raise StoreUnavailableError(f"the store {self.place} {self._reason(error)}") from None

    def _reason(self, error: Exception) -> str:
        """The text of another package's error, without any part of the store's own text.

        A part may be the password. A short part may occur in other words by chance, so it is matched only as a whole
        word.
        """
        from re import escape, split, sub
        from urllib.parse import unquote

        pieces = split("[/:@?&=#,;]+", self._secret)
        # The longest first, as a part may begin with a shorter one.
        pieces_known = sorted({*pieces, *map(unquote, pieces)} - {""}, key=len, reverse=True)
        forms = [
            escape(piece) if len(piece) > _SHORT else rf"(?<!\w){escape(piece)}(?!\w)"
            for piece in pieces_known
        ]
        text = sub("|".join(forms), "…", str(error)) if forms else str(error)
        return f"{type(error).__name__}: {text}"


def open_store(text: str) -> SharedStore:
    """Open a store that processes share: `file:DIRECTORY`, `redis://…`, or another scheme.

    Raises:
        ConfigurationError: it cannot be used.
    """
    if text.startswith(FILE):
        from faultinject.counts.directory import DirectoryStore

        path, replaces = read_directory(text)
        return DirectoryStore(path, replaces=replaces)
    if is_redis(text):
        from faultinject.counts.redis_store import RedisStore

        return RedisStore(read_redis(text))
    return PackageStore(text)
