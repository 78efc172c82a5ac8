"""JSON lines that others are still writing."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def whole_lines(data: bytes) -> tuple[list[dict[str, Any]], int]:
    """The lines that are whole, and how many bytes they and their ends take; the last may be half written."""
    whole, end, _ = data.rpartition(b"\n")
    if not end:
        return [], 0
    from json import loads

    lines = []
    for text in whole.split(b"\n"):
        try:
            # Where a disk was full, a whole line stands behind a part of one.
            line = loads(text[max(0, text.rfind(b'{"v":')) :])
        except ValueError:
            continue
        if isinstance(line, dict):
            lines.append(line)
    return lines, len(whole) + 1
