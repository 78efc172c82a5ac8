"""`faultinject explore --crash`: a command that is killed at each request, and run again."""

import json
import re
import shlex
import sys

import pytest

from tests.measured import without_times
from tests.slowly import slowly

from .programs import PLACE, PLAIN_HTTP

pytestmark = pytest.mark.live

CRASH = ("explore", "--crash", "--vendor", "s3")


def command(job, how):
    """The command of a job with a planted bug, or of its repaired version."""
    return [sys.executable, "-S", str(PLACE / "crashing.py"), job, how]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """The directory in which commands run."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def program(here, source):
    """The command of a program of its own; `ask` of the others is there."""
    path = here / "job.py"
    path.write_text(f"{PLAIN_HTTP}from crashing import ask, bucket\nimport time, subprocess\n{source}")
    return [sys.executable, "-S", str(path)]


def replay(output):
    """The words of the command that shows the failure again."""
    return shlex.split(output.partition("  replay: faultinject ")[2].splitlines()[0])


@pytest.mark.slow
def test_a_lock_that_nobody_takes_back(run, here):
    """The whole report; its last line shows the failure again, and nothing else."""
    words = command("locked", "wrong")
    code, output, errors = run(*CRASH, "--", *words)
    assert (code, errors) == (1, "")
    assert without_times(output).splitlines()[:15] == [
        "4 requests without a crash; 10 runs ~, 5 failed, 5 with a warning",
        "",
        "the second run: exit code 1",
        "  when at request 3 (PutObject /films/cat) the program is killed: the request has come, and the store"
        " has not carried it out",
        "    1 CreateBucket  200 PUT /films",
        "    2 PutObject     200 PUT /films/lock",
        "    3 PutObject     PUT /films/cat  <- killed",
        "    killed, and run again:",
        "    1 CreateBucket  200 PUT /films",
        "    2 PutObject     412 PUT /films/lock",
        "  ✕ object lost: /films/cat is not there; without a crash it has 4 bytes",
        "  ! left behind: /films/lock (6 bytes) is there, and not without a crash",
        "    | another one is at work",
        "  → Let the second run look at what the store holds, and go on from there.",
        "  replay: faultinject explore --vendor s3 --crash --replay"
        f" reset,method=PUT,path=/films/cat,times=1,name=crash -- {shlex.join(words)}",
    ]
    code, again, _ = run(*replay(output))
    assert (code, bool(re.match(r"[^\n]+; 1 run in [^\n]+\n\nthe second run: exit code 1\n", again))) == (
        1,
        True,
    )


@pytest.mark.slow
def test_as_data(run, here):
    """JSON says after which request it was killed, and what the store lacks."""
    code, output, _ = run(*CRASH, "--json", "--reset", "rm -f done", "--", *command("appended", "wrong"))
    [finding] = json.loads(output)["findings"]
    assert (code, finding["killed_after"], finding["error"], finding["scenario"], finding["marker"]) == (
        1,
        3,
        "written twice: /films/log has 12 bytes; without a crash it has 6 bytes",
        ["reset,method=PUT,path=/films/log,times=1,when=after,name=crash"],
        "@pytest.mark.faultinject_explore(crash=True, "
        'replay="reset,method=PUT,path=/films/log,times=1,when=after,name=crash")',
    )


@pytest.mark.slow
def test_a_fault_in_the_second_run(run, here):
    """The second run gets a fault at each request that differs; the replay has both.

    Unless it makes the requests of a run without a crash.
    """
    source = """
bucket()
if ask("HEAD", "/films/begun"):
    ask("GET", "/films/begun")
ask("PUT", "/films/begun", b"x")
ask("PUT", "/films/cat", b"meow")
"""
    words = ("-r", "s3:SlowDown,method=GET", "--", *program(here, source))
    code, output, _ = run(*CRASH, *words)
    gets = r"\n  and request 3 \(GetObject /films/begun\) of the second run gets: s3:SlowDown\n"
    why = r"an earlier one makes the same requests, and has these faults; --exhaustive tries them"
    assert re.match(
        r"4 requests without a crash, 1 fault in the second run; \d+ runs in .*, \d+ failed.*\n\n.*exit code 3.*\n",
        output,
    )
    again = replay(output)
    assert (code, again[again.index("--replay") + 1].count("; ")) == (1, 1)
    # A fault that comes nowhere is no proof.
    nowhere = "s3:SlowDown,method=GET,path=/else"
    for command, code, says in (
        ((*CRASH, *words), 1, f"{gets}(.|\\n)*\\nleft out: faults in a second run \\({why}\\)\\n"),
        (again, 1, gets),
        (
            (*CRASH, "--max-runs", "8", *words),
            1,
            r"incomplete: \d+ runs? with a fault in the second run not made: max_runs is 8",
        ),
        ((*CRASH, "--exhaustive", *words), 1, r"^(?!(.|\n)*left out)"),
        ((*CRASH, "-r", nowhere, *words[2:]), 3, f"incomplete: {nowhere} was injected in no run"),
    ):
        found, output, _ = run(*command)
        assert (found, bool(re.search(says, output))) == (code, True), output


@pytest.mark.slow
def test_a_server_of_somebody_else(run, here, serve):
    """A foreign server's content is not compared, and the report says so."""
    url = serve("--vendor", "s3").url
    reset = f"curl -s -X DELETE {url}/films/lock {url}/films/cat {url}/films"
    options = ("explore", "--to", url, "--crash", "--reset", reset)
    code, output, _ = run(*options, "--", *command("locked", "wrong"))
    assert (code, "the second run: exit code 1" in output) == (1, True)
    why = "only the embedded store shows it; here the exit code and the requests are judged"
    assert f"left out: what the store holds ({why})" in output
    assert replay(output)[: len(options) + 1] == [*options, "--replay"]


@pytest.mark.slow
def test_the_replay_is_the_same_exploration(run, here):
    """It has what decides which runs there are, and what is judged."""
    source = """
bucket()
if ask("GET", "/films/begun"):
    sys.exit(4)
ask("PUT", "/films/begun", b"x")
ask("DELETE", "/films/begun")
"""
    options = ("--exhaustive", "--ignore", "left behind", "--max-runs", "90")
    code, output, _ = run(*CRASH, *options, "--", *program(here, source))
    words = " ".join(replay(output))
    assert (code, "left behind:" in output) == (1, False)
    assert [each in words for each in ("--exhaustive", "--ignore left behind", "--max-runs 90")] == [True] * 3
    code, again, _ = run(*replay(output))
    assert (code, again.splitlines()[2:5]) == (1, output.splitlines()[2:5])


NEVER_ENDS = """
if os.path.exists("begun") and not os.path.exists("over"):
    subprocess.Popen(["sleep", "1000"]).wait()
open("begun", "w").close()
bucket()
open("over", "w").close()
"""
LEAVES_THE_GROUP = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        bucket()
        ask("PUT", "/films/cat", b"meow")
        open("done", "w").close()
        ask("PUT", "/films/end", b"meow")
        open("over", "w").close()
    os._exit(0)
while not os.path.exists("over"):
    time.sleep(0.01)
os.remove("over")
"""
ALWAYS_FAILS = """
if os.path.exists("over"):
    sys.exit(5)
bucket()
ask("PUT", "/films/cat", b"meow")
open("over", "w").close()
"""
FAILS_WITHOUT_END = """
again, status = os.path.exists("begun"), 503
open("begun", "w").close()
while status >= 500:
    status = exchange("PUT", "/films")[0]
sys.exit(again or status != 200)
"""
CLOCK_OF_SECONDS = """
bucket()
ask("PUT", "/films/at", str(int(time.time())).encode())
ask("PUT", "/films/cat", b"meow")
"""
FAILS_BEFORE = """
bucket()
if ask("HEAD", "/films/begun"):
    ask("GET", "/films/begun")
ask("PUT", "/films/begun", b"x")
with open("runs", "a") as file:
    file.write("x")
    if file.tell() == 7:
        sys.exit(9)
ask("PUT", "/films/cat", b"meow")
"""
OTHER_LENGTH = """
with open("runs", "a") as file:
    file.write("x")
    late = file.tell() > 4
bucket()
ask("PUT", "/films/cat", b"m" * ({} if late else 24))
if ask("HEAD", "/films/gone"):
    sys.exit(4)
"""
TO_CAT = "reset,method=PUT,path=/films/cat,times=1,name=crash"
IN_THE_MIDDLE = "reset,method=PUT,path=/films/cat,times=1,after_bytes=99,name=crash"
ONE_LINE = r"\A[^\n]+\n\Z"


@pytest.mark.parametrize(
    ("source", "options", "code", "says"),
    [
        # A second run without an end is ended with all that it has started.
        slowly(NEVER_ENDS, "--reset 'rm -f begun over' --within 20s", 1, ["\nthe second run: did not end within 20 s\n"]),
        # Processes that leave the group are killed as well, and do not go on in the second run.
        slowly(LEAVES_THE_GROUP, "--reset 'rm -f over done'", 0, [r"\A3 requests without a crash; 8 runs in [^\n]*\n\Z"]),
        # If the second run always fails, also where nothing was killed, the store is the judge, and the report says so.
        slowly(ALWAYS_FAILS, "--reset 'rm -f over'", 0, [r"not judged: exit code of the restart \(without a crash it fails, too: exit code 5\)"]),
        # That does not excuse a run that stops only at our 410.
        slowly(FAILS_WITHOUT_END, "--exhaustive -r s3:SlowDown,times=1000 --reset 'rm -f begun'", 1, ["more than 60 requests in one run\n", "not judged: exit code of the restart"]),
        # A check is left out by its name.
        slowly(command("appended", "wrong"), "--ignore 'written twice' --reset 'rm -f done'", 0, []),
        (command("appended", "wrong"), "--ignore 'written twise'", 2, [r"\Afaultinject: ignore: 'written twise' is not a check; did you mean 'written twice'\?\n\Z"]),
        # A command that fails without a crash is not explored.
        slowly("bucket(); sys.exit(4)", "", 2, [
            r"\Afaultinject: the command fails without faults: exit code 4; its requests:\n"
            r"    1 CreateBucket  200 PUT /films\nit wrote no output\n\Z",
        ]),
        slowly(["true"], "", 2, [r"\Afaultinject: the command sent nothing to \$ENDPOINT"]),
        # A clock of seconds differs between runs, though they take under a second.
        slowly(CLOCK_OF_SECONDS, "", 0, [ONE_LINE]),
        # An operator takes the lock away first; a mistake in what he does is no finding.
        slowly(command("locked", "wrong"), f"--recover 'curl -s -X DELETE $ENDPOINT/films/lock; {shlex.join(command('locked', 'wrong'))}'", 0, [ONE_LINE]),
        (command("locked", "right"), "--recover ./unlock", 2, [r"\Afaultinject: recover: it cannot be run: exit code 127\n"]),
        # A program that fails before the kill is not reported as killed, also where a fault was to come in its second run.
        slowly(FAILS_BEFORE, f"-r s3:SlowDown,method=GET --replay '{TO_CAT}; s3:SlowDown,method=GET,path=/films/begun,times=1'", 1, [
            r"\A[^\n]*\n\nexit code 9\n  at request 4 \(PutObject /films/cat\) the program was to be killed, and failed before\n",
            r"\A(?!(.|\n)* is killed)",
        ]),
        # Where a body has another length in each run, its middle is somewhere else; a crash that did not come is no
        # success. The run without a crash sent 24 bytes, so that the middle is behind 12.
        slowly(OTHER_LENGTH.format(24), f"--replay {IN_THE_MIDDLE}", 0, ["; 1 run in "]),
        slowly(OTHER_LENGTH.format(4), f"--replay {IN_THE_MIDDLE}", 2, [
            rf"\Afaultinject: no run of this exploration is {IN_THE_MIDDLE}; copy a scenario from its report \(left out: a"
            r" crash after HeadObject \(it changes nothing, so a crash after it shows the same as one before it; an exhaustive one tries"
            r" it\); reset at PutObject /films/cat \(its body ends before\)\)\n\Z",
        ]),
    ],
)  # fmt: skip
def test_what_is_said(run, here, source, options, code, says):
    """The exit code, and what each pattern is found in."""
    words = program(here, source) if isinstance(source, str) else source
    found, out, err = run(*CRASH, *shlex.split(options), "--", *words)
    assert (found, [each for each in says if not re.search(each, out + err)]) == (code, []), out + err
    # The progress of what takes long is no message.
    told = re.sub(r"^faultinject: run \d+ of \d+ .*, \d+ s so far\n", "", err, flags=re.MULTILINE)
    assert (bool(out), bool(told)) == (code != 2, code == 2), err
