"""The second judge of a run: what its requests show by themselves, whatever the code under test thinks of it."""

from __future__ import annotations

from collections import Counter
from math import inf

from faultinject.audit.findings import FAIL, WARN, Finding
from faultinject.engine.journal_entry import quoted
from faultinject.exceptions import ConfigurationError
from faultinject.testing.exploration import store_comparison
from faultinject.vendors.addressing import with_placeholders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from faultinject.audit.checks.lost_answers import Requests
    from faultinject.journal.attempts import Attempt
    from faultinject.journal.call_window import CallWindow
    from faultinject.journal.calls import Call
    from faultinject.journal.outcome import Outcome

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
DOUBLED = (store_comparison.WRITTEN_TWICE, store_comparison.LEFT_BEHIND)
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
        from faultinject.audit.check_names import in_quotes, instead_of

        self._ignore = [each for each in ignore if each[:1] != "/"]
        for each in self._ignore:
            if each not in (known := (*CHECKS, *store_comparison.CHECKS)):
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
    ) -> list[Finding]:
        """What is wrong with a run.

        Args:
            outcomes: its requests, in order.
            names: what the rules of its scenario are called in them.
            passed: whether the code under test took all for well.
            failed: whether it broke down, so that it could not end what it had begun.
            asserted: whether it was an assertion that said so: the code itself has told no error.
            windows: the calls that it named.
            beside: the requests of another run of the same program, before or behind this one, whose uploads count as well.
            stored: the objects that a store holds, `/bucket/key`, where all are as they are without faults.
            amiss: whether they are not: then a retry that is one by fingerprint alone did harm, as where the code broke down.
        """
        from faultinject.audit.checks.lost_answers import Requests
        from faultinject.audit.grouping import group
        from faultinject.journal.reading import of_outcomes

        numbers = {(each.pid, each.seq): number for number, each in enumerate(outcomes, 1)}
        attempts = list(of_outcomes(outcomes))
        calls = [
            _Hit(each, numbers, names, stored, sure=failed or amiss)
            for each in group(attempts, told=windows)
            if any(one.injected and one.rule in names for one in each.attempts)
        ]
        found = list(self._of_calls(calls, outcomes, passed=passed))
        more = Counter(map(_body, outcomes)) - self._usual
        requests = Requests(attempts, soon=inf, more=lambda each: more[_body(each)] > 0)
        for each in calls:
            found += self._lost_answer(each, requests, found, passed=passed)
        if not failed:
            found += self._of_uploads([*beside, *outcomes])
        if passed or asserted:
            found += _of_versions(outcomes, names)
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
        from faultinject.audit.checks.lost_answers import TWICE, is_lost
        from faultinject.journal.reading import of_outcomes

        lost = [
            (number, each)
            for number, each in enumerate(of_outcomes(outcomes), 1)
            if each.rule in names and is_lost(each)
        ]
        if not lost:
            return list(found)
        [(number, write), *_] = lost
        before = {each.message for each in known}
        return self.counted(
            _finding(
                LOST_ANSWER,
                FAIL,
                f"{TWICE}: request {number} ({write.method}) was carried out and its answer lost; the job told an error and ran"
                f" again: {each.message}",
                TWICE,
            )
            if each.check in DOUBLED and each.message not in before
            else each
            for each in found
        )

    def _of_calls(
        self, calls: Sequence[_Hit], outcomes: Sequence[Outcome], *, passed: bool
    ) -> Iterator[Finding]:
        more = Counter(map(_body, outcomes)) - self._usual
        for each in calls:
            yield from self._same_bytes(each, more, outcomes, passed=passed)
            yield from self._non_idempotent_retry(each, more)
            if passed:
                yield from self._error_in_200(each, outcomes)

    def _same_bytes(
        self, hit: _Hit, more: Counter[Body], outcomes: Sequence[Outcome], *, passed: bool
    ) -> Iterator[Finding]:
        call = hit.call
        if call.other_bytes is None:
            return
        from faultinject.audit.checks.questions import is_cleared, sent_nothing

        one, other = call.other_bytes
        gave_up = not passed and not (hit.sure and sent_nothing(call))
        if other is call.last and (is_cleared(call) or (call.inferred and call.succeeded and gave_up)):
            return  # it got through, and the code took that for no success: it is no retry
        if call.inferred and (
            hit.alike or not more[_body(other)] or _comes_later(one, outcomes[hit.number(other) :])
        ):
            return  # the object is right in the end; or the code sends this one as often without faults
        sent, again = one.request_bytes or 0, other.request_bytes or 0
        yield _finding(
            SAME_BYTES,
            FAIL if hit.sure else WARN,
            f"request {hit.number(one)} sent {store_comparison.in_bytes(sent)}, request {hit.number(other)}, which retries it,"
            f" {store_comparison.in_bytes(again) if again != sent else 'different bytes'}",
        )

    def _non_idempotent_retry(self, hit: _Hit, more: Counter[Body]) -> Iterator[Finding]:
        from faultinject.audit.checks.questions import is_storage_call, lost_write, took_effect

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
        yield _finding(
            NON_IDEMPOTENT_RETRY,
            FAIL if hit.sure and not own and not is_storage_call(lost) else WARN,
            f"request {hit.number(lost)} ({lost.method}) was carried out and its answer lost; request {hit.number(again)} retried"
            f" it without an Idempotency-Key, and took effect twice{known}",
        )

    def _lost_answer(
        self, hit: _Hit, requests: Requests, others: Sequence[Finding], *, passed: bool
    ) -> Iterator[Finding]:
        """What the code made of a write that was carried out, and whose answer was lost, where that is not right."""
        from faultinject.audit.checks.lost_answers import CONFLICT, ERROR, TWICE, UNDID, reaction
        from faultinject.audit.checks.questions import UNSAFE

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
            yield _finding(
                LOST_ANSWER,
                WARN if found.answer == ERROR else FAIL,
                f"{found.answer}: request {hit.number(lost)} ({lost.method}) was carried out and its answer lost; {said}",
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
            yield _finding(ERROR_IN_200, FAIL if call.returned else WARN, message)

    def _of_uploads(self, outcomes: Sequence[Outcome]) -> Iterator[Finding]:
        for target, count in (_left_open(outcomes) - self._open).items():
            uploads = "an upload is" if count == 1 else f"{count} uploads are"
            yield _finding(
                OPEN_UPLOADS,
                WARN,
                f"{BEGINS} {target}: {uploads} neither completed nor aborted, and keeps its parts",
            )


def _of_versions(outcomes: Sequence[Outcome], names: Collection[str]) -> Iterator[Finding]:
    """What was read of an object that the run's own faults have replaced, or shown as another version."""
    from faultinject.audit.checks.versions import MOVED, mixed
    from faultinject.journal.reading import of_outcomes

    moved = any(each.did in MOVED and each.rule in names for each in outcomes)
    found = mixed(of_outcomes(outcomes)) if moved else None
    if found is not None:
        one, other = (
            next(
                number
                for number, each in enumerate(outcomes, 1)
                if (each.pid, each.seq) == (half.pid, half.seq)
            )
            for half in found
        )
        message = f"requests {one} and {other} read two versions of {found[0].path}, which the code took for one object"
        yield _finding(MIXED_VERSIONS, FAIL, message)


def _of_bytes(
    attempts: Sequence[Attempt],
    names: Collection[str],
    numbers: Mapping[tuple[int, int], int],
    *,
    taken: bool,
) -> Iterator[Finding]:
    """What was read of an object that is not its own, where the answer says so, or where it is known that something wrong was taken."""
    from faultinject.audit.checks.versions import IGNORED, SHIFTED, foreign

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
    yield _finding(MIXED_VERSIONS, FAIL, f"request {numbers[found.pid, found.seq]} {said}")


class _Hit:
    """A call that got a fault of the run's own scenario.

    Attributes:
        call: the call.
        names: what the rules of the scenario are called.
        sure: whether it is known that its requests are retries, or that they did harm.
        alike: whether a store holds its object as it does without faults.
    """

    def __init__(
        self,
        call: Call,
        numbers: dict[tuple[int, int], int],
        names: Collection[str],
        stored: Collection[str],
        *,
        sure: bool,
    ) -> None:
        self.call = call
        self.sure = sure or not call.inferred
        self.alike = f"/{call.first.bucket}/{call.first.key}" in stored
        self.names = names
        self._numbers = numbers

    def number(self, attempt: Attempt) -> int:
        """The place of a request in the run, from 1."""
        return self._numbers[attempt.pid, attempt.seq]


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


def _finding(check: str, verdict: str, message: str, subject: str | None = None) -> Finding:
    return Finding(check=check, verdict=verdict, n=1, message=message, subject=subject)
