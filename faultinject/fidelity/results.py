"""A whole run: every probe, what came of it, and the same as plain data."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from faultinject import vendors
from faultinject.exceptions import ConfigurationError
from faultinject.fidelity import azure, gcs, s3
from faultinject.fidelity.comparison import ASPECTS, Difference, code_in, compare, message_in, rows_of
from faultinject.fidelity.exchange import Endpoint, NoAnswer
from faultinject.fidelity.probes import NotPossible, Probe, Session

AGREES, DIFFERS, UNJUDGED = "agrees", "differs", "not judged"
VERDICTS = (DIFFERS, UNJUDGED, AGREES)
FEWEST = 3
"""Refusals from which on a header is said to be missing everywhere; silences after which nothing more is asked."""

FAMILIES: Mapping[str, tuple[type[Session], Sequence[Probe[Any]]]] = {
    **dict.fromkeys(s3.SPEAKS_S3, (s3.S3Session, s3.PROBES)),
    "azure-blob": (azure.AzureSession, azure.PROBES),
    "gcs": (gcs.GcsSession, gcs.PROBES),
}
"""By vendor: how it is spoken to, and what it is asked."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of one probe.

    Attributes:
        probe: what was asked.
        verdict: `agrees`, `differs` or `not judged`.
        documented: the row that the answer comes nearest to, by address; None where no document names one.
        status: that came; None where no answer did.
        code: that came, of an error.
        message: likewise.
        differences: where the answer is not as documented.
        reason: why nothing was judged.
    """

    probe: Probe[Any]
    verdict: str
    documented: str | None = None
    status: int | None = None
    code: str | None = None
    message: str | None = None
    differences: Sequence[Difference] = ()
    reason: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """As plain data."""
        return {
            "probe": self.probe.name,
            "request": self.probe.what,
            "verdict": self.verdict,
            "documented": self.documented,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "differences": [
                {"aspect": each.aspect, "documented": each.documented, "seen": each.seen}
                for each in self.differences
            ],
            "reason": self.reason,
        }


@dataclass(frozen=True, slots=True)
class Results:
    """What came of all.

    Attributes:
        vendor: whose documents counted.
        findings: in the order of the probes.
        stopped: why nothing could be asked, or None.
        left_behind: what could not be removed.
    """

    vendor: str
    findings: Sequence[Finding]
    stopped: str | None
    left_behind: Sequence[str]

    def count(self, verdict: str) -> int:
        """How many findings say so."""
        return sum(each.verdict == verdict for each in self.findings)

    @property
    def everywhere(self) -> Sequence[str]:
        """Headers that every refusal of the service lacks, of those that the documents have."""
        refused = [each for each in self.findings if each.status is not None and not _accepted(each)]
        lacking = [
            {one.documented for one in each.differences if one.aspect == "header"}
            for each in refused
            if each.documented is not None
        ]
        if len(lacking) < FEWEST:
            return []
        return sorted(set.intersection(*lacking))

    def aspects(self) -> dict[str, dict[str, int]]:
        """By aspect: of how many answers it was compared, and in how many it is as documented.

        A request that was accepted has no error whose code, envelope and headers could be compared.
        """
        judged = [each for each in self.findings if each.verdict != UNJUDGED]
        refused = [each for each in judged if not _accepted(each)]
        found = {}
        for aspect in ASPECTS:
            among = judged if aspect == "status" else refused
            wrong = sum(any(one.aspect == aspect for one in each.differences) for each in among)
            found[aspect] = {"agree": len(among) - wrong, "of": len(among)}
        return found

    @property
    def exit_code(self) -> int:
        """0: all that was judged agrees; 1: something differs; 3: nothing was judged."""
        if self.count(DIFFERS):
            return 1
        return 0 if self.count(AGREES) else 3


def _accepted(finding: Finding) -> bool:
    return finding.status is not None and 200 <= finding.status < 300


def family(vendor: str) -> tuple[type[Session], Sequence[Probe[Any]]]:
    """How a vendor is spoken to, and what it is asked.

    Raises:
        UnknownVendor: there is none of that name.
        ConfigurationError: there are no probes for it.
    """
    vendors.get(vendor)
    if vendor not in FAMILIES:
        raise ConfigurationError(
            f"--vendor: there are no probes for {vendor}, only for {', '.join(FAMILIES)}"
        )
    return FAMILIES[vendor]


def run(
    endpoint: Endpoint,
    vendor: str,
    *,
    environ: Mapping[str, str],
    name: str,
    timeout: float,
    deadline: float,
    watch: Callable[[int], None] | None = None,
) -> Results:
    """Ask a service everything, and remove what was made for it.

    Args:
        endpoint: where it listens.
        vendor: whose documents count.
        environ: where credentials are.
        name: of the bucket that is made.
        timeout: seconds of one request.
        deadline: seconds of all.
        watch: is told how many probes are done.

    Raises:
        ConfigurationError: there are no probes for that vendor, or credentials are malformed.
    """
    opened, probes = family(vendor)
    session = opened(
        endpoint, timeout=timeout, deadline=time.monotonic() + deadline, name=name, environ=environ
    )
    findings: list[Finding] = []
    stopped = None
    try:
        session.prepare()
        for number, probe in enumerate(probes):
            if watch is not None:
                watch(number)
            if _is_silent(findings):
                findings.append(Finding(probe, UNJUDGED, reason=SILENT))
                continue
            findings.append(_without_secrets(_asked(session, vendor, probe), session.secrets))
    except (NotPossible, NoAnswer) as error:
        stopped = str(error)
    finally:
        session.remove()
    return Results(vendor, findings, stopped, session.left_behind)


SILENT = "not asked: the service has stopped answering"


def _is_silent(findings: Sequence[Finding]) -> bool:
    """Whether the last requests got no answer at all."""
    last = [each.reason or "" for each in findings[-FEWEST:]]
    return len(last) == FEWEST and all(each == SILENT or each.startswith("no answer") for each in last)


def _asked(session: Session, vendor: str, probe: Probe[Any]) -> Finding:
    own = vendors.get(vendor)
    rows = rows_of(own, probe)
    if not rows and probe.status is None:
        names = " nor ".join(probe.labels)
        return Finding(probe, UNJUDGED, reason=f"the documents of {vendor} have no {names}")
    try:
        sent = probe.send(session)
    except (NotPossible, NoAnswer) as error:
        return Finding(probe, UNJUDGED, reason=str(error))
    answer = sent.answer
    if vendor == "s3" and probe.also is not None and answer.status in probe.also(session):
        return Finding(probe, AGREES, rows[0].address, answer.status)
    row, differences = compare(probe, rows, sent)
    return Finding(
        probe,
        DIFFERS if differences else AGREES,
        None if row is None else row.address,
        answer.status,
        None if answer.good else code_in(answer.body) or answer.header("x-ms-error-code"),
        None if answer.good else message_in(answer.body),
        differences,
    )


def _without_secrets(finding: Finding, secrets: Sequence[str]) -> Finding:
    """The finding, unless the service has repeated a secret: then without what it said."""
    from dataclasses import replace

    said = [finding.code, finding.message, *(each.seen for each in finding.differences)]
    if not any(secret in (text or "") for secret in secrets for text in said):
        return finding
    hidden = [Difference(each.aspect, each.documented, "…") for each in finding.differences]
    return replace(finding, code=None, message=None, differences=hidden)


def document(results: Results, *, service: str, day: str, version: str) -> dict[str, Any]:
    """All as plain data.

    Args:
        results: what came of the probes.
        service: what was asked, as the caller names it.
        day: `2026-11-22`.
        version: of faultinject.
    """
    return {
        "v": 1,
        "vendor": results.vendor,
        "service": service,
        "made": day,
        "faultinject": version,
        "agree": results.count(AGREES),
        "differ": results.count(DIFFERS),
        "not_judged": results.count(UNJUDGED),
        "aspects": results.aspects(),
        "missing_everywhere": [*results.everywhere],
        "stopped": results.stopped,
        "left_behind": [*results.left_behind],
        "findings": [each.to_dict() for each in results.findings],
    }
