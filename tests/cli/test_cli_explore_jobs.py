"""`faultinject explore --jobs`: runs side by side, with the result of `--jobs 1`."""

import json
import os
import signal
import sys

import pytest

from .test_cli_explore import program  # noqa: F401 - a fixture

pytestmark = pytest.mark.live

MEETS = """
try:
    ask('PUT', '/photos', 1)
except SystemExit:
    try:
        os.mkdir(LOCK)
    except FileExistsError:
        open(FIFO, 'w').close()
    else:
        open(FIFO).close()
    sys.exit(0)
"""
"""A program that ends behind a fault only when another one does so too."""


def test_runs_are_made_at_the_same_time(succeeds, program, tmp_path):  # noqa: F811
    """Each of two runs waits for the other one."""
    fifo, lock = tmp_path / "fifo", tmp_path / "lock"
    os.mkfifo(fifo)
    source = f"FIFO, LOCK = {str(fifo)!r}, {str(lock)!r}\n{MEETS}"
    arguments = ("--ignore", "object lost", "--ignore", "/photos/*", "--jobs", "2", "--within", "60s")
    output = succeeds("explore", "-r", "http:503", "-r", "http:500", *arguments, "--", *program(source))
    assert output.startswith("1 request without faults, 2 faults; 2 runs in ")


WRONG = """
ask('PUT', '/photos', 1)
ask('PUT', '/photos/cat', 1)
ask('GET', '/photos/cat')
"""


def explored(run, program, *options):  # noqa: F811
    """Exit code and result, without what the clock says."""
    code, output, _ = run("explore", *options, "--json", "--", *program(WRONG))
    found = json.loads(output)
    return code, {key: each for key, each in found.items() if key not in ("seconds", "backoff")}


@pytest.mark.parametrize(
    "options",
    [
        pytest.param(("-r", "http:503", "-r", "reset,when=after"), id="faults"),
        pytest.param(
            ("-r", "cos:@throttle", "-r", "reset", "--depth", "2"), id="depth", marks=pytest.mark.slow
        ),
        pytest.param(("--crash", "--vendor", "s3"), id="crash", marks=pytest.mark.slow),
    ],
)
def test_the_result_is_that_of_one_after_the_other(run, program, options):  # noqa: F811
    """The findings, their order, and the exit code."""
    one = explored(run, program, *options)
    assert explored(run, program, *options, "--jobs", "3") == one
    assert one[0] == 1
    assert one[1]["runs"] > 3


WAITS = """
try:
    ask('PUT', '/photos', 1)
    ask('PUT', '/photos/cat', 1)
except SystemExit:
    print(os.getpid(), file=open(THERE, 'w'), flush=True)
    open(FOR_EVER).close()
"""


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_signal_ends_all_runs(start, program, tmp_path, number):  # noqa: F811
    """The result so far is printed, and none of the commands lives on."""
    there, for_ever = tmp_path / "there", tmp_path / "for ever"
    os.mkfifo(there)
    os.mkfifo(for_ever)
    source = f"THERE, FOR_EVER = {str(there)!r}, {str(for_ever)!r}\n{WAITS}"
    process = start("explore", "-r", "reset", "--jobs", "2", "--", *program(source))
    numbers = set()
    with there.open() as lines, there.open("w"):  # the second one keeps it open between two writers
        while len(numbers) < 2:
            numbers.add(int(lines.readline()))
    code, said = process.end(number)
    assert (code, said[0][:35]) == (130, "2 requests without faults, 1 fault;")
    assert said[-3].startswith("incomplete: stopped after 0 of 2 runs: it was interrupted in the run with ")
    assert said[-2:] == ["", "faultinject: interrupted"]
    for each in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(each, 0)


def test_each_run_is_prepared_for_its_own_store(succeeds, program):  # noqa: F811
    """`--reset` finds the store of its run in ENDPOINT; no run sees another one's objects."""
    prepares = " ".join(program("exchange('PUT', '/photos'); exchange('PUT', '/photos/old')", "prepare.py"))
    source = "sys.exit(exchange('GET', '/photos/new')[0] != 404); ask('PUT', '/photos/new')"
    reads = f"ask('GET', '/photos/old')\nassert exchange('GET', '/photos/new')[0] == 404\n{source}"
    arguments = ("-r", "http:503,path=photos/old", "-r", "reset,path=photos/old", "--jobs", "2")
    succeeds("explore", *arguments, "--reset", prepares, "--", *program(reads))


def test_a_command_that_fails_without_faults(run, program):  # noqa: F811
    """Its requests, the store's last error and its output are shown, as with one job."""
    command = program("print(exchange('GET', '/nowhere')[0])\nsys.exit(4)")
    results = [run("explore", "-r", "reset", "--jobs", jobs, "--", *command) for jobs in ("1", "2")]
    assert results[0][0] == 2
    assert "the store's last error" in results[0][2]
    assert [without_ids(each[2]) for each in results] == [without_ids(results[0][2])] * 2


def without_ids(text):
    return [line for line in text.splitlines() if "RequestId" not in line and "TraceId" not in line]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--to", "http://127.0.0.1:9"), "what a server at --to holds is the same for all runs"),
        (("--speed", "5"), "--jobs is for real time: leave out --speed, or --jobs"),
    ],
)
def test_what_cannot_be_side_by_side(refused, options, said):
    """It is refused before anything runs."""
    assert said in refused("explore", "-r", "reset", "--jobs", "2", *options, "--", sys.executable)
