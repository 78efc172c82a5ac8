"""The lines of the journal's file about changes by the control API.

All fields of a journal's line are null in it but `v`, `time`, `arrived`, `pid` and `generation`, and it has
`"change"` and `"by"`.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from faultinject.journal.outcome import line_without_request

if TYPE_CHECKING:
    from faultinject.journal.changes import Change


class ChangeLine(Struct):
    """The line of a change by the control API; all other fields of it are null.

    Attributes:
        v: The version of the format.
        time: The time at which it was made, unix seconds.
        arrived: The same on one monotonic clock, seconds.
        pid: The process that made it.
        generation: The number of the scenario in force since then.
        change: The change in words.
        by: The name of the token that was used, else the client's address.
    """

    v: int
    time: float
    arrived: float
    pid: int
    generation: int
    change: str
    by: str


def change_line(change: Change, generation: int) -> bytes:
    """The line of a change, which has been made just now."""
    return line_without_request(
        time=change.time,
        arrived=time.monotonic(),
        pid=os.getpid(),
        generation=generation,
        change=change.what,
        by=change.by,
    )
