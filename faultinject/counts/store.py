"""The store that processes share: a scenario with a version, and its counts."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from faultinject.engine.counting import Counts
from faultinject.engine.counting import Take as Take
from faultinject.exceptions import ConfigurationError, FaultInjectError, StoreUnavailableError
from faultinject.rules.redis_url import is_redis, read_redis
from faultinject.rules.store import FILE, opener, read_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from faultinject.counts.background_sender import BackgroundSender
    from faultinject.engine.entry import Entry
    from faultinject.journal.outcome import Outcome
    from faultinject.vendors.addressing import Addressing

    T = TypeVar("T")

    class Store(Protocol):
        """Four operations of a store.

        The function of an entry point in `faultinject.stores` opens one of another package.
        """

        @property
        def version(self) -> Hashable:
            """A value that changes as soon as another scenario is in force.

            Each request looks at it, so it must not wait.
            """

        def begin(self, data: dict[str, Any], *, chosen: bool, keeps: Sequence[str] = ()) -> None:
            """Put data in force, unless the same is: the first of equal processes does so.

            Args:
                data: JSON, with `scenario` and `seed` as text: the same is in force where both are equal.
                chosen: whether nobody gave the seed; then the seed of an earlier process holds.
                keeps: the names of entries that stay when these data replace others.

            Raises:
                StoreInUseError: others count there by other rules.
                StoreUnavailableError: the store is unavailable.
            """

        def publish(self, data: dict[str, Any], *, after: Hashable, anew: bool) -> None:
            """Put other data in force.

            Args:
                data: as in `begin`.
                after: the version that must be in force still.
                anew: whether counts begin at zero.

            Raises:
                ConflictError: another version is in force, and stays so.
                StoreUnavailableError: the store is unavailable; nothing was changed.
            """

        def counts(self) -> tuple[int, dict[str, Any], Counts]:
            """The data in force: how often data was put in force before, the data, and its counts.

            Raises:
                StoreUnavailableError: it cannot be read.
            """

    class SharedJournal(Protocol):
        """The outcomes of all processes of a store."""

        def add(self, line: Entry, reading: Addressing | None) -> None:
            """Add an outcome of this process."""

        def read(self, after: str = "", limit: int = 500) -> tuple[list[Outcome], str, int]:
            """Read as `Journal.events` does, for all processes."""

    class SharedAnswers(Protocol):
        """The answers of an app within a window, of all processes of a store."""

        def add(
            self, armed: int, part: int, answers: int, failures: int, judge: Callable[[int, int, bool], None]
        ) -> None:
            """Note answers of this process.

            Args:
                armed: how often faults were switched on again; each time the counts begin at zero.
                part: the present part of the window.
                answers: the number of further answers.
                failures: the number of them that are failures of the app's own.
                judge: called, if there are failures, with the answers and the failures of all processes within the
                    window, and with whether no request waits meanwhile.

            Raises:
                StoreUnavailableError: they cannot be noted.
                OSError: the same.
            """

else:
    Store = object

_SHORT = 3
"""Characters of a word that other words may contain."""


class SharedStore(Store):
    """A store of ours, or another package's in a `ForeignStore`, with all that injectors use.

    Attributes:
        place: the store for logs, without its password.
        shown: the same for messages.
        by: the process that represents this server in the state that it puts in force; 0: none does.
        sender: does the background work of the store; None if it has none.
    """

    place = shown = ""
    by = 0
    sender: BackgroundSender | None = None

    def rests(self, _: FaultInjectError) -> bool:
        """Whether a process that could not begin waits for the store, and injects nothing meanwhile."""
        return True

    @property
    def journal(self) -> SharedJournal | None:
        """The outcomes of all processes that write them there; None if there is no such place."""
        return None

    def answers(self, bound: str, width: float) -> SharedAnswers | None:  # noqa: ARG002 - for other stores
        """The place where processes count the app's answers together; None if there is none.

        Args:
            bound: the bound of its failures.
            width: seconds of a part of its window.

        Raises:
            StoreUnavailableError: the store is unavailable.
            OSError: there is no place for it.
        """
        return None

    def refresh(self) -> None:
        """Update `version`, if something was put in force just now.

        Raises:
            StoreUnavailableError: the store cannot be asked.
        """


class ForeignStore(SharedStore):
    """The store of another package's scheme; any error of its own means that it is unavailable.

    Args:
        text: the whole text of the store; only its scheme surely holds no password.

    Raises:
        ConfigurationError: it cannot be opened.
    """

    def __init__(self, text: str) -> None:
        scheme, _, self._secret = text.partition(":")
        self.place = self.shown = f"{scheme}:"
        opens = opener(text)
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
        """The store's version; if that is unavailable, the one before."""
        with suppress(Exception):
            self._version = self._store.version
        return self._version

    def begin(self, data: dict[str, Any], *, chosen: bool, keeps: Sequence[str] = ()) -> None:
        """Begin as the other package's store does."""
        self._done(lambda: self._store.begin(data, chosen=chosen, keeps=keeps))

    def publish(self, data: dict[str, Any], *, after: Hashable, anew: bool) -> None:
        """Publish as the other package's store does."""
        self._done(lambda: self._store.publish(data, after=after, anew=anew))

    def counts(self) -> tuple[int, dict[str, Any], Counts]:
        """The counts of the other package's store."""
        return self._done(self._store.counts)

    def _done(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except FaultInjectError:
            raise
        except Exception as error:
            raise StoreUnavailableError(f"the store {self.place} {self._reason(error)}") from None

    def _reason(self, error: Exception) -> str:
        """The text of another package's error, without any piece of the store's text.

        A piece may be the password. A short piece may be a part of many words, and is recognised only as a word.
        """
        from re import escape, split, sub
        from urllib.parse import unquote

        pieces = split("[/:@?&=#,;]+", self._secret)
        # The longest first, as a piece may begin with a shorter one.
        pieces_known = sorted({*pieces, *map(unquote, pieces)} - {""}, key=len, reverse=True)
        forms = [
            escape(piece) if len(piece) > _SHORT else rf"(?<!\w){escape(piece)}(?!\w)"
            for piece in pieces_known
        ]
        text = sub("|".join(forms), "…", str(error)) if forms else str(error)
        return f"{type(error).__name__}: {text}"


def open_store(text: str) -> SharedStore:
    """A store that processes share: `file:DIRECTORY`, `redis://…`, or another package's scheme.

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
    return ForeignStore(text)
