"""Findings of checks on a client, and the report that is printed in JSON."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Final, Generic, Literal, Self, TypeVar

from msgspec import Meta, Struct, to_builtins

from faultinject.audit.documents import Document, EvidenceKind
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import Call
from faultinject.literals import Verdict

FAIL: Final = "FAIL"
WARN: Final = "WARN"
INCONCLUSIVE: Final = "INCONCLUSIVE"
PASS: Final = "PASS"  # noqa: S105 - a verdict
VERDICTS: tuple[Verdict, ...] = (FAIL, WARN, INCONCLUSIVE, PASS)
"""The verdicts, the worst first."""
SIGNS: dict[str, str] = {FAIL: "✕", WARN: "!", INCONCLUSIVE: "?", PASS: "✓"}
"""The sign of each verdict, for readers who do not see colours."""
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
        """Make it from a call of a journal: each attempt gets the wait before it."""
        first = call.first
        attempts = [
            ReportedAttempt(
                attempt.time,
                attempt.pid,
                attempt.seq,
                attempt.answer,
                gap,
                attempt.hint,
                attempt.request_bytes,
            )
            for attempt, gap in zip(call.attempts, (None, *call.gaps), strict=True)
        ]
        return cls(call.name, first.method, first.path, call.signal, call.returned, call.error, attempts)


class FindingOf(Struct, Generic[CallT], kw_only=True, omit_defaults=True, eq=False):
    """One verdict; the type of its calls is a parameter.

    Attributes:
        check: The name of the check, such as `gives up`.
        subject: Its subject, if the check has several: `503 SlowDown`, `seconds`; otherwise null.
        verdict: The verdict.
        n: The number of calls, waits or requests that were judged.
        message: The observation in one line, with its numbers.
        action: The advice in one imperative sentence; for INCONCLUSIVE how to decide it. Empty for PASS.
        reference: The documents that ask for it, in one line.
        calls: Up to five calls that show it, the clearest first; none in the results of `--all`.
        client: The client of these calls, if there are several clients.
        evidence: The kinds of evidence that it rests on.
        documents: The documents that ask for it, and the clients that each of them binds.
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
        """The name, and the client if there are several: `gives up of curl/8.1`."""
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
        n: the number of calls, waits or requests that were judged.
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
        """The finding as it is printed."""
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
        return dict(to_builtins(self.reported()))

    def __repr__(self) -> str:
        return f"<Finding {self.name} {self.verdict}: {self.message}>"


def standing(findings: Sequence[Finding]) -> list[Finding]:
    """The findings that count: all but those that another check's finding already says."""
    said = {(finding.client, finding.check) for finding in findings if finding.said_by is None}
    return [finding for finding in findings if (finding.client, finding.said_by) not in said]


class ReportedTurnaround(Struct):
    """The turnaround of the client: its time to the next request without a wait.

    Attributes:
        median: Seconds from an answer to the next request, where nothing waits.
        p95: The same at the 95th percentile.
        n: The sample size.
        zero: Seconds; a shorter gap is not a wait.
        noise: Upper bound of the delay that the machine adds to a wait, seconds.
    """

    median: float | None
    p95: float | None
    n: int
    zero: float | None
    noise: float | None


class FaultsOfRule(Struct):
    """The results of a rule's faults.

    Attributes:
        faults: The faults that it chose, such as `cos:SlowDown`.
        given: How many were injected.
        refused: How many were refused: there were too many at the same time, or it was HTTP/2.
        failed: How many could not be injected for another reason.
    """

    faults: list[str]
    given: int
    refused: int
    failed: int

    def see(self, attempt: Attempt) -> None:
        """Count the fault of an attempt."""
        if attempt.fault is not None and attempt.fault not in self.faults:
            self.faults.append(attempt.fault)
        refused = attempt.did == "refused"
        self.given += attempt.injected
        self.refused += refused
        self.failed += not (attempt.injected or refused)


class Report(Struct):
    """Reactions of clients to faults, with times in seconds.

    Attributes:
        v: The version of the format.
        result: The conclusion.
        reason: The conclusion in words: the problem, or the reason why nothing could be judged.
        client: The client with the most calls, by its user agent.
        calls: How many calls there were.
        attempts: How many requests there were.
        seconds: The time from the first request to the last.
        signal: How many calls each signal has grouped.
        left_out: How many calls do not count, by reason.
        skipped: How many lines were not read, by reason.
        not_given: How many faults could not be injected, by the journal's `did`.
        failed_after: How many calls failed for good, by the last fault that they got.
        rules: The results of each rule's faults.
        turnaround: How fast the client is when it does not wait.
        profile: The name of the profile that it is judged by.
        findings: Every verdict, the worst first.
    """

    v: Literal[1]
    result: Annotated[str, Meta(extra_json_schema={"enum": ["fail", "warn", "pass", "undecided"]})]
    reason: str
    client: str
    calls: int
    attempts: int
    seconds: float
    signal: dict[str, int]
    left_out: dict[str, int]
    skipped: dict[str, int]
    not_given: dict[str, int]
    failed_after: dict[str, int]
    rules: dict[str, FaultsOfRule]
    turnaround: ReportedTurnaround
    profile: str
    findings: list[ReportedFinding]
