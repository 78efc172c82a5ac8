"""Where one injector's counts live: in memory, in a named directory, or in one that its processes find by themselves."""

from __future__ import annotations

from faultinject.stores.memory import MemoryCounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from faultinject.core.plan import Counts
    from faultinject.settings.scenario import Scenario
    from faultinject.stores.directory import StoreDirectory

FILE = "file:"


class Sharing:
    """The store of one injector.

    Args:
        store: `memory:`, `file:DIRECTORY`, or None: memory until there are several processes.

    Attributes:
        directory: where processes share their counts, or None.
        seen: the generation that this process has joined.

    Raises:
        ConfigurationError: the directory cannot be used.
        StoreUnavailable: its lock is held by others.
    """

    def __init__(self, store: str | None) -> None:
        self.seen = 0
        self._undecided = store is None
        self.directory: StoreDirectory | None = None
        if store is not None and store.startswith(FILE):
            from faultinject.stores.directory import StoreDirectory

            self.directory = StoreDirectory(store.removeprefix(FILE))

    @property
    def undecided(self) -> bool:
        """Whether nobody said where counts live, and one process was enough so far."""
        return self._undecided and self.directory is None

    @property
    def stale(self) -> bool:
        """Whether another process has published a scenario since."""
        return self.directory is not None and self.directory.cell[0] != self.seen

    def share(self, scenario: Scenario, seed: str | None) -> None:
        """Several processes serve the app: let them find one directory.

        Args:
            scenario: what they have in common.
            seed: the seed that was given; None when each has chosen its own.
        """
        from faultinject.stores.private import clean_up_dead_owners, private_directory

        clean_up_dead_owners()
        self.directory = private_directory(f"{scenario.to_json()}\n{seed}")

    def counts(self, scenario: Scenario, seed: str, *, chosen: bool) -> tuple[Counts, str]:
        """Counts for a scenario, and the seed that all processes draw with.

        Args:
            scenario: the rules.
            seed: this process's.
            chosen: nobody gave it: where another process was first, its seed holds.
        """
        if self.directory is None:
            return MemoryCounts(), seed
        data = {"scenario": scenario.to_json(), "seed": seed}

        def same(found: dict[str, Any]) -> bool:
            return found.get("scenario") == data["scenario"] and (chosen or found.get("seed") == seed)

        self.directory.agree(data, rules=len(scenario.rules), same=same)
        return self.join()[1:]

    def join(self) -> tuple[Scenario, Counts, str]:
        """The scenario in force for all processes, its counts and its seed."""
        from faultinject.settings.scenario import Scenario
        from faultinject.stores.guarded import Guarded

        assert self.directory is not None
        generation, data, counts = self.directory.join()
        assert counts is not None
        self.seen = generation
        return Scenario.from_json(data["scenario"]), Guarded(counts), data["seed"]
