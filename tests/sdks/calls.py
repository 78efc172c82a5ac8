"""The rows of a vendor and the calls of its SDK, combined."""

from __future__ import annotations

from tests.pairs import pairs


def with_calls(rows, calls):
    """Each row with one call, and each call with one row of each status.

    A call treats rows of one status alike.
    """
    return pairs(row=rows, call=calls, alike={"row": lambda row: row.status})
