"""Several server processes share one control API, and any of them may end."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

import pytest

from faultinject.control.server import ControlServer
from tests.started import executable
from tests.until import STARTS_WITHIN, until

from .conftest import make_injector
from .programs import Client, answers, wait_for

SERVERS = {
    "gunicorn": ("gunicorn", "--graceful-timeout", "1000", "-w", "3", "-b", "127.0.0.1:PORT", "wsgi:app"),
    "preload": (
        "gunicorn",
        "--graceful-timeout",
        "1000",
        "-w",
        "3",
        "--preload",
        "-b",
        "127.0.0.1:PORT",
        "wsgi:app",
    ),
    "uvicorn": ("uvicorn", "--workers", "3", "--port", "PORT", "asgi:app"),
}
# Whose API is asked below a path alone.
OTHERS = {
    "gthread": ("gunicorn", "-k", "gthread", "--threads", "8", *SERVERS["gunicorn"][1:]),
    "gevent": ("gunicorn", "-k", "gevent", *SERVERS["gunicorn"][1:]),
    "uwsgi": (
        "uwsgi",
        "--master",
        "--die-on-term",
        "--need-app",
        "--processes",
        "3",
        "--virtualenv",
        sys.prefix,
        "--http-socket",
        "127.0.0.1:PORT",
        "--module",
        "wsgi:app",
    ),
}


def served(start, free_port, name, **variables):
    port = free_port()
    return start(*[each.replace("PORT", str(port)) for each in (SERVERS | OTHERS)[name]], **variables), port


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SERVERS, *OTHERS])
def test_workers_share_what_the_api_puts_in_force(name, start, free_port):
    """Any worker may be asked; rules and switches hold for all: `times=5` is five in all.

    The API is below a path, and there is no rule at the start.
    """
    if name == "uwsgi" and executable(name) is None:
        pytest.skip("uWSGI is not built")
    program, port = served(start, free_port, name, FAULTINJECT_CONTROL="/_faultinject")
    client = wait_for(program, Client(None, (port, "/_faultinject"), port))
    # A worker of gunicorn loses a SIGTERM that comes before it serves, and its master waits for it for 1,000 s.
    workers(program, port)
    assert {client.get("/state").status for _ in range(5)} == {200}
    client.change("PUT", "/rules", {"text": "http:503,times=5,name=five"})
    assert [client.ask_app() for _ in range(40)].count(503) == 5
    shown = [(each["injected"], each["spent"]) for _ in range(6) for each in client.state()["rules"]]
    assert shown == [(5, True)] * 6
    assert len(client.get("/journal?limit=100").data["outcomes"]) == 40
    client.change("POST", "/reset")
    client.change("POST", "/off")
    assert {client.state()["on"] for _ in range(6)} == {False}
    assert {client.ask_app() for _ in range(20)} == {200}


def test_the_log_of_the_app_s_server_stays(start, free_port):
    """The app's uvicorn goes on to log its requests beside the API's own uvicorn.

    Both are in the same process.
    """
    own, port = free_port(), free_port()
    program = start("uvicorn", "--port", str(port), "asgi:app", FAULTINJECT_CONTROL=f"127.0.0.1:{own}")
    client = wait_for(program, Client(None, (own, ""), port), "Uvicorn running on")
    assert client.ask_app() == 200
    until(lambda: "GET /" in program.text)
    assert client.get("/state").status == 200
    program.stop()
    assert "Finished server process" in program.text
    assert "/state" not in program.text


@pytest.mark.slow
@pytest.mark.parametrize("name", [*SERVERS, "gevent"])
def test_one_of_the_workers_has_the_address(name, start, free_port):
    """A killed worker's address passes to another, with the same random token.

    The server ends as usual.
    """
    own = free_port()
    place = f"127.0.0.1:{own}"
    program, port = served(start, free_port, name, FAULTINJECT_CONTROL=place, FAULTINJECT_TOKEN="")
    client = wait_for(program, Client(None, (own, ""), port), "its token is ")
    workers(program, port)
    (client.token,) = re.findall(r"its token is (\S+)", program.text)
    client.change("PUT", "/rules", {"text": "http:503,times=5,name=five"})
    assert [client.ask_app() for _ in range(20)].count(503) == 5
    told = until(lambda: len(found := client.get("/journal?limit=100").data["outcomes"]) >= 20 and found)
    assert len(told) == 20

    def several_told():
        client.ask_app()
        return len({each["pid"] for each in client.get("/journal?limit=5000").data["outcomes"]}) > 1

    until(several_told, "what several workers did is told by the one that is asked")
    holder = owner_of(own)
    assert holder != program.process.pid
    os.kill(holder, signal.SIGKILL)
    until(lambda: answers(client), "another worker has the address", STARTS_WITHIN)
    assert owner_of(own) != holder
    (rule,) = client.state()["rules"]
    assert (rule["name"], rule["injected"]) == ("five", 5)
    until(lambda: program.text.count("the control API is at http://127.0.0.1") == 2, "it says so")
    assert {*re.findall(r"its token is (\S+)", program.text)} == {client.token}
    # A server waits for a worker that is only beginning, which takes its time where the machine is busy.
    workers(program, port, without=holder)
    # Of workers that end one after another the next one may have the address for a moment.
    program.stop()
    with socket.socket() as client:
        assert client.connect_ex(("127.0.0.1", own)) != 0


def owner_of(port):
    """The process that listens there, by /proc."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines())
    (inode,) = {each[9] for each in lines if each[1].endswith(f":{port:04X}") and each[3] == "0A"}
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended meanwhile, or has closed what it had
            if f"socket:[{inode}]" in {str(link.readlink()) for link in (folder / "fd").iterdir()}:
                found.add(int(folder.name))
    (owner,) = found
    return owner


@pytest.mark.slow
def test_the_process_that_a_reloader_starts_has_the_address(start, free_port):
    """The process that a reloader starts has the address, not the one that watches files.

    Both have loaded the app, and the watcher would show rules that no request meets.
    """
    own, port = free_port(), free_port()
    program = start(
        "flask",
        "--app",
        "wsgi",
        "run",
        "--debug",
        "--port",
        str(port),
        FAULTINJECT_CONTROL=f"127.0.0.1:{own}",
    )
    client = Client(None, (own, ""), port)
    until(
        lambda: program.text.count("the control API is at") > 0 or program.process.poll() is not None,
        "it serves",
        STARTS_WITHIN,
    )

    def serves():
        try:
            client.change("PUT", "/rules", {"text": "http:503"})
            return client.ask_app() == 503
        except OSError:
            return False

    until(serves, "the process that serves has the address", STARTS_WITHIN)
    assert owner_of(own) != program.process.pid


def workers(program, port, without=None):
    """The processes of all three workers, when they serve."""

    def ask(_):
        try:
            with urlopen(f"http://127.0.0.1:{port}/x", timeout=STARTS_WITHIN) as answer:
                return int(answer.read())
        except OSError:
            return None  # not yet, or ended just now

    found = set()

    def are_there():
        assert program.process.poll() is None, program.text
        with ThreadPoolExecutor(8) as threads:
            found.update({*threads.map(ask, range(8))} - {None, without})
        return len(found) >= 3

    until(are_there, "three workers serve", STARTS_WITHIN)
    return found


def test_an_address_that_another_program_has(monkeypatch):
    """The app serves on; the API comes when the address is free."""
    monkeypatch.setattr(ControlServer, "retry_seconds", 0.02)
    tried, real = [], socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda *asked: tried.append(asked) or real(*asked))
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = ControlServer(make_injector(FAULTINJECT_CONTROL=f"127.0.0.1:{other.getsockname()[1]}"))
        server.start()
        until(lambda: len(tried) > 2, "it has tried again")
        assert not server.url
    try:
        until(lambda: server.url, "it has the address")
    finally:
        server.stop()
        until(lambda: not server.url)


PATCHED_LATER = """
import os, sys
import gunicorn.arbiter
from gunicorn.workers import ggevent
import faultinject

faultinject.install(lambda environ, start_response: [])
if child := os.fork():
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
ggevent.monkey.patch_all()
import time
from http.client import HTTPConnection
end = time.monotonic() + 60
while True:
    assert time.monotonic() < end, "nobody answers"
    try:
        asking = HTTPConnection(*sys.argv[1:], timeout=60)
        asking.request("GET", "/state")
        assert asking.getresponse().status == 401
        break
    except ConnectionRefusedError:
        time.sleep(0.01)
"""


@pytest.mark.slow
def test_a_worker_that_gevent_patches_later(free_port):
    """Its thread begins behind that, as one of gevent's."""
    pytest.importorskip("gevent")
    port = free_port()
    environ = {**os.environ, "FAULTINJECT_ENABLED": "1", "FAULTINJECT_CONTROL": f"127.0.0.1:{port}"}
    command = [sys.executable, "-c", PATCHED_LATER, "127.0.0.1", str(port)]
    found = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=100)
    assert (found.returncode, "Traceback" in found.stderr) == (0, False), found.stderr


def test_a_server_that_is_stopped_while_it_waits(monkeypatch):
    """Does not come when the address is free."""
    monkeypatch.setattr(ControlServer, "retry_seconds", 0.02)
    with socket.create_server(("127.0.0.1", 0)) as other:
        server = ControlServer(make_injector(FAULTINJECT_CONTROL=f"127.0.0.1:{other.getsockname()[1]}"))
        server.start()
        server.stop()
        until(lambda: "faultinject control" not in {each.name for each in threading.enumerate()})
    assert not server.url


def test_a_server_that_is_started_again(monkeypatch):
    """Takes its address anew."""
    monkeypatch.setattr(ControlServer, "retry_seconds", 0.02)
    server = ControlServer(make_injector(FAULTINJECT_CONTROL="127.0.0.1:0"))
    for _ in range(2):
        server.start()
        until(lambda: server.url)
        server.stop()
        until(lambda: not server.url)
    server.start()
    until(lambda: server.url)
    # Flask's reloader was loaded: another process serves the app from now on.
    monkeypatch.setitem(sys.modules, "werkzeug._reloader", None)
    until(lambda: not server.url)


def test_an_address_that_cannot_be_had(caplog):
    """Is told in the log; the app serves on."""
    server = ControlServer(
        make_injector(
            FAULTINJECT_CONTROL="192.0.2.1:80", FAULTINJECT_CONTROL_REMOTE="allow", FAULTINJECT_TOKEN=""
        )
    )
    server.start()
    until(lambda: "FAULTINJECT_CONTROL: 192.0.2.1:80: " in caplog.text)
    server.stop()
