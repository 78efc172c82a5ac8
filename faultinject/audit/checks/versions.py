"""Checks of a download: bytes of one version of the object, of two, or wrong bytes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise
from math import inf

from faultinject.audit.checks.check import check, failed, passed, seen_by_callers, too_few, unknown
from faultinject.audit.checks.words import NAME_THEM, counted
from faultinject.audit.documents import rfc
from faultinject.audit.evidence import Evidence
from faultinject.audit.findings import Finding
from faultinject.audit.grouping import READING
from faultinject.audit.matching import goes_on, span
from faultinject.audit.statistics import FEWEST, grouped
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import Call

MOVED = ("overwritten", "stale", "edited")
"""Values of `did` if another version was shown."""
IGNORED, SHIFTED = "edit,range=ignore", "edit,range=shift"
"""Faults that answer with another range than the requested one."""


def mixed(attempts: Iterable[Attempt]) -> tuple[Attempt, Attempt] | None:
    """Find two answers with different versions of one object, both read by the client.

    Args:
        attempts: in order of arrival. A GET that was answered with bytes replaces the earlier ones that it covers; a
            write replaces all. Answers without an ETag are left out.
    """
    read: dict[tuple[str, str], list[tuple[float, float, Attempt]]] = {}
    for attempt in attempts:
        place = attempt.host, attempt.path
        if attempt.method not in READING:
            read.pop(place, None)
        elif (
            attempt.method == "GET"
            and attempt.status in (200, 206)
            and attempt.etag
            and attempt.response_bytes
        ):
            start = _start(attempt) if attempt.status == 206 else 0.0
            end = start + attempt.response_bytes if attempt.status == 206 or attempt.failed else inf
            kept = [piece for piece in read.get(place, ()) if piece[0] < start or piece[1] > end]
            read[place] = [*kept, (start, end, attempt)]
    return next(
        (
            (ranges[0][2], other)
            for ranges in read.values()
            for _, _, other in ranges
            if other.etag != ranges[0][2].etag
        ),
        None,
    )


def foreign(attempts: Sequence[Attempt], *, taken: bool = False) -> Attempt | None:
    """Find an answer whose own headers prove its bytes wrong, and that was not read again.

    Args:
        attempts: in order of arrival.
        taken: whether the client is known to have used wrong bytes. Only then does an answer count that has the whole
            object in place of a part, as a client may take the part that it needs out of it.
    """
    for number, attempt in enumerate(attempts):
        if (
            not (
                is_wrong_by_headers(attempt)
                or (taken and attempt.fault == IGNORED and attempt.did == MOVED[2])
            )
            or attempt.failed
        ):
            continue
        start, place = _start(attempt), (attempt.host, attempt.path)
        again = (one for one in attempts[number + 1 :] if (one.host, one.path) == place)
        if not any(one.method == "GET" and not one.failed and _start(one) <= start for one in again):
            return attempt
    return None


def is_wrong_by_headers(attempt: Attempt) -> bool:
    """Whether an answer's bytes break its checksum, or its Content-Range the requested range."""
    return attempt.method == "GET" and (
        (attempt.did == "corrupted" and attempt.checksum is True)
        or (attempt.did == MOVED[2] and attempt.fault == SHIFTED)
    )


def _is_rest_of_another(before: Attempt, after: Attempt) -> bool:
    """Whether an answer is the rest of one that broke off, and of another version."""
    return (
        after.status == 206
        and goes_on(before, after)
        and bool(before.etag and after.etag)
        and before.etag != after.etag
    )


def _start(attempt: Attempt) -> float:
    """The first byte that a request asks for."""
    asked = span(attempt.range or "")
    return asked[0] if asked else 0.0


@check(
    "mixed versions",
    documents=(rfc(9110, "13.1.5"),),
    minimum="3 downloads in parts whose object was replaced meanwhile; for a FAIL one",
    more=(
        "Replace the object in more downloads, for example truncate,method=GET,times=1,per=call"
        " overwrite,method=GET,skip=1,per=call."
    ),
)
def mixed_versions(evidence: Evidence) -> Finding | None:
    """A download has the right bytes, all of one version of the object.

    The check judges calls whose answers have two ETags (`overwrite`, `stale`, `edit,set.etag=…`), or that were refused
    by If-Match; in a named call also the requests for different parts of an object. FAIL: the client has read bytes of
    two versions, and its caller got no error. FAIL as well: the client of a named call reported success, although the
    bytes of an answer do not match its checksum (`corrupt`), or its Content-Range is not the requested one
    (`edit,range=shift`), and the client did not read these bytes again. If no object changed in the middle of a call,
    and no bytes are wrong, there is no finding, with one exception: the check is undecided if a request goes on where
    another broke off, with another version, and the two may be of different calls.
    """
    # Parts are requests of their own, and no retries of each other.
    parts = {
        (call.window, *place): Call(
            same, call.signal, name=call.name, returned=call.returned, window=call.window
        )
        for call in evidence.named_calls
        for place, same in grouped(call.attempts, lambda attempt: (attempt.host, attempt.path)).items()
        if len(same) > 1
        and call.returned is not None
        and (any(attempt.did in MOVED or is_wrong_by_headers(attempt) for attempt in same) or mixed(same))
    }
    everyone = [
        call for call in evidence.everyone if (call.window, call.first.host, call.first.path) not in parts
    ]
    everyone += parts.values()
    moved = [
        call
        for call in everyone
        if call.retries
        and (
            len({attempt.etag for attempt in call.attempts if attempt.etag and attempt.method == "GET"}) > 1
            or any(attempt.if_match and attempt.status == 412 for attempt in call.attempts)
        )
    ]
    wrong = [call for call in moved if call.succeeded and call.returned is not False and mixed(call.attempts)]
    heard = [
        call
        for call in everyone
        if call.returned is not None and any(map(is_wrong_by_headers, call.attempts))
    ]
    taken = [call for call in heard if call.returned and foreign(call.attempts)]
    n = len(moved)
    if wrong:
        return failed(
            n,
            f"{len(wrong)} of {n} downloads whose object was replaced meanwhile have bytes of two"
            " versions of it",
            wrong,
            action=(
                "Send the first answer's ETag as If-Match or If-Range with each further part, or compare"
                " it and begin anew."
            ),
        )
    if taken:
        return failed(
            len(heard),
            f"{len(taken)} of {len(heard)} downloads accepted bytes that are wrong by the answer's own"
            " checksum or Content-Range",
            taken,
            action=(
                "Check the checksum of an answer, and compare its Content-Range with the requested"
                " Range; read the bytes again if they differ."
            ),
            evidence=seen_by_callers(taken, returned=True),
        )
    if not moved:
        downloads = (request for request in evidence.requests if request.method == "GET")
        rest = sum(
            _is_rest_of_another(before, after)
            for same in grouped(downloads, lambda request: (request.host, request.path)).values()
            for before, after in pairwise(same)
        )
        if not rest:
            return None
        return unknown(
            rest,
            f"{counted(rest, 'download')} went on with another version in a request that may be of another call",
            action=NAME_THEM,
        )
    # If the client then asks for the rest of a broken answer, it is unknown which bytes it has in the end.
    asked = grouped(evidence.requests, lambda attempt: (attempt.host, attempt.path))
    whole = [
        call
        for call in moved
        if call.returned is False
        or not any(
            after.arrived >= call.last.arrived and _is_rest_of_another(before, after)
            for before in call.attempts
            for after in asked[call.first.host, call.first.path]
        )
    ]
    n = len(whole)
    if n < FEWEST:
        return too_few(n, FEWEST, "download of a replaced object", whole)
    return passed(
        n, f"{n} of {n} downloads whose object was replaced meanwhile have one version of it", whole
    )
