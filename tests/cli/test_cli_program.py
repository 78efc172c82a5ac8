"""The program as a whole: help, version, wrong use, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import faultinject
from faultinject.cli.program import group
from tests.pairs import in_turn
from tests.rows import each_row
from tests.slowly import slowly

pytestmark = pytest.mark.live

KINDS = ("reset", "close", "hang", "latency", "stall", "truncate", "drip", "corrupt")
COMMANDS = list(group.commands)


@pytest.fixture
def unread():
    """The end of a pipe that nobody reads."""
    reading, writing = os.pipe()
    os.close(reading)
    yield writing
    os.close(writing)


@each_row("arguments", [(), ("-h",), ("--help",)])
def test_help_lists_the_commands_in_order(succeeds, arguments):
    """Without arguments, with -h and with --help the same page names every command."""
    listed = succeeds(*arguments).partition("Commands:")[2].splitlines()
    assert [line.split()[0] for line in listed if line.startswith("  ") and line[2].islower()] == COMMANDS


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_every_command_has_help(succeeds, command, option):
    """Each command explains itself."""
    assert succeeds(command, option).startswith(f"Usage: faultinject {command} ")


@each_row(
    ("words", "takes"),
    [
        *(
            ((each,), "--rule")
            for each in ("serve", "proxy", "run", "explore", "trial", "convert", "check", "preview")
        ),
        *((("control", each), "--rule") for each in ("set", "add")),
        *(
            ((each,), "--output")
            for each in ("explore", "report", "conformance", "learn", "convert", "schema")
        ),
    ],
)
def test_options_have_the_same_names_everywhere(run, words, takes):
    """`-r`/`--rule` and `-o`/`--output` have the same meaning in every command."""
    assert f"  {takes[1:3]}, {takes} " in run(*words, "-h")[1]


def test_help_of_check_lists_the_whole_vocabulary(run):
    """Every fault, condition, trigger and effect stands in `check -h`."""
    _, out, _ = run("check", "-h")
    first_words = {line.split()[0] for line in out.splitlines() if line.strip()}
    rule = json.loads(run("schema")[1])["$defs"]["rule"]["properties"]
    assert {*rule} - {"fault", "unless"} <= {each.partition(".")[0] for each in first_words}
    assert {"vendor:Code", "http:NNN", *KINDS} <= first_words
    assert (
        "One of rule, call (the retries of one thing: method, bucket, key, query), key (bucket "
        "and key), bucket, operation, client." in " ".join(out.split())
    )


def test_the_module_runs_as_the_program():
    """`python -m faultinject` is the same program, under its own name."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-m", "faultinject", "--version"], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"faultinject {faultinject.__version__}\n", "")


NOBODY, FULL, CLOSED = 'exec "$@"', 'exec "$@" >/dev/full', 'exec "$@" >&-'
HAS_FULL = pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is full")
NO_SPACE = "faultinject: No space left on device\n"


@pytest.mark.parametrize(
    ("shell", "line", "code", "told"),
    [
        # As behind `| head -1`: exit code 0, nothing on standard error, not at shutdown either.
        *(
            make(NOBODY, line, 0, "")
            for make, lines in (
                (pytest.param, ("vendors", "preview cos:SlowDown")),
                (slowly, ("-h", "check -h", "check http:503,times=1", "check http:503 --json", "vendors cos", "demo --calls 3")),
            )
            for line in lines
        ),
        # A full disk is reported in one line with exit code 2, and nothing at shutdown.
        pytest.param(FULL, "vendors", 2, NO_SPACE, marks=HAS_FULL),
        *(
            pytest.param(FULL, line, 2, NO_SPACE, marks=[HAS_FULL, pytest.mark.slow])
            for line in ("-h", "preview http:503", "check http:503", "demo --calls 3")
        ),
        # `>&-` leaves no standard output at all; the program does its work.
        *((CLOSED, line, 0, "") for line in ("vendors", "check http:503", "--version")),
        *(slowly(CLOSED, line, 0, "") for line in ("preview http:503", "demo --calls 2 --seed 1")),
    ],
)  # fmt: skip
def test_an_output_that_cannot_be_written(unread, shell, line, code, told):
    """Nobody reads it, it is full, or there is none."""
    # In the dev mode asyncio reports a request of the demo's server that takes 0.1 s, as one may on a busy machine.
    mode = ["-W", "default"] if line.startswith("demo") else ["-X", "dev"]
    program = [sys.executable, *mode, "-m", "faultinject", *line.split()]
    command = ["sh", "-c", shell, "sh", *program]
    done = subprocess.run(command, stdout=unread, stderr=subprocess.PIPE, text=True, timeout=300)
    assert (done.returncode, done.stderr) == (code, told)


JOURNAL = Path(__file__).parents[1] / "audit" / "cos.jsonl.gz"
SHORT = ["--phase", "denied", "--phase", "one-read"]
CLIENT = """
from urllib.request import urlopen

class Client:
    def __init__(self, endpoint, bucket):
        self.url = f"{endpoint}/{bucket}/"

    def get(self, key):
        for last in False, True:
            try:
                return urlopen(self.url + key).close()
            except OSError:
                if last:
                    raise
"""
SUITE = """
import os
from urllib.request import Request, urlopen

def test_put():
    urlopen(Request(os.environ["ENDPOINT"] + "/photos", method="PUT")).close()
"""
TOXICS = '{"upstream": "", "toxics": [{"type": "slow_close", "attributes": {}}]}'
PYTEST = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_it.py"]


VERDICTS = [
    ["check", "http:503,times=0"],
    ["check", "http:503,times=0", "--json"],
    ["check", "nonsense", "--json"],
    ["check", "http:503,path=/a", "--request", "/b"],
    ["report", "--finished", str(JOURNAL)],
    ["report", "--finished", "--format", "json", str(JOURNAL)],
    ["convert", "toxics.json"],
    ["convert", "--json", "toxics.json"],
    ["explore", "-r", "s3:SlowDown", "--", sys.executable, "-c", f"{SUITE}\ntest_put()"],
    ["trial", "-r", "s3:SlowDown", "--", *PYTEST],
    ["conformance", "--client", "client:Client", *SHORT],
    ["conformance", "--client", "client:Client", *SHORT, "--json"],
    ["conformance", "--client", "client:Client", "--client", "client:Client", *SHORT],
    ["conformance", "--client", "client:Client", "--cases", "google-storage"],
]
LONG = ("explore", "trial", "conformance", "report")
"""The commands that load much or start others."""


@pytest.mark.parametrize(
    ("arguments", "closed"),
    [slowly(*each) if each[0][0] in LONG else each for each in in_turn(VERDICTS, [False, True])],
)
def test_a_verdict_stays_though_nobody_reads_it(unread, tmp_path, arguments, closed):
    """The exit code stays that of the verdict though nobody reads the output, or it is closed.

    As behind `| head -1` where a shell has `pipefail`: a failed check is no success, nor is a conversion that left
    something out.
    """
    (tmp_path / "client.py").write_text(CLIENT)
    (tmp_path / "test_it.py").write_text(SUITE)
    (tmp_path / "toxics.json").write_text(TOXICS)
    command = [sys.executable, "-m", "faultinject", *arguments]
    if closed:
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    done = subprocess.run(
        command, stdout=None if closed else unread, stderr=subprocess.PIPE, cwd=tmp_path, timeout=300
    )
    expected = 2 if "nonsense" in arguments else 1
    assert (done.returncode, b"Traceback" in done.stderr) == (expected, False)


@pytest.mark.parametrize("output", [[], ["-o", "made.toml"]])
def test_what_is_converted_is_written_though_nobody_reads_the_remarks(unread, tmp_path, output):
    """Standard error may be left, too; the result does not depend on that."""
    (tmp_path / "toxics.json").write_text(TOXICS)
    command = [sys.executable, "-m", "faultinject", "convert", "toxics.json", *output]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=unread, cwd=tmp_path, timeout=100)
    written = (tmp_path / "made.toml").read_bytes() if output else done.stdout
    assert (done.returncode, written[:29]) == (1, b"# converted from toxics.json\n")


def test_remarks_are_told_before_the_text(start, tmp_path, monkeypatch):
    """Remarks stand above the text if both go to one place."""
    (tmp_path / "toxics.json").write_text(TOXICS)
    monkeypatch.chdir(tmp_path)
    _, lines = start("convert", "toxics.json").ended()
    assert [each[:12] for each in lines[:2]] == ["faultinject:", "# converted "]


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_command_runs_without_streams(closed):
    """The command has them as the program has them, and its exit code is the program's."""
    command = f'"{sys.executable}" -m faultinject run -r http:503 -- sh -c "exit 7" {closed}'
    done = subprocess.run(command, shell=True, capture_output=True, text=True, timeout=100)
    assert (done.returncode, "Traceback" in done.stdout + done.stderr) == (7, False)


def test_a_terminal_with_rich_gets_a_table(run, monkeypatch, request):
    """With rich and a terminal, tables are drawn; without rich the same cells are aligned text."""
    plain = run("check", "http:503")[1]
    request.getfixturevalue("terminal")
    drawn = run("check", "http:503")[1]
    assert ("─" in drawn, drawn == plain) == (True, False)
    monkeypatch.setitem(sys.modules, "rich.table", None)
    assert run("check", "http:503")[1] == plain


@pytest.mark.usefixtures("terminal")
@pytest.mark.parametrize(
    "words",
    [
        ("vendors", "--operations", "azure-blob"),
        pytest.param(("conformance", "--list"), marks=pytest.mark.slow),
    ],
)
def test_a_narrow_terminal_gets_the_whole_table(run, monkeypatch, words):
    """Nothing of a cell is cut, however long its words are."""
    seen = []
    for columns in ("60", "1000"):
        monkeypatch.setenv("COLUMNS", columns)
        code, out, _ = run(*words)
        assert code == 0
        seen.append(sorted(each for each in out if each not in "─ \n"))
    assert seen[0] == seen[1]


@pytest.mark.parametrize("heard", [True, False], ids=["read", "not read"])
@pytest.mark.parametrize(
    ("arguments", "code"),
    [(["-h"], 0), (["vendors"], 0), (["check", "http:503,times=0"], 1), (["nothing"], 2)],
)
def test_a_caller_may_ask_for_the_code(unread, monkeypatch, heard, arguments, code):
    """Without click's standalone mode the exit code comes back; what nobody reads goes nowhere."""
    with os.fdopen(unread, "w", closefd=False) as stream:
        if not heard:
            monkeypatch.setattr("sys.stdout", stream)
        assert group.main(arguments, prog_name="faultinject", standalone_mode=False) == code


def test_help_needs_no_docstrings():
    """Python's -OO takes docstrings away; the vocabulary is still listed."""
    done = subprocess.run(
        [sys.executable, "-OO", "-m", "faultinject", "check", "-h"], capture_output=True, text=True
    )
    assert (done.returncode, done.stderr, "probability" in done.stdout) == (0, "", True)


INTERRUPTED = """
import sys

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {name!r}:
            raise KeyboardInterrupt

sys.meta_path.insert(0, Finder())
sys.argv = ["faultinject", *{arguments!r}]
from faultinject.cli import main
main()
"""


@each_row(
    ("name", "arguments"),
    [
        ("faultinject.cli.program", ["vendors"]),
        ("click", ["vendors"]),
        ("faultinject.exceptions", ["check"]),
        ("faultinject.cli.vendors", ["vendors"]),
        ("faultinject.rules.scenario", ["check", "cos:SlowDown"]),
    ],
)
def test_ctrl_c_while_it_is_loaded(name, arguments):
    """One line and the code of an interrupt, whichever module is being imported."""
    found = subprocess.run(
        [sys.executable, "-c", INTERRUPTED.format(name=name, arguments=arguments)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert (found.returncode, found.stdout, found.stderr.strip()) == (130, "", "faultinject: interrupted")
