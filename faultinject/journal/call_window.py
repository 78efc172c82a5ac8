"""What a test or a driver says of a call that it makes: when it began and ended, and what came of it."""

from __future__ import annotations

import re
from collections.abc import Sequence

from msgspec import Struct

_CLASS = re.compile(r"([A-Za-z_][\w.$]{0,79}): ")
"""A class of errors, as it stands before what an error says."""


class CallWindow(Struct, eq=False):
    """A window in which a call was made.

    Args:
        name: what the test calls it, or the phase of a plan; None for the whole of a test, which says only that all
            that was asked for in it is over by its end.
        began: when, in seconds of the journal's monotonic clock.
        ended: when, in the same seconds; None when it never did.
        returned: whether its caller got a result (True) or an error (False); None if that is unknown.
        error: the error's text, where the caller got one.
        key: a segment that is in the path of each of its requests and of no other's; None where there is none.
        test: the test that it is of, as the journal names it; None: any.
        within: when the calls began inside of which this one was made, by the same thread or task; times alone do
            not tell them from calls at the same time.
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
        return f"<CallWindow {self.name}: {'failed' if self.returned is False else 'returned' if self.returned else '?'}>"


def error_class(error: str | None) -> str | None:
    """What errors have in common that callers got for one reason: their class; all that they said where none stands before it.

    What looks like a class may be a secret, too: it is compared, and neither shown nor written.

    >>> error_class("SlowDown: try later, id 7"), error_class("503 SlowDown"), error_class(None)
    ('SlowDown', '503 SlowDown', None)
    """
    found = _CLASS.match(error or "")
    return found[1] if found else error
