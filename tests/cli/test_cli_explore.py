"""`faultinject explore`: a command of any language, judged by its exit code."""

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


def test_quick(run, program, tmp_path):
    """The set has lost answers of writes, cut reads and a lasting outage; none has to come."""
    data = tmp_path / "found.json"
    options = ("--quick", "--vendor", "s3", "-o", str(data))
    code, output, _ = run("explore", *options, "--", *program(MAY_BE_THERE))
    assert (code, without_times(output)) == (
        0,
        "2 requests without faults, 3 faults; 4 runs ~, 0 failed, 2 gave up cleanly\n",
    )
    assert json.loads(data.read_text())["faults"] == [
        "reset,method=PUT,method=POST,method=PATCH,method=DELETE,vendor=s3,when=after",
        "truncate,method=GET,vendor=s3",
        "http:503,vendor=s3,from=1",
    ]


def test_the_store_of_a_set_without_a_vendor(run, program):
    """If a run fails, a line says what the store spoke: the client's own may answer otherwise."""
    told = "faultinject: the store spoke cos; --vendor names the service of your client\n"
    command = ("--", *program("ask('PUT', '/photos', 1)"))
    for words, tells in (
        (["-r", "http:503"], True),
        (["-r", "cos:SlowDown"], False),
        (["-r", "latency,delay=1ms"], False),
    ):
        assert (told in run("explore", *words, *command)[2]) is tells


def test_a_command_that_fails_the_second_time(run, program, tmp_path):
    """A second failing run is repeated once, and then reported in the command's own words."""
    lock = tmp_path / "lock"
    once = f"os.path.exists({str(lock)!r}) and sys.exit('locked'); open({str(lock)!r}, 'w'); "
    command = program("ask('PUT', '/photos'); " + once)
    code, _, errors = run("explore", "-r", "cos:SlowDown", "--", *command)
    assert (code, errors) == (
        2,
        "faultinject: the second run without faults fails (exit code 1), also when it is "
        "repeated, but the first passed: the runs"
        " are not independent; reset what they share\nits output:\nlocked\n",
    )
    lock.unlink()
    assert run("explore", "-r", "cos:SlowDown", "--reset", f"rm -f {lock}", "--", *command)[0] == 0


NOT_REWOUND = """
for body in (b"meow", b""):
    if exchange("PUT", "/photos/cat", body)[0] == 200:
        break
"""


def test_a_wrong_command(run, program, tmp_path, monkeypatch):
    """Failures are reported as one, with the end of the output and the repeating command.

    JUnit has a case for each run, with the failure's requests; the data have the same.
    """
    monkeypatch.chdir(tmp_path)
    command = program(WRONG)
    files = ("-o", "r.xml", "-o", "r.txt", "-o", "r.json")
    code, output, errors = run("explore", "-r", "cos:SlowDown", "-r", "reset", *files, "--", *command)
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
    root = ElementTree.parse("r.xml").getroot()
    assert [root.get(each) for each in ("tests", "failures", "errors")] == ["4", "2", "0"]
    [suite] = root
    assert [each.get("name") for each in suite.iter("testcase") if each.find("failure") is None] == [
        f"{fault},method=PUT,path=/photos,times=1" for fault in ("cos:SlowDown", "reset")
    ]
    assert all(float(each.get("time")) > 0 for each in suite.iter("testcase")), "each starts a program"
    similar, smallest = suite.iter("failure")
    assert (smallest.get("message"), smallest.get("type")) == ("exit code 3", "FAIL")
    assert similar.text == "as after reset,method=PUT,path=/photos/cat,times=1"
    assert smallest.text in output
    assert suite.findtext("system-out") == output.splitlines()[0]
    assert (tmp_path / "r.txt").read_text() == output
    found = json.loads((tmp_path / "r.json").read_text())
    assert (found["v"], found["runs"], found["failed"]) == (1, 4, 2)
    assert [(each["scenario"], each["error"]) for each in found["findings"]] == [
        (["reset,method=PUT,path=/photos/cat,times=1"], "exit code 3")
    ]


WITHOUT = "-r cos:@throttle -r reset --without cos:SlowDown --without reset"
TWICE = "ask('PUT', '/photos', 2)"
READS = "ask('PUT', '/photos'); ask('PUT', '/photos/cat'); ask('HEAD', '/photos/cat')"
NO_CODE = "cos:InvalidDigest on HEAD (its answer has no body that says which error it is; --exhaustive brings it back)"
OF_HEAD = "-r cos:InvalidDigest,operation=*Object -r reset"
JUDGED = "-r cos:SlowDown,path=photos/cat"
REWRITTEN = f"ask('PUT', '/photos'){NOT_REWOUND}"
HOST = "import socket\nsys.exit('cannot reach {}: Name or service not known')"
CONTAINER = "ask('PUT', '/acc/cont?restype=container')"
KILLED = "ask('PUT', '/photos')\nprint(*range(30), sep='\\n', flush=True)\nos.kill(os.getpid(), {})"
NOWHERE = "-r reset,path=nowhere -r http:503"


def exactly(*lines):
    """A pattern of these lines and nothing else."""
    return f"^{re.escape(chr(10).join([*lines, '']))}$"


@pytest.mark.parametrize(
    ("command", "begins"),
    [
        ("true", "faultinject: the command sent nothing to $ENDPOINT"),
        (
            "false",
            "faultinject: the command fails without faults: exit code 1; it sent no request to $ENDPOINT",
        ),
    ],
)
def test_an_address_of_ones_own(run, monkeypatch, command, begins):
    """Without a request the message names the variable that may be the cause, not its value."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "http://me:secret@127.0.0.1:9")
    code, _, errors = run("explore", "--vendor", "s3", "-r", "reset", "--", command)
    assert code == 2
    assert errors.startswith(begins)
    assert "; your own AWS_ENDPOINT_URL_S3 may send them elsewhere" in errors
    assert "secret" not in errors


@pytest.mark.parametrize(
    ("source", "options", "code", "says"),
    [
        # `--without` removes faults, also in the printed replay; an unknown name is refused.
        (WRONG, f"{WITHOUT} --reset true", 1, ["^2 requests without faults, 1 fault; ", " --without cos:SlowDown --without reset "]),
        (WRONG, f"{WITHOUT} --without cos:Slowdown", 2, [exactly("faultinject: without: cos:Slowdown is not among the faults to explore")]),
        # The store shows different bytes though the command ends well; `--ignore` omits that.
        (REWRITTEN, JUDGED, 1, [
            "\nhalf written: /photos/cat has 0 bytes; without faults it has 4 bytes\n",
            "\n  ✕ same bytes: request 2 sent 4 bytes, request 3, which retries it, 0 bytes\n",
            f"\n  replay: faultinject explore {JUDGED} --replay cos:SlowDown,",
        ]),
        pytest.param(REWRITTEN, f"{JUDGED} --ignore 'same bytes' --ignore 'half written'", 0, [], marks=pytest.mark.slow),
        (RIGHT, f"{JUDGED} --ignore 'same byte'", 2, [exactly("faultinject: ignore: 'same byte' is not a check; did you mean 'same bytes'?")]),
        # What is left out is named, with the option that brings it back, in words and as data.
        pytest.param(READS, OF_HEAD, 0, ["1 pruned, 1 left out\n", f"\nleft out: {re.escape(NO_CODE)}\n"], marks=pytest.mark.slow),
        pytest.param(READS, f"--json {OF_HEAD}", 0, [rf'"left_out": *\[\s*"{re.escape(NO_CODE)}"\s*\]'], marks=pytest.mark.slow),
        pytest.param(READS, f"--exhaustive {OF_HEAD}", 0, [", 2 faults; 5 runs in ", "^(?!(.|\n)*left out)"], marks=pytest.mark.slow),
        # Two faults in a row; what is cut off is said; too much is refused before the first fault.
        pytest.param(TWICE, "-r http:500", 0, [], marks=pytest.mark.slow),
        pytest.param(TWICE, "--depth 2 -r http:500", 1, ["replay: faultinject explore -r http:500 --depth 2 --replay http:500,method=PUT,path=/photos,times=2 -- "], marks=pytest.mark.slow),
        pytest.param(TWICE, "--depth 2 --max-runs 1 -r http:500", 1, ["incomplete: 1 run of depth 2 not made: max_runs is 1\n$"], marks=pytest.mark.slow),
        pytest.param(TWICE, "--max-runs 1 -r http:500 -r reset", 2, ["^faultinject: 2 runs are needed, and max_runs is 1: 1 request, 1 of them CreateBucket, and 2 faults"], marks=pytest.mark.slow),
        # Each run begins with an empty store, prepared by --reset without faults.
        ("ask('PUT', '/photos'); ask('GET', '/photos/cat')", "-r reset,method=GET", 2, [exactly(
            "faultinject: the command fails without faults: exit code 3: the store's last error: 404 NoSuchKey: The"
            " specified key does not exist.; its requests:",
            "    1 CreateBucket  200 PUT /photos",
            "    2 GetObject     404 GET /photos/cat  and 2 times more, to 4",
            "its output:",
            "gave up on GET /photos/cat",
            "If it needs a bucket or objects, make them before each run: --reset 'curl -s -X PUT $ENDPOINT/photos'",
        )]),
        ("ask('GET', '/photos/cat')", "-r reset --reset {prepare}", 0, ["^1 request without faults, 1 fault; 1 run in "]),
        (RIGHT, "-r reset --reset 'echo no database; exit 4'", 2, [exactly("faultinject: --reset fails: exit code 4", "no database")]),
        (RIGHT, "--vendor s3 -r reset --reset {wrong}", 2, [exactly(
            "faultinject: --reset fails: exit code 3: the store's last error: 400 InvalidBucketName: The specified bucket"
            " is not valid.",
            "gave up on PUT /b",
        )]),
        # Requests are read as the vendor's that is named, operations too.
        (CONTAINER, "--vendor azure-blob -r reset,operation=container.create", 0, ["^1 request without faults, 1 fault; 1 run in "]),
        (CONTAINER, "-r reset,operation=container.create", 2, ["container.create is no operation of S3"]),
        # The signal of a command that is killed is named, and the end of its output shown.
        *(
            (KILLED.format(number), "-r reset", 2, [exactly(
                f"faultinject: the command fails without faults: ended by {name}; its requests:",
                "    1 CreateBucket  200 PUT /photos",
                "its output:",
                "… 10 more lines …",
                *map(str, range(10, 30)),
            )])
            for number, name in ((15, "SIGTERM"), (9, "SIGKILL"))
        ),
        # Without a request there is nothing to explore.
        (["true"], "-r reset", 2, [r"^faultinject: the command sent nothing to \$ENDPOINT, so there is nothing to explore\."]),
        (["false"], "-r reset", 2, [exactly("faultinject: the command fails without faults: exit code 1; it sent no request to $ENDPOINT; it wrote no output")]),
        ([sys.executable, "-c", "import acme"], "-r reset", 2, ["^faultinject: the command fails without faults: exit code 1: ModuleNotFoundError: No module named 'acme'; it sent no request to \\$ENDPOINT; its output:\n"]),
        # An error with a bucket in the host gets a hint, and no other one.
        (HOST.format("photos.localhost"), "-r reset", 2, [r"If photos.localhost is not found here: let the client put the bucket into the path \(path-style"]),
        ("sys.exit('127.0.0.1: no')", "-r reset", 2, ["^(?!(.|\n)*path-style)"]),
        # Nothing has failed, and nothing is proven by a rule that comes nowhere; a failure counts more.
        *(
            (f"ask('PUT', '/photos', {tries})", NOWHERE, code, [rf"\nincomplete: reset,path=nowhere was injected in no run \(nearest: PUT /photos\)\n{told}$"])
            for tries, code, told in ((2, 3, ""), (1, 1, "faultinject: the store spoke cos; --vendor names .*\n"))
        ),
    ],
)  # fmt: skip
def test_what_is_said(run, program, source, options, code, says):
    """The exit code, and what each pattern is found in."""
    others = {"prepare": program(RIGHT, "prepare.py"), "wrong": program("ask('PUT', '/b')", "wrong.py")}
    words = shlex.split(
        options.format(**{name: shlex.quote(shlex.join(each)) for name, each in others.items()})
    )
    found, out, err = run("explore", *words, "--", *(program(source) if isinstance(source, str) else source))
    assert (found, [each for each in says if not re.search(each, out + err)]) == (code, []), out + err


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
    process = start("explore", "-r", "reset", "--", *program(f"THERE = {str(there)!r}\n{HANGS}"))
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


def test_a_file_that_may_not_be_run(refused, tmp_path, monkeypatch):
    """The message says what is missing; a word without a slash is no file, as in a shell."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "job"
    path.touch(0o644)
    for word, why in (
        (path, f"it may not be run; chmod +x {path} allows it"),
        (tmp_path, "it is a folder"),
        ("job", "command not found"),
    ):
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
    """On a terminal standard error names the run, its fault and its time limit.

    So a client that waits for minutes does not look like an exploration that hangs.
    """
    monkeypatch.setattr("click.testing._NamedTextIOWrapper.isatty", lambda _: True, raising=False)
    monkeypatch.setenv("COLUMNS", "120")
    options = ("-r", "reset", "--within", "20s")
    # The line changes a few times a second at most.
    code, output, errors = run(
        "explore", *options, "--", *program("import time; time.sleep(0.3); ask('PUT', '/photos')")
    )
    assert code == 0
    of_fault = "run 1 of 1 (reset,method=PUT,path=/photos,times=1; --within 20.0 s) "
    drawn = list(dict.fromkeys(errors.split("\r")))
    assert drawn == ["", "run without faults ", of_fault, " " * len(of_fault)]
    assert output.startswith("1 request")


def test_junit_of_what_could_not_be_explored(run, program, tmp_path):
    """A failed exploration, or an uninjected fault, is an error; a run without request a skip."""
    path = tmp_path / "r.xml"
    assert run("explore", "-r", "reset", "-o", str(path), "--", *program("sys.exit(7)"))[0] == 2
    [error] = ElementTree.parse(path).getroot().iter("error")
    assert error.get("message").startswith(
        "stopped after 0 of 0 runs: the command fails without faults: exit code 7; "
    )
    without = f"""
with open({str(tmp_path / "runs")!r}, "a") as file:
    file.write("x")
    number = file.tell()
ask("PUT", "/photos")
if number < 3:
    ask("PUT", "/photos/cat")
"""
    words = ("explore", "-r", "reset,path=photos/cat", "-o", str(path), "--", *program(without))
    assert run(*words)[0] == 3
    assert [
        (case.get("name"), *(part.tag for part in case)) for case in ElementTree.parse(path).iter("testcase")
    ] == [
        ("result", "error"),
        ("reset,method=PUT,path=/photos/cat,times=1", "skipped"),
    ]
