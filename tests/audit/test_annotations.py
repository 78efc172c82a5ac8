"""Findings beside the code: workflow commands of GitHub Actions, and SARIF."""

import json
from dataclasses import replace

import pytest

import faultinject
from faultinject.audit.reports import render

from .judged import attempt, call, finding, judgement
from .rows import FAIL, INCONCLUSIVE, PASS, WARN

TESTS = """\
import pytest

pytestmark = pytest.mark.faultinject("cos:SlowDown")


def test_bare():
    pass


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.faultinject("reset")
async def test_marked(size):
    pass


@pytest.mark.faultinject(
    "cos:InternalError",
)
class TestUploads:
    def test_in_class(self):
        pass

    @pytest.mark.faultinject("hang")
    def test_own(self):
        pass


class TestOthers:
    def test_plain(self):
        pass
"""


@pytest.fixture
def tests(tmp_path, monkeypatch):
    """A file of tests, in the folder of the run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_a.py").write_text(TESTS)
    (tmp_path / "tests" / "broken.py").write_text("def")


def shown(test, verdict=FAIL, **more):
    """A finding that calls of a test show."""
    made = call(attempt(1, 0.0, test=test), attempt(2, 0.5, None, 200, test=test))
    return finding("gives up", verdict, "up to 9 attempts", calls=[made], action="Stop earlier.", **more)


@pytest.mark.parametrize(
    ("test", "place"),
    [
        ("tests/test_a.py::test_bare", " file=tests/test_a.py,line=6"),
        ("tests/test_a.py::test_marked[1::2]", " file=tests/test_a.py,line=11"),
        ("tests/test_a.py::TestUploads::test_in_class", " file=tests/test_a.py,line=16"),
        ("tests/test_a.py::TestUploads::test_own", " file=tests/test_a.py,line=23"),
        ("tests/test_a.py::TestOthers::test_plain", " file=tests/test_a.py,line=29"),
        ("tests/test_a.py::test_gone", " file=tests/test_a.py,line=1"),
        ("tests/broken.py::test_a", " file=tests/broken.py,line=1"),
        ("a,b:c%/test_x.py::test_a", " file=a%2Cb%3Ac%25/test_x.py,line=1"),
        ("a block", ""),
        (None, ""),
    ],
)
def test_a_failure_stands_at_the_marker(tests, test, place):
    """An annotation is at the marker's line, or at the test's; without a test it has no place."""
    text = render(judgement(shown(test)), "github")
    assert text == (
        f"::error{place}::gives up: up to 9 attempts (n = 5)%0AGET /photos/cat.jpg: 503 SlowDown, 0.50 s later 200"
        "%0A→ Stop earlier. See RFC 9110 10.2.3\n"
    )


def test_only_what_is_wrong_is_annotated():
    """A warning is a warning, unless the report is strict; what passed prints nothing."""
    found = judgement(finding("a", WARN), finding("b", PASS), finding("c", INCONCLUSIVE))
    said = "a: something (n = 5)%0A→ See RFC 9110 10.2.3\n"
    shown = [
        render(each, "github") for each in (found, replace(found, strict=True), judgement(finding("b", PASS)))
    ]
    assert shown == [f"::warning::{said}", f"::error::{said}", ""]


def test_nothing_judged_is_a_notice():
    """A run whose report proves nothing does not look like a success, and blames nobody."""
    found = judgement(finding("a", INCONCLUSIVE, "no call failed", 0), made=[])
    said = "Nothing could be judged: no call met a fault"
    assert render(found, "github").startswith(f"::notice::{said}")
    [run] = json.loads(render(found, "sarif"))["runs"]
    [invocation] = run["invocations"]
    [note] = invocation["toolExecutionNotifications"]
    told = (
        invocation["executionSuccessful"],
        note["level"],
        note["message"]["text"][: len(said)],
        run["results"],
    )
    assert told == (False, "note", said, [])


def test_sarif(tests):
    """One run: the checks as rules, the findings as results with a place each."""
    found = judgement(
        shown("tests/test_a.py::test_bare"), finding("jitter", WARN, "waits repeat"), finding("b", PASS)
    )
    log = json.loads(render(found, "sarif"))
    [run] = log.pop("runs")
    assert log == {"$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0"}
    results = run.pop("results")
    rules = [{"id": name, "help": {"text": "RFC 9110 10.2.3"}} for name in ("gives up", "jitter")]
    assert run == run | {
        "tool": {"driver": {"name": "faultinject", "version": faultinject.__version__, "rules": rules}},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": []}],
    }
    assert [(each["ruleId"], each["level"], each["locations"]) for each in results] == [
        ("gives up", "error", [at("tests/test_a.py", 6)]),
        ("jitter", "warning", [at("faultinject-report", 1)]),
    ]
    assert results[1]["message"]["text"].startswith("jitter: waits repeat (n = 5)\n→ See RFC 9110")


def at(path, line):
    """A place as SARIF has it."""
    return {"physicalLocation": {"artifactLocation": {"uri": path}, "region": {"startLine": line}}}
