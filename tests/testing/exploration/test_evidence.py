"""The evidence of an exploration's findings, and the words that it allows."""

import contextlib
import json

import pytest

from faultinject.audit.checks import CHECKS
from faultinject.testing.exploration.store_comparison import StoreComparison

from .service import client, exploring_runs, send
from .test_second_judge import HIDDEN, ID, LOST, SLOW_DOWN, putting, upload

WIRE, TOLD, STORE, DOCUMENT = "wire", "told", "store", "document"
WORDS = {
    TOLD: ("reported", "the caller", "prints"),
    STORE: ("took effect", "wrote", "removed", "keeps its parts", "is there", "is not there", "there it has"),
}
"""Words that need such evidence."""


def swallowing(faults):
    """Nobody hears of an error in a 200."""
    with contextlib.suppress(OSError), faults.call("upload"):
        client.put("/b/to")


def raising(_):
    """A test that fails at a lost answer, though the write stands."""
    assert send("PUT", "/b/k", data=b"meow") == 200


def found(code, fault):
    """The failures and warnings of an exploration, as data."""
    exploration, _ = exploring_runs(code, fault)
    said = json.loads(exploration.to_json())
    return said, [each for failure in said["findings"] for each in failure.get("checks", [])] + said["warned"]


@pytest.mark.parametrize(
    ("code", "fault", "check", "kinds"),
    [
        (putting(b"meow", b"", headers=ID), SLOW_DOWN, "same bytes", (WIRE, DOCUMENT)),
        (lambda: send("PUT", "/b/to"), HIDDEN, "error in 200", (WIRE, DOCUMENT)),
        (swallowing, HIDDEN, "error in 200", (WIRE, TOLD, DOCUMENT)),
        (
            putting(b"meow", b"meow", headers=ID, method="POST", path="/orders/new"),
            LOST,
            "non-idempotent retry",
            (WIRE, STORE, DOCUMENT),
        ),
        (raising, LOST, "lost answer", (WIRE, TOLD, DOCUMENT)),
        (putting(b"meow", b"meow!", headers=ID), LOST, "lost answer", (WIRE, STORE, DOCUMENT)),
        (upload(), SLOW_DOWN, "uploads left open", (WIRE, STORE)),
    ],
)
def test_a_finding_names_its_kinds_and_documents(code, fault, check, kinds):
    """As one of a report on clients does, with the documents of the check of that name."""
    _, findings = found(code if code in (swallowing, raising) else lambda _: code(), fault)
    [finding, *_] = [each for each in findings if each["check"] == check]
    documents = CHECKS[check].documents if check in CHECKS else ()
    named = [each["name"] for each in finding.get("documents", [])]
    assert (finding["evidence"], named) == ([*kinds], [each.name for each in documents])
    assert (finding["reference"], finding["action"] != "") == ("; ".join(map(str, documents)), True)
    for each in findings:
        for kind, words in WORDS.items():
            if any(word in each["message"] for word in words):
                assert kind in each["evidence"], each["message"]


def endless(_):
    while send("GET", "/b/k") != 200:
        pass


@pytest.mark.parametrize(
    ("code", "fault", "error", "kinds"),
    [
        (raising, SLOW_DOWN, "AssertionError", [[TOLD]]),
        (lambda _: putting(b"meow", b"", headers=ID)(), SLOW_DOWN, "same bytes", [[WIRE, DOCUMENT]] * 2),
        (endless, "http:503,from=1", "RunAway", [[WIRE]]),
    ],
    ids=["raised", "by the second judge", "without an end"],
)
def test_what_a_failure_rests_on(code, fault, error, kinds):
    """A raised error is told; a finding of the second judge has evidence of its own.

    Of code without an end nobody told that it failed: its requests show that.
    """
    said, _ = found(code, fault)
    [failure] = said["findings"]
    assert failure["error"].partition(":")[0] == error
    assert [each["evidence"] for each in (failure, *failure.get("checks", []))] == kinds


def test_the_store():
    """Findings on objects rest on the store, and on no document."""
    comparison = StoreComparison()
    for _ in range(2):
        comparison.learn({"/b/old": b"old"}, [{"/b/cat": b"meow"}])
    after = [{"/b/cat": b"me"}, {"/b/old": b"old"}, {"/b/cat": b"meow", "/b/dog": b"meow"}]
    findings = [each for end in after for each in comparison.findings({"/b/old": b"old"}, end, lost=True)]
    assert [each.check for each in findings] == [
        "half written",
        "object lost",
        "not removed",
        "perhaps written twice",
    ]
    assert {(*each.evidence, *each.documents) for each in findings} == {(STORE,)}
