"""The injector around what faultinject itself serves: a store behind a test, the servers of a sweep."""

from __future__ import annotations

from faultinject.injector.injector import Injector

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self


class OwnInjector(Injector):
    """Blocks, tests and sweeps reach its app; the rules of `faultinject run` do not."""

    def settle(self, first: Self | None) -> None:
        """Let that injector's plan be in force here, unless it has the rules of `run`; None: its own."""
        super().settle(None if first is not None and first.of_run else first)
