"""Results as plain data: measurements, what changed between two versions, and the page."""

import json
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType

from msgspec import convert

from faultinject.conformance.league import markdown as markdown_of
from faultinject.conformance.results import Results, verdicts
from faultinject.conformance.results import changes as changes_of
from tests.rows import each_row

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


def with_client(verdicts=MappingProxyType({}), findings=None, numbers=MappingProxyType({}), **about):
    """The results again, where verdicts, findings, numbers or facts of the client are others."""
    new = deepcopy(OLD)
    [client] = new["clients"]
    client["numbers"] |= numbers
    client |= about
    client["report"]["findings"] = findings or [
        each | {"verdict": verdicts.get(each["check"], each["verdict"])}
        for each in client["report"]["findings"]
    ]
    return new


def attempts(fewest, most):
    """The results of a client with so many attempts."""
    return with_client(numbers={"attempts": {"fewest": fewest, "most": most}})


NEW = ("other", "client", "", "new: 1.0", "", False)
OTHER = with_client({"retry-after": "FAIL"}, client="other")


@each_row(
    ("old", "new", "expected"),
    [
        (OLD, deepcopy(OLD), []),
        # A new failure is worse, also in place of an undecided verdict; a failure gone is not.
        (OLD, with_client({"retry-after": "FAIL", "gives up": "PASS", "backoff grows": "WARN"}), [
            ("acme", "retry-after: seconds", "PASS", "FAIL", "measured", True),
            ("acme", "gives up", "FAIL", "PASS", "measured", False),
            ("acme", "backoff grows", "INCONCLUSIVE", "WARN", "measured", True),
        ]),
        # Chance decides whether ten waits are enough: that is no difference between two versions.
        (OLD, with_client({"retry-after": "INCONCLUSIVE", "backoff grows": "PASS", "gives up": "INCONCLUSIVE"}), []),
        # A fault that nobody looked for any more is said; a pass is not.
        (OLD, with_client(findings=[finding("retry-after", "WARN", "date")]), [
            ("acme", "retry-after: date", "", "WARN", "measured", True),
            ("acme", "gives up", "FAIL", "", "", False),
            ("acme", "jitter", "WARN", "", "", False),
        ]),
        (OLD, with_client(version="2.0", numbers={"attempts": {"fewest": 2, "most": 4}}), [
            ("acme", "version", "1.0", "2.0", "", False),
            ("acme", "attempts", "3", "2 to 4", "", False),
        ]),
        # A client that was asked for less says less.
        (OLD, with_client(version=None, numbers={"attempts": None}), [
            ("acme", "version", "1.0", "", "", False),
            ("acme", "attempts", "3", "", "", False),
        ]),
        # A client is missing only if it was asked for, and that is all clients or none.
        (OLD, OTHER, [NEW]),
        (OLD, OTHER | {"all": True}, [NEW, ("acme", "client", "1.0", "gone", "", False)]),
        (OLD, OTHER | {"all": True, "complete": False}, [NEW]),
        (with_client(version=None), with_client(client="other", version=None) | {"all": True}, [
            ("other", "client", "", "new: version unknown", "", False),
            ("acme", "client", "version unknown", "gone", "", False),
        ]),
        # Ranges that share a number are equal; a number that is no longer fixed is a change.
        (attempts(4, 7), attempts(5, 6), []),
        (attempts(4, 5), attempts(6, 7), [("acme", "attempts", "4 to 5", "6 to 7", "", False)]),
        (attempts(4, 4), attempts(4, 5), [("acme", "attempts", "4", "4 to 5", "", False)]),
    ],
)  # fmt: skip
def test_what_changed(old, new, expected):
    """In words: client, what, before, after, why, and whether it is worse."""
    assert [
        (each.client, each.subject, each.before, each.after, each.message, each.worse)
        for each in changes(old, new)
    ] == expected


@each_row(
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
    new = with_client(findings=[finding("jitter", each, str(at)) for at, each in enumerate(said)])
    assert [(check, [*found]) for check, found in verdicts(results(new).clients)] == [("jitter", [worst])]


PAGES = {
    "one client": OLD,
    "a command": OLD | {"command": "faultinject conformance --client acme"},
    "a command with quotes and lines": OLD | {"command": "faultinject --client '`\n'"},
    "two clients": OLD | {"clients": OLD["clients"] * 2},
    "all clients": OLD | {"all": True},
    "not a default": with_client(note="timeout=12"),
    "no fault, many waits, no outage": with_client(
        {"gives up": "PASS", "jitter": "PASS", "backoff grows": "PASS"},
        version=None,
        numbers=NUMBERS["patient"],
    ),
    "who is missing": OLD
    | {
        "skipped": [{"client": "b", "title": "B's SDK", "install": "pip install b"}],
        "failed": [{"client": "c", "reason": "no Java"}],
    },
}


def test_the_page(golden):
    """The judged clients, each finding with its reason and its remedy, and those missing."""
    golden("pages.txt", lambda name: markdown(PAGES[name]).rstrip("\n"))
