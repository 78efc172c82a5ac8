"""`faultinject explore`: a command of any language, judged by its exit code."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import sys
from xml.etree import ElementTree

import pytest

from tests.measured import without_times
from tests.ports import ReservedPort

from .programs import PLAIN_HTTP

pytestmark = pytest.mark.live

PROGRAM = (
    PLAIN_HTTP
    + """
def ask(method, path, tries=3):
    for _ in range(tries):
        try:
            if exchange(method, path, b"meow")[0] < 400:
                return
        except OSError:
            pass
    print("gave up on", method, path)
    sys.exit(3)

"""
)
RIGHT = "ask('PUT', '/photos'); ask('PUT', '/photos/cat')"
WRONG = "ask('PUT', '/photos'); print('\\x1b[31mred'); ask('PUT', '/photos/cat', 1)"


@pytest.fixture
def program(tmp_path):
    """Write a program; gives its command."""

    def write(source, name="job.py"):
        path = tmp_path / name
        path.write_text(PROGRAM + source)
        return [sys.executable, "-S", str(path)]

    return write


def test_a_right_command(succeeds, program):
    """Every run ends with 0: so does the exploration."""
    output = succeeds("explore", "-r", "cos:SlowDown", "-r", "reset", "--", *program(RIGHT))
    assert without_times(output) == "2 requests without faults, 2 faults; 4 runs ~, 0 failed\n"


MAY_BE_THERE = """
try:
    exchange('PUT', '/photos')
except OSError:
    pass
ask('PUT', '/photos/cat')
"""


def test_quick(run, program):
    """The set has lost answers of writes, cut reads and a lasting outage; none has to come."""
    swallows = "ask('PUT', '/photos')\nif exchange('PUT', '/photos/cat', b'meow')[0] != 200: pass\n"
    command = program(f"{swallows}exchange('GET', '/photos/cat')")
    code, output, _ = run("explore", "--quick", "--vendor", "s3", "--json", "--", *command)
    found = json.loads(output)
    assert code == 1
    assert found["faults"] == [
        "reset,method=PUT,method=POST,method=PATCH,method=DELETE,vendor=s3,when=after",
        "truncate,method=GET,vendor=s3",
        "http:503,vendor=s3,from=1",
    ]
    assert found["runs"] == 2 + 1 + 3
    code, output, _ = run("explore", "--quick", "--vendor", "s3", "--", *program(MAY_BE_THERE))
    assert (code, without_times(output)) == (
        0,
        "2 requests without faults, 3 faults; 4 runs ~, 0 failed, 2 gave up cleanly\n",
    )


def test_a_command_that_fails_the_second_time(run, program, tmp_path):
    """A second failing run is repeated once, and then reported in the command's own words."""
    lock = tmp_path / "lock"
    once = f"os.path.exists({str(lock)!r}) and sys.exit('locked'); open({str(lock)!r}, 'w'); "
    command = program("ask('PUT', '/photos'); " + once)
    code, _, errors = run("explore", "-r", "cos:SlowDown", "--", *command)
    assert (code, errors) == (
        2,
        "faultinject: the second run without faults fails (exit code 1), also when it is "
        "repeated, the first did not: the runs"
        " are not independent; reset what they share\nits output:\nlocked\n",
    )
    lock.unlink()
    assert run("explore", "-r", "cos:SlowDown", "--reset", f"rm -f {lock}", "--", *command)[0] == 0


NOT_REWOUND = """
for body in (b"meow", b""):
    if exchange("PUT", "/photos/cat", body)[0] == 200:
        break
"""


@pytest.mark.slow
def test_the_second_judge(run, refused, program):
    """The store shows different bytes though the command ends well; `--ignore` omits that.

    The command has sent other bytes the second time.
    """
    command = program("ask('PUT', '/photos')" + NOT_REWOUND)
    arguments = ("explore", "-r", "cos:SlowDown,path=photos/cat")
    code, output, _ = run(*arguments, "--", *command)
    assert code == 1
    assert "\nhalf written: /photos/cat has 0 bytes; without faults it has 4 bytes\n" in output
    assert "\n  ✕ same bytes: request 2 sent 4 bytes, request 3, which retries it, 0 bytes\n" in output
    assert "\n  replay: faultinject explore -r cos:SlowDown,path=photos/cat --replay cos:SlowDown," in output
    ignored = ("--ignore", "same bytes", "--ignore", "half written")
    assert run(*arguments, *ignored, "--", *command)[0] == 0
    assert (
        refused(*arguments, "--ignore", "same byte", "--", *command)
        == "faultinject: ignore: 'same byte' is not a check; did you mean 'same bytes'?\n"
    )


def test_a_wrong_command(run, program):
    """Failures are reported as one, with the end of the output and the repeating command."""
    command = program(WRONG)
    code, output, errors = run("explore", "-r", "cos:SlowDown", "-r", "reset", "--", *command)
    assert (code, errors) == (1, "")
    assert without_times(output).splitlines() == [
        "2 requests without faults, 2 faults; 4 runs ~, 2 failed",
        "",
        "exit code 3",
        "  when request 2 (PutObject /photos/cat) gets: reset",
        "    1 CreateBucket  200 PUT /photos",
        "    2 PutObject     PUT /photos/cat  <- reset",
        "    | \\x1b[31mred",
        "    | gave up on PUT /photos/cat",
        "  replay: faultinject explore -r cos:SlowDown -r reset --replay reset,method=PUT,path=/photos/cat,times=1"
        f" -- {shlex.join(command)}",
        "  and 1 similar: cos:SlowDown,method=PUT,path=/photos/cat,times=1",
    ]
    words = shlex.split(output.partition("replay: faultinject ")[2].splitlines()[0])
    code, again, _ = run(*words)
    assert (code, again.splitlines()[2:8]) == (1, output.splitlines()[2:8])


def test_without_some_of_the_faults(run, refused, program):
    """`--without` removes faults, also in the printed replay; an unknown name is refused."""
    rules = ("-r", "cos:@throttle", "-r", "reset", "--without", "cos:SlowDown", "--without", "reset")
    code, output, _ = run("explore", *rules, "--reset", "true", "--", *program(WRONG))
    assert (code, "2 requests without faults, 1 fault; " in output) == (1, True)
    assert " --without cos:SlowDown --without reset " in output
    assert (
        refused("explore", *rules, "--without", "cos:Slowdown", "--", *program(WRONG))
        == "faultinject: without: cos:Slowdown is not among the faults to explore\n"
    )


def test_json(run, program):
    """The same as data."""
    code, output, _ = run("explore", "--json", "-r", "http:500,path=photos/*", "--", *program(WRONG))
    found = json.loads(output)
    assert code == 1
    assert (found["v"], found["runs"], found["failed"]) == (1, 1, 1)
    assert found["findings"][0]["scenario"] == ["http:500,method=PUT,path=/photos/cat,times=1"]
    assert found["findings"][0]["error"] == "exit code 3"


@pytest.mark.slow
def test_what_is_left_out(run, program):
    """It is named, with the option that brings it back, in words and as data."""
    command = program("ask('PUT', '/photos'); ask('PUT', '/photos/cat'); ask('HEAD', '/photos/cat')")
    rules = ("-r", "cos:InvalidDigest,operation=*Object", "-r", "reset")
    words = (
        "cos:InvalidDigest on HEAD (its answer has no body that says which error it is; --exhaustive "
        "brings it back)"
    )
    _, output, _ = run("explore", *rules, "--", *command)
    assert "1 pruned, 1 left out\n" in output
    assert f"\nleft out: {words}\n" in output
    assert json.loads(run("explore", "--json", *rules, "--", *command)[1])["left_out"] == [words]
    _, output, _ = run("explore", "--exhaustive", *rules, "--", *command)
    assert "left out" not in output
    assert ", 2 faults; 5 runs in " in output


@pytest.mark.slow
def test_depth_and_bounds(run, refused, program):
    """Two faults in a row; what is cut off is said; too much is refused before the first fault."""
    twice = program("ask('PUT', '/photos', 2)")
    assert run("explore", "-r", "http:500", "--", *twice)[0] == 0
    code, output, _ = run("explore", "--depth", "2", "-r", "http:500", "--", *twice)
    assert code == 1
    assert (
        "replay: faultinject explore -r http:500 --depth 2 --replay http:500,method=PUT,path=/photos,times=2 -- "
        in output
    )
    code, output, _ = run("explore", "--depth", "2", "--max-runs", "1", "-r", "http:500", "--", *twice)
    assert code == 1
    assert output.endswith("incomplete: 1 run of depth 2 not made: max_runs is 1\n")
    errors = refused("explore", "--max-runs", "1", "-r", "http:500", "-r", "reset", "--", *twice)
    assert errors.startswith(
        "faultinject: 2 runs are needed, and max_runs is 1: 1 request, 1 of them CreateBucket, and 2 faults"
    )


def test_the_store_is_emptied(run, refused, program):
    """Each run begins with an empty store, prepared by --reset without faults."""
    code, _, errors = run(
        "explore",
        "-r",
        "reset,method=GET",
        "--",
        *program("ask('PUT', '/photos'); ask('GET', '/photos/cat')"),
    )
    assert code == 2
    assert errors.startswith(
        "faultinject: the command fails without faults: exit code 3: the store's last error: 404 NoSuchKey:"
        " The specified key does not exist.; its requests:\n"
        "    1 CreateBucket  200 PUT /photos\n"
        "    2 GetObject     404 GET /photos/cat  and 2 times more, to 4\n"
        "its output:\ngave up on GET /photos/cat\n"
    )
    reset = shlex.join(program(RIGHT, "prepare.py"))
    code, output, _ = run(
        "explore", "-r", "reset", "--reset", reset, "--", *program("ask('GET', '/photos/cat')")
    )
    assert code == 0
    assert output.startswith("1 request without faults, 1 fault; 1 run in ")
    assert (
        refused("explore", "-r", "reset", "--reset", "echo no database; exit 4", "--", *program(RIGHT))
        == "faultinject: --reset fails: exit code 4\nno database\n"
    )
    wrong = shlex.join(program("ask('PUT', '/b')", "wrong.py"))
    assert refused("explore", "--vendor", "s3", "-r", "reset", "--reset", wrong, "--", *program(RIGHT)) == (
        "faultinject: --reset fails: exit code 3: the store's last error: 400 InvalidBucketName: The specified"
        " bucket is not valid.\ngave up on PUT /b\n"
    )


@pytest.mark.slow
def test_the_replay_prepares_the_store_too(run, program):
    """The replay prepares the store too.

    Without `--reset` the command would fail for another reason, and its requests would get no fault.
    """
    reset = shlex.join(program(RIGHT, "prepare.py"))
    command = program("ask('GET', '/photos/cat', 1)")
    code, output, _ = run("explore", "-r", "reset", "-r", "close", "--reset", reset, "--", *command)
    assert (code, output.count("\nexit code 3\n")) == (1, 1)
    replay = shlex.split(output.partition("  replay: faultinject ")[2].splitlines()[0])
    again, shown, _ = run(*replay)
    assert (again, "; 1 run in " in shown, ", 1 failed\n" in shown) == (1, True, True)
    assert shown.splitlines()[2:] == output.splitlines()[2:-1]
    assert output.splitlines()[-1].startswith("  and 1 similar: close,method=GET,")


@pytest.mark.slow
def test_the_replay_of_two_faults(run, program):
    """It has the same depth; a scenario that no run has is no success."""
    arguments = ("explore", "-r", "reset", "--depth", "2", "--reset", "true")
    code, output, _ = run(*arguments, "--", *program("ask('PUT', '/photos', 2)"))
    replay = shlex.split(output.partition("  replay: faultinject ")[2].splitlines()[0])
    assert (code, replay[1:7]) == (1, ["-r", "reset", "--depth", "2", "--reset", "true"])
    again, shown, _ = run(*replay)
    assert (again, shown.splitlines()[2:]) == (1, output.splitlines()[2:])
    first = "reset,method=PUT,path=/photos,times=1"
    one = [first if each == f"{first[:-1]}2" else each for each in replay]
    command = program("ask('PUT', '/photos', 1); ask('PUT', '/photos/cat', 1)")
    assert ", 2 failed\n" in run(*arguments, "--", *command)[1]
    assert ", 1 failed\n" in run(*one[: one.index("--")], "--", *command)[1]
    replay[replay.index("--replay") + 1] = "reset,path=/dog"
    assert run(*replay)[::2] == (
        2,
        "faultinject: no run of this exploration is reset,path=/dog; copy a scenario from its report\n",
    )


HANGS = """
import time
try:
    ask('PUT', '/photos', 1)
except SystemExit:
    open(THERE, 'w').write(str(os.getpid()))
    time.sleep(600)
ask('PUT', '/photos/cat')
"""
"""A program that waits for ever behind a fault."""


@pytest.mark.slow
def test_a_command_that_waits_for_ever(run, program, tmp_path):
    """It is ended after so long, which is a failure."""
    source = f"THERE = {os.devnull!r}\n{HANGS}"
    code, output, _ = run("explore", "-r", "reset", "--within", "20s", "--", *program(source))
    assert code == 1
    assert "\ndid not end within 20 s\n  when request 1 (CreateBucket /photos) gets: reset\n" in output


def test_interrupted_in_a_run_with_a_fault(start, program, tmp_path):
    """Ctrl-C prints the findings so far and the place, and ends the command too."""
    there = tmp_path / "pid"
    os.mkfifo(there)
    process = start("explore", "-r", "reset", "--", *program(f"THERE = {str(there)!r}\n{HANGS}"), anew=True)
    number = int(there.read_text())
    code, lines = process.interrupt()
    assert (code, lines[0][:35]) == (130, "2 requests without faults, 1 fault;")
    assert lines[-3:] == [
        (
            "incomplete: stopped after 0 of 2 runs: it was interrupted in the run with "
            "reset,method=PUT,path=/photos,times=1"
        ),
        "",
        "faultinject: interrupted",
    ]
    with pytest.raises(ProcessLookupError):
        os.kill(number, 0)


@pytest.mark.parametrize(
    ("options", "number"),
    [(("-r", "reset"), signal.SIGINT), (("--crash", "--vendor", "s3"), signal.SIGTERM)],
    ids=["faults", "crash"],
)
def test_interrupted_in_a_run_without_faults(start, program, tmp_path, options, number):
    """There is nothing to report yet; the command is ended too, also by `kill`."""
    there = tmp_path / "pid"
    os.mkfifo(there)
    hangs = f"open({str(there)!r}, 'w').write(str(os.getpid()))\nimport time; time.sleep(600)"
    process = start("explore", *options, "--", *program(hangs))
    child = int(there.read_text())
    assert process.end(number) == (130, ["", "faultinject: interrupted"])
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)


def test_how_requests_are_read(succeeds, refused, program):
    """As the vendor's that is named: operations too."""
    source = "ask('PUT', '/acc/cont?restype=container')"
    command = program(source)
    rule = "reset,operation=container.create"
    output = succeeds("explore", "--vendor", "azure-blob", "-r", rule, "--", *command)
    assert output.startswith("1 request without faults, 1 fault; 1 run in ")
    errors = refused("explore", "-r", rule, "--", *command)
    assert "container.create is no operation of S3" in errors


@pytest.mark.parametrize(
    ("number", "said"), [(int(signal.SIGTERM), "ended by SIGTERM"), (int(signal.SIGKILL), "ended by SIGKILL")]
)
def test_a_command_that_is_killed(run, program, number, said):
    """The signal is named."""
    source = (
        f"ask('PUT', '/photos')\nprint(*range(30), sep='\\n', flush=True)\nos.kill(os.getpid(), {number})"
    )
    code, _, errors = run("explore", "-r", "reset", "--", *program(source))
    lines = errors.splitlines()
    assert code == 2
    assert lines[:4] == [
        f"faultinject: the command fails without faults: {said}; its requests:",
        "    1 CreateBucket  200 PUT /photos",
        "its output:",
        "… 10 more lines …",
    ]
    assert lines[4:] == [str(each) for each in range(10, 30)]


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("true", "faultinject: the command sent nothing to $ENDPOINT, so there is nothing to explore."),
        (
            "python -c 'import acme'",
            "faultinject: the command fails without faults: exit code 1: ModuleNotFoundError: No module named"
            " 'acme'; it sent no request to $ENDPOINT; its output:\n",
        ),
        ("false", "faultinject: the command fails without faults: exit code 1; it sent no request to $ENDPOINT; it wrote no output\n"),
    ],
)  # fmt: skip
def test_a_command_without_a_request(refused, command, said):
    """There is nothing to explore."""
    command = shlex.split(command.replace("python", sys.executable))
    assert said in refused("explore", "-r", "reset", "--", *command)


def test_a_bucket_in_the_host(refused, program):
    """An error with such a name gets a hint, and no other one."""
    asks = "import socket\nsys.exit(f'cannot reach photos.{}: Name or service not known')"
    hint = "If photos.localhost is not found here: let the client put the bucket into the path (path-style"
    assert hint in refused("explore", "-r", "reset", "--", *program(asks.format("localhost")))
    assert "path-style" not in refused("explore", "-r", "reset", "--", *program("sys.exit('127.0.0.1: no')"))


def test_a_rule_that_comes_nowhere(run, program):
    """Nothing has failed, and nothing is proven: exit code 3; a failure counts more."""
    command = program(RIGHT)
    code, output, _ = run("explore", "-r", "reset,path=nowhere", "-r", "http:503", "--", *command)
    assert (code, output.splitlines()[-1]) == (
        3,
        "incomplete: reset,path=nowhere was injected in no run (nearest: PUT /photos)",
    )
    code, output, _ = run("explore", "-r", "reset,path=nowhere", "-r", "http:503", "--", *program(WRONG))
    assert (code, "incomplete: reset,path=nowhere" in output) == (1, True)


def test_a_file_that_may_not_be_run(refused, tmp_path):
    """It is there: the message says what is missing."""
    path = tmp_path / "job"
    path.touch(0o644)
    for word, why in (path, f"it may not be run; chmod +x {path} allows it"), (tmp_path, "it is a folder"):
        assert refused("explore", "-r", "reset", "--", str(word)) == f"faultinject: {word}: {why}\n"


def test_a_service_that_is_not_there(refused):
    """It is said once, before the command runs, and nothing passes."""
    with ReservedPort() as port:
        told = refused("explore", "-r", "reset", "--to", f"http://127.0.0.1:{port}", "--", "true")
    assert "cannot be reached: it refuses connections" in told


@pytest.mark.parametrize(
    ("rules", "vendor"),
    [
        pytest.param(["jss"], "jss", marks=pytest.mark.slow),
        (["reset", "qingstor:@throttle"], "qingstor"),
        (["gateway", "reset,vendor=jss"], "jss"),
        pytest.param(["reset"], "cos", marks=pytest.mark.slow),
    ],
)
def test_the_vendor(run, program, rules, vendor):
    """The store speaks as the first rule's vendor does."""
    source = "print(exchange('GET', '/nowhere')[2].decode())\nsys.exit(1)"
    arguments = [word for each in rules for word in ("-r", each)]
    _, _, errors = run("explore", *arguments, "--", *program(source))
    mine = run("explore", "-r", "reset", "--vendor", vendor, "--", *program(source))[2]
    masked = [re.sub(r"[0-9A-Za-z+/=_-]{12,}", "~", each) for each in (errors, mine)]
    assert re.sub(r":\d+", "", masked[0]) == re.sub(r":\d+", "", masked[1])


def test_progress(run, program, monkeypatch):
    """On a terminal standard error says how far it is."""
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    code, output, errors = run("explore", "-r", "reset", "--", *program(RIGHT))
    assert code == 0
    assert errors.startswith("\rrun without faults \r")
    assert errors.endswith(f"\r{'':{len('run without faults ')}}\r")
    assert output.startswith("2 requests")


def test_junit(run, program, tmp_path, monkeypatch):
    """JUnit has a case for each run, with the failure's requests and repeating command."""
    monkeypatch.chdir(tmp_path)
    command = program(WRONG)
    files = ("-o", "r.xml", "-o", "r.txt", "-o", "r.json")
    code, output, _ = run("explore", "-r", "cos:SlowDown", "-r", "reset", *files, "--", *command)
    root = ElementTree.parse(tmp_path / "r.xml").getroot()
    [suite] = root
    assert (code, root.get("tests"), root.get("failures"), root.get("errors")) == (1, "4", "2", "0")
    assert [each.get("name") for each in suite.iter("testcase") if each.find("failure") is None] == [
        f"{fault},method=PUT,path=/photos,times=1" for fault in ("cos:SlowDown", "reset")
    ]
    similar, smallest = suite.iter("failure")
    assert (smallest.get("message"), smallest.get("type")) == ("exit code 3", "FAIL")
    assert similar.text == "as after reset,method=PUT,path=/photos/cat,times=1"
    assert smallest.text in output
    assert suite.findtext("system-out") == output.splitlines()[0]
    assert (tmp_path / "r.txt").read_text() == output
    assert json.loads((tmp_path / "r.json").read_text())["failed"] == 2


def test_junit_of_what_could_not_be_explored(run, program, tmp_path):
    """A failed exploration, or an uninjected fault, is an error; a run without request a skip."""
    path = tmp_path / "r.xml"
    assert run("explore", "-r", "reset", "-o", str(path), "--", *program("sys.exit(7)"))[0] == 2
    [error] = ElementTree.parse(path).getroot().iter("error")
    assert error.get("message").startswith(
        "stopped after 0 of 0 runs: the command fails without faults: exit code 7; "
    )
