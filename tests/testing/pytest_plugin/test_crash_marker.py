"""`faultinject_explore(crash=True)`: the program that a test runs is killed at each request, and run again."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.live

# Not imported: to the oldest pytest, `tests.testing` is no package here.
CRASHING = str(Path(__file__).parents[1] / "exploration" / "crashing.py")

TEST = f"""
    import os, sys
    import pytest
    import requests

    HOW = "wrong"

    @pytest.mark.faultinject_explore(crash=True)
    def test_log(faults, faultinject_store, tmp_path):
        storage = faultinject_store("s3")
        with faults.pause():
            requests.put(storage.url + "/films", timeout=60)
        faults.run(
            [sys.executable, "-S", {CRASHING!r}, "appended", HOW],
            env={{**os.environ, "ENDPOINT": storage.url}}, cwd=tmp_path, store=storage,
        )
        with faults.pause():
            log = requests.get(storage.url + "/films/log", timeout=60).text
        ASSERTION
"""
MARK = "@pytest.mark.faultinject_explore(crash=True)"
ASSERTS = TEST.replace("ASSERTION", 'assert log.count("job 7") == 1, "appended twice"')


@pytest.mark.slow
def test_what_the_store_holds(run):
    """It is a judge of its own; the marker that is printed shows the failure again, and no other run."""
    source = TEST.replace("ASSERTION", "pass")
    result = run(source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "3 requests without a crash; 6 runs in *, 1 failed, 0 gave up cleanly, 0 not reached, 1 pruned, 1 left out",
            "written twice: /films/log has 12 bytes; without a crash it has 6 bytes",
            "  when at request 3 (PutObject /films/log) the program is killed: the store has carried it out, and nothing of"
            " the answer has left",
            "    3 PutObject     PUT /films/log  <- killed after the store had done it",
            "    killed, and run again:",
            "    3 PutObject     200 PUT /films/log",
        ]
    )
    [marker] = re.findall(r"^  replay: (@.+)$", result.stdout.str(), re.MULTILINE)
    again = run(source.replace(MARK, marker))
    again.assert_outcomes(failed=1)
    again.stdout.fnmatch_lines(["3 requests without a crash; 1 run in *, 1 failed, *"])


@pytest.mark.slow
def test_the_assertion(run):
    """The test's own assertion is a judge, with its traceback; where the program is repaired, it passes."""
    result = run(ASSERTS)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "E       AssertionError: appended twice",
            "AssertionError: appended twice",
            "  ✕ written twice: /films/log has 12 bytes; without a crash it has 6 bytes",
        ]
    )
    run(ASSERTS.replace('HOW = "wrong"', 'HOW = "right"')).assert_outcomes(passed=1)


@pytest.mark.slow
def test_without_a_crash(run):
    """`faults.run()` runs a program in any test, and fails with it."""
    plain = ASSERTS.replace(MARK, "@pytest.mark.faultinject('cos:SlowDown,path=/else')")
    ini = ("-o", "faultinject_unmatched=ignore")
    run(plain, *ini).assert_outcomes(passed=1)
    failing = plain.replace('"appended", HOW', '"begun", HOW')
    result = run(failing, *ini)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E  *ProgramFailed: exit code 1"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mark", "message"),
    [
        ("crash=1", "crash is True or False, not 1"),
        ("crash=True, depth=2", "depth is for faults alone; where programs are killed, they come in the second run"),
        ("crash=True, within=0", "within is a number of seconds above 0, not 0"),
        ("crash=True, within=float('inf')", "within is a number of seconds above 0, not inf"),
        ("crash=True, within=True", "within is a number of seconds above 0, not True"),
        ("crash=True, replay=3", "replay is the text of a scenario, not 3"),
        ('"cos", replay="reset"', "no run of this exploration is reset; copy a scenario from its report"),
        ('crash=True, replay="reset,name=crash"', "no run of this exploration is reset,name=crash; copy a scenario from its report"),
        ('crash=True, ignore="written twise"', "ignore: 'written twise' is not a check; did you mean 'written twice'[?]"),
        ("crash=True, max_runs=2", "6 runs are needed, and max_runs is 2: 3 requests*"),
    ],
)  # fmt: skip
def test_what_is_wrong(run, mark, message):
    """One failed test with a message."""
    result = run(ASSERTS.replace("(crash=True)", f"({mark})"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([f"*{message}*"])


@pytest.mark.slow
def test_what_the_test_itself_asks(run):
    """It is taken for the program's unless it is hidden; the message says how."""
    source = ASSERTS.replace(
        "        with faults.pause():\n            requests.put", "        if True:\n            requests.put"
    )
    result = run(source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*a crash came before faults.run(): what the test itself asks belongs into `with faults.pause():`*"]
    )


@pytest.mark.slow
def test_no_program(run):
    """A test that runs none, or several, cannot be explored so."""
    source = (
        ASSERTS.replace("faults.run(", "print(")
        .replace("env=", "end='', sep='', flush=")
        .replace(", cwd=tmp_path, store=storage", "")
        .replace('assert log.count("job 7") == 1, "appended twice"', "pass")
    )
    result = run(source)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*crash=True kills a program, and the test runs none: run it with faults.run()*"]
    )
    twice = ASSERTS.replace(
        "        with faults.pause():\n            log",
        "        faults.run('true')\n        with faults.pause():\n            log",
    )
    result = run(twice)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*a crash needs a test that runs one program: faults.run() is called once in it*"]
    )
