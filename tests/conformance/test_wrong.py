"""Clients that are wrong on purpose, one in each language of a driver, are caught."""

import shutil
import subprocess
from pathlib import Path

import pytest

import faultinject
from faultinject.conformance.driving import run
from faultinject.conformance.plan import choose_phases, codes_of
from faultinject.conformance.sdks import SDKS

pytestmark = pytest.mark.live
DRIVERS = Path(faultinject.__file__).with_name("conformance") / "drivers"
WRONG = Path(__file__).parent / "wrong"
REFUSED = {"permanent", "retry-after"}
LANGUAGES = ("JavaScript", "shell", "Java", "C", "C++", "Rust", "Go")


def built(tmp_path, file, *words):
    """The program that a compiler makes; it is given the file's name last."""
    program = tmp_path / "wrong"
    made = subprocess.run(
        [*words, "-o", program, WRONG / file],
        capture_output=True, text=True, check=False, timeout=100, cwd=tmp_path,
    )  # fmt: skip
    assert made.returncode == 0, made.stderr
    return [str(program)]


@pytest.mark.parametrize(
    ("needed", "command", "failed"),
    [
        # On a machine without a free processor it is not known whether it waits.
        pytest.param("node", lambda _: ["node", str(WRONG / "retries_at_once.js")], {*REFUSED, "backoff"}, marks=[pytest.mark.slow, pytest.mark.alone]),
        pytest.param("curl", lambda _: ["sh", str(WRONG / "retries_refusals.sh")], REFUSED, marks=pytest.mark.slow),
        pytest.param("javac", lambda _: ["java", str(DRIVERS / "java" / "Contract.java"), str(WRONG / "RetriesRefusals.java")], REFUSED, marks=pytest.mark.slow),
        pytest.param("cc", lambda folder: built(folder, "retries_refusals.c", "cc"), REFUSED, marks=pytest.mark.slow),
        pytest.param("c++", lambda folder: built(folder, "retries_refusals.cpp", "c++", "-pthread"), REFUSED, marks=pytest.mark.slow),
        pytest.param("rustc", lambda folder: built(folder, "retries_refusals.rs", "rustc"), REFUSED, marks=pytest.mark.slow),
        pytest.param("go", lambda folder: built(folder, "retries_refusals.go", "go", "build"), REFUSED, marks=pytest.mark.slow),
    ],
    ids=LANGUAGES,
)  # fmt: skip
def test_a_client_that_is_wrong_is_caught(needed, command, failed, tmp_path):
    """A client that repeats refused requests is caught; the one in JavaScript never waits."""
    if shutil.which(needed) is None:
        pytest.skip(f"{needed} is not here")
    names = ("cal", "throttled", "denied", "not-found", "bad", "retry-after")
    phases = choose_phases(codes_of("cos"), names=names)
    done = run(command(tmp_path), name="wrong", phases=phases)
    # No document of COS asks for a backoff.
    found = {
        each.check
        for each in done.judgement.findings
        if each.verdict == "FAIL" or (each.check, each.verdict) == ("backoff", "WARN")
    }
    assert (done.failure, done.judgement.conclusion.exit_code) == ("", 1)
    assert failed <= found


def test_every_language_has_one():
    """Python's are in `tests/clients/corpus`."""
    assert {each.language for each in SDKS.values()} <= {"Python", *LANGUAGES}
