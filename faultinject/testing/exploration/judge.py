"""The second judge of a run: what its requests show by themselves, whatever the code under test thinks of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf

from faultinject.audit.check_names import in_quotes, instead_of
from faultinject.audit.checks.lost_answers import CONFLICT, ERROR, TWICE, UNDID, Requests, is_lost, reaction
from faultinject.audit.checks.questions import (
    UNSAFE,
    is_cleared,
    is_storage_call,
    lost_write,
    sent_nothing,
    took_effect,
)
from faultinject.audit.checks.versions import IGNORED, MOVED, SHIFTED, foreign, mixed
from faultinject.audit.findings import FAIL, WARN, Finding
from faultinject.audit.grouping import group
from faultinject.engine.shown import quoted
from faultinject.exceptions import ConfigurationError
from faultinject.journal.attempts import Attempt
from faultinject.journal.call_window import CallWindow
from faultinject.journal.calls import Call
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
from faultinject.vendors.vendor import with_placeholders

# A method, a path, the bytes of a body.
Body = tuple[str, str, int | None]

SAME_BYTES, ERROR_IN_200, NON_IDEMPOTENT_RETRY, LOST_ANSWER, OPEN_UPLOADS, MIXED_VERSIONS = CHECKS = (
    "same bytes",
    "error in 200",
    "non-idempotent retry",
    "lost answer",
    "uploads left open",
    "mixed versions",
)
REPEATABLE = frozenset(
    "CompleteMultipartUpload CreateMultipartUpload DeleteObjects RestoreObject SelectObjectContent".split()
)
"""Operations by POST that do no harm when they are repeated, or that the check of uploads looks at."""
NAME = 8
"""Letters from which on a key in an object's content stands for the object that has it: what is shorter may be anything."""
DOUBLED = (WRITTEN_TWICE, LEFT_BEHIND)
"""What a store shows where a job stands twice: a piece of an object, or an object more."""
BEGINS, ENDS = "CreateMultipartUpload", ("CompleteMultipartUpload", "AbortMultipartUpload")


class Judge:
    """Judges the runs of one exploration, each by itself.

    Args:
        ignore: the checks that do not count, also those of what a store holds; what begins with a slash is no check.

    Raises:
        ConfigurationError: there is no such check.
    """

    def __init__(self, ignore: Collection[str] = ()) -> None:
        self._ignore = [each for each in ignore if each[:1] != "/"]
        for each in self._ignore:
            if each not in (known := (*CHECKS, *STORE_CHECKS)):
                raise ConfigurationError(f"ignore: {in_quotes(each)} is not a check{instead_of(each, known)}")
        self._usual: Counter[Body] = Counter()
        self._digests: dict[Body, list[set[str | None]]] = {}
        self._open: Counter[str] = Counter()

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        """Take a run without faults for what is usual."""
        self._usual |= Counter(map(_body, outcomes))
        digests: dict[Body, set[str | None]] = {}
        for each in outcomes:
            digests.setdefault(_body(each), set()).add(each.request_digest)
        for body, found in digests.items():
            self._digests.setdefault(body, []).append(found)
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
        amiss: bool = False,
        lasts: bool = False,
        held: StoreContents | None = None,
    ) -> list[Finding]:
        """What is wrong with a run.

        Args:
            outcomes: its requests, in order.
            names: what the rules of its scenario are called in them.
            passed: whether the code under test took all for well.
            failed: whether it broke down, so that it could not end what it had begun.
            lasts: whether a fault stays, so that it cannot either.
            held: what a store holds in the end.
            asserted: whether it was an assertion that said so: the code itself has told no error.
            windows: the calls that it named.
            beside: the requests of another run of the same program, before or behind this one, whose uploads count as well.
            stored: the objects that a store holds, `/bucket/key`, where all are as they are without faults.
            amiss: whether they are not: then a retry that is one by fingerprint alone did harm, as where the code broke down.
        """
        numbers = {(each.pid, each.seq): number for number, each in enumerate(outcomes, 1)}
        attempts = list(of_outcomes(outcomes))
        calls = [
            _Hit(each, numbers, names, stored, harmed=failed or amiss)
            for each in group(attempts, told=windows)
            if any(one.injected and one.rule in names for one in each.attempts)
        ]
        more = Counter(map(_body, outcomes)) - self._usual
        found: list[Finding] = []
        for each in calls:
            found += self._same_bytes(each, more, outcomes, passed=passed)
            found += self._non_idempotent_retry(each, more)
            if passed:
                found += self._error_in_200(each, outcomes)
        requests = Requests(
            attempts,
            soon=inf,
            more=lambda each: more[_body(each)] > 0,
            names=lambda write, other: _names(write, other, held or {}),
        )
        for each in calls:
            found += self._lost_answer(each, requests, found, passed=passed)
        if not (failed or lasts):
            found += self._of_uploads([*beside, *outcomes])
        if passed or asserted:
            found += _of_versions(attempts, outcomes, names, numbers)
            found += _of_bytes(attempts, names, numbers, taken=asserted or amiss)
        return self.counted(found)

    def counted(self, found: Iterable[Finding]) -> list[Finding]:
        """Those findings that count."""
        return [each for each in found if each.check not in self._ignore]

    def run_again(
        self,
        outcomes: Sequence[Outcome],
        names: Collection[str],
        found: Sequence[Finding],
        known: Sequence[Finding],
    ) -> list[Finding]:
        """What is wrong with a store when a job that has told an error was run again: what stands there twice is said so.

        Args:
            outcomes: the requests of its first run.
            names: what the rules of its scenario are called in them.
            found: what is wrong with the store now.
            known: what was wrong with it when the first run was over.
        """
        numbered = enumerate(of_outcomes(outcomes), 1)
        lost = next((each for each in numbered if each[1].rule in names and is_lost(each[1])), None)
        if lost is None:
            return list(found)
        number, write = lost
        before = {each.message for each in known}
        return self.counted(
            finding(
                LOST_ANSWER,
                f"{TWICE}: request {number} ({write.method}) was carried out and its answer lost; the job failed and was run"
                f" again: {each.message}",
                subject=TWICE,
            )
            if each.check in DOUBLED and each.message not in before
            else each
            for each in found
        )

    def _same_bytes(
        self, hit: _Hit, more: Counter[Body], outcomes: Sequence[Outcome], *, passed: bool
    ) -> Iterator[Finding]:
        call = hit.call
        if call.other_bytes is None:
            return
        one, other = call.other_bytes
        gave_up = not passed and not (hit.sure and sent_nothing(call))
        if other is call.last and (is_cleared(call) or (call.inferred and call.succeeded and gave_up)):
            return  # it got through, and the code took that for no success: it is no retry
        if call.inferred and (
            hit.alike or not more[_body(other)] or _comes_later(one, outcomes[hit.number(other) :])
        ):
            return  # the object is right in the end; or the code sends this one as often without faults
        sent, again = one.request_bytes or 0, other.request_bytes or 0
        yield finding(
            SAME_BYTES,
            f"request {hit.number(one)} sent {in_bytes(sent)}, request {hit.number(other)}, which retries it,"
            f" {in_bytes(again) if again != sent else 'different bytes'}",
            FAIL if hit.sure else WARN,
        )

    def _non_idempotent_retry(self, hit: _Hit, more: Counter[Body]) -> Iterator[Finding]:
        lost = lost_write(hit.call)
        if lost is None or lost.rule not in hit.names or lost.operation in REPEATABLE or hit.alike:
            return
        if hit.call.inferred and not more[_body(lost)]:
            return  # it is sent as often without faults: the next one is no retry
        later = hit.call.attempts[hit.call.attempts.index(lost) + 1 :]
        again = next((each for each in later if took_effect(each)), None)
        if again is None or (lost.app_status or 200) >= 400 or (lost.app_status, again.status) == (201, 200):
            return  # the app's answers show one effect: it refuses the other, or has created nothing more
        own = self._names_itself(lost, again)
        known = (
            "; each run sends different bytes: the retry is safe if the server recognises them" if own else ""
        )
        yield finding(
            NON_IDEMPOTENT_RETRY,
            f"request {hit.number(lost)} ({lost.method}) was carried out and its answer lost; request {hit.number(again)} retried"
            f" it without an Idempotency-Key, and took effect twice{known}",
            FAIL if hit.sure and not own and not is_storage_call(lost) else WARN,
        )

    def _lost_answer(
        self, hit: _Hit, requests: Requests, others: Sequence[Finding], *, passed: bool
    ) -> Iterator[Finding]:
        """What the code made of a write that was carried out, and whose answer was lost, where that is not right."""
        found = reaction(hit.call, requests, heard=passed)
        if found is None or found.lost.rule not in hit.names:
            return
        lost, last, deed = found.lost, found.last, found.deed
        if hit.call.inferred and last is not lost and not requests.about(lost):
            return  # it is sent as often without faults: the next one is no retry
        if (
            found.answer == TWICE
            and deed in hit.call.attempts
            and lost.method in UNSAFE
            and not any(each.verdict == FAIL and each.check == NON_IDEMPOTENT_RETRY for each in others)
        ):
            return  # its effect is the same
        did = "" if deed is None else f"request {hit.number(deed)} ({deed.method} {quoted(deed.path)})"
        said = {
            UNDID: f"{did} then removed or overwrote what the code had written itself",
            TWICE: f"{did} wrote it again",
            CONFLICT: f"request {hit.number(last)} got {last.answer}, and the code took its own write for another's",
            ERROR: f"the code was told an error by request {hit.number(last)}, and the write stands",
        }.get(found.answer)
        if said is not None:
            yield finding(
                LOST_ANSWER,
                f"{found.answer}: request {hit.number(lost)} ({lost.method}) was carried out and its answer lost; {said}",
                WARN if found.answer == ERROR else FAIL,
                found.answer,
            )

    def _names_itself(self, lost: Attempt, again: Attempt) -> bool:
        """Whether a body is another in each run, and the same in both attempts, as one is that holds an id of the call."""
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

    def _error_in_200(self, hit: _Hit, outcomes: Sequence[Outcome]) -> Iterator[Finding]:
        call, last = hit.call, hit.call.last
        if last.kind != "hidden" or last.rule not in hit.names or call.returned is False:
            return
        path = with_placeholders(last.path)
        usual = sum(
            count for (method, where, _), count in self._usual.items() if where == path and _writes(method)
        )
        writes = sum(with_placeholders(each.path) == path and _writes(each.method) for each in outcomes)
        if call.returned or writes <= usual:
            what = "the caller saw success" if call.returned else "the client did not react"
            message = (
                f"request {hit.number(last)} got {last.answer}, an error in spite of its status, and {what}"
            )
            yield finding(ERROR_IN_200, message, FAIL if call.returned else WARN)

    def _of_uploads(self, outcomes: Sequence[Outcome]) -> Iterator[Finding]:
        for target, count in (_left_open(outcomes) - self._open).items():
            uploads = "an upload is" if count == 1 else f"{count} uploads are"
            yield finding(
                OPEN_UPLOADS,
                f"{BEGINS} {target}: {uploads} neither completed nor aborted, and keeps its parts",
                WARN,
            )


def _of_versions(
    attempts: Sequence[Attempt],
    outcomes: Sequence[Outcome],
    names: Collection[str],
    numbers: Mapping[tuple[int, int], int],
) -> Iterator[Finding]:
    """What was read of an object that the run's own faults have replaced, or shown as another version."""
    moved = any(each.did in MOVED and each.rule in names for each in outcomes)
    found = mixed(attempts) if moved else None
    if found is not None:
        one, other = (numbers[half.pid, half.seq] for half in found)
        message = f"requests {one} and {other} read two versions of {found[0].path}, which the code took for one object"
        yield finding(MIXED_VERSIONS, message)


def _of_bytes(
    attempts: Sequence[Attempt],
    names: Collection[str],
    numbers: Mapping[tuple[int, int], int],
    *,
    taken: bool,
) -> Iterator[Finding]:
    """What was read of an object that is not its own, where the answer says so, or where it is known that something wrong was taken."""
    found = foreign(attempts, taken=taken)
    if found is None or found.rule not in names:
        return
    asked = f"asked for {found.range} of {found.path} and got"
    said = {
        IGNORED: f"{asked} all of it, with status {found.status}, which the code took for that part",
        SHIFTED: f"{asked} the Content-Range of another part, which the code took for that one",
    }.get(
        found.fault or "",
        f"got bytes of {found.path} that do not have the answer's checksum, and the code took them",
    )
    yield finding(MIXED_VERSIONS, f"request {numbers[found.pid, found.seq]} {said}")


@dataclass
class _Hit:
    """A call that got a fault of the run's own scenario.

    Attributes:
        call: the call.
        numbers: the place of each request in the run, from 1, by process and number.
        names: what the rules of the scenario are called.
        stored: the objects that a store holds as it does without faults.
        harmed: whether it is known that its retries did harm.
    """

    call: Call
    numbers: Mapping[tuple[int, int], int]
    names: Collection[str]
    stored: Collection[str]
    harmed: bool

    @property
    def sure(self) -> bool:
        """Whether it is known that its requests are retries, or that they did harm."""
        return self.harmed or not self.call.inferred

    @property
    def alike(self) -> bool:
        """Whether a store holds its object as it does without faults; where the body alone says which, all of its bucket."""
        first = self.call.first
        if first.key or first.operation is None:
            return f"/{first.bucket}/{first.key}" in self.stored
        return any(each.startswith(f"/{first.bucket}/") for each in self.stored)

    def number(self, attempt: Attempt) -> int:
        """The place of a request in the run, from 1."""
        return self.numbers[attempt.pid, attempt.seq]


def _left_open(outcomes: Sequence[Outcome]) -> Counter[str]:
    """How many multipart uploads were begun and not ended, by bucket and key."""
    begun: Counter[str] = Counter()
    ended: set[tuple[str, str]] = set()
    for each in outcomes:
        if not each.applied or (not each.injected and (each.status is None or each.status >= 300)):
            continue
        target = with_placeholders(f"/{each.bucket}/{each.key}")
        if each.operation == BEGINS:
            begun[target] += 1
        elif each.operation in ENDS:
            ended.add((target, _upload(each.query)))
    return begun - Counter(target for target, _ in ended)


def _upload(query: str) -> str:
    """The parameter that names the upload."""
    return next(
        (pair for pair in query.split("&") if pair.lower().startswith(("uploadid=", "upload_id="))), query
    )


def _body(request: Outcome | Attempt) -> Body:
    """What a request sends and where to, as far as it is the same in each run."""
    return request.method, with_placeholders(request.path), request.request_bytes


def _names(write: Attempt, other: Attempt, held: StoreContents) -> bool:
    """Whether an object names another one of its bucket, which is not there, as a table's manifest its files do.

    Args:
        write: what has made the object that may name it.
        other: what is about the other one.
        held: what the store holds in the end.
    """
    key, object_ = other.key or "", f"/{other.bucket}/{other.key}"
    names = key.encode() in held.get(f"/{write.bucket}/{write.key}", b"")
    return len(key) >= NAME and other.bucket == write.bucket and names and object_ not in held


def _writes(method: str) -> bool:
    return method not in ("GET", "HEAD")


def _comes_later(one: Attempt, outcomes: Sequence[Outcome]) -> bool:
    """Whether one of these requests got through that sends what an attempt was to send."""
    wanted = one.method, one.path, one.query, one.request_digest
    return any(
        (each.method, each.path, each.query, each.request_digest) == wanted
        and not each.injected
        and (each.status or 500) < 400
        for each in outcomes
    )
