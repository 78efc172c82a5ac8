"""Results as plain data: measurements, what changed between two versions, and the page."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType

import pytest
from msgspec import convert

from faultinject.conformance.league import markdown as markdown_of
from faultinject.conformance.results import Results, verdicts
from faultinject.conformance.results import changes as changes_of

NUMBERS = json.loads(Path(__file__).with_name("numbers.json").read_text())
"""Recorded numbers of several clients."""


def waits(*medians):
    """Before each retry, as they are measured."""
    return [
        {"retry": number, "n": 3, "median": each, "low": each, "high": each, "waits": [each] * 3}
        for number, each in enumerate(medians, 1)
    ]


def results(document):
    """As the command has them that read or made them."""
    return convert(document, Results)


def markdown(document):
    """The page of results that a file has."""
    return markdown_of(results(document))


def changes(old, new):
    """The changes between the results of two files."""
    return changes_of(results(old), results(new))


def finding(check, verdict, subject=None, message="measured", n=3):
    return {
        "check": check, "subject": subject, "verdict": verdict, "n": n, "message": message, "action": "Do it.", "reference": "RFC 9110",
        "calls": [],
    }  # fmt: skip


OLD = {
    "v": 1,
    "result": "fail",
    "reason": "gives up: measured",
    "made": "2026-10-01",
    "faultinject": "0.1.0",
    "python": "3.11.7",
    "system": "Linux",
    "machine": {"cores": 2, "processor": "x86_64", "release": "6.1"},
    "seed": "conformance",
    "deadline": 30.0,
    "complete": True,
    "all": False,
    "skipped": [],
    "failed": [],
    "clients": [
        {
            "client": "acme",
            "title": "ACME's SDK",
            "note": "",
            "version": "1.0",
            "language": "Python",
            "service": "cos",
            "seconds": 3.5,
            "deadline": 30.0,
            "late": 0.001,
            "failure": None,
            "numbers": {
                **NUMBERS["old"],
                "backoff": {"throttle": waits(1.0, 2.0), "server": waits(0.001, 0.05)},
                "budget": {"calls": 120, "requests": 360, "retries": 240},
            },
            "report": {
                "v": 1,
                "result": "fail",
                "reason": "gives up: measured",
                "client": "acme/1.0",
                "calls": 242,
                "attempts": 395,
                "seconds": 3.5,
                **{
                    each: {}
                    for each in ("signal", "left_out", "skipped", "not_given", "failed_after", "rules")
                },
                "turnaround": dict.fromkeys(("median", "p95", "n", "busy", "zero", "noise"), 0),
                "profile": "rfc",
                "findings": [
                    finding("retry-after", "PASS", "seconds"),
                    finding("gives up", "FAIL"),
                    finding("backoff grows", "INCONCLUSIVE"),
                    finding("jitter", "WARN"),
                    finding("retry budget", "PASS"),
                ],
            },
        }
    ],
}


def changed(verdicts=MappingProxyType({})):
    findings = dict(verdicts)
    new = deepcopy(OLD)
    client = new["clients"][0]
    for each in client["report"]["findings"]:
        each["verdict"] = findings.pop(each["check"], each["verdict"])
    assert not findings
    return new, client


def told(old, new):
    """Each change in words: client, what, before, after, why, and whether it is worse."""
    return [
        (each.client, each.subject, each.before, each.after, each.message, each.worse)
        for each in changes(old, new)
    ]


def test_nothing_changed():
    """Two runs alike say nothing."""
    assert told(OLD, deepcopy(OLD)) == []


def test_verdicts_that_changed():
    """A new failure is worse, also in place of an undecided verdict; a failure gone is not."""
    new, _ = changed({"retry-after": "FAIL", "gives up": "PASS", "backoff grows": "WARN"})
    assert told(OLD, new) == [
        ("acme", "retry-after: seconds", "PASS", "FAIL", "measured", True),
        ("acme", "gives up", "FAIL", "PASS", "measured", False),
        ("acme", "backoff grows", "INCONCLUSIVE", "WARN", "measured", True),
    ]


def test_what_is_not_decided_is_no_change():
    """Chance decides whether ten waits are enough: that is no difference between two versions."""
    new, _ = changed({"retry-after": "INCONCLUSIVE", "backoff grows": "PASS", "gives up": "INCONCLUSIVE"})
    assert told(OLD, new) == []


def test_a_finding_that_is_no_longer_made():
    """A fault that nobody looked for any more is said; a pass is not."""
    new, client = changed()
    client["report"]["findings"] = [finding("retry-after", "WARN", "date")]
    assert told(OLD, new) == [
        ("acme", "retry-after: date", "", "WARN", "measured", True),
        ("acme", "gives up", "FAIL", "", "", False),
        ("acme", "jitter", "WARN", "", "", False),
    ]


def test_facts_that_changed():
    """Version and attempts."""
    new, client = changed()
    client["version"] = "2.0"
    client["numbers"] |= {"attempts": {"fewest": 2, "most": 4}}
    assert told(OLD, new) == [
        ("acme", "version", "1.0", "2.0", "", False),
        ("acme", "attempts", "3", "2 to 4", "", False),
    ]


def test_facts_that_are_not_there():
    """A client that was asked for less says less."""
    new, client = changed()
    client["version"] = None
    client["numbers"] |= {"attempts": None}
    assert [(each.subject, each.after) for each in changes(OLD, new)] == [("version", ""), ("attempts", "")]


def test_clients_that_are_new_or_gone():
    """New and missing clients are named and not compared.

    A client is missing only if it was asked for, and that is all clients or none.
    """
    new, client = changed({"retry-after": "FAIL"})
    client["client"] = "other"
    assert told(OLD, new) == [("other", "client", "", "new: 1.0", "", False)]
    new["all"] = True
    assert told(OLD, new)[1:] == [("acme", "client", "1.0", "gone", "", False)]
    new["complete"] = False
    assert len(told(OLD, new)) == 1
    old = deepcopy(OLD)
    old["clients"][0]["version"] = client["version"] = None
    new["complete"] = True
    assert [(each.before, each.after) for each in changes(old, new)] == [
        ("", "new: version unknown"),
        ("version unknown", "gone"),
    ]


def test_attempts_that_chance_decides():
    """Ranges that share a number are equal; a number that is no longer fixed is a change."""
    new, client = changed()
    old = deepcopy(OLD)
    found = []
    for before, after in (([4, 7], [5, 6]), ([4, 5], [6, 7]), ([4, 4], [4, 5])):
        for one, (fewest, most) in ((old["clients"][0], before), (client, after)):
            one["numbers"]["attempts"] = {"fewest": fewest, "most": most}
        found.append([each.subject for each in changes(old, new)])
    assert found == [[], ["attempts"], ["attempts"]]


def test_the_page_says_what_was_found():
    """Facts, findings with their reasons, and what can be done with it."""
    text = markdown(OLD)
    row = (
        "| ACME's SDK 1.0 | Python | cos | 3 | 1.00 (1.00–1.00), 2.00 (2.00–2.00) | 0 (0–0), 0.05 "
        "(0.05–0.05) | 0.00 |"
    )
    assert row in text
    assert "- **jitter**: Standard deviation by mean" in text
    assert "Not measured" not in text
    assert "- ✕ **gives up**: measured <sub>Do it. See RFC 9110</sub>\n- ! **jitter**: measured" in text
    assert "- ? not decided: backoff grows" in text
    assert "242 calls, 395 requests in 3.50 s; profile `rfc`." in text


@pytest.mark.parametrize(
    ("said", "worst"),
    [
        (["PASS", "WARN", "FAIL"], "FAIL"),
        (["PASS", "INCONCLUSIVE"], "PASS"),
        (["INCONCLUSIVE"], "INCONCLUSIVE"),
        (["WARN", "INCONCLUSIVE"], "WARN"),
    ],
)
def test_the_verdict_of_a_check_is_its_worst(said, worst):
    """One subject that fails is enough; what is not decided counts only where nothing is."""
    new, client = changed()
    client["report"]["findings"] = [finding("jitter", each, str(at)) for at, each in enumerate(said)]
    assert [(check, [*found]) for check, found in verdicts(results(new).clients)] == [("jitter", [worst])]


def test_the_page_says_who_was_judged_and_how():
    """The head names the clients, the command and the store."""
    head = markdown(OLD | {"command": "faultinject conformance --client acme"}).partition("\n| ")[0]
    assert head.startswith(
        "# What ACME's SDK 1.0 did about faults\n\n**fail**: gives up: measured\n\nMade on "
        "2026-10-01 by `faultinject conformance --client acme` ("
    )
    assert (
        "The client made its calls, against a store on the same machine that answers with the documented errors of cos."
        in head
    )
    assert "by `` faultinject --client '`\\n' `` (" in markdown(
        OLD | {"command": "faultinject --client '`\n'"}
    )
    two = markdown(OLD | {"clients": OLD["clients"] * 2})
    assert two.startswith("# What ACME's SDK 1.0, ACME's SDK 1.0 did about faults\n")
    assert "documented errors of the SDK's own service" in two
    assert markdown(OLD | {"all": True}).startswith("# What storage SDKs do about faults\n")


def test_the_page_says_what_is_not_a_default():
    """Beside the name, in the table and above the findings."""
    new, client = changed()
    client["note"] = "timeout=12"
    text = markdown(new)
    assert "| ACME's SDK 1.0 (timeout=12) | Python |" in text
    assert "## ACME's SDK 1.0 (timeout=12)\n" in text


def test_the_page_of_a_client_without_a_fault():
    """It says so; many waits are cut short; without an outage there is no number for it."""
    new, client = changed({"gives up": "PASS", "jitter": "PASS", "backoff grows": "PASS"})
    client["version"] = None
    client["numbers"] = NUMBERS["patient"]
    text = markdown(new)
    assert "## ACME's SDK\n" in text
    assert "Every check that was decided: as its reference asks." in text
    assert "6.00 (6.00–6.00), … |  |" in text


def test_the_page_says_who_is_missing():
    """With what installs it, or why it could not be started."""
    new, _ = changed()
    new["skipped"] = [{"client": "b", "title": "B's SDK", "install": "pip install b"}]
    new["failed"] = [{"client": "c", "reason": "no Java"}]
    told = (
        "## Not measured\n\n- B's SDK is not installed: `pip install b`\n- c could not be started: no Java\n"
    )
    assert told in markdown(new)
