"""The lines in the journal's file about changes by the control API.

Such a line has `"change"` and `"by"`, and the fields `v`, `time`, `arrived`, `pid` and `generation` of a request. The
others are null.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from msgspec import Struct

from faultinject.journal.outcome import line_without_request

if TYPE_CHECKING:
    from faultinject.journal.changes import ControlChange


class ChangeLine(Struct):
    """The line of a change by the control API; a request's other fields are null in it.

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


def change_line(change: ControlChange, generation: int) -> bytes:
    """The line of a change that has just been made."""
    return line_without_request(
        time=change.time,
        arrived=time.monotonic(),
        pid=os.getpid(),
        generation=generation,
        change=change.text,
        by=change.by,
    )
