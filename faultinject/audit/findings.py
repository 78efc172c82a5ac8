"""Findings of checks on a client, and the same as reports print them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, Generic, Self, TypeVar

from msgspec import Struct, to_builtins

from faultinject.audit.documents import Document, EvidenceKind
from faultinject.journal.calls import Call
from faultinject.literals import Verdict

FAIL: Final = "FAIL"
WARN: Final = "WARN"
INCONCLUSIVE: Final = "INCONCLUSIVE"
PASS: Final = "PASS"  # noqa: S105 - a verdict
VERDICTS: tuple[Verdict, ...] = (FAIL, WARN, INCONCLUSIVE, PASS)
"""The verdicts, the worst first."""
SIGNS: dict[str, str] = {FAIL: "✕", WARN: "!", INCONCLUSIVE: "?", PASS: "✓"}
"""The sign of each verdict, for eyes that do not see colours."""
CallT = TypeVar("CallT")


class ReportedAttempt(Struct):
    """One request of a call.

    Attributes:
        time: When it arrived, unix seconds.
        pid: The process that recorded it.
        seq: Its number in that process.
        answer: The answer that it got.
        waited: Seconds from the end of the attempt before; null for the first.
        hint: The wait that the answer asked for, seconds.
        request_bytes: Bytes of its body.
    """

    time: float
    pid: int | None
    seq: int | None
    answer: str
    waited: float | None
    hint: float | None
    request_bytes: int | None


class ReportedCall(Struct):
    """A call that shows a finding.

    Attributes:
        name: The test's or the driver's name for it.
        method: The method.
        path: The path.
        signal: How its attempts were recognised.
        returned: Whether the caller got a result (true) or an error (false).
        error: The error that the client's call raised.
        attempts: Its attempts in order.
    """

    name: str | None
    method: str
    path: str
    signal: str
    returned: bool | None
    error: str | None
    attempts: list[ReportedAttempt]

    @classmethod
    def of(cls, call: Call) -> Self:
        """The same of a call of a journal: the request, and each attempt with the wait before it."""
        first = call.first
        attempts = [
            ReportedAttempt(each.time, each.pid, each.seq, each.answer, gap, each.hint, each.request_bytes)
            for each, gap in zip(call.attempts, (None, *call.gaps), strict=True)
        ]
        return cls(call.name, first.method, first.path, call.signal, call.returned, call.error, attempts)


class FindingOf(Struct, Generic[CallT], kw_only=True, omit_defaults=True, eq=False):
    """One verdict, whatever stands for the calls that show it.

    Attributes:
        check: The name of the check, such as `gives up`.
        subject: What it is about, if a check has several subjects: `503 SlowDown`, `seconds`; otherwise null.
        verdict: What the check says.
        n: How many calls, waits or requests it rests on.
        message: What is so, in one line, with its numbers.
        action: What to do, in one imperative sentence; for INCONCLUSIVE how to decide it. Empty for PASS.
        reference: The documents that ask for it, in one line.
        calls: Up to five calls that show it, the clearest first; none in results of all clients.
        client: Whose calls these are, if there are several clients.
        evidence: The kinds of evidence that it rests on.
        documents: The documents that ask for it, and whom each of them binds.
    """

    check: str
    subject: str | None
    verdict: Verdict
    n: int
    message: str
    action: str
    reference: str
    calls: Sequence[CallT]
    client: str | None = None
    evidence: Collection[EvidenceKind] = ()
    documents: Sequence[Document] = ()

    @property
    def name(self) -> str:
        """The check's name and its subject: `retry-after: seconds`."""
        return self.check if self.subject is None else f"{self.check}: {self.subject}"

    @property
    def full_name(self) -> str:
        """The name, and whose it is if there are several clients: `gives up of curl/8.1`."""
        return self.name if self.client is None else f"{self.name} of {self.client}"

    @property
    def wrong(self) -> bool:
        """Whether it is a failure or a warning."""
        return self.verdict in (FAIL, WARN)

    @property
    def measured(self) -> str:
        """The message, without the subject if it begins with that."""
        return self.message.removeprefix(f"{self.subject}: ")


class ReportedFinding(FindingOf[ReportedCall]):  # noqa: D101 - the same
    __doc__ = FindingOf.__doc__


class Finding(FindingOf[Call], kw_only=True, eq=False):
    """One verdict.

    Args:
        check: the check's name, such as `gives up`.
        subject: its subject, if a check has several: `503 SlowDown`, `seconds`; otherwise None.
        verdict: `PASS`, `FAIL`, `WARN` or `INCONCLUSIVE`.
        n: how many calls, waits or requests it rests on.
        message: what was observed, in one line, with its numbers.
        action: what to do about it, one imperative sentence; empty for PASS. For INCONCLUSIVE, how to decide it.
        reference: the documents that ask for it, in one line.
        calls: some of the calls that show it, the clearest first.
        client: the client of these calls, if there was more than one; otherwise None.
        evidence: the kinds of evidence that it rests on.
        documents: the documents that ask for it.
        said_by: the check whose finding already says this; otherwise None.
    """

    subject: str | None = None
    action: str = ""
    reference: str = ""
    calls: Sequence[Call] = ()
    said_by: str | None = None

    def reported(self) -> ReportedFinding:
        """The same as it is printed."""
        return ReportedFinding(
            check=self.check,
            subject=self.subject,
            verdict=self.verdict,
            n=self.n,
            message=self.message,
            action=self.action,
            reference=self.reference,
            calls=[ReportedCall.of(call) for call in self.calls],
            client=self.client,
            evidence=[*self.evidence],
            documents=[*self.documents],
        )

    def to_dict(self) -> dict[str, object]:
        """Plain data: one object of the JSON report; `client` only if there was more than one."""
        found: dict[str, object] = to_builtins(self.reported())
        return found

    def __repr__(self) -> str:
        return f"<Finding {self.name} {self.verdict}: {self.message}>"


def standing(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that count: all but those whose check is quoted by another finding."""
    said = {(finding.client, finding.check) for finding in findings if finding.said_by is None}
    return [finding for finding in findings if (finding.client, finding.said_by) not in said]
