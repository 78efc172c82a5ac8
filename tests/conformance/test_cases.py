"""The store answers by the cases of a specification, and the client is compared with them."""

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from faultinject.conformance.cases import Specification, play, specification, specifications
from faultinject.exceptions import ConfigurationError

HERE = Path(__file__).parent
pytestmark = pytest.mark.live

PASS, FAIL, OPEN = "PASS", "FAIL", "INCONCLUSIVE"


def command(name):
    return (sys.executable, "-m", "faultinject.conformance", f"standard_retries:{name}")


@pytest.fixture(autouse=True)
def _here(monkeypatch):
    monkeypatch.chdir(HERE)


SMALL = {"title": "small", "source": "https://example.com", "capacity": 500, "cost": 14}


def small(*cases):
    """A specification whose cases take no time: a client of few tokens."""
    return msgspec.convert({**SMALL, "case": cases}, Specification)


def verdicts(name, *cases):
    return [(each.verdict, each.message) for each in play(command(name), small(*cases))]


TIGHT = [[{"status": 500, "wait": 0.05}, {"status": 500, "wait": 0.1}, {"status": 200}]]
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
HASTY = {"name": "hasty", "calls": [[{"status": 500, "asked": "5000", "least": 5}, {"status": 200}]]}
FIVE = {
    "name": "five",
    "attempts": 5,
    "tokens": 30,
    "calls": [
        [{"status": 500, "wait": 5}, {"status": 502, "wait": 5}, {"status": 200}],
        [{"status": 500, "wait": 5}, {"status": 200}],
    ],
}
SKIPPED = {"name": "skipped", "skipped": "nobody can play it"}


def test_a_client_that_keeps_to_them_passes():
    """Each case says what its PASS rests on; one that cannot be played says why."""
    found = play(command("Client"), small(RETRIED, EXHAUSTED, ASKED, FIVE, SKIPPED))
    assert [(each.case, each.verdict) for each in found] == [
        ("retried", PASS),
        ("exhausted", PASS),
        ("asked", PASS),
        ("five", PASS),
        ("skipped", OPEN),
    ]
    assert found[0].message.startswith("attempts: 3; backoff: ")
    assert found[0].message.endswith("; retries in an outage: 34")
    assert found[3].message.startswith("attempts: 3, 2; backoff: ")
    assert found[4].message == "nobody can play it"


@pytest.mark.parametrize(
    ("flaw", "case", "message"),
    [
        ("spendthrift", RETRIED, "retries in an outage instead of 34, which is what 486 tokens allow"),
        pytest.param("spendthrift", EXHAUSTED, "3 attempts instead of 2", marks=pytest.mark.slow),
        pytest.param("miser", FIVE, "call 1: ", marks=pytest.mark.slow),
        ("hasty", HASTY, "s instead of at least 5 s"),
        pytest.param("late", LATE, "s instead of at most 0.4 s", marks=pytest.mark.slow),
        pytest.param("liar", EXHAUSTED, "the caller did not get an error", marks=pytest.mark.slow),
    ],
)
def test_a_flaw_fails_the_case_that_shows_it(monkeypatch, flaw, case, message):
    """Each flaw fails the case that shows it, with the difference in the message."""
    monkeypatch.setenv("FLAW", flaw)
    [(verdict, said)] = verdicts("Client", case)
    assert verdict == FAIL
    assert message in said


@pytest.mark.slow
def test_a_longer_backoff_fails():
    """The client of before 2026 waits twenty times as long, and pays less for a retry."""
    [(verdict, said)] = verdicts("Old", RETRIED)
    assert verdict == FAIL
    assert "99 retries" not in said
    assert "instead of 34" in said


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


@pytest.mark.parametrize(
    ("flaw", "verdict"), [("busy", OPEN), pytest.param("late", FAIL, marks=pytest.mark.slow)]
)
def test_a_machine_that_became_busy_decides_no_backoff(monkeypatch, flaw, verdict):
    """Delay that all requests of a case share may be the machine's: undecided, no success.

    The first requests are late too.
    """
    monkeypatch.setenv("FLAW", flaw)
    [(found, said)] = verdicts("Client", {"name": "asked", "calls": TIGHT})
    assert found == verdict
    assert "s instead of at most 0.05 s" in said
    assert ("; the machine was busy: calls began 0.3" in said) is (verdict == OPEN)


def test_a_client_that_cannot_be_told_how_often_to_try_is_not_judged(monkeypatch):
    """It says itself that it makes three attempts."""
    monkeypatch.setenv("FLAW", "deaf")
    [(verdict, said)] = verdicts("Client", FIVE)
    assert verdict == OPEN
    assert said == "the client says that it makes 3 attempts at most, and does not read AWS_MAX_ATTEMPTS"


def test_a_program_that_is_started_for_each_call_keeps_no_tokens():
    """Its cases of tokens are not decided, and nothing is counted at the end of the others."""
    found = play(command("Client"), small(RETRIED, EXHAUSTED), keeps_tokens=False)
    assert [each.verdict for each in found] == [PASS, OPEN]
    assert "outage" not in found[0].message
    assert found[1].message == "each call is a process of its own, which keeps no tokens"


def code(text):
    """A client that is a few words of Python."""
    return (
        sys.executable,
        "-c",
        f"import sys, time; input(); print('{{\"ready\": true}}', flush=True); {text}",
    )


def test_a_client_that_dies_fails():
    """Each of the cases that it can play no more, in its words."""
    found = play(code("input(); sys.exit(3)"), small(EXHAUSTED, RETRIED, FIVE))
    assert [each.verdict for each in found] == [FAIL] * 3
    assert all("ended with exit code 3" in each.message for each in found)


def test_a_client_that_does_not_answer_is_not_decided():
    """It is waited for once, and not once for each case."""
    found = play(code("sys.stdin.read()"), small(EXHAUSTED, RETRIED), deadline=0.2)
    assert [each.verdict for each in found] == [OPEN] * 2
    assert all("had not ended after 0.2 s; give --deadline more" in each.message for each in found)


def test_a_client_that_reads_nothing_is_refused():
    """All cases are GETs."""
    client = (
        sys.executable,
        "-c",
        'input(); print(\'{"ready": true, "kinds": ["put"]}\', flush=True); input()',
    )
    with pytest.raises(ConfigurationError, match="the client has no get among its kinds"):
        play(client, small(RETRIED))


def played(name, cases, vendor):
    """By case, the verdict and the message."""
    return {each.case: (each.verdict, each.message) for each in play(command(name), cases, vendor=vendor)}


def wrong(found):
    """The cases that fail."""
    return {case: message for case, (verdict, message) in found.items() if verdict == FAIL}


UPLOADS = {
    "objects.insert without a precondition: a 503 is final": "3 attempts instead of 1",
    "objects.insert without a precondition: a reset is final": "3 attempts instead of 1",
}
READS = {
    "objects.get: two 503": "1 attempt instead of 3",
    "objects.get: two resets": "1 attempt instead of 3",
    "objects.get: a reset, then a 503": "1 attempt instead of 3",
}


@pytest.mark.parametrize(
    ("flaw", "expected"), [("", {}), ("bold", UPLOADS), ("shy", READS)], ids=["right", "bold", "shy"]
)
def test_googles_cases(monkeypatch, flaw, expected):
    """An idempotent call is retried; one without a precondition, or with a bad request, is not."""
    monkeypatch.setenv("FLAW", flaw)
    found = played("Google", specification("google-storage"), "gcs")
    # A client that retries what is final finds the store's own answer behind it.
    assert {case: said.partition(";")[0] for case, said in wrong(found).items()} == {
        case: said.replace("3 attempts", "2 attempts") for case, said in expected.items()
    }
    assert [case for case, (verdict, _) in found.items() if verdict == OPEN] == [
        "objects.insert with a precondition is retried"
    ]


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


@pytest.mark.parametrize(
    ("flaw", "expected"),
    [
        ("", set()),
        pytest.param("shy", {"retried", "three", "asked"}, marks=pytest.mark.slow),
        ("hasty", {"asked"}),
    ],
    ids=["right", "shy", "hasty"],
)
def test_azures_cases(monkeypatch, flaw, expected):
    """The cases fail for wrong statuses, wrong numbers of retries, and waits that are too short."""
    monkeypatch.setenv("FLAW", flaw)
    found = played("Azure", small(*AZURE), "azure-blob")
    assert set(wrong(found)) == expected
    if flaw == "hasty":
        assert "s instead of at least 1 s" in found["asked"][1]


def test_a_client_that_cannot_do_a_call_is_not_judged_by_it():
    """Of another kind than it has."""
    assert verdicts("Client", {"name": "write", "do": "put", "calls": [[{"status": 503}]]}) == [
        (OPEN, "the client has no put among its kinds")
    ]


def test_all_specifications_can_be_read():
    """Each has an address for its facts; a name that is none is answered with the nearest."""
    assert specifications() == ["aws-standard-2.0", "aws-standard-2.1", "azure-core", "google-storage"]
    for name in specifications():
        assert specification(name).source.startswith("https://")
        for case in specification(name).case:
            assert bool(case.calls) is not bool(case.skipped)
    with pytest.raises(
        ConfigurationError, match=r"there is no 'aws-standard-2\.2'; did you mean aws-standard-2\.1\?"
    ):
        specification("aws-standard-2.2")
    with pytest.raises(
        ConfigurationError,
        match=r"there is no 'x'; there are aws-standard-2\.0, aws-standard-2\.1, azure-core, google-storage",
    ):
        specification("x")
