"""`faultinject run` reports a server without faults, and only such; `--strict` ends with 2."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.on_loopback import on_loopback
from tests.slowly import slowly
from tests.until import until

from .launch import GUNICORN, UWSGI, Way

RULE = "http:503,times=2,path=photos/"
UNSEEN = "faultinject: no request was seen: "
UNREACHED = (
    f"{UNSEEN}the listening process uses no framework and no server that `run` reaches;"
    " put `faultinject proxy --to URL` in front of its server\n"
)
NEITHER = (
    f"{UNSEEN}aiohttp.web_app.Application is neither WSGI nor ASGI;"
    " put `faultinject proxy --to URL` in front of its server\n"
)
WITHOUT = {
    "aiohttp.web": (Way("python served_frameworks.py aiohttp_bare {port}", "aiohttp"), UNREACHED),
    "sanic": (Way("sanic served_frameworks:sanic_bare -p {port}", "sanic"), UNREACHED),
    "gunicorn's aiohttp worker": (
        Way(GUNICORN + "-k aiohttp.GunicornWebWorker served_frameworks:aiohttp_bare", "gunicorn", "aiohttp"),
        NEITHER,
    ),
    "uwsgi": (Way(UWSGI + "--module served_frameworks:plain", "uwsgi"), UNREACHED),
    "http.server": (Way("python -m http.server {port}"), UNREACHED),
}


def watched(way, start, *options):
    """A server started by `run` with these options, which answers as without faults."""
    if way.missing:
        pytest.skip(way.missing)

    def command(port):
        return [sys.executable, "-m", "faultinject", "run", "-r", RULE, *options, "--", *way.command(port)]

    server = start(command)
    server.until(lambda: server.get("/photos/cat") is not None)
    return server


def until_looked(process, server):
    """Until a process has slept and looked twice more."""

    def sleeps():
        status = Path(f"/proc/{process}/status").read_text()
        return int(status.partition("\nvoluntary_ctxt_switches:")[2].split()[0])

    before = sleeps()
    server.until(lambda: sleeps() > before + 3)


@pytest.mark.slow
@pytest.mark.parametrize("name", WITHOUT)
def test_what_gets_no_faults_is_said_while_it_serves(name, start):
    """After ten seconds one line gives the reason, and the server goes on.

    Nobody has said that faults are on.
    """
    way, says = WITHOUT[name]
    server = watched(way, start)
    server.until(lambda: UNSEEN in server.log)
    assert server.get("/photos/cat")[0] in (200, 404)
    assert [each for each in server.log.splitlines(keepends=True) if "faultinject" in each] == [says]


@pytest.mark.slow
@pytest.mark.parametrize("name", WITHOUT)
def test_strict_ends_with_2(name, start):
    """After ten seconds, with the server and its workers."""
    way, says = WITHOUT[name]
    server = watched(way, start, "--strict")
    assert server.process.wait(120) == 2
    assert says in server.log
    assert server.get("/photos/cat") is None


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("aiohttp", UNREACHED),
        ("aiohttp_given_to_wsgiref", NEITHER),
        pytest.param(
            "aiohttp_beside_wsgiref",
            f"{UNSEEN}nobody asked an app that `run` reaches\n",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_it_is_said_at_the_end(kind, says, start):
    """Of a server that has not served for so long, or has loaded another that is known."""
    server = watched(Way(f"python served_frameworks.py {kind}_bare {{port}}", "aiohttp"), start, "--strict")
    until_looked(server.process.pid, server)
    server.process.terminate()
    assert server.process.wait(100) == 2
    assert server.log.endswith(says)


FLASK = Way(GUNICORN + "-w 2 served_frameworks:flask_bare", "gunicorn", "flask")


def test_strict_changes_nothing_where_faults_are(start):
    """With faults `--strict` passes on signals and exit code."""
    server = watched(FLASK, start, "--strict")
    assert (server.statuses("/photos/cat", 2)[-1], server.log.count("faultinject is on: ")) == (200, 1)
    server.process.send_signal(signal.SIGTTIN)  # one worker more
    server.until(lambda: server.log.count("Booting worker") == 3)
    server.process.terminate()
    assert server.process.wait(100) == 0
    assert UNSEEN not in server.log


@pytest.mark.slow
def test_a_killed_watcher_takes_the_server_along(start):
    """Nobody would end it otherwise."""
    server = watched(FLASK, start, "--strict")
    server.process.kill()
    until(lambda: server.get("/photos/cat") is None)
    assert UNSEEN not in server.log


CLIENT = """
import multiprocessing, sys
from urllib.request import urlopen
if __name__ == "__main__":
    with multiprocessing.Manager() as manager, urlopen(sys.argv[1]) as answer:
        manager.list([answer.status])
    sys.exit(5)
"""


def test_a_client_is_no_server(tmp_path):
    """A script that asks another server, with processes of its own, is not disturbed."""
    script = tmp_path / "client.py"
    script.write_text(CLIENT)
    command = ("-m", "faultinject", "run", "--strict", "-r", RULE, "--", sys.executable, script)
    with on_loopback(lambda environ, start: start("200 OK", []) and []) as port:
        found = subprocess.run(
            [sys.executable, *command, f"http://127.0.0.1:{port}/"],
            capture_output=True,
            text=True,
            timeout=100,
        )
    assert (found.returncode, found.stdout, found.stderr) == (5, "", "")


@pytest.mark.parametrize(
    ("ends", "code"), [("exit 7", 7), ("kill -TERM $$", -15), slowly("exec /no/such/program", 127)]
)
def test_strict_ends_as_the_command_does(ends, code):
    """With its exit code, or by the same signal."""
    command = ["run", "--strict", "-r", RULE, "--", "sh", "-c", ends]
    done = subprocess.run([sys.executable, "-m", "faultinject", *command], capture_output=True, timeout=100)
    assert done.returncode == code
