"""The check, and the list of all checks."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial

from msgspec.structs import replace

from faultinject.audit.checks.words import NAME_THEM, NO_BREAKER, WHOLE_PLAN, Setting, counted, few
from faultinject.audit.documents import PROMISE, TABLE, Document, EvidenceKind, reference, vendor_of
from faultinject.audit.evidence import Evidence
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN, Finding
from faultinject.audit.grouping import POLL
from faultinject.audit.matching import thing_of
from faultinject.audit.statistics import FEWEST, variation
from faultinject.journal.attempts import Attempt
from faultinject.journal.calls import Call
from faultinject.literals import Verdict

Judges = Callable[[Evidence], Finding | Iterable[Finding] | None]
"""A function that returns a check's finding, several findings, or None."""
Pairs = tuple[Callable[[Attempt], bool], int]
"""A function that picks the requests that matter to a check, and a number of them.

With so many of them for one target, the check is undecided if their calls cannot be distinguished.
"""

MANY, UNEVEN = 15, 0.8
"""The minimum of waits, and the variation above which several callers may have made them.

Callers at random times have a variation of 1.0; one caller in a tight loop on a busy machine had up to 0.74.
"""
DAMAGE = frozenset((EvidenceKind.TOLD, EvidenceKind.STORE))
"""The kinds of evidence that show damage by themselves."""
EXAMPLES = 5
"""Calls that a finding shows."""

CHECKS: dict[str, Check] = {}
"""Every check by its name, in the order of the report."""


class Check:
    """One demand on a client; calling it with evidence returns its findings.

    A check of a promise returns none if the profile does not make that promise.

    Attributes:
        judges: its function.
        name: its name in reports.
        documents: the standards, pages and promises that demand it.
        minimum: the evidence that it needs, in words.
        more: the advice for less evidence, or for a check that is undecided without another reason.
        planned: the same advice if a plan fixes the calls and their faults.
    """

    def __init__(
        self,
        judges: Judges,
        name: str,
        documents: Sequence[Document],
        minimum: str,
        more: str,
        planned: str,
        pairs: Pairs | None,
    ) -> None:
        self.judges = judges
        self.name = name
        self.documents = documents
        self.minimum = minimum
        self.more = more
        self.planned = planned
        self._pairs = pairs
        self.__doc__ = judges.__doc__

    @property
    def demand(self) -> str:
        """The demand: the first line of its docstring."""
        return (self.__doc__ or "").partition("\n")[0]

    def __call__(self, evidence: Evidence) -> list[Finding]:
        """Return the findings on one client; they are made once, and other checks may use them."""
        if self.name not in evidence.findings:
            judged = self.judges(evidence) or ()
            findings = [judged] if isinstance(judged, Finding) else list(judged)
            # Requests whose retries are not known may hide a violation, or be why there is too little data.
            if self._pairs and all(
                finding.verdict == PASS or (finding.verdict == INCONCLUSIVE and finding.n < FEWEST)
                for finding in findings
            ):
                crowd = evidence.crowded(*self._pairs)
                if crowd:
                    findings = [
                        unknown(
                            len(crowd),
                            f"{counted(len(crowd), 'call')} with failures ran at the same time as others for the"
                            " same objects, or may have: which requests are of one call is not known",
                            crowd,
                            action="To decide, make the calls for one object one after the other, or run"
                            " `faultinject conformance`.",
                        )
                    ]
            evidence.findings[self.name] = [self._completed(finding, evidence) for finding in findings]
        return evidence.findings[self.name]

    def _completed(self, finding: Finding, evidence: Evidence) -> Finding:
        """Complete a finding with the data that all findings of the check share."""
        downgrade_if_only_fingerprints(finding, evidence)
        finding.calls = list({id(call): call for call in finding.calls}.values())
        finding.check = self.name
        finding.documents = [
            _meant(document, finding, evidence) for document in finding.documents or self.documents
        ]
        finding.reference = reference(finding.documents)
        decide(finding, evidence.vendors)
        if finding.verdict == INCONCLUSIVE:
            # The user of a plan cannot choose its calls and its faults.
            fixed = evidence.driven and not isinstance(finding.action, Setting)
            planned = NO_BREAKER if evidence.has_a_breaker else self.planned
            finding.action = str(planned if fixed else finding.action or self.more)
        finding.calls = finding.calls[:EXAMPLES]
        return finding

    def __repr__(self) -> str:
        return f"<Check {self.name}>"


def _meant(document: Document, finding: Finding, evidence: Evidence) -> Document:
    """Find the document that `PROMISE` or `TABLE` stands for in a finding."""
    if document is PROMISE:
        return replace(PROMISE, name=evidence.profile.reference or evidence.profile.name)
    rows = (call.first.documented for call in finding.calls)
    row = next((row for row in rows if row is not None and row.retryable == "yes"), None)
    return document if document is not TABLE or row is None else replace(TABLE, vendor=vendor_of(row.vendor))


def decide(finding: Finding, vendors: frozenset[str]) -> None:
    """Make a FAIL a WARN unless a document binds the client, or evidence shows damage.

    Args:
        finding: the finding, with its documents and its kinds of evidence.
        vendors: the vendors of the client.
    """
    bound = any(document.applies_to(vendors) for document in finding.documents)
    if finding.verdict == FAIL and not bound and DAMAGE.isdisjoint(finding.evidence):
        finding.verdict = WARN
    if finding.documents:
        finding.evidence = (*finding.evidence, EvidenceKind.DOCUMENT)


def downgrade_if_only_fingerprints(finding: Finding, evidence: Evidence) -> None:
    """Make a FAIL a WARN if only fingerprints group the attempts, and may be wrong.

    An SDK's id, a retry mark, a test or a driver prove which attempts belong together. By fingerprint, an attempt may
    belong to another caller, or be no retry; if the waits are as uneven as those between several callers, the check
    is undecided. A FAIL stays if more than a fingerprint groups three calls or more. It also stays if each attempt came
    within a second of the one before, and (a) the client seldom repeats a success with this method, or (b) no other
    request came in between, for three targets or more.
    """
    inferred = [call for call in finding.calls if call.inferred and call.retries]
    proven = [call for call in finding.calls if call.retries and not call.inferred]
    if finding.verdict != FAIL or not inferred or len(proven) >= FEWEST:
        return
    methods = {call.first.method for call in inferred}
    things = set(map(thing_of, inferred))
    uninterrupted = len(things) >= FEWEST and all(call.alone for call in inferred)
    soon = all((gap or 0.0) < POLL for call in inferred for gap in call.gaps)
    after_failures = all(map(evidence.contrast.shows_retries, methods))
    if soon and after_failures:
        why = evidence.contrast.in_words(methods)
    elif soon and uninterrupted:
        why = f"no other request came between those to {len(things)} objects"
    elif not (after_failures or uninterrupted) and 2 * sum(map(_is_uneven, inferred)) >= len(inferred):
        why = "the timing is as uneven as that of several callers"
        finding.verdict, finding.action = INCONCLUSIVE, NAME_THEM
    else:
        why = "a caller that repeats its call looks the same"
        finding.verdict = WARN
    finding.message = f"{finding.message} (grouped by fingerprint; {why})"


def _is_uneven(call: Call) -> bool:
    """Whether a call has many waits, as uneven as those between independent requests."""
    gaps = [gap for gap in call.gaps if gap is not None and gap >= 0]
    return len(gaps) >= MANY and variation(gaps) > UNEVEN


def check(
    name: str,
    *,
    documents: Sequence[Document],
    minimum: str,
    more: str = "",
    planned: str = WHOLE_PLAN,
    pairs: Pairs | None = None,
) -> Callable[[Judges], Check]:
    """Make a function from evidence to findings a check.

    Args:
        name: its name in reports.
        documents: the standards, pages and promises that demand it.
        minimum: the evidence that it needs, in words.
        more: the advice for less evidence, in one imperative sentence; empty: its findings have their own.
        planned: the same advice if a plan fixes the calls and their faults.
        pairs: as `Pairs`; None: requests whose calls cannot be distinguished do not make the check undecided.
    """

    def listed(judges: Judges) -> Check:
        CHECKS[name] = Check(judges, name, documents, minimum, more, planned, pairs)
        return CHECKS[name]

    return listed


def _finding(
    verdict: Verdict,
    n: int,
    message: str,
    calls: Sequence[Call] = (),
    subject: str | None = None,
    *,
    action: str = "",
    evidence: Collection[EvidenceKind] = (EvidenceKind.WIRE,),
    documents: Sequence[Document] = (),
) -> Finding:
    return Finding(
        check="",
        verdict=verdict,
        n=n,
        message=message,
        calls=calls,
        subject=subject,
        action=action,
        evidence=evidence,
        documents=documents,
    )


passed = partial(_finding, PASS)
"""The client meets the demand."""
failed = partial(_finding, FAIL)
"""The client breaks a demand: a FAIL if a document binds it, or `evidence` has damage."""
warned = partial(_finding, WARN)
"""The client does something that is seldom right."""
unknown = partial(_finding, INCONCLUSIVE)
"""The journal does not decide it; the action, by default `more`, says what to do."""


def seen_by_callers(calls: Iterable[Call], *, returned: bool) -> Collection[EvidenceKind]:
    """The kinds of evidence of calls, with `told` if a caller got this kind of result."""
    heard = (call.returned if call.window is None else call.window.returned for call in calls)
    return (EvidenceKind.WIRE, EvidenceKind.TOLD) if returned in heard else (EvidenceKind.WIRE,)


def too_few(
    n: int,
    needed: int,
    what: str,
    calls: Sequence[Call] = (),
    subject: str | None = None,
    *,
    action: str = "",
) -> Finding:
    """Say that the journal has too few of a thing, named in the singular: `failed call`."""
    about = "" if subject is None else f"{subject}: "
    return unknown(n, f"{about}{few(n, needed, what)}", calls, subject, action=action)
