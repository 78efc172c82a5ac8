"""The lines by which tests note their named calls in the journal, for reports.

There is one line for each named call, and one for each block with faults, at its end. Such a line has `"told"`. It has
the fields `v`, `time`, `arrived` and `pid` of a request; the others are null. It has the type of an error and not its
text, which may hold secrets.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress
from json import loads

from msgspec import MsgspecError, Struct, convert
from msgspec.structs import asdict, replace

from faultinject.journal.call_window import CallWindow
from faultinject.journal.outcome import line_without_request

_MARK = b'"told":{'


class NamedCall(Struct):
    """A call that a test names, or a block with faults.

    Attributes:
        name: The call's name in the test; null for a block.
        began: The time at which it began, on the monotonic clock.
        ended: The time at which it ended, on the same clock.
        returned: Whether its caller got a result (true) or an error (false); null for a block.
        error: The type of that error, such as `OSError`.
        test: The test.
        within: The times at which the calls around this one began.
    """

    name: str | None
    began: float
    ended: float | None
    returned: bool | None
    error: str | None
    test: str | None
    within: list[float]


class NamedCallLine(Struct):
    """The line that a test writes; a request's other fields are null in it.

    Attributes:
        v: The version of the format.
        time: The time at which it was written, unix seconds.
        arrived: The time at which the call or the block ended, on one monotonic clock, seconds.
        pid: The process that wrote the journal.
        told: The call or the block.
    """

    v: int
    time: float
    arrived: float
    pid: int
    told: NamedCall


def named_call_line(window: CallWindow, pid: int) -> bytes:
    """The journal's line about the window of a call.

    Args:
        window: the window as the test knows it; its error begins with its type.
        pid: the id of this process.
    """
    error = window.error and window.error.partition(": ")[0]
    fields = asdict(replace(window, error=error))
    del fields["key"]
    return line_without_request(time=time.time(), arrived=window.ended, pid=pid, told=fields)


def read_named_calls(lines: Iterable[bytes]) -> list[CallWindow]:
    """Read the calls that tests note in these lines; damaged lines are left out."""
    windows = []
    for line in lines:
        if _MARK in line:
            # Not parsed by msgspec, which refuses half of a surrogate pair; a name may have one.
            with suppress(ValueError, MsgspecError):
                windows.append(CallWindow(**asdict(convert(loads(line), NamedCallLine).told)))
    return windows
