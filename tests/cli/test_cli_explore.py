"""`faultinject explore`: a command of any language, judged by its exit code."""

import json
import os
import re
import shlex
import signal
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.measured import without_times
from tests.ports import ReservedPort
from tests.slowly import slowly

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
    assert (code, errors, Path("r.txt").read_text()) == (1, "", output)
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
    cases = {each.get("name"): each for each in suite.iter("testcase")}
    scenario = "reset,method=PUT,path=/photos/cat,times=1"
    similar, smallest = (
        cases.pop(each).find("failure") for each in (scenario.replace("reset", "cos:SlowDown"), scenario)
    )
    assert {name: each.find("failure") for name, each in cases.items()} == {
        f"{fault},method=PUT,path=/photos,times=1": None for fault in ("cos:SlowDown", "reset")
    }
    assert all(float(each.get("time")) > 0 for each in suite.iter("testcase")), "each starts a program"
    assert (smallest.attrib, similar.text) == (
        {"message": "exit code 3", "type": "FAIL"},
        f"as after {scenario}",
    )
    assert smallest.text in output
    assert suite.findtext("system-out") == output.splitlines()[0]
    found = json.loads(Path("r.json").read_text())
    assert (found["v"], found["runs"], found["failed"]) == (1, 4, 2)
    assert [(each["scenario"], each["error"]) for each in found["findings"]] == [([scenario], "exit code 3")]


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
    assert (code, errors.startswith(begins), "secret" in errors) == (2, True, False)
    assert "; your own AWS_ENDPOINT_URL_S3 may send them elsewhere" in errors


@pytest.mark.parametrize(
    ("source", "options", "code", "says"),
    [
        # Every run ends with 0: so does the exploration.
        (RIGHT, "-r cos:SlowDown -r reset", 0, [r"^2 requests without faults, 2 faults; 4 runs in [\d.]+ s \(backoff \d+%\), 0 failed\n+(more than half|$)"]),
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
        *(
            ("ask('PUT', '/photos'); ask('GET', '/photos/cat')", f"-r reset,method=GET --jobs {jobs}", 2, [exactly(
                "faultinject: the command fails without faults: exit code 3: the store's last error: 404 NoSuchKey: The"
                " specified key does not exist.; its requests:",
                "    1 CreateBucket  200 PUT /photos",
                "    2 GetObject     404 GET /photos/cat  and 2 times more, to 4",
                "its output:",
                "gave up on GET /photos/cat",
                "If it needs a bucket or objects, make them before each run: --reset 'curl -s -X PUT $ENDPOINT/photos'",
            )])
            for jobs in (1, 2)
        ),
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
        # If a run fails, a line says what the store spoke, unless a rule names it: the client's own may answer otherwise.
        ("ask('PUT', '/photos', 1)", "-r cos:SlowDown", 1, ["^(?!(.|\n)*the store spoke)"]),
        slowly("ask('PUT', '/photos', 1)", "-r latency,delay=1ms", 0, ["^(?!(.|\n)*the store spoke)"]),
        # Nothing has failed, and nothing is proven by a rule that comes nowhere; a failure counts more.
        *(
            (f"ask('PUT', '/photos', {tries})", "-r reset,path=nowhere -r http:503", code, [rf"\nincomplete: reset,path=nowhere was injected in no run \(nearest: PUT /photos\)\n{told}$"])
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


STUCK = """
import time
def wait_for_ever():
    open({!r}, 'a').write(f'{{os.getpid()}}\\n')
    time.sleep(600)
"""
"""The beginning of a program that waits for ever, and says who it is."""
BEHIND_A_FAULT = """
try:
    ask('PUT', '/photos', 1)
    ask('PUT', '/photos/cat', 1)
except SystemExit:
    wait_for_ever()
"""


@pytest.mark.slow
def test_a_command_that_waits_for_ever(run, program, tmp_path):
    """It is ended after so long, which is a failure."""
    command = program(STUCK.format(os.devnull) + BEHIND_A_FAULT)
    code, output, _ = run("explore", "-r", "reset,path=/photos", "--within", "20s", "--", *command)
    assert code == 1
    assert "\ndid not end within 20 s\n  when request 1 (CreateBucket /photos) gets: reset\n" in output


FIRST = r"^2 requests without faults, 1 fault;(.|\n)*"
STOPPED = (
    r"\nincomplete: stopped after 0 of 2 runs: it was interrupted in the run with"
    r" reset,method=PUT,path=/photos{},times=1\n"
)
TOLD = r"\nfaultinject: interrupted$"


@pytest.mark.parametrize(
    ("options", "number", "running", "source", "says"),
    [
        ("-r reset", signal.SIGINT, 1, BEHIND_A_FAULT, FIRST + STOPPED.format("") + TOLD),
        # Of all runs side by side.
        ("-r reset --jobs 2", signal.SIGTERM, 2, BEHIND_A_FAULT, FIRST + STOPPED.format("(/cat)?") + TOLD),
        slowly("-r reset --jobs 2", signal.SIGINT, 2, BEHIND_A_FAULT, FIRST + STOPPED.format("(/cat)?") + TOLD),
        # In a run without faults: there is nothing to report yet.
        ("-r reset", signal.SIGINT, 1, "wait_for_ever()", f"^{TOLD}"),
        ("--crash --vendor s3", signal.SIGTERM, 1, "wait_for_ever()", f"^{TOLD}"),
    ],
    ids=["in a run with a fault", "jobs", "jobs, by Ctrl-C", "without faults", "without a crash"],
)  # fmt: skip
def test_interrupted(start, program, tmp_path, options, number, running, source, says):
    """Ctrl-C, as `kill`, prints the findings so far and the place, and ends all commands too."""
    there = tmp_path / "there"
    os.mkfifo(there)
    process = start("explore", *options.split(), "--", *program(STUCK.format(str(there)) + source))
    numbers = set()
    with there.open() as lines, there.open("w"):  # the second one keeps it open between two writers
        while len(numbers) < running:
            numbers.add(int(lines.readline()))
    code, said = process.end(number)
    assert (code, bool(re.search(says, "\n".join(said)))) == (130, True), said
    for each in numbers:
        with pytest.raises(ProcessLookupError):
            os.kill(each, 0)


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


@pytest.mark.usefixtures("terminal")
def test_progress(run, program):
    """On a terminal standard error names the run, its fault and its time limit.

    So a client that waits for minutes does not look like an exploration that hangs.
    """
    # The line changes a few times a second at most.
    command = program("import time; time.sleep(0.3); ask('PUT', '/photos')")
    code, output, errors = run("explore", "-r", "reset", "--within", "20s", "--", *command)
    of_fault = "run 1 of 1 (reset,method=PUT,path=/photos,times=1; --within 20.0 s) "
    drawn = list(dict.fromkeys(errors.split("\r")))
    assert drawn == ["", "run without faults ", of_fault, " " * len(of_fault)]
    assert (code, output[:9]) == (0, "1 request")


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


# --jobs: runs side by side, with the result of one after the other


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


def test_runs_are_made_at_the_same_time(succeeds, program, tmp_path):
    """Each of two runs waits for the other one."""
    fifo, lock = tmp_path / "fifo", tmp_path / "lock"
    os.mkfifo(fifo)
    source = f"FIFO, LOCK = {str(fifo)!r}, {str(lock)!r}\n{MEETS}"
    arguments = ("--ignore", "object lost", "--ignore", "/photos/*", "--jobs", "2", "--within", "60s")
    output = succeeds("explore", "-r", "http:503", "-r", "http:500", *arguments, "--", *program(source))
    assert output.startswith("1 request without faults, 2 faults; 2 runs in ")


READS_ALONE = """
ask('PUT', '/photos', 1)
ask('PUT', '/photos/cat', 1)
ask('GET', '/photos/cat')
"""


def explored(run, program, *options):
    """Exit code and result, without what the clock says."""
    code, output, _ = run("explore", *options, "--json", "--", *program(READS_ALONE))
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
def test_the_result_is_that_of_one_after_the_other(run, program, options):
    """The findings, their order, and the exit code."""
    one = explored(run, program, *options)
    assert explored(run, program, *options, "--jobs", "3") == one
    assert one[0] == 1
    assert one[1]["runs"] > 3


def test_each_run_is_prepared_for_its_own_store(succeeds, program):
    """`--reset` finds the store of its run in ENDPOINT; no run sees another one's objects."""
    prepares = " ".join(program("exchange('PUT', '/photos'); exchange('PUT', '/photos/old')", "prepare.py"))
    source = "sys.exit(exchange('GET', '/photos/new')[0] != 404); ask('PUT', '/photos/new')"
    reads = f"ask('GET', '/photos/old')\nassert exchange('GET', '/photos/new')[0] == 404\n{source}"
    arguments = ("-r", "http:503,path=photos/old", "-r", "reset,path=photos/old", "--jobs", "2")
    succeeds("explore", *arguments, "--reset", prepares, "--", *program(reads))


# --speed: faster clocks, and failures that come only from the speed


FAST = "'FAKETIME' in os.environ"


@pytest.mark.usefixtures("libfaketime")
@pytest.mark.parametrize(
    ("source", "code", "fast"),
    [
        # In real time, then faster.
        pytest.param("ask('PUT', '/photos'); ask('PUT', '/photos/cat')", 0, "0111", marks=pytest.mark.slow),
        # The run with a fault at the second request fails, and is repeated in real time.
        (f"ask('PUT', '/photos'); ask('PUT', '/photos/cat', 1 if {FAST} else 3)", 0, "01110"),
        pytest.param(
            "ask('PUT', '/photos'); ask('PUT', '/photos/cat', 1)", 1, "01110", marks=pytest.mark.slow
        ),
    ],
)
def test_what_fails_only_because_of_the_speed_is_no_failure(run, program, tmp_path, source, code, fast):
    """A failing run is repeated in real time, and that one counts."""
    noted = f"print(int({FAST}), end='', file=open({str(tmp_path / 'runs')!r}, 'a')); "
    exit_code, output, _ = run(
        "explore", "-r", "cos:SlowDown", "--speed", "20", "--json", "--", *program(noted + source)
    )
    assert (exit_code, json.loads(output)["runs"], (tmp_path / "runs").read_text()) == (code, 2, fast)


@pytest.mark.usefixtures("libfaketime")
def test_a_command_that_fails_at_the_speed_without_faults(refused, program):
    """A command that fails at the speed without faults is not explored; the message has advice."""
    words = program(f"ask('PUT', '/photos'); sys.exit(int({FAST}))")
    errors = refused("explore", "-r", "cos:SlowDown", "--speed", "20", "--", *words)
    assert "the second run without faults fails (exit code 1)" in errors
    assert "leave out --speed, or give less" in errors
