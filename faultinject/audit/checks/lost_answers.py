"""A client's reactions to the lost answer of a write that the app has carried out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Hashable, Iterator, Sequence
from functools import cached_property
from math import inf
from typing import NamedTuple

from faultinject.audit.checks.questions import (
    LOST,
    NOT_FOUND,
    UNSAFE,
    app_status,
    begins_session,
    is_done_already,
    is_storage_call,
    took_effect,
)
from faultinject.audit.grouping import CROWD, READING, SOON
from faultinject.audit.matching import alike, fingerprint, idempotency_key, is_of_upload
from faultinject.audit.statistics import grouped
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import Call

UNDID, TWICE, CONFLICT, ERROR, HARMLESS, KNEW = (
    "undid its own write",
    "wrote twice",
    "false conflict",
    "told an error",
    "repeated, harmless",
    "knew",
)
"""The reactions of a client, the worst first."""
ACTIONS = {
    UNDID: (
        "Remove and overwrite nothing after a refusal or a lost answer before you have read the"
        " object and know that another client wrote it."
    ),
    TWICE: (
        "Choose the name of an object once, send a precondition, and read what is there before you"
        " write again."
    ),
    CONFLICT: (
        "Read the object after such a refusal, and compare it with what was sent, before you"
        " report a conflict."
    ),
    ERROR: "Read the object before you report the failure or do the job again, since the write may stand.",
}
"""The advice for each reaction that is not right."""
REMOVED = "Look whether the object is gone before you report the failure: after a lost answer a 404 says so."
"""The advice if the write is a removal."""
UNCLEAR = "not decided"
"""A reaction that the journal does not decide."""
WRITES = 1000
"""The number of writes after a lost one that are searched; a client may never end its call."""
APPENDS = frozenset(("AppendObject", "append_blob.append_block", "append_blob.append_block_from_url"))
"""Operations that add to an object."""
QUERIES = tuple(
    "get list head select stat download authorize blob.query b2_get b2_list b2_download b2_authorize".split()
)
"""Prefixes of the names of operations that change nothing, with any method."""


class Reaction(NamedTuple):
    """The reaction of a client to one lost write.

    Attributes:
        answer: the reaction, such as `TWICE`, or `UNCLEAR`.
        call: the call with the lost write.
        lost: the lost write.
        last: the last request for the same write.
        later_write: the request by which the client undid its write, or wrote again, or None.
        sure: whether more than a fingerprint groups these requests.
    """

    answer: str
    call: Call
    lost: Attempt
    last: Attempt
    later_write: Attempt | None
    sure: bool


class Requests:
    """The requests of one client around its lost writes.

    Args:
        attempts: in order of arrival.
        soon: seconds after a call in which a request may be about it, if nothing says when its caller ended it.
        about: returns whether a request may be about a lost write.
        named: returns whether the written object is known to contain the key of another request's object, as a
            manifest does.
        compared: whether `about` and `named` know the requests without faults and the stored contents, as in an
            exploration.
    """

    def __init__(
        self,
        attempts: Sequence[Attempt] = (),
        *,
        soon: float = SOON,
        about: Callable[[Attempt], bool] = lambda _: True,
        named: Callable[[Attempt, Attempt], bool] = lambda _write, _other: False,
        compared: bool = False,
    ) -> None:
        self._attempts = attempts
        self._soon = soon
        self.about = about
        self.named = named
        self.compared = compared

    def of(self, call: Call, last: Attempt) -> Iterator[Attempt]:
        """Find a caller's later requests for the same object; none if they are too many."""
        return self._behind(self._by_thing.get(_thing(last), ()), call, last, CROWD)

    def all_of(self, call: Call, last: Attempt) -> list[Attempt]:
        """Find all requests of a call's caller after an attempt."""
        return list(self._behind(self._attempts, call, last, WRITES))

    def writes(self, call: Call, last: Attempt) -> Iterator[Attempt]:
        """Find a caller's writes after an attempt, to the same object or to another."""
        return filter(self.about, self._behind(self._writes, call, last, WRITES))

    def wrote_before(self, call: Call, lost: Attempt, thing: Hashable) -> bool:
        """Whether the caller of a call had written to a target before its lost write."""
        began = -inf if call.window is None else call.window.began
        return any(
            began <= attempt.arrived < lost.arrived and attempt.method != "DELETE" and _is_of(attempt, call)
            for attempt in self._by_thing.get(thing, ())
            if is_write(attempt) and took_effect(attempt)
        )

    def _behind(self, some: Sequence[Attempt], call: Call, last: Attempt, most: int) -> Iterator[Attempt]:
        window = call.window
        until = last.arrived + self._soon if window is None else (window.ended or inf)
        begin = bisect_right(some, last.arrived, key=lambda attempt: attempt.arrived)
        end = bisect_right(
            some, until, begin, min(len(some), begin + most), key=lambda attempt: attempt.arrived
        )
        return (attempt for attempt in some[begin:end] if _is_of(attempt, call))

    @cached_property
    def _writes(self) -> list[Attempt]:
        return [attempt for attempt in self._attempts if is_write(attempt) and took_effect(attempt)]

    @cached_property
    def _by_thing(self) -> dict[Hashable, list[Attempt]]:
        return grouped(self._attempts, _thing)


def is_write(attempt: Attempt) -> bool:
    """Whether a request may change something."""
    return attempt.method not in READING and not (attempt.operation or "").lower().startswith(QUERIES)


def is_lost(attempt: Attempt) -> bool:
    """Whether a request is a write that the app carried out, and whose answer was lost.

    The beginning of a resumable upload is not a write yet, and neither is a piece that the service answered with 308.
    """
    return (
        attempt.applied
        and attempt.failed
        and is_write(attempt)
        and not begins_session(attempt)
        and (attempt.answered_by_fault or attempt.kind in LOST)
        and app_status(attempt) < 300
    )


def reaction(call: Call, requests: Requests, heard: bool | None = None) -> Reaction | None:
    """Find the reaction to a call's first lost write; None without one, or if it may still come.

    Args:
        call: the call.
        requests: the client's other requests.
        heard: whether the caller got success (True) or an error (False); None: as the call's window says.
    """
    lost = next(filter(is_lost, call.attempts), None)
    if lost is None:
        return None
    if call.window is not None:
        heard = call.window.returned
    own = call.attempts[call.attempts.index(lost) + 1 :]
    asked, behind = fingerprint(lost), list(requests.of(call, call.last))
    # A write after the client's own removal is not a repeat: the removal was the reaction.
    removed = next(
        (attempt.arrived for attempt in behind if attempt.method == "DELETE" and took_effect(attempt)), inf
    )
    repeats = [
        attempt
        for attempt in behind
        if attempt.arrived <= removed
        and fingerprint(attempt) == asked
        and alike(lost, attempt)
        and requests.about(attempt)
    ]
    later = [*own, *repeats]
    last = later[-1] if later else lost
    sure = (not call.inferred and not repeats) or call.window is not None

    def result(answer: str, later_write: Attempt | None = None) -> Reaction:
        return Reaction(answer, call, lost, last, later_write, sure)

    again = next((attempt for attempt in later if took_effect(attempt) and _adds(lost, attempt)), None)
    if again is not None:
        return result(TWICE, again)
    # A POST with another Idempotency-Key takes effect again.
    with_other_key = (
        repeat
        for repeat in repeats
        if took_effect(repeat) and idempotency_key(repeat) not in (None, idempotency_key(lost))
    )
    other = next(with_other_key, None) if _makes_another(lost) else None
    if other is not None and not call.succeeded:
        # With another key it is another request, unless both belong to one named call.
        return result(UNCLEAR if call.window is None else TWICE, other)
    # A copy that was sent before or after the lost request may have got an answer.
    if fine := [
        attempt for attempt in (*call.attempts, *repeats) if took_effect(attempt) and not attempt.failed
    ]:
        more = 0 if call.other_bytes is None else _more(lost, fine[-1])
        if more < 0 or (more > 0 and heard is not None):
            return result(UNDID if more < 0 else TWICE, fine[-1])
        return result(HARMLESS)
    reads = [attempt for attempt in requests.of(call, last) if attempt.method in READING]
    read = any(not attempt.failed for attempt in reads)
    gone = lost.method == "DELETE" and is_done_already(last) and last.status == NOT_FOUND
    if gone and heard is None:
        return result(HARMLESS)  # the object is gone, as the client wanted
    refused = is_done_already(last) and not gone
    part = is_of_upload(lost)
    # A request that ends an upload removes its parts, but no object.
    later_write = next(
        (write for write in requests.writes(call, last) if part or not is_of_upload(write)), None
    )
    if later_write is not None:
        reacted = None
        if later_write.method != "DELETE":
            # A client may write again whatever it reported, so the caller's result must be known.
            if heard is not None or lost.method == "DELETE":
                reacted = _written(later_write, lost, refused=refused)
            # A client that chooses a new name for each attempt leaves the first object behind. Only the store shows
            # whether anything reads that object.
            if reacted is None and heard and lost is last and not read and _has_other_name(lost, later_write):
                reacted = UNCLEAR
        elif _thing(later_write) == _thing(lost):
            # After a refusal the client takes its own object for another's; after an error it only cleans up.
            reacted = KNEW if not refused else UNCLEAR if read and heard is not False else UNDID
        elif (refused or lost.guarded or requests.named(lost, later_write)) and requests.wrote_before(
            call, lost, _thing(later_write)
        ):
            # The written object may refer to the one that is removed now. But a client that knows that its write
            # succeeded may remove what it no longer needs.
            unclear = not requests.compared and (heard or (read and heard is None))
            reacted = UNCLEAR if unclear else UNDID
        if reacted is not None:
            return result(reacted, later_write)
    if heard:
        # Only the store shows that the refusal was not for another client's write.
        return result(UNCLEAR if refused and not read and not requests.compared else KNEW)
    if refused and not read:
        # The caller of a named call gets the error of the last failure in it, such as of a read that checks the write.
        asked_for = reads if call.window is None else requests.all_of(call, last)
        after = asked_for[-1] if asked_for else last
        if after is last or not after.failed:
            return result(CONFLICT)
        last = after
        return result(UNCLEAR if heard is None else ERROR)
    if heard is False:
        # If only parts were written, and no object, the reported failure is true.
        return result(CONFLICT if refused else KNEW if part else ERROR)
    if read:
        return result(UNCLEAR)
    return result(KNEW if part else UNCLEAR) if call.closed and call.followed is None else None


def _written(later_write: Attempt, lost: Attempt, *, refused: bool) -> str | None:
    """Find the effect of a caller's next write on the lost one; None if there is none.

    Args:
        later_write: the next write.
        lost: the lost write.
        refused: whether the client got a refusal in the end, instead of an error.
    """
    if _thing(later_write) != _thing(lost):
        return None
    if lost.method == "DELETE" or alike(lost, later_write):
        return HARMLESS
    if _more(lost, later_write) > 0:
        return TWICE  # both writes were appended
    return UNDID if refused and not later_write.guarded else UNCLEAR


def _has_other_name(lost: Attempt, again: Attempt) -> bool:
    """Whether a write has the bytes of the lost one, and another name in the same folder."""
    one, other = (
        (
            attempt.method,
            attempt.path.rpartition("/")[0],
            attempt.seed,
            attempt.request_bytes,
            attempt.request_digest,
        )
        for attempt in (lost, again)
    )
    return one == other and bool(lost.request_bytes and lost.request_digest)


def _more(lost: Attempt, again: Attempt) -> int:
    """The number of bytes by which a write is longer than the lost one."""
    return (again.request_bytes or 0) - (lost.request_bytes or 0)


def _adds(lost: Attempt, again: Attempt) -> bool:
    """Whether a repeat of a write adds to the object."""
    if lost.operation in APPENDS:
        return not again.guarded
    return _makes_another(lost) and idempotency_key(again) is None


def has_second_effect(lost: Attempt) -> bool:
    """Whether a write takes effect again if it is repeated, as a POST does and a PUT does not."""
    return _makes_another(lost) or lost.operation in APPENDS or is_of_upload(lost) or not lost.key


def _makes_another(lost: Attempt) -> bool:
    return lost.method in UNSAFE and not is_storage_call(lost)


def _is_of(attempt: Attempt, call: Call) -> bool:
    """Whether a request may come from the caller of a call."""
    first, window = call.first, call.window
    of_client = (attempt.clock, attempt.test, attempt.client) == (first.clock, first.test, first.client)
    return of_client and (window is None or window.key is None or window.key in attempt.path.split("/"))


def _thing(attempt: Attempt) -> Hashable:
    """The target of a request."""
    return (attempt.bucket, attempt.key) if attempt.key else (attempt.host, attempt.path)
