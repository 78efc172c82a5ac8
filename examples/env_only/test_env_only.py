"""The commands of the README, each in its own process, start the app with these answers."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent
COMMANDS = [
    line
    for line in (FOLDER / "README.md").read_text(encoding="utf-8").splitlines()
    if line.startswith(("flask ", "faultinject ", "FAULTINJECT_"))
]
WORKERS, UNTOUCHED, PLAIN, TWICE, FILE, NAMED, TYPO = COMMANDS


def start(command: str) -> subprocess.Popen[str]:
    """The command as a shell would run it in `examples`, on a free port."""
    words = shlex.split(command)
    environ = {name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")}
    # The programs of the Python that runs this, as in an activated environment.
    environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environ['PATH']}"
    while words[0].startswith("FAULTINJECT_"):
        name, _, value = words.pop(0).partition("=")
        environ[name] = value
    port = ["--bind", "127.0.0.1:0"] if "gunicorn" in words else ["--port", "0"]
    arguments = [sys.executable, "-m", *words, *port]
    return subprocess.Popen(arguments, cwd=FOLDER.parent, env=environ, stderr=subprocess.PIPE, text=True)


@contextmanager
def running(command: str) -> Iterator[tuple[HTTPConnection, list[str]]]:
    """Connect to the app, and give the lines that it has printed; after the block, all of them."""
    with start(command) as process:
        said: list[str] = []
        for line in process.stderr:
            said.append(line)
            if found := re.search(r"(?:Running on|Listening at:) http://127\.0\.0\.1:(\d+)", line):
                break
        else:
            pytest.fail("".join(said))
        connection = HTTPConnection("127.0.0.1", int(found[1]), timeout=60)
        try:
            yield connection, said
        finally:
            connection.close()
            process.terminate()
            said += process.stderr


def ask(connection: HTTPConnection, method: str, body: str | None = None) -> tuple[int, str | None, bytes]:
    """Status, marker header and body of one request to /entries."""
    connection.request(method, "/entries", body)
    answer = connection.getresponse()
    return answer.status, answer.headers["x-faultinject"], answer.read()


def test_four_workers_fail_twice_in_all() -> None:
    """Nobody has touched the app, and two entries fail, not two in each worker."""
    with running(WORKERS) as (app, said), ThreadPoolExecutor(8) as pool:

        def write(_: int) -> tuple[int, str | None, bytes]:
            connection = HTTPConnection(app.host, app.port, timeout=60)
            answer = ask(connection, "POST", "hello")
            connection.close()
            return answer

        answers: list[tuple[int, str | None, bytes]] = []
        while sum(entries == b'["hello"]\n' for _, _, entries in answers) < 4:  # each has a book of its own
            answers += pool.map(write, range(8))
    assert [each[:2] for each in answers if each[0] != 201] == [(503, "rule-1")] * 2
    assert "qingstor:service_unavailable,method=POST,path=entries,times=2" in "".join(said)


def test_rules_of_the_environment_reach_an_untouched_app() -> None:
    """`run` takes them where it is given none."""
    with running(UNTOUCHED) as (app, _):
        assert [ask(app, "POST", "hello")[:2] for _ in range(3)] == [(503, "rule-1")] * 2 + [(201, None)]


def test_without_variables_nothing_happens() -> None:
    """The app answers as without faultinject, and prints nothing about faults."""
    with running(PLAIN) as (app, said):
        assert ask(app, "POST", "hello") == (201, None, b'["hello"]\n')
        assert "faultinject" not in "".join(said)


def test_a_rule_from_the_environment_fails_twice() -> None:
    """Two writes fail as at QingStor, and the third works; reads pass; the start names the rule."""
    with running(TWICE) as (app, said):
        assert [ask(app, "POST", "hello")[:2] for _ in range(3)] == [(503, "rule-1")] * 2 + [(201, None)]
        assert ask(app, "GET") == (200, None, b'["hello"]\n')
        assert "qingstor:service_unavailable,method=POST,path=entries,times=2" in "".join(said)


def test_a_rule_from_a_file_has_the_name_that_the_file_gives_it() -> None:
    """The file's rule and seed are in force."""
    with running(FILE) as (app, said):
        assert ask(app, "POST", "hello")[:2] == (503, "slow-book")
        assert ask(app, "POST", "hello")[:2] == (201, None)
        assert "seed 42" in "".join(said)


def test_a_rule_of_its_own_variable_has_the_variables_name() -> None:
    """`FAULTINJECT_RULE_BOOK_GONE` is the rule `book-gone`."""
    with running(NAMED) as (app, _):
        assert ask(app, "GET") == (503, "book-gone", b"Service Unavailable")
        assert ask(app, "GET") == (200, None, b"[]\n")


def test_a_typo_stops_the_start() -> None:
    """Nobody tests for a day with a rule that is none."""
    with start(TYPO) as process:
        said = process.stderr.read()
        assert process.wait(300) != 0
    assert "did you mean qingstor:service_unavailable?" in said
