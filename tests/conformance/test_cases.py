"""The store answers by the cases of a specification, and the client is compared with them."""

import re
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from faultinject.conformance.cases import Specification, play, specification, specifications
from faultinject.exceptions import ConfigurationError
from tests.slowly import slowly

pytestmark = pytest.mark.live

PASS, FAIL, OPEN = "PASS", "FAIL", "INCONCLUSIVE"


def command(name):
    return (sys.executable, "-m", "faultinject.conformance", f"standard_retries:{name}")


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.chdir(Path(__file__).parent)


SMALL = {"title": "small", "source": "https://example.com", "capacity": 500, "cost": 14}


def small(*cases):
    """A specification whose cases take no time: a client of few tokens."""
    return msgspec.convert({**SMALL, "case": cases}, Specification)


TIGHT = {
    "name": "tight",
    "calls": [[{"status": 500, "wait": 0.05}, {"status": 500, "wait": 0.1}, {"status": 200}]],
}
"""The waits of the specification; those of the cases below have room for a busy machine."""
RETRIED = {
    "name": "retried",
    "calls": [[{"status": 500, "wait": 5}, {"status": 500, "wait": 5}, {"status": 200}]],
    "left": 486,
}
EXHAUSTED = {"name": "exhausted", "tokens": 14, "calls": [[{"status": 500, "wait": 5}, {"status": 502}]]}
ASKED = {
    "name": "asked",
    "calls": [[{"status": 500, "asked": "400", "least": 0.4, "wait": 5}, {"status": 200}]],
}
LATE = {
    "name": "late",
    "calls": [[{"status": 500, "asked": "400", "least": 0.4, "wait": 0.4}, {"status": 200}]],
}
FIVE = {
    "name": "five",
    "attempts": 5,
    "tokens": 30,
    "calls": [
        [{"status": 500, "wait": 5}, {"status": 502, "wait": 5}, {"status": 200}],
        [{"status": 500, "wait": 5}, {"status": 200}],
    ],
}


def test_a_client_that_keeps_to_them_passes():
    """Each case says what its PASS rests on; one that cannot be played says why."""
    found = play(
        command("Client"),
        small(RETRIED, EXHAUSTED, ASKED, FIVE, {"name": "skipped", "skipped": "nobody can play it"}),
    )
    assert [(each.case, each.verdict) for each in found] == [
        ("retried", PASS),
        ("exhausted", PASS),
        ("asked", PASS),
        ("five", PASS),
        ("skipped", OPEN),
    ]
    assert re.fullmatch("attempts: 3; backoff: .*; retries in an outage: 34", found[0].message)
    assert (found[3].message[:25], found[4].message) == ("attempts: 3, 2; backoff: ", "nobody can play it")


@pytest.mark.parametrize(
    ("name", "flaw", "case", "verdict", "says"),
    [
        # Each flaw fails the case that shows it, with the difference in the message.
        ("Client", "spendthrift", RETRIED, FAIL, "retries in an outage instead of 34, which is what 486 tokens allow"),
        slowly("Client", "spendthrift", EXHAUSTED, FAIL, "3 attempts instead of 2"),
        slowly("Client", "miser", FIVE, FAIL, "call 1: "),
        ("Client", "hasty", {"name": "hasty", "calls": [[{"status": 500, "asked": "5000", "least": 5}, {"status": 200}]]}, FAIL, "s instead of at least 5 s"),
        slowly("Client", "late", LATE, FAIL, r"s instead of at most 0\.4 s"),
        slowly("Client", "liar", EXHAUSTED, FAIL, "the caller did not get an error"),
        # The client of before 2026 waits twenty times as long, and pays less for a retry.
        slowly("Old", "", RETRIED, FAIL, r"^(?!.*99 retries).*instead of 34"),
        # Delay that all requests of a case share may be the machine's: undecided, no success. The first ones are late too.
        # The machine's own stops are subtracted, which may leave one of the two waits short enough.
        ("Client", "busy", TIGHT, OPEN, r"s instead of at most 0\.(05|1) s.*; the machine was busy: calls began 0\.3"),
        slowly("Client", "late", TIGHT, FAIL, r"^(?!.*; the machine was busy: calls began 0\.3).*s instead of at most 0\.05 s"),
        # A client that cannot be told how often to try is not judged: it says itself that it makes three attempts.
        ("Client", "deaf", FIVE, OPEN, "^the client says that it makes 3 attempts at most, and does not read AWS_MAX_ATTEMPTS$"),
        # A call of another kind than it has.
        ("Client", "", {"name": "write", "do": "put", "calls": [[{"status": 503}]]}, OPEN, "^the client has no put among its kinds$"),
    ],
)  # fmt: skip
def test_a_case(monkeypatch, name, flaw, case, verdict, says):
    """Its verdict, and why."""
    monkeypatch.setenv("FLAW", flaw)
    [found] = play(command(name), small(case))
    assert (found.verdict, bool(re.search(says, found.message))) == (verdict, True), found.message


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_machine_that_stops_is_no_backoff(monkeypatch):
    """Time in which a virtual machine stands still counts as nobody's backoff."""
    monkeypatch.setenv("FLAW", "stopped")
    answer = {"status": 500, "asked": "1500", "least": 1.5, "wait": 1.5}
    case = {"name": "asked", "calls": [[answer, {"status": 200}]]}
    program = (  # a process of its own, so that it can be stopped
        "import msgspec, sys; from faultinject.conformance.cases import Specification, play\n"
        "case = msgspec.json.decode(sys.argv[1], type=Specification)\n"
        "print([(each.verdict, each.message) for each in play(sys.argv[2:], case)])"
    )
    played = subprocess.run(
        [sys.executable, "-c", program, msgspec.json.encode({**SMALL, "case": [case]}), *command("Client")],
        check=False,
        capture_output=True,
        text=True,
    )
    assert played.stdout.startswith("[('PASS', 'attempts: 2; backoff: "), played.stdout + played.stderr


def test_a_program_that_is_started_for_each_call_keeps_no_tokens():
    """Its cases of tokens are not decided, and nothing is counted at the end of the others."""
    found = play(command("Client"), small(RETRIED, EXHAUSTED), keeps_tokens=False)
    assert [each.verdict for each in found] == [PASS, OPEN]
    why = "each call is a process of its own, which keeps no tokens"
    assert ("outage" in found[0].message, found[1].message) == (False, why)


def code(text, ready='{"ready": true}'):
    """A client that is a few words of Python."""
    return (sys.executable, "-c", f"import sys, time; input(); print({ready!r}, flush=True); {text}")


@pytest.mark.parametrize(
    ("text", "deadline", "verdict", "says"),
    [
        # It fails each of the cases that it can play no more, in its words.
        ("input(); sys.exit(3)", {}, FAIL, "ended with exit code 3"),
        # It is waited for once, and not once for each case.
        ("sys.stdin.read()", {"deadline": 0.2}, OPEN, "had not ended after 0.2 s; give --deadline more"),
    ],
    ids=["dies", "does not answer"],
)
def test_a_client_that_goes_wrong(text, deadline, verdict, says):
    """All cases that are left have its verdict."""
    found = play(code(text), small(EXHAUSTED, RETRIED, FIVE), **deadline)
    assert [(each.verdict, says in each.message) for each in found] == [(verdict, True)] * 3


def test_a_client_that_reads_nothing_is_refused():
    """All cases are GETs."""
    with pytest.raises(ConfigurationError, match="the client has no get among its kinds"):
        play(code("input()", '{"ready": true, "kinds": ["put"]}'), small(RETRIED))


UPLOADS = [f"objects.insert without a precondition: a {each} is final" for each in ("503", "reset")]
READS = [f"objects.get: {each}" for each in ("two 503", "two resets", "a reset, then a 503")]
AZURE = [
    {"name": "retried", "calls": [[{"status": 429}, {"status": 200}]]},
    {"name": "final", "calls": [[{"status": 501}]]},
    {"name": "three", "calls": [[{"status": 503}] * 4]},
    {
        "name": "asked",
        "calls": [[{"status": 503, "header": "retry-after", "asked": "1", "least": 1}, {"status": 200}]],
    },
]
"""Of azure-core's, which last for minutes: a client of Microsoft's waits at its own pace."""


GOOGLES, AZURES = specification("google-storage"), small(*AZURE)


@pytest.mark.parametrize(
    ("name", "cases", "vendor", "flaw", "expected"),
    [
        # An idempotent call is retried; one without a precondition, or with a bad request, is not.
        ("Google", GOOGLES, "gcs", "", {}),
        # A client that retries what is final finds the store's own answer behind it.
        ("Google", GOOGLES, "gcs", "bold", dict.fromkeys(UPLOADS, "2 attempts instead of 1")),
        ("Google", GOOGLES, "gcs", "shy", dict.fromkeys(READS, "1 attempt instead of 3")),
        # Wrong statuses, wrong numbers of retries, and waits that are too short.
        slowly("Azure", AZURES, "azure-blob", "", {}),
        slowly("Azure", AZURES, "azure-blob", "shy", dict.fromkeys(("retried", "three", "asked"), "")),
        ("Azure", AZURES, "azure-blob", "hasty", {"asked": "s instead of at least 1 s"}),
    ],
    ids=["Google", "bold", "shy", "Azure", "shy", "hasty"],
)  # fmt: skip
def test_cases_of_others(monkeypatch, name, cases, vendor, flaw, expected):
    """A right client fails none, and a wrong one those that show it."""
    monkeypatch.setenv("FLAW", flaw)
    found = play(command(name), cases, vendor=vendor)
    wrong = {each.case: each.message for each in found if each.verdict == FAIL}
    assert wrong.keys() == expected.keys()
    assert [case for case, said in expected.items() if said not in wrong[case]] == []
    undecided = ["objects.insert with a precondition is retried"] if name == "Google" else []
    assert [each.case for each in found if each.verdict == OPEN] == undecided


def test_all_specifications_can_be_read():
    """Each has an address for its facts; a name that is none is answered with the nearest."""
    assert specifications() == ["aws-standard-2.0", "aws-standard-2.1", "azure-core", "google-storage"]
    for name in specifications():
        found = specification(name)
        assert found.source.startswith("https://")
        assert [case for case in found.case if bool(case.calls) is bool(case.skipped)] == []
    for name, said in (
        ("aws-standard-2.2", "did you mean aws-standard-2.1?"),
        ("x", "there are aws-standard-2.0, aws-standard-2.1, azure-core, google-storage"),
    ):
        with pytest.raises(ConfigurationError, match=re.escape(f"there is no {name!r}; {said}")):
            specification(name)
