"""Types that more than one part of the engine speaks of; nothing of this exists while the program runs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    # Bytes read of a request's body, their digest, whether that was all.
    Body = tuple[int, str, bool]
