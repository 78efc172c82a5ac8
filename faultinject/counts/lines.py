"""JSON lines that others are still writing."""

from __future__ import annotations

from math import inf

from faultinject.journal.outcome import Outcome


def outcomes(data: bytes, limit: float = inf) -> tuple[list[Outcome], int, int]:
    """What whole lines of a journal say.

    Args:
        data: lines, of which the last may be half written.
        limit: the maximum number of outcomes.

    Returns:
        The outcomes; how many lines and bytes that is.
    """
    found: list[Outcome] = []
    count = length = 0
    whole = data[: data.rfind(b"\n") + 1]
    while len(found) < limit and length < len(whole):
        end = whole.index(b"\n", length)
        outcome = outcome_in(whole[length:end])
        count += 1
        length = end + 1
        if outcome is not None:
            found.append(outcome)
    return found, count, length


def outcome_in(text: bytes) -> Outcome | None:
    """What a line says; None where it says nothing."""
    from json import loads

    try:
        # Where a disk was full, a whole line stands behind a part of one.
        line = loads(text[max(0, text.rfind(b'{"v":')) :])
    except ValueError:
        return None
    return Outcome.of(line) if isinstance(line, dict) else None
