"""The judgement for a CI: a JUnit file with one test case for each finding."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from faultinject.audit.findings import FAIL, INCONCLUSIVE, WARN
from faultinject.audit.reports import sentences
from faultinject.core.outcome import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.audit.findings import Finding
    from faultinject.audit.judge import Judgement


def junit(judgement: Judgement, *, strict: bool = False) -> str:
    """One test suite: FAIL is a failure, INCONCLUSIVE skipped, WARN passes and says so (a failure if `strict`)."""
    failing = (FAIL, WARN) if strict else (FAIL,)
    findings = judgement.findings
    failures = sum(each.verdict in failing for each in findings)
    skipped = sum(each.verdict == INCONCLUSIVE for each in findings)
    head = (
        f'name="faultinject" tests="{len(findings)}" failures="{failures}" errors="0"'
        f' skipped="{skipped}" time="{judgement.seconds:.3f}"'
    )
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        f"<testsuites {head}>",
        f"  <testsuite {head}>",
        "    <properties>",
        f'      <property name="client" value={_attribute(sentences.title(judgement))}/>',
        f'      <property name="profile" value={_attribute(judgement.profile.name)}/>',
        "    </properties>",
    ]
    for each in findings:
        lines += _case(each, judgement.profile.name, failing)
    said = " ".join(
        each for each in (*sentences.provenance(judgement), sentences.nothing_to_judge(judgement)) if each
    )
    lines += [f"    <system-out>{escape(said)}</system-out>", "  </testsuite>", "</testsuites>"]
    return "\n".join(lines) + "\n"


def _case(finding: Finding, profile: str, failing: tuple[str, ...]) -> list[str]:
    name = f'name={_attribute(sentences.subject_of(finding))} classname={_attribute(f"faultinject.{profile}")} time="0"'
    message = _attribute(sentences.measured(finding))
    details = escape("\n".join([_said(finding), *map(sentences.story, finding.calls)]))
    if finding.verdict in failing:
        what = f'<failure message={message} type="{finding.verdict}">{details}</failure>'
    elif finding.verdict == INCONCLUSIVE:
        what = f"<skipped message={message}/>"
    else:
        what = f"<system-out>{details}</system-out>"
    return [f"    <testcase {name}>", f"      {what}", "    </testcase>"]


def _said(finding: Finding) -> str:
    return f"{finding.verdict}: {sentences.measured(finding)} (n = {finding.n}; {quoted(finding.reference)})"


def _attribute(text: str) -> str:
    return quoteattr(quoted(text))
