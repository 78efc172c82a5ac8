"""The judgement for a CI: a JUnit file with one test case for each finding."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from faultinject.audit.findings import FAIL, INCONCLUSIVE, WARN
from faultinject.audit.reports import sentences
from faultinject.engine.journal_entry import quoted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from faultinject.audit.findings import Finding
    from faultinject.audit.judge import Judgement


RESULT = "result"
"""The test case that is there where nothing was judged, or not what is required: it is an error."""


def junit(judgement: Judgement) -> str:
    """One test suite: FAIL is a failure, INCONCLUSIVE skipped, WARN passes and says so (a failure if it is strict).

    Where the result is that nothing was decided, one test case more is an error, so that no CI takes it for green.
    """
    failing = (FAIL, WARN) if judgement.strict else (FAIL,)
    findings = judgement.findings
    failures = sum(each.verdict in failing for each in findings)
    skipped = sum(each.verdict == INCONCLUSIVE for each in findings)
    errors = int(judgement.conclusion.result == "undecided")
    head = (
        f'name="faultinject" tests="{len(findings) + errors}" failures="{failures}" errors="{errors}"'
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
    if errors:
        lines += _error(judgement)
    for each in findings:
        lines += _case(each, judgement.profile.name, failing)
    said = " ".join([f"{sentences.result(judgement).rstrip('.')}.", *sentences.provenance(judgement)])
    lines += [f"    <system-out>{escape(said)}</system-out>", "  </testsuite>", "</testsuites>"]
    return "\n".join(lines) + "\n"


def _error(judgement: Judgement) -> list[str]:
    name = f'name="{RESULT}" classname={_attribute(f"faultinject.{judgement.profile.name}")} time="0"'
    message = _attribute(judgement.conclusion.sentence)
    return [f"    <testcase {name}>", f'      <error message={message} type="undecided"/>', "    </testcase>"]


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
