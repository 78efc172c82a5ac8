"""What a download is made of: the bytes of one version of an object, or of two."""

from __future__ import annotations

import re
from math import inf

from faultinject.audit.checks.check import check, failed, passed, too_few
from faultinject.audit.checks.retries import FEWEST
from faultinject.audit.grouping import READING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from faultinject.audit.evidence import Evidence
    from faultinject.audit.findings import Finding
    from faultinject.journal.attempts import Attempt

MOVED = ("overwritten", "stale", "edited")
"""What `did` says where another version was shown."""
_START = re.compile(r"bytes=(\d+)-")
ASK_FOR_IT = "Send the first answer's ETag as If-Match or If-Range with each further part, or compare it and begin anew."
"""What to do."""


def mixed(attempts: Iterable[Attempt]) -> tuple[Attempt, Attempt] | None:
    """Two answers that are of two versions of an object, and whose bytes are both in what a client has read of it.

    Args:
        attempts: in order of arrival. A GET that was answered with bytes replaces those before it that it covers, and a
            write begins anew; what no version is known of is left out.
    """
    read: dict[tuple[str, str], list[tuple[float, float, Attempt]]] = {}
    for each in attempts:
        place = each.host, each.path
        if each.method not in READING:
            read.pop(place, None)
        elif each.method == "GET" and each.status in (200, 206) and each.etag and each.response_bytes:
            asked = _START.match(each.range or "") if each.status == 206 else None
            start = float(asked[1]) if asked else 0.0
            end = start + each.response_bytes if each.status == 206 or each.failed else inf
            kept = [piece for piece in read.get(place, ()) if piece[0] < start or piece[1] > end]
            read[place] = [*kept, (start, end, each)]
    for found in read.values():
        first = found[0][2]
        for _, _, other in found:
            if other.etag != first.etag:
                return first, other
    return None


@check(
    "mixed versions",
    reference="RFC 9110 13.1.5",
    minimum="3 downloads in parts whose object was replaced meanwhile; one that is mixed decides",
    more="Replace the object in more downloads, for example truncate,method=GET,times=1,per=call overwrite,method=GET,skip=1,per=call.",
)
def mixed_versions(evidence: Evidence) -> Iterator[Finding]:
    """A download in several parts is of one version of the object.

    Calls whose answers have two ETags (`overwrite`, `stale`, `edit,set.etag=…`), or that were refused by If-Match. FAIL: bytes
    of two versions are in what the client has read, and the caller got no error. Where no object changed in the middle of a call, the
    check says nothing.
    """
    moved = [
        call
        for call in evidence.everyone
        if call.retries
        and (
            len({each.etag for each in call.attempts if each.etag and each.method == "GET"}) > 1
            or any(each.if_match and each.status == 412 for each in call.attempts)
        )
    ]
    wrong = [call for call in moved if call.succeeded and call.returned is not False and mixed(call.attempts)]
    n = len(moved)
    if wrong:
        told = f"{len(wrong)} of {n} downloads whose object was replaced meanwhile are made of two versions of it"
        yield failed(n, told, wrong, action=ASK_FOR_IT)
    elif moved and n < FEWEST:
        yield too_few(n, FEWEST, "download of a replaced object", moved)
    elif moved:
        yield passed(
            n, f"{n} of {n} downloads whose object was replaced meanwhile have one version of it", moved
        )
