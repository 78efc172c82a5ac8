"""What a check is, and where they are all listed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from faultinject.audit.checks.words import NAME_THEM, WHOLE_PLAN, Setting, few
from faultinject.audit.evidence import Evidence
from faultinject.audit.findings import FAIL, INCONCLUSIVE, PASS, WARN, Finding
from faultinject.audit.matching import thing_of
from faultinject.audit.statistics import FEWEST, variation
from faultinject.journal.calls import Call

Judges = Callable[[Evidence], Iterable[Finding]]


MANY, UNEVEN = 15, 0.8
"""Waits in a call that it takes to tell how even they are, and the variation from which on they may be those between
several callers, who come by chance (1.0); of one caller, be it in a tight loop on a busy machine, 0.74 were seen."""
EXAMPLES = 5
"""Calls that a finding shows."""

PROFILE = "the profile"
"""The reference of a check of what only a profile promises: the profile's own stands in the finding."""

ADDRESSES = {
    "AWS SDKs: retry behavior": "https://docs.aws.amazon.com/sdkref/latest/guide/feature-retry-behavior.html",
    "AWS: exponential backoff and jitter": "https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/",
    "Azure: transient fault handling": "https://learn.microsoft.com/en-us/azure/architecture/best-practices/transient-faults",
    "Cloud Storage: retry strategy": "https://cloud.google.com/storage/docs/retry-strategy",
    "Google SRE book: Handling Overload": "https://sre.google/sre-book/handling-overload/",
    "The Tail at Scale": "https://cacm.acm.org/research/the-tail-at-scale/",
    "aws-sdk-rust issue 1163": "https://github.com/awslabs/aws-sdk-rust/issues/1163",
    "databricks-sdk-java pull request 872": "https://github.com/databricks/databricks-sdk-java/pull/872",
}
"""Of each document that is no RFC; a name may have a note in brackets behind it."""

CHECKS: dict[str, Check] = {}
"""Every check by its name, in the order of the report."""


class Check:
    """One thing that is asked of a client. Called with the evidence it gives the findings, at least one.

    A check of what only a profile promises gives none where the profile does not promise it.

    Attributes:
        name: what reports call it.
        reference: the standards or pages that demand it, with their addresses.
        minimum: how much it needs to see to say anything.
        more: what to do where it has seen less, or where nothing else would decide it.
        module: where it stands.
    """

    def __init__(self, judges: Judges, name: str, reference: str, minimum: str, more: str) -> None:
        self._judges = judges
        self.name = name
        self.reference = with_addresses(reference)
        self.minimum = minimum
        self.more = more
        self.module = judges.__module__
        self.__doc__ = judges.__doc__

    @property
    def demand(self) -> str:
        """The first line of its docstring."""
        return (self.__doc__ or "").partition("\n")[0]

    def __call__(self, evidence: Evidence) -> list[Finding]:
        """The findings on one client; they are made once, whichever checks ask for them."""
        if self.name not in evidence.findings:
            evidence.findings[self.name] = [
                self._completed(each, evidence) for each in self._judges(evidence)
            ]
        return evidence.findings[self.name]

    def _completed(self, finding: Finding, evidence: Evidence) -> Finding:
        """A finding with what all findings of a check have in common."""
        downgrade_if_only_fingerprints(finding, evidence)
        finding.calls = list({id(call): call for call in finding.calls}.values())
        finding.check = self.name
        if finding.verdict == INCONCLUSIVE:
            # Whoever runs a plan chooses neither its calls nor its faults.
            fixed = evidence.driven and not isinstance(finding.action, Setting)
            finding.action = WHOLE_PLAN if fixed else str(finding.action or self.more)
        finding.calls = finding.calls[:EXAMPLES]
        reference = self.reference
        if reference == PROFILE:
            reference = evidence.profile.reference or evidence.profile.name
        finding.reference = with_addresses(finding.reference) or reference
        return finding

    def __repr__(self) -> str:
        return f"<Check {self.name}>"


def downgrade_if_only_fingerprints(finding: Finding, evidence: Evidence) -> None:
    """A FAIL is a WARN where the fingerprint alone joined the attempts, unless there is no other explanation for them.

    An SDK's id, a mark "this is a retry", a test or a driver prove what belongs together. By its fingerprint a request may be
    another caller's, or one that comes anyway; nothing is said where the waits are as uneven as those between several
    callers. That is ruled out where the client does not ask again for what it got, or
    asked for nothing else in between, for three things or more.
    """
    inferred = [call for call in finding.calls if call.inferred and call.retries]
    proven = [call for call in finding.calls if call.retries and not call.inferred]
    if finding.verdict != FAIL or not inferred or len(proven) >= FEWEST:
        return
    methods = {call.first.method for call in inferred}
    things = set(map(thing_of, inferred))
    alone = len(things) >= FEWEST and all(call.alone for call in inferred)
    if all(map(evidence.contrast.shows_retries, methods)):
        why = evidence.contrast.said(methods)
    elif alone:
        why = f"no other request came between those to {len(things)} objects"
    elif 2 * sum(map(_is_uneven, inferred)) >= len(inferred):
        why = "the timing is as uneven as that of several callers"
        finding.verdict, finding.action = INCONCLUSIVE, NAME_THEM
    else:
        why = "a caller that repeats its call looks the same"
        finding.verdict = WARN
    finding.message = f"{finding.message} (grouped by fingerprint; {why})"


def _is_uneven(call: Call) -> bool:
    """Whether the waits in a call are many, and as uneven as those between requests that have nothing to do with each other."""
    gaps = [gap for gap in call.gaps if gap is not None and gap >= 0]
    return len(gaps) >= MANY and variation(gaps) > UNEVEN


def with_addresses(reference: str) -> str:
    """The reference with the address of each of its documents.

    >>> with_addresses("RFC 9110 15.5; the vendor's table of errors")
    "RFC 9110 15.5 (https://www.rfc-editor.org/rfc/rfc9110#section-15.5); the vendor's table of errors"
    """
    found = []
    for document in reference.split("; "):
        address = ADDRESSES.get(document.partition(" (")[0])
        if rfc := re.fullmatch(r"RFC (\d+) ([\d.]+)", document):
            address = f"https://www.rfc-editor.org/rfc/rfc{rfc[1]}#section-{rfc[2]}"
        found.append(f"{document} ({address})" if address else document)
    return "; ".join(found)


def check(name: str, *, reference: str, minimum: str, more: str = "") -> Callable[[Judges], Check]:
    """Make a function from evidence to what is to be said a check.

    Args:
        name: what reports call it.
        reference: the standard or page that demands it, in one line.
        minimum: how much it needs to see, in words.
        more: what to do where it has seen less, in one imperative sentence; empty: its findings say so.
    """

    def listed(judges: Judges) -> Check:
        CHECKS[name] = Check(judges, name, reference, minimum, more)
        return CHECKS[name]

    return listed


def _finding(
    verdict: str,
    n: int,
    message: str,
    calls: Sequence[Call] = (),
    subject: str | None = None,
    *,
    action: str = "",
) -> Finding:
    return Finding(
        check="", verdict=verdict, n=n, message=message, calls=calls, subject=subject, action=action
    )


passed = partial(_finding, PASS)
"""The client does what is asked."""
failed = partial(_finding, FAIL)
"""The client does what must not be."""
warned = partial(_finding, WARN)
"""The client does what is seldom right."""
unknown = partial(_finding, INCONCLUSIVE)
"""The journal does not tell; the action says what would, by default the check's own `more`."""


def too_few(
    n: int,
    needed: int,
    what: str,
    calls: Sequence[Call] = (),
    subject: str | None = None,
    *,
    action: str = "",
) -> Finding:
    """The journal has too few of what the check looks at: of things in the singular, such as `failed call`."""
    about = "" if subject is None else f"{subject}: "
    return unknown(n, f"{about}{few(n, needed, what)}", calls, subject, action=action)
