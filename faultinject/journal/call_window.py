"""The beginning, end and result of a call, as the test or driver that made it reports them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

_CLASS = re.compile(r"([A-Za-z_][\w.$]{0,79}): ")
"""The name of an error's class, at the beginning of its text."""
LONGEST = 2000
"""The most characters of an error's text that are kept."""
_DEEPEST = 20
"""The most errors behind an error that are looked at."""


class CallWindow(Struct, eq=False):
    """The window of time in which a call was made.

    Args:
        name: the name from the test, or the phase of a plan; None for the window of a whole test. At its end all calls
            in it are over.
        began: its beginning, in seconds of the journal's monotonic clock.
        ended: its end in the same seconds; None if it never ended.
        returned: whether its caller got a result (True) or an error (False); None if that is unknown.
        error: the error's text, if the caller got one.
        key: a segment in the path of each of its requests, and of no other request; None if there is none.
        test: its test, as the journal names it; None: any test.
        within: the beginnings of the calls around this one, in the same thread or task. Calls that merely ran at the
            same time are not among them.
    """

    name: str | None
    began: float
    ended: float | None
    returned: bool | None = None
    error: str | None = None
    key: str | None = None
    test: str | None = None
    within: Sequence[float] = ()

    def __repr__(self) -> str:
        outcome = {True: "returned", False: "failed", None: "?"}[self.returned]
        return f"<CallWindow {self.name}: {outcome}>"


def error_class(error: str | None) -> str | None:
    """The class of an error, or its whole text if the text does not begin with a class.

    Errors with one reason have the same class. A word that looks like a class may be a secret, so the result is only
    compared, never shown or written.

    >>> error_class("SlowDown: try later, id 7"), error_class("503 SlowDown"), error_class(None)
    ('SlowDown', '503 SlowDown', None)
    """
    match = _CLASS.match(error or "")
    return match[1] if match else error


def text_of(error: BaseException, said: str) -> str:
    """An error in one line; the system's error that caused it is added if the text lacks it.

    The text of a client's error may be the address alone, as that of botocore's EndpointConnectionError.

    Args:
        error: the error that the caller got.
        said: its text, or the part of it to keep.
    """
    behind: BaseException | None = error
    system: OSError | None = None
    for _ in range(_DEEPEST):
        behind = behind and (behind.__cause__ or behind.__context__)
        if isinstance(behind, OSError) and behind.strerror:
            system = behind
    text = " ".join(said.split())
    left_out = system is not None and str(system.strerror) not in str(error)
    cause = f" ({type(system).__name__}: {' '.join(str(system).split())})" if left_out else ""
    return f"{type(error).__name__}: {text}{cause}"[:LONGEST]
