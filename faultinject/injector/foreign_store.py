"""Counts where another package keeps them."""

from __future__ import annotations

from faultinject.exceptions import ConfigurationError, FaultInjectError
from faultinject.rules.store import opener

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any, Protocol

    from faultinject.engine.counting import Counts

    class SimpleStore(Protocol):
        """A place where scenarios are counted, as the function of a package's entry point opens it."""

        def counts(self, scenario: str, seed: str, *, chosen: bool, anew: bool) -> tuple[Counts, str]:
            """Counts for a scenario, and the seed that all its processes draw with.

            Args:
                scenario: the rules and the given seed as JSON: processes of the same text count together.
                seed: this process's.
                chosen: nobody gave it: where another process was first, its seed holds.
                anew: another scenario takes the place of the one in force, and counts begin at zero.
            """


class ForeignStore:
    """The store of another package's scheme; what one process puts in force is in force in that process.

    Args:
        text: the store as it was named.

    Attributes:
        place: its scheme: only that is known to hold no password.

    Raises:
        ConfigurationError: it cannot be opened.
    """

    sender = None
    follows = due = newer = False
    shown = ""
    by = version = 0

    def __init__(self, text: str) -> None:
        self.place = f"{text.partition(':')[0]}:"
        opens = opener(text)
        assert opens is not None
        try:
            self._store: SimpleStore = opens(text)
        except FaultInjectError:
            raise
        except Exception as error:
            why = f"{type(error).__name__}: {error}"
            raise ConfigurationError(f"the store {self.place} cannot be opened: {why}") from error

    def rests(self, _: FaultInjectError) -> bool:
        """A process that could not begin waits for the store."""
        return True

    def begin(
        self,
        data: dict[str, Any],
        *,
        chosen: bool,
        keeps: Sequence[str] = (),  # noqa: ARG002 - of stores that others change
    ) -> tuple[int, dict[str, Any], Counts]:
        """The counts of these rules, and the seed that holds."""
        counts, seed = self._store.counts(data["scenario"], data["seed"], chosen=chosen, anew=False)
        self._found = self.version, {**data, "seed": seed}, counts
        return self._found

    def publish(self, data: dict[str, Any], *, after: int, anew: bool) -> None:
        """Put something else in force in this process."""
        counts = self._found[2]
        if anew:
            counts, seed = self._store.counts(data["scenario"], data["seed"], chosen=False, anew=True)
            data = {**data, "seed": seed}
        self._found = after + 1, data, counts

    def join(self) -> tuple[int, dict[str, Any], Counts]:
        """What is in force."""
        return self._found

    def look(self) -> tuple[int, bool]:
        """The generation in force, which this process follows."""
        return self._found[0], True

    def read(self) -> tuple[int, dict[str, Any]]:
        """What is in force, and its generation."""
        return self._found[:2]

    def hurry(self) -> None:
        """Nobody else puts anything in force."""

    def events(self) -> None:
        """Other processes are not known."""
