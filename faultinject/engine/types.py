"""Types that more than one part of the engine speaks of; nothing of this exists while the program runs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    # Bytes read of a request's body, their digest, whether that was all.
    Body = tuple[int, str, bool]

    class Fired(Protocol):
        """The rule that fired for a request."""

        def take_back(self) -> None:
            """Its fault is not carried out."""
