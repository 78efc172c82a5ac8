"""The store of another package."""

from __future__ import annotations

from contextlib import suppress

from faultinject.counts.store import SharedStore
from faultinject.exceptions import ConfigurationError, FaultInjectError, StoreUnavailable
from faultinject.rules.store import opener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from typing import Any, TypeVar

    from faultinject.counts.store import Store
    from faultinject.engine.counting import Counts

    T = TypeVar("T")


class ForeignStore(SharedStore):
    """The store of another package's scheme; an error of its own is one of a store that cannot be had.

    Args:
        text: the store as it was named, of which only the scheme is known to hold no password.

    Raises:
        ConfigurationError: it cannot be opened.
    """

    def __init__(self, text: str) -> None:
        self.place = self.shown = f"{text.partition(':')[0]}:"
        opens = opener(text)
        assert opens is not None
        try:
            self._store: Store = opens(text)
        except FaultInjectError:
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise ConfigurationError(f"the store {self.place} cannot be opened: {why}") from error
        self._version: Hashable = None

    @property
    def version(self) -> Hashable:
        """As the store says; the one before where it fails."""
        with suppress(Exception):
            self._version = self._store.version
        return self._version

    def begin(self, data: dict[str, Any], *, chosen: bool, keeps: Sequence[str] = ()) -> None:
        """As the store does."""
        self._done(lambda: self._store.begin(data, chosen=chosen, keeps=keeps))

    def publish(self, data: dict[str, Any], *, after: Hashable, anew: bool) -> None:
        """As the store does."""
        self._done(lambda: self._store.publish(data, after=after, anew=anew))

    def counts(self) -> tuple[int, dict[str, Any], Counts]:
        """As the store does."""
        return self._done(self._store.counts)

    def _done(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except FaultInjectError:
            raise
        except Exception as error:
            raise StoreUnavailable(f"the store {self.place} {type(error).__name__}: {error}") from error
