"""Judges a run by its requests and contents, whatever the code under test reports."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf

from faultinject.audit.checks.lost_answers import (
    CONFLICT,
    ERROR,
    REMOVED,
    TWICE,
    UNDID,
    Requests,
    is_lost,
    reaction,
)
from faultinject.audit.checks.questions import (
    UNSAFE,
    UPLOADS,
    is_storage_call,
    lost_its_body,
    lost_write,
    succeeded_after_error,
    took_effect,
)
from faultinject.audit.checks.versions import IGNORED, MOVED, SHIFTED, foreign, mixed
from faultinject.audit.conclusion import in_quotes, instead_of
from faultinject.audit.documents import EvidenceKind
from faultinject.audit.findings import FAIL, WARN, Finding
from faultinject.audit.grouping import group
from faultinject.audit.matching import fingerprint
from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow
from faultinject.journal.calls import FINGERPRINT, TOLD, Call
from faultinject.journal.outcome import Outcome
from faultinject.journal.reading import of_outcomes
from faultinject.testing.exploration.store_comparison import CHECKS as STORE_CHECKS
from faultinject.testing.exploration.store_comparison import (
    LEFT_BEHIND,
    WRITTEN_TWICE,
    StoreContents,
    finding,
    in_bytes,
)
from faultinject.vendors.addressing import with_placeholders

# A method, a path, and the size of a body in bytes.
Body = tuple[str, str, int | None]

SAME_BYTES, ERROR_IN_200, NON_IDEMPOTENT_RETRY, LOST_ANSWER, OPEN_UPLOADS, MIXED_VERSIONS, OTHER_OUTPUT = (
    CHECKS
) = (
    "same bytes",
    "error in 200",
    "non-idempotent retry",
    "lost answer",
    "uploads left open",
    "mixed versions",
    "other output",
)
COMPARED = frozenset((*STORE_CHECKS, OTHER_OUTPUT))
"""The checks that only compare a run with runs without faults."""
REPEATABLE = frozenset(
    "CompleteMultipartUpload CreateMultipartUpload DeleteObjects RestoreObject SelectObjectContent".split()
)
"""Operations by POST that are harmless if repeated, or that the check of uploads judges."""
LINE, LINE_END = 60, 20
"""The most characters of an output line that are shown; the second number are from its end."""
NAME = 8
"""The fewest characters of a key that is searched for in the content of another object.

A shorter key may be any word.
"""
COMPARE = (
    "Compare the bytes of an answer with its checksum, and raise an error if they differ; a test that catches the error"
    " makes the call inside `with faults.call():`."
)
"""The advice about wrong bytes of a whole object."""
DOUBLED = (WRITTEN_TWICE, LEFT_BEHIND)
"""The findings about a job that was done twice: an object, or a piece of it, is doubled."""
BEGINS, ENDS = "CreateMultipartUpload", ("CompleteMultipartUpload", "AbortMultipartUpload")


class Judge:
    """Judges each run of one exploration.

    Args:
        ignore: the checks that do not count, of requests and of stores. A text with a leading slash is not a check, but
            a pattern of objects.

    Raises:
        ConfigurationError: there is no such check.
    """

    def __init__(self, ignore: Collection[str] = ()) -> None:
        self._ignore = [name for name in ignore if name[:1] != "/"]
        for name in self._ignore:
            if name not in (known := (*CHECKS, *STORE_CHECKS)):
                raise ConfigurationError(f"ignore: {in_quotes(name)} is not a check{instead_of(name, known)}")
        self._usual: Counter[Body] = Counter()
        self._digests: dict[Body, list[set[str | None]]] = {}
        self._open: Counter[str] = Counter()
        self._outputs: list[bytes | None] = []

    def learn(self, outcomes: Sequence[Outcome], output: bytes | None = None) -> None:
        """Learn the usual requests and output from a run without faults.

        Args:
            outcomes: its requests, in order.
            output: the standard output of its program; None: it is unknown.
        """
        self._outputs.append(output)
        self._usual |= Counter(map(_body, outcomes))
        digests: dict[Body, set[str | None]] = {}
        for outcome in outcomes:
            digests.setdefault(_body(outcome), set()).add(outcome.request_digest)
        for body, seen in digests.items():
            self._digests.setdefault(body, []).append(seen)
        self._open |= _left_open(outcomes)

    def findings(
        self,
        outcomes: Sequence[Outcome],
        names: Collection[str],
        *,
        passed: bool,
        failed: bool,
        asserted: bool = False,
        windows: Sequence[CallWindow] = (),
        beside: Sequence[Outcome] = (),
        stored: Collection[str] = (),
        contents_are_wrong: bool = False,
        lasts: bool = False,
        contents: StoreContents | None = None,
    ) -> list[Finding]:
        """Find the mistakes in a run.

        Args:
            outcomes: its requests, in order.
            names: the names of its scenario's rules in them.
            passed: whether the code under test reported success.
            failed: whether it raised an error that it may not give up with.
            lasts: whether a fault stays, so that the code cannot abort its uploads.
            contents: the contents of a store at the end.
            asserted: whether an assertion of the test failed, although the code itself reported no error.
            windows: the calls that the test named.
            beside: the requests of another run of the same program, whose uploads count, too.
            stored: the objects of a store, `/bucket/key`, if all of them are as in runs without faults.
            contents_are_wrong: whether the contents of a store are wrong: then even a retry that is recognised only by
                fingerprint did harm.
        """
        numbers = {(outcome.pid, outcome.seq): number for number, outcome in enumerate(outcomes, 1)}
        attempts = list(of_outcomes(outcomes))
        calls = group(attempts, windows=windows)
        hits = [
            _FaultedCall(call, numbers, names, stored, harmed=failed or contents_are_wrong)
            for call in calls
            if any(attempt.injected and attempt.rule in names for attempt in call.attempts)
        ]
        made = Counter(map(_body, outcomes))
        additional = made - self._usual
        # Code that makes all requests of a run without faults did not stop at an error, whatever ends it later.
        made_all = not self._usual - made
        findings: list[Finding] = []
        for hit in hits:
            findings += self._same_bytes(hit.with_empty_retry(calls), additional, outcomes, passed=passed)
            findings += self._non_idempotent_retry(hit, additional)
            if passed or hit.call.returned or (made_all and hit.number(hit.call.last) < len(outcomes)):
                findings += self._error_in_200(hit, outcomes)
        requests = Requests(
            attempts,
            soon=inf,
            about=lambda attempt: additional[_body(attempt)] > 0,
            named=lambda write, other: _mentions(write, other, contents or {}),
            compared=True,
        )
        for hit in hits:
            findings += self._lost_answer(hit, requests, findings, passed=passed)
        if not (failed or lasts):
            findings += self._judge_uploads([*beside, *outcomes])
        if passed or asserted:
            findings += _judge_versions(attempts, outcomes, names, numbers)
            findings += _judge_bytes(attempts, names, numbers, taken=asserted or contents_are_wrong)
        return self.select_counted(findings)

    def judge_output(self, output: bytes | None) -> list[Finding]:
        """Find missing lines of standard output that each run without faults has.

        Additional lines may be a log.
        """
        if output is None or None in self._outputs:
            return []
        lines, *usual = ((text or b"").splitlines() for text in (output, *self._outputs))
        wanted = usual[0]
        always = Counter(wanted)
        for other_lines in usual:
            always &= Counter(other_lines)
        missing = next(iter(always - Counter(lines)), None)
        if missing is None:
            return []
        place = wanted.index(missing)
        # The line printed instead is most likely at the same place.
        other = next((line for line in (*lines[place:], *lines[:place]) if line not in wanted), None)
        printed = (
            "it does not print" if other is None else f"it prints {_line(other)}; without faults it prints"
        )
        return self.select_counted(
            [finding(OTHER_OUTPUT, f"{printed} {_line(missing)}", WARN, evidence=(EvidenceKind.TOLD,))]
        )

    def select_counted(self, findings: Iterable[Finding]) -> list[Finding]:
        """Select the findings that count."""
        return [finding for finding in findings if finding.check not in self._ignore]

    def run_again(
        self,
        outcomes: Sequence[Outcome],
        names: Collection[str],
        findings: Sequence[Finding],
        known: Sequence[Finding],
    ) -> list[Finding]:
        """Judge the store after the second run of a job; the first run reported an error.

        If the second run wrote an object twice, that becomes a finding about the lost answer.

        Args:
            outcomes: the requests of the first run.
            names: the names of its scenario's rules in them.
            findings: the findings about the store at the end.
            known: the findings about the store after the first run.
        """
        numbered = enumerate(of_outcomes(outcomes), 1)
        lost = next((pair for pair in numbered if pair[1].rule in names and is_lost(pair[1])), None)
        if lost is None:
            return list(findings)
        number, write = lost
        before = {past.message for past in known}
        return self.select_counted(
            finding(
                LOST_ANSWER,
                f"{TWICE}: request {number} ({write.method}) was carried out and its answer lost;"
                f" the job failed and was run again: {current.message}",
                subject=TWICE,
                evidence=(EvidenceKind.WIRE, EvidenceKind.TOLD, EvidenceKind.STORE),
            )
            if current.check in DOUBLED and current.message not in before
            else current
            for current in findings
        )

    def _same_bytes(
        self, hit: _FaultedCall, additional: Counter[Body], outcomes: Sequence[Outcome], *, passed: bool
    ) -> Iterator[Finding]:
        call = hit.call
        if call.other_bytes is None:
            return
        first, second = call.other_bytes
        gave_up = not passed and not (hit.sure and lost_its_body(call))
        if second is call.last and (
            succeeded_after_error(call) or (call.inferred and call.succeeded and gave_up)
        ):
            return  # the request succeeded, but the code reported no success: it is not a retry
        if call.inferred and (
            hit.is_as_usual
            or not additional[_body(second)]
            or _comes_later(first, outcomes[hit.number(second) :])
        ):
            return  # the object is right in the end, or the code sends the request as often without faults
        sent, again = first.request_bytes or 0, second.request_bytes or 0
        yield finding(
            SAME_BYTES,
            f"request {hit.number(first)} sent {in_bytes(sent)}, request {hit.number(second)}, which retries it,"
            f" {in_bytes(again) if again != sent else 'different bytes'}",
            FAIL if hit.sure else WARN,
            evidence=(EvidenceKind.WIRE,),
        )

    def _non_idempotent_retry(self, hit: _FaultedCall, additional: Counter[Body]) -> Iterator[Finding]:
        lost = lost_write(hit.call)
        if lost is None or lost.rule not in hit.names or lost.operation in REPEATABLE or hit.is_as_usual:
            return
        if hit.call.inferred and not additional[_body(lost)]:
            return  # without faults the code sends it as often, so the next one is not a retry
        later = hit.call.attempts[hit.call.attempts.index(lost) + 1 :]
        again = next((attempt for attempt in later if took_effect(attempt)), None)
        if again is None or (lost.app_status or 200) >= 400 or (lost.app_status, again.status) == (201, 200):
            return  # the app refused one of the two, or answered that it created nothing
        if lost.path.startswith(UPLOADS) and lost.request_digest == again.request_digest is not None:
            return  # both write the same bytes to the same object
        own = self._carries_an_id(lost, again)
        known = (
            "; each run sends different bytes: the retry is safe if the server recognises them" if own else ""
        )
        yield finding(
            NON_IDEMPOTENT_RETRY,
            f"request {hit.number(lost)} ({lost.method}) was carried out and its answer lost; request"
            f" {hit.number(again)} retried it without an Idempotency-Key, and took effect twice{known}",
            FAIL if hit.sure and not own and not is_storage_call(lost) else WARN,
            evidence=(EvidenceKind.WIRE, EvidenceKind.STORE),
        )

    def _lost_answer(
        self, hit: _FaultedCall, requests: Requests, others: Sequence[Finding], *, passed: bool
    ) -> Iterator[Finding]:
        """Find wrong reactions of the code to the lost answer of a write."""
        handled = reaction(hit.call, requests, heard=passed)
        if handled is None or handled.lost.rule not in hit.names:
            return
        lost, last, later_write = handled.lost, handled.last, handled.later_write
        if hit.call.inferred and last is not lost and not requests.about(lost):
            return  # without faults the code sends it as often, so the next one is not a retry
        if (
            handled.answer == TWICE
            and later_write in hit.call.attempts
            and lost.method in UNSAFE
            and not any(
                finding.verdict == FAIL and finding.check == NON_IDEMPOTENT_RETRY for finding in others
            )
        ):
            return  # the repeated write had no additional effect
        own = "removal" if lost.method == "DELETE" else "write"
        tried = f"request {hit.number(last)} got {last.answer}"
        did = (
            ""
            if later_write is None
            else f"request {hit.number(later_write)} ({later_write.method} {quoted(later_write.path)})"
        )
        consequence = {
            UNDID: f"{did} then removed or overwrote what the code had written itself",
            TWICE: f"{did} wrote it again",
            CONFLICT: f"{tried} because of its own {own}, and an error was reported",
            ERROR: "an error was reported" if last is lost else f"{tried}, and an error was reported",
        }.get(handled.answer)
        if consequence is not None:
            yield finding(
                LOST_ANSWER,
                f"{handled.answer}: request {hit.number(lost)} ({lost.method}) was carried out"
                f" and its answer lost; {consequence}",
                WARN if handled.answer == ERROR else FAIL,
                handled.answer,
                evidence=(
                    EvidenceKind.WIRE,
                    EvidenceKind.TOLD if handled.answer in (CONFLICT, ERROR) else EvidenceKind.STORE,
                ),
                action=REMOVED if lost.method == "DELETE" and handled.answer == ERROR else "",
            )

    def _carries_an_id(self, lost: Attempt, again: Attempt) -> bool:
        """Whether a body differs between runs, and is equal in both attempts.

        Such a body contains an id of the call, by which a server may recognise the retry.
        """
        if lost.request_digest is None or lost.request_digest != again.request_digest:
            return False
        runs = self._digests.get(_body(lost), [])
        seen = [digest for run in runs for digest in run]
        return (
            len(runs) > 1
            and None not in seen
            and len(set(seen)) == len(seen)
            and lost.request_digest not in seen
        )

    def _error_in_200(self, hit: _FaultedCall, outcomes: Sequence[Outcome]) -> Iterator[Finding]:
        call, last = hit.call, hit.call.last
        if last.kind != "hidden" or last.rule not in hit.names or call.returned is False:
            return
        path = with_placeholders(last.path)
        usual = sum(
            count for (method, where, _), count in self._usual.items() if where == path and _writes(method)
        )
        writes = sum(
            with_placeholders(outcome.path) == path and _writes(outcome.method) for outcome in outcomes
        )
        if call.returned or writes <= usual:
            ending = "the caller saw success" if call.returned else "no retry followed"
            message = (
                f"request {hit.number(last)} got {last.answer}, an error in spite of its status, and {ending}"
            )
            evidence = (EvidenceKind.WIRE, EvidenceKind.TOLD) if call.returned else (EvidenceKind.WIRE,)
            yield finding(ERROR_IN_200, message, FAIL if call.returned else WARN, evidence=evidence)

    def _judge_uploads(self, outcomes: Sequence[Outcome]) -> Iterator[Finding]:
        for target, count in (_left_open(outcomes) - self._open).items():
            uploads = "an upload is" if count == 1 else f"{count} uploads are"
            yield finding(
                OPEN_UPLOADS,
                f"{BEGINS} {target}: {uploads} neither completed nor aborted, and keeps its parts",
                WARN,
                evidence=(EvidenceKind.WIRE, EvidenceKind.STORE),
            )


def _judge_versions(
    attempts: Sequence[Attempt],
    outcomes: Sequence[Outcome],
    names: Collection[str],
    numbers: Mapping[tuple[int, int], int],
) -> Iterator[Finding]:
    """Find two versions of one object that were read in one download.

    A fault of the run has replaced the object, or shown another version.
    """
    moved = any(outcome.did in MOVED and outcome.rule in names for outcome in outcomes)
    halves = mixed(attempts) if moved else None
    if halves is not None:
        first, second = (numbers[half.pid, half.seq] for half in halves)
        message = (
            f"requests {first} and {second} read two versions of {halves[0].path}, and no error was reported"
        )
        yield finding(MIXED_VERSIONS, message, evidence=(EvidenceKind.WIRE, EvidenceKind.TOLD))


def _judge_bytes(
    attempts: Sequence[Attempt],
    names: Collection[str],
    numbers: Mapping[tuple[int, int], int],
    *,
    taken: bool,
) -> Iterator[Finding]:
    """Find bytes that do not belong to the object that was read.

    The answer's own headers show that its bytes are wrong, or the code is known to have accepted wrong bytes.
    """
    read = foreign(attempts, taken=taken)
    if read is None or read.rule not in names:
        return
    asked = f"asked for {read.range} of {read.path} and got"
    # By default the report has advice about a part of an object, which does not fit a wrong checksum.
    action = COMPARE if read.did == "corrupted" else ""
    mix = {
        IGNORED: f"{asked} all of it, with status {read.status}",
        SHIFTED: f"{asked} the Content-Range of another part",
    }.get(
        read.fault or "",
        f"got bytes of {read.path} that do not have the answer's checksum",
    )
    message = f"request {numbers[read.pid, read.seq]} {mix}, and no error was reported"
    yield finding(MIXED_VERSIONS, message, evidence=(EvidenceKind.WIRE, EvidenceKind.TOLD), action=action)


@dataclass
class _FaultedCall:
    """A call that got a fault of the run's own scenario.

    Attributes:
        call: the call.
        numbers: the number of each request in the run, from 1, by process and number in the process.
        names: the names of the scenario's rules.
        stored: the objects of a store that are as they are without faults.
        harmed: whether its retries are known to have done harm.
    """

    call: Call
    numbers: Mapping[tuple[int, int], int]
    names: Collection[str]
    stored: Collection[str]
    harmed: bool

    @property
    def sure(self) -> bool:
        """Whether its repeated requests are certainly retries, or have done harm."""
        return self.harmed or not self.call.inferred

    @property
    def is_as_usual(self) -> bool:
        """Whether its object in the store is as in runs without faults.

        If only the body names the object, any object of the bucket counts.
        """
        first = self.call.first
        if first.key or first.operation is None:
            return f"/{first.bucket}/{first.key}" in self.stored
        return any(path.startswith(f"/{first.bucket}/") for path in self.stored)

    def with_empty_retry(self, calls: Sequence[Call]) -> _FaultedCall:
        """The call, and a retry without its body that the client sent under another id.

        A layer above the client has asked it again.
        """
        call = self.call
        later = (
            other.first
            for other in calls
            if other.first.arrived > call.last.arrived
            and (other.windows, fingerprint(other.first)) == (call.windows, fingerprint(call.first))
        )
        again = next(later, None)
        if again is None or not call.last.failed or call.other_bytes is not None:
            return self
        window = call.window
        both = Call(
            (*call.attempts, again),
            TOLD if window else FINGERPRINT,
            returned=window.returned if window else None,
        )
        return replace(self, call=both) if lost_its_body(both) else self

    def number(self, attempt: Attempt) -> int:
        """The number of a request in the run, from 1."""
        return self.numbers[attempt.pid, attempt.seq]


def _left_open(outcomes: Sequence[Outcome]) -> Counter[str]:
    """The number of multipart uploads that were begun and not ended, by bucket and key."""
    begun: Counter[str] = Counter()
    ended: set[tuple[str, str]] = set()
    for outcome in outcomes:
        if not outcome.applied or (
            not outcome.injected and (outcome.status is None or outcome.status >= 300)
        ):
            continue
        target = with_placeholders(f"/{outcome.bucket}/{outcome.key}")
        if outcome.operation == BEGINS:
            begun[target] += 1
        elif outcome.operation in ENDS:
            ended.add((target, _upload(outcome.query)))
    return begun - Counter(target for target, _ in ended)


def _upload(query: str) -> str:
    """The parameter that names the upload."""
    return next(
        (pair for pair in query.split("&") if pair.lower().startswith(("uploadid=", "upload_id="))), query
    )


def _body(request: Outcome | Attempt) -> Body:
    """The part of a request that is the same in every run: method, path, and size of the body."""
    return request.method, with_placeholders(request.path), request.request_bytes


def _mentions(write: Attempt, other: Attempt, contents: StoreContents) -> bool:
    """Whether an object names another object of its bucket that does not exist.

    A table's manifest, for example, names the table's files.

    Args:
        write: the request that has written the object.
        other: a request about the other object.
        contents: the contents of the store at the end.
    """
    key, object_ = other.key or "", f"/{other.bucket}/{other.key}"
    names = key.encode() in contents.get(f"/{write.bucket}/{write.key}", b"")
    return len(key) >= NAME and other.bucket == write.bucket and names and object_ not in contents


def _line(content: bytes) -> str:
    """A line of output, quoted; a long line loses its middle.

    The end is kept: after an answer without a line break, the program's own output is at the end of the line.
    """
    text = content.decode(errors="replace")
    if len(text) > LINE:
        text = f"{text[: LINE - LINE_END - 1]}…{text[-LINE_END:]}"
    return f'"{text}"'


def _writes(method: str) -> bool:
    return method not in ("GET", "HEAD")


def _comes_later(attempt: Attempt, outcomes: Sequence[Outcome]) -> bool:
    """Whether a request with the target and the bytes of an attempt succeeded."""
    wanted = attempt.method, attempt.path, attempt.query, attempt.request_digest
    return any(
        (outcome.method, outcome.path, outcome.query, outcome.request_digest) == wanted
        and not outcome.injected
        and (outcome.status or 500) < 400
        for outcome in outcomes
    )
