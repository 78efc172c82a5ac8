"""The commands of the README, each in a process of its own, on free ports."""

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from pathlib import Path

import pytest
from redis_workers.client import main

pytest.importorskip("redis", reason="of the extra redis")
FOLDER = Path(__file__).parent
PAGE = (FOLDER / "README.md").read_text(encoding="utf-8")
CONTROL = dict(re.findall(r"(FAULTINJECT_CONTROL|FAULTINJECT_TOKEN)=([^\s`]+)", PAGE))
REDIS, GUNICORN, UVICORN, CLIENT = (
    line
    for block in re.findall(r"^```sh\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
)


def free_port(stack: ExitStack) -> str:
    """Reserve a free port: bound without listening, so a server may listen there, and none else."""
    reserved = stack.enter_context(socket.socket())
    reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    reserved.bind(("127.0.0.1", 0))
    return str(reserved.getsockname()[1])


@pytest.fixture
def ports(tmp_path: Path) -> Iterator[list[int]]:
    """Those of gunicorn and uvicorn, which run and count on a Redis of their own."""
    program = shutil.which("redis-server") or shutil.which("valkey-server")
    if program is None:
        pytest.skip("needs redis-server or valkey-server")
    with ExitStack() as stack:
        redis, wsgi, asgi = free_port(stack), free_port(stack), free_port(stack)
        for command in (REDIS, GUNICORN, UVICORN):
            words = shlex.split(command.replace("6390", redis).replace("8000", wsgi).replace("8001", asgi))
            environ = {
                name: value for name, value in os.environ.items() if not name.startswith("FAULTINJECT_")
            }
            environ |= CONTROL
            # A busy machine may keep a worker from answering uvicorn for five seconds, which would kill it.
            environ["UVICORN_TIMEOUT_WORKER_HEALTHCHECK"] = "60"
            while "=" in words[0]:
                name, _, value = words.pop(0).partition("=")
                environ[name] = value
            start = [program] if words[0] == "redis-server" else [sys.executable, "-m", words[0]]
            if words[0] == "redis-server":
                words += ["--dir", str(tmp_path)]
            with (tmp_path / words[0]).open("wb") as log:
                running = subprocess.Popen(
                    [*start, *words[1:]], cwd=FOLDER.parent, env=environ, stdout=log, stderr=log, start_new_session=True
                )  # fmt: skip
            stack.callback(running.wait)
            stack.callback(os.killpg, running.pid, signal.SIGKILL)
            log_of = tmp_path / words[0]
            wait_until(log_of, r"Ready to accept", 1) if words[0] == "redis-server" else wait_until(
                log_of, r"faultinject is on: ", 4
            )
        # uvicorn's workers listen a moment after they have loaded the app.
        for port in (wsgi, asgi):
            wait_for_port(int(port))
        yield [int(wsgi), int(asgi)]


def wait_until(log: Path, said: str, times: int) -> None:
    """Until a process has said something so often."""
    end = time.monotonic() + 60
    while len(re.findall(said, log.read_text())) < times:
        assert time.monotonic() < end, log.read_text()
        time.sleep(0.05)


def wait_for_port(port: int) -> None:
    """Until something listens."""
    end = time.monotonic() + 60
    with ExitStack() as stack:
        while stack.enter_context(socket.socket()).connect_ex(("127.0.0.1", port)):
            assert time.monotonic() < end
            time.sleep(0.05)


def injected(port: int) -> int:
    """Return how many faults all eight workers gave, as one server's control API says."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"Authorization": f"Bearer {CONTROL['FAULTINJECT_TOKEN']}"}
    connection.request("GET", f"{CONTROL['FAULTINJECT_CONTROL']}/state", headers=headers)
    found: int = json.loads(connection.getresponse().read())["totals"]["injected"]
    connection.close()
    return found


def page(port: int) -> str:
    """The page itself, which needs no token."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", f"{CONTROL['FAULTINJECT_CONTROL']}/")
    text = connection.getresponse().read().decode()
    connection.close()
    return text


@pytest.mark.slow
@pytest.mark.alone  # each answer of the Redis has 100 ms
def test_a_hundred_faults_over_eight_workers(ports: list[int]) -> None:
    """A hundred of the requests get the fault, whichever worker they reach.

    These are half of the README's requests. Each server reports the total of both.
    """
    assert re.fullmatch(r"900 answers 201, 100 answers 503, by [2-8] processes", main(ports, 250))
    assert "python -m redis_workers.client" in CLIENT
    # What nobody waits for is told to the Redis a moment later.
    end = time.monotonic() + 60
    while [injected(port) for port in ports] != [100, 100]:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert all("<html" in page(port) for port in ports)
