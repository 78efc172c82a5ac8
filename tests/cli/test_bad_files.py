"""Each option for a file reports a wrong one in a sentence, soon, and with little memory."""

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from time import process_time

import pytest

from faultinject import ConfigurationError, Scenario
from tests.console import command

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
    "conformance": ["conformance", "--client", "requests", "--phase", "denied", "--output", "{}"],
}
ROOM = 400 << 20


@pytest.fixture(autouse=True)
def little_memory():
    """Nobody can take more than 400 MiB."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + ROOM, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


def zeros(path):
    with path.open("wb") as file:
        file.truncate(3 << 30)


KINDS = {
    "endless": lambda path: path.symlink_to("/dev/zero"),
    "directory": lambda path: path.mkdir(),
    "pipe": os.mkfifo,
    "zeros": zeros,
    "nothing": lambda path: None,
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


def refuse(words, path, monkeypatch):
    """Run a command that must refuse the file by one sentence: the sentence."""
    if "{}" not in words:
        monkeypatch.setenv("FAULTINJECT_FILE", str(path))
    result = command(*(each.replace("{}", str(path)) for each in words))
    assert (result.exit_code, result.stdout, result.stderr.count("\n")) == (2, "", 1), result.output
    assert re.match(f"faultinject: .*{re.escape(str(path))}", result.stderr)
    assert len(result.stderr) <= 2000
    return result.stderr


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")  # noqa: PTH110
@pytest.mark.parametrize(
    ("reader", "kind"),
    # All that is read is opened by the same door: each reader meets what has no end, and one meets the rest.
    [
        *((each, "endless") for each in READERS),
        *(("check", each) for each in ("directory", "zeros", "nothing")),
    ],
)
def test_read(reader, kind, tmp_path, monkeypatch):
    """A file that cannot be read whole is refused."""
    path = tmp_path / "odd.toml"
    KINDS[kind](path)
    refuse(READERS[reader], path, monkeypatch)


@pytest.mark.parametrize("reader", ["check", "preview", "report", "conformance"])
def test_no_permission(reader, folder, monkeypatch):
    """A file that only others may read is refused."""
    path = folder / "odd.toml"
    journal = shutil.copy(JOURNAL, folder)
    arguments = [journal if each == str(JOURNAL) else each for each in READERS[reader]]
    refuse(arguments, path, monkeypatch)  # which imports all that it needs
    path.touch(0)
    with somebody():
        assert "permission denied" in refuse(arguments, path, monkeypatch).lower()


@pytest.mark.parametrize(
    ("writer", "kind"),
    [
        ("serve", "directory"),
        ("run", "pipe"),
        ("report", "pipe"),
        ("report", "directory"),
        ("conformance", "pipe"),
    ],
)
def test_written(writer, kind, tmp_path, monkeypatch):
    """A place that cannot be written to is refused, also a pipe that nobody reads."""
    path = tmp_path / "odd.json"
    KINDS[kind](path)
    refuse(WRITERS[writer], path, monkeypatch)


def test_a_pipe_with_a_writer(tmp_path):
    """It is read to its end."""
    path = tmp_path / "rules"
    os.mkfifo(path)
    text = f"open({str(path)!r}, 'w').write('[[rules]]\\nfault = \"http:503\"\\n')"
    with subprocess.Popen([sys.executable, "-c", text]):
        assert [str(each) for each in Scenario.load(path).rules] == ["http:503"]


def test_the_standard_input():
    """A body may come from there, and has the same bounds; none is none."""
    found = command("preview", "cos:SlowDown", "--body", "-", input=b"x" * (65 << 20))
    assert found.stderr == "faultinject: the standard input: more than 64 MiB\n"
    assert command("preview", "cos:SlowDown", "--body", "-").exit_code == 0


@pytest.mark.live
@pytest.mark.skipif(not os.path.exists("/dev/zero"), reason="there is no such device")  # noqa: PTH110
def test_a_journal_without_an_end_from_the_standard_input():
    """It is not copied for ever."""
    with Path("/dev/zero").open("rb") as endless:
        command = [sys.executable, "-m", "faultinject", "report", "-"]
        result = subprocess.run(command, stdin=endless, capture_output=True, text=True, check=False)
    told = "faultinject: the standard input: no line of a faultinject journal in its first 64 MiB\n"
    assert (result.returncode, result.stderr) == (2, told)


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
    result = command("report", str(path), "--finished")
    skipped = "Skipped lines: longer than 1 MiB (1)." in " ".join(result.stdout.split())
    assert (result.exit_code, skipped) == (1, True)


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
