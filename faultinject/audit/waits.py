"""The waits of a client before it tries again, as far as the journal tells them."""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from faultinject.journal.attempts import Attempt
    from faultinject.journal.calls import Call

KINDS = ("throttle", "server", "transport")
"""The kinds of failure that a client may wait out."""


class Wait(NamedTuple):
    """One wait.

    Attributes:
        call: whose.
        before: the attempt that had failed, whose answer may have asked for the wait.
        retry: before which retry, from 1.
        seconds: from the answer to the next arrival.
    """

    call: Call
    before: Attempt
    retry: int
    seconds: float

    @property
    def kind(self) -> str:
        """What had failed: of a client's own wait one of `KINDS`."""
        return self.before.kind or ""


def waits_of(call: Call) -> Iterator[Wait]:
    """The client's own waits in a call, as long as it fails in the way in which it failed first.

    A wait that an answer asked for is not its own, and one that began before the answer is none.
    """
    kind = call.first.kind
    if kind not in KINDS:
        return
    for retry, (before, gap) in enumerate(zip(call.attempts, call.gaps, strict=False), 1):
        if before.kind != kind:
            return
        if gap is not None and gap >= 0 and before.hint_form is None:
            yield Wait(call, before, retry, gap)


def is_near(attempt: Attempt) -> bool:
    """Whether client and server are on one machine, with one clock."""
    client = attempt.client or ""
    return (
        not client
        or client.startswith(("127.", "::1"))
        or client in (attempt.host, "localhost", "testclient")
    )


def hinted(calls: Iterable[Call]) -> Iterator[Wait]:
    """The waits that answers had asked for, with the seconds asked for."""
    for call in calls:
        for retry, (before, gap) in enumerate(zip(call.attempts, call.gaps, strict=False), 1):
            if before.hint is not None and before.failed and gap is not None and gap >= 0:
                yield Wait(call, before, retry, gap)


def by_number(waits: Iterable[Wait]) -> dict[tuple[str, int], list[Wait]]:
    """Waits by kind of failure and number of the retry, in that order."""
    found: dict[tuple[str, int], list[Wait]] = {}
    for wait in waits:
        found.setdefault((wait.kind, wait.retry), []).append(wait)
    return dict(sorted(found.items(), key=lambda item: (KINDS.index(item[0][0]), item[0][1])))
