"""The second judge of a run: what its requests show by themselves, whatever the code under test thinks of it."""

from __future__ import annotations

from collections import Counter
from math import inf

from faultinject.audit.findings import FAIL, WARN, Finding
from faultinject.engine.journal_entry import quoted
from faultinject.exceptions import ConfigurationError
from faultinject.vendors.addressing import with_placeholders

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from faultinject.audit.checks.lost_answers import Requests
    from faultinject.engine.journal_entry import Outcome
    from faultinject.journal.attempts import Attempt
    from faultinject.journal.call_window import CallWindow
    from faultinject.journal.calls import Call

    # A method, a path, the bytes of a body.
    Body = tuple[str, str, int | None]

SAME_BYTES, ERROR_IN_200, NON_IDEMPOTENT_RETRY, LOST_ANSWER, OPEN_UPLOADS = CHECKS = (
    "same bytes",
    "error in 200",
    "non-idempotent retry",
    "lost answer",
    "uploads left open",
)
REPEATABLE = frozenset(
    "CompleteMultipartUpload CreateMultipartUpload DeleteObjects RestoreObject SelectObjectContent".split()
)
"""Operations by POST that do no harm when they are repeated, or that the check of uploads looks at."""
BEGINS, ENDS = "CreateMultipartUpload", ("CompleteMultipartUpload", "AbortMultipartUpload")


class Judge:
    """Judges the runs of one exploration, each by itself.

    Args:
        ignore: the checks that do not count.
        more: the names of other checks than its own that may be among them.

    Raises:
        ConfigurationError: there is no such check.
    """

    def __init__(self, ignore: str | Collection[str] = (), *, more: tuple[str, ...] = ()) -> None:
        from faultinject.audit.check_names import in_quotes, instead_of, names

        self._ignore = tuple(names(ignore))
        for each in self._ignore:
            if each not in (known := (*CHECKS, *more)):
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
        windows: Sequence[CallWindow] = (),
        before: Sequence[Outcome] = (),
    ) -> list[Finding]:
        """What is wrong with a run.

        Args:
            outcomes: its requests, in order.
            names: what the rules of its scenario are called in them.
            passed: whether the code under test took all for well.
            failed: whether it broke down, so that it could not end what it had begun.
            windows: the calls that it named.
            before: the requests of the same program before it was killed, whose uploads count as well.
        """
        from faultinject.audit.checks.lost_answers import Requests
        from faultinject.audit.grouping import group
        from faultinject.journal.reading import of_outcomes

        numbers = {(each.pid, each.seq): number for number, each in enumerate(outcomes, 1)}
        attempts = list(of_outcomes(outcomes))
        calls = [
            _Hit(each, numbers, names)
            for each in group(attempts, told=windows)
            if any(one.injected and one.rule in names for one in each.attempts)
        ]
        found = list(self._of_calls(calls, outcomes, passed=passed))
        more = Counter(map(_body, outcomes)) - self._usual
        requests = Requests(attempts, soon=inf, more=lambda each: more[_body(each)] > 0)
        for each in calls:
            found += self._lost_answer(each, requests, found, passed=passed)
        if not failed:
            found += self._of_uploads([*before, *outcomes])
        return self.counted(found)

    def counted(self, found: Iterable[Finding]) -> list[Finding]:
        """Those findings that count."""
        return [each for each in found if each.check not in self._ignore]

    def _of_calls(
        self, calls: Sequence[_Hit], outcomes: Sequence[Outcome], *, passed: bool
    ) -> Iterator[Finding]:
        more = Counter(map(_body, outcomes)) - self._usual
        for each in calls:
            yield from self._same_bytes(each, more, passed=passed)
            yield from self._non_idempotent_retry(each, more)
            if passed:
                yield from self._error_in_200(each, outcomes)

    def _same_bytes(self, hit: _Hit, more: Counter[Body], *, passed: bool) -> Iterator[Finding]:
        call = hit.call
        if call.other_bytes is None:
            return
        from faultinject.audit.checks.questions import is_cleared, sent_nothing

        one, other = call.other_bytes
        if call.inferred and not more[_body(other)]:
            return  # the code sends this one as often without faults: it is a request of its own
        if (
            not sent_nothing(call)
            and other is call.last
            and (is_cleared(call) or (call.succeeded and not passed))
        ):
            return  # it got through, and the code took that for no success: it is no retry
        sent, again = one.request_bytes or 0, other.request_bytes or 0
        yield _finding(
            SAME_BYTES,
            WARN if call.inferred and not sent_nothing(call) else FAIL,
            f"request {hit.number(one)} sent {_bytes(sent)}, request {hit.number(other)}, which retries it,"
            f" {_bytes(again) if again != sent else 'different bytes'}",
        )

    def _non_idempotent_retry(self, hit: _Hit, more: Counter[Body]) -> Iterator[Finding]:
        from faultinject.audit.checks.questions import is_storage_call, lost_write, took_effect

        lost = lost_write(hit.call)
        if lost is None or lost.rule not in hit.names or lost.operation in REPEATABLE:
            return
        if hit.call.inferred and not more[_body(lost)]:
            return  # it is sent as often without faults: the next one is no retry
        again = hit.call.attempts[hit.call.attempts.index(lost) + 1]
        twice = ", and took effect twice" if took_effect(again) else ""
        own = self._names_itself(lost, again)
        known = (
            "; each run sends different bytes: the retry is safe if the server recognises them" if own else ""
        )
        yield _finding(
            NON_IDEMPOTENT_RETRY,
            WARN if own or is_storage_call(lost) else FAIL,
            f"request {hit.number(lost)} ({lost.method}) was carried out and its answer lost; request {hit.number(again)} retried"
            f" it without a precondition or an Idempotency-Key{twice}{known}",
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


class _Hit:
    """A call that got a fault of the run's own scenario, and what its requests are called for people."""

    def __init__(self, call: Call, numbers: dict[tuple[int, int], int], names: Collection[str]) -> None:
        self.call = call
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


def _bytes(number: int) -> str:
    return "1 byte" if number == 1 else f"{number:,} bytes"


def _finding(check: str, verdict: str, message: str, subject: str | None = None) -> Finding:
    return Finding(check, verdict, 1, message, "", subject=subject)
