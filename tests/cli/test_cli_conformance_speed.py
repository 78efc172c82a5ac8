"""`faultinject conformance --speed`: accepted and refused clients, and the verdict's clock."""

import json
import shlex
import sys
from pathlib import Path

import pytest

from .test_cli_conformance import judged

pytestmark = pytest.mark.live

INSTALLED = any(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
CLIENT = """
import os, time, urllib.error, urllib.request
from threading import Event

class Client:
    title = "own 1.0"

    def __init__(self, endpoint, bucket):
        self.url = f"{endpoint}/{bucket}/"

    def get(self, key):
        try:
            return urllib.request.urlopen(self.url + key).close()
        except urllib.error.HTTPError as error:
            asked = float(error.headers.get("retry-after") or 1)
        WAIT
        urllib.request.urlopen(self.url + key).close()
"""
BY_ITSELF = 'time.sleep(asked / float(os.environ.get("FAKETIME", "x1").partition("x")[2]))'
"""The wait of a client that honours libfaketime's variables itself, without the library."""


@pytest.fixture
def client(tmp_path, monkeypatch):
    """Write a client that waits in that way, once, as long as Retry-After asks or a second."""
    monkeypatch.chdir(tmp_path)

    def made(wait):
        (tmp_path / "own_client.py").write_text(CLIENT.replace("WAIT", wait))
        return "own_client:Client"

    return made


@pytest.mark.slow
@pytest.mark.usefixtures("libfaketime")
def test_a_client_is_judged_by_its_own_clock(run, client):
    """A client waits a twentieth of three seconds, and obeys by its own clock.

    A report of its journal says the same.
    """
    asked = (
        "--phase",
        "cal",
        "--phase",
        "one-read",
        "--phase",
        "retry-after",
        "--speed",
        "20",
        "--journal",
        "kept",
    )
    _, out, err = run("conformance", "--client", client(BY_ITSELF), *asked, "--json")
    assert "speed" not in err
    [found] = json.loads(out)["clients"]
    hint = found["numbers"]["hints"]["seconds"]
    assert (hint["answers"], hint["obeyed"]) == (4, 4)
    assert 3.0 <= hint["waited"] < 60.0
    said = {each["check"]: each["verdict"] for each in found["report"]["findings"]}
    assert said["retry-after"] != "FAIL"
    _, out, _ = run("report", "kept/own_client-Client.jsonl", "--format", "json")
    assert judged(json.loads(out)) == judged(found["report"])


@pytest.mark.slow
@pytest.mark.parametrize(
    ("wait", "message"),
    [
        ("time.sleep(asked)", "before it retries, and by its own clock"),
        ("", "waits for less than 0.2 s before it retries, or does not retry"),
        ("time.sleep(asked if 'FAKETIME' not in os.environ else 60)", "without an end at this speed"),
        # By a signal: several calls at once would write coverage's file at the same time in `os._exit`, and end
        # otherwise.
        ("os.kill(os.getpid(), 9)", "ended with signal 9"),
    ],
)
@pytest.mark.usefixtures("libfaketime")
def test_a_client_that_is_not_reached_is_refused(refused, client, wait, message):
    """A client whose wait does not shorten, or never ends, is refused.

    The same wait is measured at both speeds.
    """
    err = refused("conformance", "--client", client(wait), "--phase", "denied", "--speed", "20")
    assert "--speed 20: the client " in err
    assert message in err


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="libfaketime is not installed: apt-get install faketime")
def test_libfaketime(run, client, tmp_path):
    """It reaches a sleep, and nothing of it is left in memory of a client that is killed."""
    code = f"import os; print(os.getpid(), file=open({str(tmp_path / 'pids')!r}, 'a')); time.sleep(asked)"
    asked = ("--phase", "cal", "--phase", "retry-after", "--speed", "20", "--json")
    _, out, err = run("conformance", "--client", client(code), *asked)
    assert "speed" not in err
    [found] = json.loads(out)["clients"]
    assert found["numbers"]["hints"]["seconds"]["obeyed"] == 4
    for each in {*(tmp_path / "pids").read_text().split()}:
        assert [*Path("/dev/shm").glob(f"*faketime_*_{each}")] == []


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="libfaketime is not installed: apt-get install faketime")
def test_a_program_that_libfaketime_cannot_be_loaded_into(refused, client, tmp_path):
    """As of a static one: its clocks are the machine's."""
    client("time.sleep(asked)")
    again = "import os, sys; os.environ.pop('LD_PRELOAD', 0); os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
    words = [
        sys.executable,
        "-c",
        again,
        "-c",
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.argv[1:] = ['own_client:Client'];"
        " from faultinject.conformance.contract import main; main()",
    ]
    err = refused("conformance", "--client", shlex.join(words), "--speed", "20")
    assert "libfaketime does not reach its clocks and waits" in err
