"""What headers are: pairs of a name and a value."""

from __future__ import annotations

Headers = list[tuple[str, str]]
