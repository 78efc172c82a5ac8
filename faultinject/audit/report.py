"""A judgement as it is printed in JSON, and as results of conformance runs keep it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

from faultinject.audit.findings import ReportedFinding
from faultinject.journal.attempts import Attempt

RESULTS = ("fail", "warn", "pass", "undecided")
"""The results of a report."""


class ReportedTurnaround(Struct):
    """The turnaround of the client: its time to the next request without a wait.

    Attributes:
        median: Seconds from an answer to the next request, where nothing waits.
        p95: The same at the 95th percentile.
        n: The sample size.
        busy: Null: not measured.
        zero: Seconds; a shorter gap is not a wait.
        noise: By how much the machine may make a wait longer, seconds.
    """

    median: float | None
    p95: float | None
    n: int
    busy: float | None
    zero: float | None
    noise: float | None


class FaultsOfRule(Struct):
    """The results of a rule's faults.

    Attributes:
        faults: The faults that it chose, such as `cos:SlowDown`.
        given: How many were given.
        refused: How many were refused: there were too many at the same time, or it was HTTP/2.
        failed: How many could not be given for another reason.
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
        result: What it comes to.
        reason: The same in words: what is wrong, or why nothing could be judged.
        client: The client with the most calls, by its user agent.
        calls: How many calls there were.
        attempts: How many requests.
        seconds: From the first request to the last.
        signal: How many calls were grouped by what.
        left_out: How many calls do not count, by reason.
        skipped: How many lines were not read, by reason.
        not_given: How many faults could not be given, by the journal's `did`.
        failed_after: How many calls failed for good, by the last fault that they got.
        rules: By rule, the results of its faults.
        turnaround: How fast the client is when it does not wait.
        profile: The name of the profile that it is judged by.
        findings: Every verdict, the worst first.
    """

    v: Literal[1]
    result: Annotated[str, Meta(extra_json_schema={"enum": [*RESULTS]})]
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
