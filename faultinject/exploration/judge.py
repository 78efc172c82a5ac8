"""The second judge of a run: what its requests show by themselves, whatever the code under test thinks of it."""

from __future__ import annotations

from collections import Counter

from faultinject.audit.findings import FAIL, WARN, Finding
from faultinject.core.identity import with_placeholders
from faultinject.core.values import listed, nearest
from faultinject.exceptions import ConfigurationError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from faultinject.audit.attempts import Attempt
    from faultinject.audit.call import Call
    from faultinject.audit.told import Told
    from faultinject.core.outcome import Outcome

SAME_BYTES, HIDDEN_ERROR, UNSAFE_REPEAT, OPEN_UPLOADS = CHECKS = (
    "same bytes",
    "hidden error",
    "unsafe repeat",
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

    Raises:
        ConfigurationError: there is no such check.
    """

    def __init__(self, ignore: Collection[str] = ()) -> None:
        ignore = (ignore,) if isinstance(ignore, str) else tuple(ignore)
        for each in ignore:
            if each not in CHECKS:
                known = f"; it can be {listed(CHECKS)}"
                raise ConfigurationError(f"ignore: {each!r} is no check{nearest(each, CHECKS) or known}")
        self._ignore = ignore
        self._bodies: set[tuple[str, str, int | None]] = set()
        self._open: Counter[str] = Counter()

    def learn(self, outcomes: Sequence[Outcome]) -> None:
        """Take a run without faults for what is usual."""
        self._bodies.update(map(_body, outcomes))
        self._open |= _left_open(outcomes)

    def findings(
        self,
        outcomes: Sequence[Outcome],
        names: Collection[str],
        *,
        passed: bool,
        failed: bool,
        told: Sequence[Told] = (),
    ) -> list[Finding]:
        """What is wrong with a run.

        Args:
            outcomes: its requests, in order.
            names: what the rules of its scenario are called in them.
            passed: whether the code under test took all for well.
            failed: whether it broke down, so that it could not end what it had begun.
            told: the calls that it named.
        """
        from faultinject.audit.grouping import group
        from faultinject.audit.reading import of_outcomes

        numbers = {(each.pid, each.seq): number for number, each in enumerate(outcomes, 1)}
        calls = [
            _Hit(each, numbers, names)
            for each in group(of_outcomes(outcomes), told=told)
            if any(one.injected and one.rule in names for one in each.attempts)
        ]
        found = list(self._of_calls(calls, outcomes, passed=passed))
        if not failed:
            found += self._of_uploads(outcomes)
        return [each for each in found if each.check not in self._ignore]

    def _of_calls(
        self, calls: Sequence[_Hit], outcomes: Sequence[Outcome], *, passed: bool
    ) -> Iterator[Finding]:
        for each in calls:
            yield from self._other_bytes(each)
            yield from _unsafe_repeat(each)
            if passed:
                yield from _hidden_error(each, outcomes)

    def _other_bytes(self, hit: _Hit) -> Iterator[Finding]:
        call = hit.call
        if call.other_bytes is None:
            return
        from faultinject.audit.checks.questions import sent_nothing

        one, other = call.other_bytes
        if call.inferred and _body(other) in self._bodies:
            return  # the code sends this one without faults as well: it is a request of its own
        sent, again = one.request_bytes or 0, other.request_bytes or 0
        yield _finding(
            SAME_BYTES,
            WARN if call.inferred and not sent_nothing(call) else FAIL,
            f"request {hit.number(one)} sent {_bytes(sent)}, request {hit.number(other)}, which tries it again,"
            f" {_bytes(again) if again != sent else 'other bytes'}",
        )

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


def _hidden_error(hit: _Hit, outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    call, last = hit.call, hit.call.last
    if last.kind != "hidden" or last.rule not in hit.names or call.returned is False:
        return
    number = hit.number(last)
    mended = any(each.path == last.path and each.method not in ("GET", "HEAD") for each in outcomes[number:])
    if call.returned or not mended:
        what = "its caller saw success" if call.returned else "nothing was done about it"
        message = f"request {number} was answered {last.answer}, an error in spite of its status, and {what}"
        yield _finding(HIDDEN_ERROR, FAIL if call.returned else WARN, message)


def _unsafe_repeat(hit: _Hit) -> Iterator[Finding]:
    from faultinject.audit.checks.questions import is_storage_call, lost_write, took_effect

    lost = lost_write(hit.call)
    if lost is None or lost.rule not in hit.names or lost.operation in REPEATABLE:
        return
    again = hit.call.attempts[hit.call.attempts.index(lost) + 1]
    twice = ", and took effect twice" if took_effect(again) else ""
    yield _finding(
        UNSAFE_REPEAT,
        WARN if is_storage_call(lost) else FAIL,
        f"request {hit.number(lost)} ({lost.method}) was done and its answer lost; request {hit.number(again)} sent it"
        f" again without a precondition or an Idempotency-Key{twice}",
    )


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


def _body(request: Outcome | Attempt) -> tuple[str, str, int | None]:
    return request.method, with_placeholders(request.path), request.request_bytes


def _bytes(number: int) -> str:
    return "1 byte" if number == 1 else f"{number:,} bytes"


def _finding(check: str, verdict: str, message: str) -> Finding:
    return Finding(check, verdict, 1, message, "")
