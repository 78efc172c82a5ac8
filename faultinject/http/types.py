"""What headers are to a type checker; nothing of this exists while the program runs."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    Headers = list[tuple[str, str]]
