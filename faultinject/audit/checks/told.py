"""Whether a caller heard of success only where a request had succeeded."""

from __future__ import annotations

from collections.abc import Sequence

from faultinject.audit.checks.check import check, failed, warned
from faultinject.audit.checks.lost_answers import is_lost, is_write
from faultinject.audit.checks.words import counted
from faultinject.audit.documents import EvidenceKind, rfc
from faultinject.audit.evidence import Evidence
from faultinject.audit.findings import Finding
from faultinject.audit.grouping import READING
from faultinject.audit.statistics import grouped
from faultinject.engine.shown import quoted
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import Call

ANSWERS = "answers"
"""The name of the check."""
RAISE = "Raise the last error to the caller, and in a test out of `faults.call()` as well."
LOOK = "Read the object before you report that it was written."
SAID = (
    (failed, "had no request that succeeded: the last answer was", RAISE),
    (warned, "had lost the answer, and nothing was read after", LOOK),
    (warned, "read nothing, from elsewhere if at all: the last answer was", RAISE),
)
"""Verdict, sentence and advice on calls whose caller must not hear of success, worst first."""


def hidden_failure(attempts: Sequence[Attempt]) -> Attempt | None:
    """The last request of a call whose caller must not hear of success; None where it may.

    The last write decides, and a read only where there is no write. It failed, as did all requests like it. What is
    there already, or is gone already, may be all that the caller wanted; but a client that is refused after a
    failure has to look whether what is there is its own.

    Args:
        attempts: all requests of a call, in order of arrival.
    """
    writes = list(filter(is_write, attempts))
    asked = [each for each in writes if each.method != "DELETE"] or writes or attempts
    last = asked[-1]
    where = last.method, last.path, last.query
    same = [each for each in asked if (each.method, each.path, each.query) == where]
    fine = any(not each.failed or (each.applied and not writes) for each in same)
    looked = any(
        attempt.method in READING and not attempt.failed and attempt.arrived > same[0].arrived
        for attempt in attempts
    )
    wanted = last.kind == "client" and _may_be_wanted(last, same, writes)
    return None if fine or looked or wanted or last.kind == "hidden" else last


def _may_be_wanted(last: Attempt, same: Sequence[Attempt], writes: Sequence[Attempt]) -> bool:
    """Whether a refusal may tell the caller that all is as it should be."""
    if not writes:
        return True
    if last.method == "DELETE":
        return last.status in (404, 410)
    there = last.status == 409 or (last.status == 412 and last.guarded and not last.if_match)
    # A bucket has one owner; whose an object is, nobody knows after a failure.
    return there and (last.key is None or all(each.kind == "client" for each in same))


@check(
    ANSWERS,
    documents=(rfc(9110, "15.5"), rfc(9110, "15.6")),
    minimum="1 call whose caller heard of success, although its requests failed",
)
def answers(evidence: Evidence) -> Finding | None:
    """A caller hears of success only where a request succeeded.

    Compares what the caller of a named call, or of a call of `conformance`, heard with the answers. FAIL: it heard
    of success, although the last write, and all requests like it, failed or were refused. A DELETE may find
    nothing, and a write with If-None-Match may find the object at once; after a failure the client has to read the
    object, as another client may have written it. WARN: only the answer was lost, so that the write stands, and the
    client took an error or a refusal for it without a look; or only reads failed, and the caller may have got the
    content elsewhere (FAIL in `conformance`, whose client has no other source). Of other calls the check says
    nothing. In `conformance` it also fails each other breach of the contract.
    """
    heard = [call for call in evidence.told if call.returned]
    wrong = grouped(filter(None, (_wrong(call, evidence) for call in heard)), lambda each: each[0])
    if not wrong:
        return None
    why = min(wrong)
    calls, answers_of = zip(*((call, quoted(last.answer)) for _, call, last in wrong[why]), strict=True)
    which, said, how = SAID[why]
    of = f"{len(calls)} of {counted(len(heard), 'call')} that the client reported as success"
    told = f"{of} {said} {' or '.join(sorted({*answers_of}))}"
    return which(len(heard), told, calls, action=how, evidence=(EvidenceKind.WIRE, EvidenceKind.TOLD))


def _wrong(call: Call, evidence: Evidence) -> tuple[int, Call, Attempt] | None:
    """The entry of `SAID` that holds for a call told as success, and its last request."""
    last = hidden_failure(call.attempts)
    if last is None:
        return None
    lost, read = any(map(is_lost, call.attempts)), not (is_write(last) or evidence.driven)
    return 1 if lost else 2 if read else 0, call, last
