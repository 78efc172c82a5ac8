"""`faultinject_explore(crash=True)` kills a test's program at each request, and reruns it."""

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
def test_what_the_store_holds(shows):
    """The store's content is a judge, and the marker repeats the failure alone."""
    source = TEST.replace("ASSERTION", "pass")
    result = shows(
        source,
        [
            "3 requests without a crash; 6 runs in *, 1 failed, 1 pruned, 1 left out",
            "written twice: /films/log has 12 bytes; without a crash it has 6 bytes",
            "  when at request 3 (PutObject /films/log) the program is killed: the store has "
            "carried it out, and nothing of"
            " the answer has left",
            "    3 PutObject     PUT /films/log  <- killed after it was carried out",
            "    killed, and run again:",
            "    3 PutObject     200 PUT /films/log",
        ],
    )
    [marker] = re.findall(r"^  replay: (@.+)$", result.stdout.str(), re.MULTILINE)
    shows(
        source.replace(MARK, marker),
        ["3 requests without a crash; 1 run in *, 1 failed, 1 pruned, 1 left out"],
    )


@pytest.mark.slow
def test_the_assertion(run, shows):
    """The test's assertion is a judge, with its traceback; a repaired program passes."""
    shows(
        ASSERTS,
        [
            "E       AssertionError: appended twice",
            "AssertionError: appended twice",
            "  ✕ written twice: /films/log has 12 bytes; without a crash it has 6 bytes",
        ],
    )
    run(ASSERTS.replace('HOW = "wrong"', 'HOW = "right"')).assert_outcomes(passed=1)


@pytest.mark.slow
def test_without_a_crash(run, shows):
    """`faults.run()` runs a program in any test, and fails with it."""
    plain = ASSERTS.replace(MARK, "@pytest.mark.faultinject('cos:SlowDown,path=/else')")
    ini = ("-o", "faultinject_unmatched=ignore")
    run(plain, *ini).assert_outcomes(passed=1)
    shows(plain.replace('"appended", HOW', '"begun", HOW'), ["E  *ProgramFailedError: exit code 1"], *ini)


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
def test_what_is_wrong(shows, mark, message):
    """One failed test with a message."""
    shows(ASSERTS.replace("(crash=True)", f"({mark})"), [f"*{message}*"])


@pytest.mark.slow
def test_what_the_test_itself_asks(run, shows):
    """It is taken for the program's unless it is hidden; the message says how."""
    source = ASSERTS.replace(
        "        with faults.pause():\n            requests.put", "        if True:\n            requests.put"
    )
    shows(
        source,
        ["*a crash came before faults.run(): put the test's own requests into `with faults.pause():`*"],
    )


@pytest.mark.slow
def test_no_program(run, shows):
    """A test that runs none, or several, cannot be explored so."""
    source = (
        ASSERTS.replace("faults.run(", "print(")
        .replace("env=", "end='', sep='', flush=")
        .replace(", cwd=tmp_path, store=storage", "")
        .replace('assert log.count("job 7") == 1, "appended twice"', "pass")
    )
    shows(source, ["*crash=True kills a program, and the test runs none: run it with faults.run()*"])
    twice = ASSERTS.replace(
        "        with faults.pause():\n            log",
        "        faults.run('true')\n        with faults.pause():\n            log",
    )
    shows(twice, ["*a crash needs a test that runs one program: faults.run() is called once in it*"])
