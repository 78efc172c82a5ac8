"""`faultinject trial --speed`: faster clocks, and failures that come only from the speed."""

from pathlib import Path

import pytest

from .test_cli_trial import LISTENED, PYTEST, RIGHT, WRONG, trial
from .test_cli_trial import job as job  # fixtures
from .test_cli_trial import suite as suite

pytestmark = pytest.mark.live

NOTED = """
with open(__file__.rpartition("/")[0] + "/runs", "a") as runs:
    runs.write(str(int("FAKETIME" in os.environ)))
"""
ONLY_WHEN_FAST = """
def test_only_when_fast():
    ask("PUT", "/films")
    ask("PUT", "/films/cat", tries=1 if "FAKETIME" in os.environ else 3)
"""
NEVER_FAST = """
def test_never_fast():
    ask("PUT", "/never")
    assert "FAKETIME" not in os.environ
"""


WRONG_AND_NEVER_FAST = NEVER_FAST.replace('"/never"', '"/never", tries=1')


@pytest.mark.parametrize(
    ("tests", "code", "broken", "fast"),
    [
        # In real time, then faster; that differs, so in real time again.
        pytest.param((RIGHT, NEVER_FAST), 0, [], "01010", marks=pytest.mark.slow),
        pytest.param(
            (RIGHT, WRONG_AND_NEVER_FAST),
            1,
            ["test_never_fast"],
            "010100",
            marks=pytest.mark.slow,
        ),
        ((RIGHT, ONLY_WHEN_FAST), 0, [], "0110"),
        # The last is the run with the smallest rule.
        pytest.param((RIGHT, WRONG), 1, ["test_wrong"], "01100", marks=pytest.mark.slow),
    ],
)
def test_what_fails_only_because_of_the_speed_is_not_broken(
    run, job, tmp_path, libfaketime, tests, code, broken, fast
):
    """A run with a broken test is repeated in real time; too fast tests are named.

    Tests that end in another way without faults.
    """
    found, report = trial(run, *LISTENED, "-r", "s3:SlowDown", "--speed", "20", *job(NOTED, *tests))
    assert (found, [each["test"] for each in report["broken"]]) == (code, broken)
    never = ["test_never_fast"] if "test_never_fast" in tests[1] else []
    assert (report["too_fast"], report["flaky"]) == (never, [])
    assert (tmp_path / "runs").read_text() == fast


@pytest.mark.slow
def test_what_fails_at_the_speed_is_said(run, suite, libfaketime):
    """A test that ends in two ways in real time, too, is flaky."""
    words = ["-r", "s3:SlowDown", "--speed", "20", "--", *PYTEST]
    _, out, _ = run("trial", *words, suite(NEVER_FAST))
    assert out.endswith("\nflaky, or too fast (give a smaller --speed): test_it.py::test_never_fast\n")
    flaky = "def test_flaky():\n    ask('PUT', '/flaky')\n    assert run_number() < 2\n"
    code, out, _ = run("trial", *words, suite(flaky))
    assert (code, out.splitlines()[1:]) == (
        3,
        [
            "flaky: test_it.py::test_flaky",
            "no fault was tried: none of the tests passes in both runs without faults",
        ],
    )


WAITING = """
import time

def test_waiting():
    ask("PUT", "/films")
    try:
        ask("PUT", "/films/cat", tries=1)
    except RuntimeError:
        time.sleep(600)
        ask("PUT", "/films/cat", tries=1)
"""


@pytest.mark.slow
@pytest.mark.skipif(
    not any(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")),
    reason="libfaketime is not installed: apt-get install faketime",
)
def test_libfaketime(run, suite):
    """pytest is heard under it, and its client does not keep anybody waiting."""
    rule = "s3:SlowDown,operation=PutObject"
    code, report = trial(run, "-r", rule, "--speed", "50", "--", *PYTEST, suite(RIGHT, WAITING))
    assert (code, report["broken"], report["flaky"]) == (0, [], [])
    assert report["seconds"] < 600
