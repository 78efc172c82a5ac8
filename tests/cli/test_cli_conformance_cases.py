"""`faultinject conformance --cases`: what it takes, shows and exits with."""

import json
import re
from pathlib import Path

import pytest

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture
def clients(monkeypatch):
    """The folder of a client that keeps to the specification, and of the flaws that it may have."""
    monkeypatch.chdir(Path(__file__).parents[1] / "conformance")


def verdicts(output):
    [client] = json.loads(output)["clients"]
    return {each["case"]: each["verdict"] for each in client["cases"]}


@pytest.mark.alone  # its cases have waits of 50 ms at most, which a machine with other work makes longer
@pytest.mark.usefixtures("clients")
def test_a_right_client(run):
    """The result first, then each case; what cannot be played is said and fails nothing."""
    code, output, errors = run(
        "conformance", "--cases", "aws-standard-2.1", "--client", "standard_retries:Client"
    )
    assert code == 0, output + errors
    first, *cases = output.splitlines()
    assert first == "standard_retries:Client, aws-standard-2.1: 12 of 12 cases pass, 2 cannot be decided"
    assert [each.strip()[0] for each in cases] == ["?"] * 2 + ["✓"] * 12


@pytest.mark.usefixtures("clients")
@pytest.mark.parametrize(
    ("cases", "client", "variables", "code", "expected"),
    [
        # A client of before passes the cases of its time.
        ("aws-standard-2.0", "Old", {}, 0, {"PASS", "INCONCLUSIVE"}),
        # A client that makes another number of attempts than it was given decides nothing.
        ("aws-standard-2.1", "Client", {"FLAW": "deaf", "SAYS": "7"}, 3, {"INCONCLUSIVE"}),
    ],
)
def test_the_exit_code(run, cases, client, variables, code, expected):
    """By the verdicts of all cases."""
    words = ("conformance", "--cases", cases, "--client", f"standard_retries:{client}", "--json")
    found, output, _ = run(*words, env=variables)
    assert (found, {*verdicts(output).values()}) == (code, expected)


@pytest.mark.usefixtures("clients")
def test_a_client_of_before_fails_the_cases_of_today(run):
    """The older client fails most cases of the newer specification; advice is the last line.

    By its backoff, its tokens, and the header it ignores. The cases stand behind the result. Two cases cannot
    be played; a busy machine leaves more undecided.
    """
    code, output, _ = run("conformance", "--cases", "aws-standard-2.1", "--client", "standard_retries:Old")
    first, *cases, last = output.splitlines()
    says = r"standard_retries:Old, aws-standard-2.1: \d+ of \d+ cases fail, \d+ cannot be decided"
    assert (code, bool(re.fullmatch(says, first))) == (1, True)
    signs = {case: sign for sign, case in (each.strip().partition(":")[0].split(" ", 1) for each in cases)}
    assert re.fullmatch(r"✕+\?{2,}✓*", "".join(signs.values()))
    assert "✓" not in {
        signs[case] for case in ("backoff doubles", "two failures, then success", "tokens for one retry only")
    }
    assert last.startswith("  → compare the client's retry settings with https://")


@pytest.mark.alone  # as above
def test_boto3(run):
    """boto3 keeps to one of the two specifications, whatever its caller's settings.

    Whichever its version has.
    """
    pytest.importorskip("boto3")
    outputs = [
        run("conformance", "--cases", name, "--client", "boto3", "--json")[1]
        for name in ("aws-standard-2.0", "aws-standard-2.1")
    ]
    fails = ["FAIL" in verdicts(output).values() for output in outputs]
    assert sorted(fails) == [False, True], "\n".join(outputs)


@pytest.mark.usefixtures("clients")
def test_a_client_that_cannot_be_started(run):
    """The ones before it are shown, and the exit code is 2."""
    clients = ("--client", "standard_retries:Client", "--client", "sh -c 'exit 3'")
    code, output, errors = run("conformance", "--cases", "aws-standard-2.1", *clients)
    assert (code, output.partition(",")[0]) == (2, "standard_retries:Client")
    assert "\nsh -c 'exit 3': " in f"\n{errors}"  # behind what a slow machine says of how far it is
