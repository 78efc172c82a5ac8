"""What a test or a driver says of a call that it makes: when it began and ended, and what came of it."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


class CallWindow:
    """A window in which a call was made.

    Args:
        name: what the test calls it, or the phase of a plan; None for the whole of a test, which says only that all
            that was asked for in it is over by its end.
        began: when, in seconds of the journal's monotonic clock.
        ended: likewise; None when it never did.
        returned: whether its caller got a result (True) or an error (False); None where nobody said.
        error: the error's text, where the caller got one.
        key: a segment that is in the path of each of its requests and of no other's; None where there is none.
        test: the test that it is of, as the journal names it; None: any.
        within: when the told calls began inside of which this one was made, by the same thread or task; times alone do
            not tell them from calls at the same time.
    """

    __slots__ = ("began", "ended", "error", "key", "name", "returned", "test", "within")

    def __init__(
        self,
        name: str | None,
        began: float,
        ended: float | None,
        returned: bool | None = None,
        error: str | None = None,
        *,
        key: str | None = None,
        test: str | None = None,
        within: Sequence[float] = (),
    ) -> None:
        self.name = name
        self.began = began
        self.ended = ended
        self.returned = returned
        self.error = error
        self.key = key
        self.test = test
        self.within = tuple(within)

    def __repr__(self) -> str:
        return f"<Told {self.name}: {'failed' if self.returned is False else 'returned' if self.returned else '?'}>"
