"""Results for a CI: a JUnit file, of a judgement with one test case for each finding."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from faultinject.audit.conclusion import why_undecided
from faultinject.audit.findings import FAIL, INCONCLUSIVE, WARN, Finding
from faultinject.audit.judging import Judgement
from faultinject.audit.reports.content import content, finding_text, merged
from faultinject.engine.shown import quoted

RESULT = "result"
"""The name of the test case that reports an undecided result as an error."""
FAILURE, ERROR, SKIPPED = "failure", "error", "skipped"
"""The results of a test case that did not pass."""


class Case(NamedTuple):
    """A test case.

    Attributes:
        name: its name.
        group: its class name.
        result: `FAILURE`, `ERROR`, `SKIPPED`; empty: it passed.
        message: the reason, in one line.
        kind: the type of the failure or error, such as `FAIL`.
        details: more lines.
        seconds: its duration.
    """

    name: str
    group: str
    result: str = ""
    message: str = ""
    kind: str = ""
    details: Sequence[str] = ()
    seconds: float = 0.0


class Suite(NamedTuple):
    """A test suite.

    Attributes:
        name: its name.
        cases: its test cases.
        seconds: its duration.
        properties: further facts, by name.
        said: its output: the result in words.
    """

    name: str
    cases: Sequence[Case]
    seconds: float
    properties: Mapping[str, str]
    said: str


def junit(judgement: Judgement) -> str:
    """One test suite: FAIL is a failure, INCONCLUSIVE skipped; WARN passes, unless strict.

    If nothing was decided, a further test case is an error, so that no CI takes the result for green.
    """
    return document([suite(judgement)])


def suite(judgement: Judgement, name: str = "faultinject") -> Suite:
    """The suite of one judgement; see `junit`."""
    failing = (FAIL, WARN) if judgement.strict else (FAIL,)
    group = f"faultinject.{judgement.evidence.profile.name}"
    cases = [_case(finding, group, failing) for finding in merged(judgement.findings)]
    if judgement.conclusion.result == "undecided":
        cases.insert(0, Case(RESULT, group, ERROR, judgement.conclusion.sentence, "undecided"))
    report = content(judgement)
    return Suite(
        name,
        cases,
        judgement.seconds,
        properties={"client": report.title, "profile": judgement.evidence.profile.name},
        said="\n".join([report.result, *report.facts, *report.measured]),
    )


def document(suites: Sequence[Suite]) -> str:
    """The whole file."""
    root = _counted("testsuites", "faultinject", suites)
    for suite in suites:
        group = _counted("testsuite", suite.name, [suite])
        properties = SubElement(group, "properties")
        for name, value in suite.properties.items():
            SubElement(properties, "property", name=quoted(name), value=quoted(value))
        group.extend(map(_testcase, suite.cases))
        SubElement(group, "system-out").text = suite.said
        root.append(group)
    indent(root)
    return f'<?xml version="1.0" encoding="utf-8"?>\n{tostring(root, "unicode")}\n'


def _counted(tag: str, name: str, suites: Sequence[Suite]) -> Element:
    """An element with the number of its cases by result."""
    results = [case.result for suite in suites for case in suite.cases]
    return Element(
        tag,
        name=quoted(name),
        tests=str(len(results)),
        failures=str(results.count(FAILURE)),
        errors=str(results.count(ERROR)),
        skipped=str(results.count(SKIPPED)),
        time=f"{sum(suite.seconds for suite in suites):.3f}",
    )


def _testcase(case: Case) -> Element:
    time = f"{case.seconds:.3f}" if case.seconds else "0"
    element = Element("testcase", name=quoted(case.name), classname=quoted(case.group), time=time)
    outcome = SubElement(element, case.result or "system-out")
    if case.result:
        outcome.set("message", quoted(case.message))
    if case.result in (FAILURE, ERROR):
        outcome.set("type", quoted(case.kind))
    if case.result != SKIPPED:
        outcome.text = "\n".join(case.details)
    return element


def _case(finding: Finding, group: str, failing: tuple[str, ...]) -> Case:
    """The test case of a finding; its text adds the requests that show it, and the advice."""
    result = FAILURE if finding.verdict in failing else SKIPPED if finding.verdict == INCONCLUSIVE else ""
    words = finding_text(finding)
    message = quoted(why_undecided(finding)) if result == SKIPPED else words.message
    details = [
        f"{words.verdict}: {words.message} (n = {words.n:,})",
        *(story for story, _ in words.calls),
        f"→ {words.action}",
    ]
    return Case(words.name, group, result, message, words.verdict, details)
