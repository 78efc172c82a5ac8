"""Files that are no files: each option that takes one says so in a sentence, soon and with little memory."""

from __future__ import annotations

import gzip
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import process_time

import pytest

from faultinject.cli.program import program
from faultinject.exceptions import ConfigurationError
from faultinject.rules import files
from faultinject.rules.scenario import Scenario

testing = pytest.importorskip("click.testing")
resource = pytest.importorskip("resource")

pytestmark = pytest.mark.live  # a process has one bound of memory, and some of these wait for another process
JOURNAL = Path(__file__).parents[1] / "audit/cos.jsonl.gz"
READERS = {
    "check": ["check", "--file", "{}"],
    "run": ["run", "--file", "{}", "--", "true"],
    "serve": ["serve", "--file", "{}"],
    "FAULTINJECT_FILE": ["check"],
    "preview": ["preview", "cos:SlowDown", "--body", "{}"],
    "report": ["report", "{}", "--finished"],
    "profile": ["report", str(JOURNAL), "--finished", "--profile", "{}"],
    "conformance": ["conformance", "--client", "true", "--compare", "{}"],
    "conformance profile": ["conformance", "--client", "true", "--profile", "{}"],
}
WRITERS = {
    "serve": ["serve", "--journal", "{}"],
    "run": ["run", "-r", "http:503", "--journal", "{}", "--", "true"],
    "report": ["report", str(JOURNAL), "--finished", "--output", "{}"],
}
ROOM = 400 << 20


@pytest.fixture(autouse=True)
def little_memory(monkeypatch):
    """Nobody can take more than 400 MiB, and a named pipe waits for a moment only."""
    monkeypatch.setattr(files, "PATIENCE", 0.02)
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def zeros(path):
    with path.open("wb") as file:
        file.truncate(3 << 30)


def no_permission(path):
    path.write_text("x = 1")
    path.chmod(0)


KINDS = {
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "directory": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "zeros": zeros,
    "nothing": lambda path: None,
    "no permission": no_permission,
}


@contextmanager
def somebody():
    """For its block this process is not root, who may read every file."""
    ours = os.geteuid()
    if not ours:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(ours)


@pytest.fixture
def folder():
    """One that everybody may enter."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def invoke(command, path, monkeypatch):
    if "{}" not in command:
        monkeypatch.setenv("FAULTINJECT_FILE", str(path))
    return testing.CliRunner().invoke(program, [each.replace("{}", str(path)) for each in command])


def check(result, path):
    """One sentence that names the file, and exit code 2."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert result.stderr.startswith("faultinject: ")
    assert str(path) in result.stderr
    assert result.stderr.count("\n") == 1
    assert len(result.stderr) <= 2000


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")  # noqa: PTH110
@pytest.mark.parametrize("kind", [each for each in KINDS if each != "no permission"])
@pytest.mark.parametrize("command", READERS)
def test_read(command, kind, tmp_path, monkeypatch):
    """What cannot be read whole."""
    path = tmp_path / "odd.toml"
    KINDS[kind](path)
    check(invoke(READERS[command], path, monkeypatch), path)


@pytest.mark.parametrize("command", READERS)
def test_no_permission(command, folder, monkeypatch):
    """What only others may read."""
    path = folder / "odd.toml"
    journal = shutil.copy(JOURNAL, folder)
    arguments = [journal if each == str(JOURNAL) else each for each in READERS[command]]
    check(invoke(arguments, path, monkeypatch), path)  # which imports all that it needs
    path.touch(0)
    with somebody():
        result = invoke(arguments, path, monkeypatch)
    check(result, path)
    assert "permission denied" in result.stderr.lower()


@pytest.mark.parametrize("kind", ["directory", "pipe"])
@pytest.mark.parametrize("command", WRITERS)
def test_written(command, kind, tmp_path, monkeypatch):
    """What cannot be written to: nobody reads the pipe."""
    path = tmp_path / "odd.json"
    KINDS[kind](path)
    check(invoke(WRITERS[command], path, monkeypatch), path)


def test_results_into_a_pipe(tmp_path):
    """Those of `conformance`, which come minutes later."""
    from faultinject.cli.conformance_output import writer

    path = tmp_path / "odd.json"
    os.mkfifo(path)
    with pytest.raises(OSError, match="No such device"):
        writer(str(path))([], {})


def test_a_pipe_with_a_writer(tmp_path, monkeypatch):
    """It is read to its end, however slowly it comes."""
    monkeypatch.setattr(files, "PATIENCE", 60)
    path = tmp_path / "rules"
    os.mkfifo(path)
    child = os.fork()
    if not child:
        with path.open("w") as file:
            file.write('[[rules]]\nfault = "http:503"\n')
        os._exit(0)
    assert [str(each) for each in Scenario.load(path).rules] == ["http:503"]
    os.waitpid(child, 0)


def test_a_pipe_that_may_not_be_read(folder):
    """The system's error is told."""
    path = folder / "pipe"
    os.mkfifo(path, 0)
    with somebody(), pytest.raises(PermissionError):
        files.open_to_read(path)


def test_a_pipe_that_may_only_be_read(folder):
    """Its wait cannot be ended from here; nobody waits for that."""
    path = folder / "pipe"
    os.mkfifo(path)
    path.chmod(0o444)
    with somebody(), pytest.raises(OSError, match="no program writes to this pipe"):
        files.open_to_read(path)
    os.close(os.open(path, os.O_WRONLY))  # the thread that still waits for somebody


def test_the_standard_input():
    """A body may come from there, and has the same bounds; none is none."""
    found = testing.CliRunner().invoke(
        program, ["preview", "cos:SlowDown", "--body", "-"], input=b"x" * (65 << 20)
    )
    assert found.stderr == "faultinject: the standard input: more than 64 MiB\n"
    assert testing.CliRunner().invoke(program, ["preview", "cos:SlowDown", "--body", "-"]).exit_code == 0


@pytest.mark.live
@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no such device")  # noqa: PTH110
def test_a_journal_without_an_end_from_the_standard_input():
    """It is not copied for ever."""
    with Path("/dev/zero").open("rb") as endless:
        command = [sys.executable, "-m", "faultinject", "report", "-"]
        result = subprocess.run(command, stdin=endless, capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == (
        "faultinject: the standard input: no line of a faultinject journal in its first 64 MiB\n"
    )


@pytest.mark.parametrize("kind", ["endless", "directory", "pipe"])
def test_follow(kind, tmp_path):
    """What is no file can never become a journal."""
    path = tmp_path / "odd"
    KINDS[kind](path)
    result = testing.CliRunner().invoke(program, ["report", "--follow", str(path)])
    assert result.exit_code == 2
    assert result.stderr.endswith("Error: --follow reads its journals repeatedly, so it needs files\n")


def test_a_line_of_a_hundred_megabytes(tmp_path):
    """It is skipped, and what stands before and behind it is read."""
    lines = gzip.decompress(JOURNAL.read_bytes()).splitlines(keepends=True)
    path = tmp_path / "journal"
    with path.open("wb") as file:
        file.writelines(lines[:20])
        file.truncate(100 << 20)
        file.seek(0, os.SEEK_END)
        file.write(b"\n")
        file.writelines(lines[20:])
    result = testing.CliRunner().invoke(program, ["report", str(path), "--finished"])
    assert result.exit_code == 1
    assert "Skipped lines: longer than 1 MiB (1)." in " ".join(result.stdout.split())


COSTLY = {
    "a key of many parts": lambda: Scenario.from_toml("a" + ".a" * 100_000 + "=1"),
    "a key that stands twice behind many": lambda: Scenario.from_json(
        "{" + "".join(f'"a{each}":1,' for each in range(200_000)) + '"z":1,"z":1}'
    ),
    "a rule of many mistakes": lambda: Scenario.parse("http:503" + ",times=1" * 40_000),
}


@pytest.mark.parametrize("cost", COSTLY.values(), ids=COSTLY)
def test_costs_grow_with_the_length(cost):
    """Not with its square, which would be minutes."""
    before = process_time()
    with pytest.raises(ConfigurationError):
        cost()
    assert process_time() - before < 15


def test_dots_elsewhere():
    """Sentences in a value are no keys."""
    [rule] = Scenario.from_toml('[[rules]]\nfault = "http:503"\nmessage = "' + "a." * 400 + '"').rules
    assert rule.value("message")[1]
