"""A program is killed at each request and run again: planted bugs are found, repairs pass."""

import os
import re
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path
from unittest.mock import Mock

import pytest
import requests

import faultinject
from faultinject import Storage
from faultinject.exceptions import ConfigurationError, ExplorationFailedError
from faultinject.testing.exploration import programs
from faultinject.testing.exploration.report import groups
from tests.slowly import others_slowly

from .service import exploring, send

pytestmark = pytest.mark.live

PROGRAM = Path(__file__).with_name("crashing.py")

PLAIN = f"import sys; sys.path.insert(0, {str(PROGRAM.parent)!r}); from plain_http import exchange\n"


@pytest.fixture
def storage():
    """A store of this process."""
    with Storage("s3") as store:
        yield store


def command(job, how):
    """The command of a job."""
    return [sys.executable, "-S", str(PROGRAM), job, how]


def explore(storage, place, words, *faults, recover=None, judge=True, **options):
    """All runs of a program, which the store judges too; the failure if there was one."""
    exploration = faultinject.explore(*faults, **{"crash": True, **options})
    try:
        for run in exploration:
            storage.app.reset()
            for each in place.iterdir():
                each.unlink()
            requests.put(f"{storage.url}/films", timeout=60)
            requests.put(f"{storage.url}/films/from", b"meow", timeout=60)
            with run as given:
                given.run(
                    words,
                    recover=recover,
                    env={**os.environ, "ENDPOINT": storage.url},
                    cwd=place,
                    store=storage if judge else None,
                )
    except ExplorationFailedError as error:
        return exploration, error
    return exploration, None


FOUND = {
    "noted": [
        (
            "object lost: /films/cat is not there; without a crash it has 33 bytes",
            "reset,method=POST,path=/films/cat,query.uploadId=,times=1,name=crash",
        )
    ],
    "resumed": [
        (
            "half written: /films/cat has 10 bytes; without a crash it has 33 bytes",
            "reset,method=PUT,path=/films/cat,query.partNumber=3,query.uploadId=,times=1,name=crash",
        ),
        (
            "other content: /films/cat has 28 bytes; without a crash it has 33 bytes",
            "reset,method=PUT,path=/films/cat,query.partNumber=1,query.uploadId=,times=1,name=crash",
        ),
    ],
    "moved": [
        (
            "object lost: /films/to is not there; without a crash it has 4 bytes",
            "reset,method=DELETE,path=/films/from,times=1,when=after,name=crash",
        ),
        (
            "object lost: /films/to is not there; without a crash it has 4 bytes",
            "reset,method=PUT,path=/films/to,times=1,name=crash",
        ),
    ],
    "locked": [
        ("the second run: exit code 1", "reset,method=DELETE,path=/films/lock,times=1,name=crash"),
        ("the second run: exit code 1", "reset,method=PUT,path=/films/cat,times=1,name=crash"),
    ],
    "appended": [
        (
            "written twice: /films/log has 12 bytes; without a crash it has 6 bytes",
            "reset,method=PUT,path=/films/log,times=1,when=after,name=crash",
        )
    ],
}


@pytest.mark.parametrize(
    "job", [each if each == "appended" else pytest.param(each, marks=pytest.mark.slow) for each in FOUND]
)
def test_it_is_found(job, storage, tmp_path):
    """With the smallest scenarios, the same each time; one of them shows it again."""
    exploration, error = explore(storage, tmp_path, command(job, "wrong"))
    found = sorted((smallest.failure, smallest.text) for smallest, *_ in groups(exploration.runs))
    assert found == FOUND[job]
    [replay, *_] = re.findall(r'replay="(.+)"\)$', str(error), re.MULTILINE)
    again, _ = explore(storage, tmp_path, command(job, "wrong"), replay=replay)
    assert [(each.text, each.failed) for each in again.runs] == [(replay, True)]


@pytest.mark.slow
@pytest.mark.parametrize("job", FOUND)
def test_the_repaired_version_passes(job, storage, tmp_path):
    """Nothing is said of it, not even a warning."""
    exploration, error = explore(storage, tmp_path, command(job, "right"))
    assert exploration.runs
    assert (error, "warning" in exploration.report()) == (None, False)


@pytest.mark.slow
def test_something_that_cannot_be_killed(storage, tmp_path, monkeypatch):
    """Its requests would be taken for those of the second run: that is no result."""
    monkeypatch.setattr(programs.processes, "kill_marked", lambda *_: False)
    _, error = explore(storage, tmp_path, command("appended", "right"))
    assert (
        str(error)
        == "a process of the program cannot be killed: its requests would mix with those of the next run"
    )


@pytest.mark.slow
def test_only_the_program_judges(storage, tmp_path):
    """Without a known store only the program judges; the report says once what was left out."""
    exploration, _ = explore(storage, tmp_path, command("appended", "wrong"), judge=False)
    assert [each.subject for each in exploration.sweep.left_out] == [
        "a crash after GetObject",
        "what the store holds",
    ]


@pytest.mark.slow
def test_other_rules_stand_beside_it(storage, tmp_path):
    """In both runs of the program."""
    with faultinject.inject("http:418,method=HEAD,name=teapot") as given:
        exploration = given.explore(crash=True)
        words = ["sh", "-c", "curl -s -o code -w %{http_code} -I $ENDPOINT/films; grep 418 code"]
        for run in exploration:
            with run:
                given.run(
                    words,
                    recover="curl -s -o /dev/null -I $ENDPOINT/films",
                    store=storage,
                    env={**os.environ, "ENDPOINT": storage.url},
                    cwd=tmp_path,
                )
    assert [each.text for each in exploration.runs] == ["reset,method=HEAD,path=/films,times=1,name=crash"]


def test_a_request_that_does_not_come_again(storage, tmp_path):
    """A request that does not come again is no success, and the report says so.

    Nothing could be killed at it, also when it was retried.
    """
    place, runs = tmp_path / "place", tmp_path / "runs"
    place.mkdir()
    program = (
        f"echo >> {runs}; [ $(wc -l < {runs}) -gt 2 ] || curl -s -o answer -X PUT -d meow $ENDPOINT/films/cat"
    )
    exploration, _ = explore(storage, place, program)
    assert [(each.reached, each.failed) for each in exploration.runs] == [(False, False)] * 3
    assert "3 not reached" in exploration.report()


@pytest.mark.parametrize(
    "faults",
    others_slowly(
        [("http:503,method=GET",), ("http:503,method=GET", "http:503,name=mine,method=GET,path=films/")],
        lambda faults: len(faults) > 1,
    ),
    ids=["a fault", "faults that are one rule"],
)
def test_faults_of_the_second_run(storage, tmp_path, faults):
    """Each at the requests that it is for, behind each crash; equal ones are one run there."""
    program = "curl -s -o answer -X PUT -d meow $ENDPOINT/films/cat; curl -s -o answer $ENDPOINT/films/cat"
    exploration, error = explore(storage, tmp_path, ["sh", "-c", program], *faults)
    assert error is None
    texts = [each.text for each in exploration.runs]
    assert [*dict.fromkeys(texts)] == texts
    assert {each.partition("name=crash; ")[2] for each in texts} == {
        "",
        "http:503,method=GET,path=/films/cat,times=1",
    }


def interrupted(function, interrupt):
    """The function, and an interrupt at its end."""

    def call(*given, **more):
        done = function(*given, **more)
        interrupt()
        return done

    return call


@pytest.mark.parametrize(
    ("owner", "name", "interrupt"),
    [
        (subprocess, "_fork_exec", partial(signal.raise_signal, signal.SIGINT)),
        (subprocess.Popen, "_execute_child", Mock(side_effect=KeyboardInterrupt)),
        (programs.processes.Child, "__init__", Mock(side_effect=KeyboardInterrupt)),
    ],
    ids=["the system's call", "the process", "the call that starts it"],
)
def test_an_interrupt_while_it_is_started(storage, tmp_path, monkeypatch, owner, name, interrupt):
    """Ctrl-C during the start of the program ends it, though it may be at work already."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    began, real = [], subprocess.Popen._execute_child
    monkeypatch.setattr(
        subprocess.Popen, "_execute_child", lambda child, *given: began.append(child) or real(child, *given)
    )
    monkeypatch.setattr(owner, name, interrupted(getattr(owner, name), interrupt))
    try:
        with pytest.raises(KeyboardInterrupt):
            explore(storage, tmp_path, [sys.executable, "-c", "import time; time.sleep(600)"])
        assert [each.returncode for each in began] == [-signal.SIGKILL]
    finally:
        for each in began:
            if each.returncode is None:
                os.killpg(each.pid, signal.SIGKILL)
                each.wait()


@pytest.mark.parametrize(
    ("words", "place", "said"),
    [
        ("true", "nowhere", r"cwd: \S+/nowhere is no folder"),
        (["true"], "nowhere", r"cwd: \S+/nowhere is no folder"),
        (["/nowhere/client"], ".", "/nowhere/client cannot be run: No such file or directory"),
        (
            ["./script"],
            ".",
            "./script cannot be run: Exec format error: a script needs a first line such as #!/bin/sh",
        ),
        ("x" * 200_000, ".", "the shell cannot be run: Argument list too long"),
    ],
    ids=["text, folder", "folder", "program", "script", "text"],
)
def test_it_cannot_be_started(tmp_path, words, place, said):
    """The message names what is wrong, and not the first letter of a text for the shell."""
    script = tmp_path / "script"
    script.write_text("echo done")
    script.chmod(0o755)
    run = next(iter(faultinject.explore("reset")))
    with run as faults, pytest.raises(ConfigurationError, match=f"^{said}$"):
        faults.run(words, cwd=tmp_path / place)


def test_a_second_run_that_gives_up(storage, tmp_path):
    """It may end with an exit code, where `allow` says so."""
    source = (
        f"{PLAIN}import os, sys; os.path.exists('lock') and sys.exit(3)\n"
        "exchange('PUT', '/films/to'); open('lock', 'w').close(); exchange('GET', '/films/to'); os.remove('lock')"
    )
    exploration, error = explore(storage, tmp_path, [sys.executable, "-S", "-c", source], allow=Exception)
    failures = {each.failure for each in exploration.runs if each.gave_up}
    assert (error, failures) == (None, {"the second run: exit code 3"})


def test_a_program_that_was_ended_has_not_given_up():
    """It did not end by itself, in time or at all: `allow` says only how the code may end."""

    def code():
        if send("PUT", "/b/k") != 200:
            raise programs.ProgramFailedError("did not end within 5 s")

    exploration, _ = exploring(code, "reset", allow=Exception)
    assert [(each.failure, each.failed) for each in exploration.runs] == [("did not end within 5 s", True)]


def test_a_program_that_retries_for_ever(storage, tmp_path):
    """A program that retries for ever is stopped by ending its failure."""
    source = (
        f"{PLAIN}import sys; status = 503\n"
        "while status >= 500:\n"
        "    status = exchange('PUT', '/films')[0]\n"
        "sys.exit(status != 200)"
    )
    words, keys = [sys.executable, "-S", "-c", source], {"crash": False, "allow": Exception, "judge": False}
    _, error = explore(storage, tmp_path, words, "s3:SlowDown,times=1000", **keys)
    assert "more than 60 requests in one run" in str(error).splitlines()


def test_a_program_that_nothing_kills(storage, tmp_path):
    """Without `crash=True` it runs once a run, and an exit code fails the run."""
    words = [sys.executable, "-S", "-c", f"{PLAIN}exchange('PUT', '/films')"]
    exploration, error = explore(storage, tmp_path, words, "reset", crash=False, within=60, judge=False)
    assert "exit code 1" in str(error)
    assert [each.text for each in exploration.runs] == ["reset,method=PUT,path=/films,times=1"]
