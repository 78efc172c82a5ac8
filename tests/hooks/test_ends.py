"""The journal notes when servers end or lose a worker, and `report` does not wait then.

`test_run_ways` checks it for every way to start one, `tests/cli/test_cli_report.py` for `serve`.
"""

import json
import socket
from pathlib import Path

import pytest

from tests.console import command

from .launch import Way


def ended(path):
    """The processes that said that they ended."""
    lines = map(json.loads, Path(path).read_text().splitlines())
    return [each["pid"] for each in lines if each.get("ended")]


@pytest.mark.slow
def test_a_worker_that_is_recycled_is_not_the_end(start):
    """gunicorn starts another one in its place: as long as it is there, more may come."""
    line = "gunicorn -b 127.0.0.1:{port} --no-control-socket --max-requests 3 -w 1 served_flask:app"
    server = start(Way(line, "gunicorn"), "cos:SlowDown,times=3,path=photos/")
    assert server.statuses("/photos/cat", 8) == [503] * 3 + [200] * 5
    path = str(server.folder / "journal")
    server.until(lambda: ended(path))
    parents = {
        each["parent"] for each in map(json.loads, Path(path).read_text().splitlines()) if each.get("ended")
    }
    assert None not in parents
    server.process.terminate()
    server.process.wait(300)
    # A report on requests that may still be retried has a remark; nobody can write any more.
    assert command("report", path).stderr == ""


ASKED = """
from pathlib import Path

def app(environ, start_response):
    if environ["PATH_INFO"].startswith("/photos/"):
        Path(__file__).with_name("asked").touch()
    start_response("200 OK", [("Content-Length", "2")])
    return [b"ok"]
"""


@pytest.mark.slow
@pytest.mark.parametrize("worker", ["sync", "gthread", "gevent"])
def test_a_wait_ends_at_sigterm(start, tmp_path, worker):
    """A wait ends at SIGTERM, the answer is given, and the server ends.

    Under gunicorn's WSGI workers too, which inform no app.
    """
    pytest.importorskip("gevent")
    (tmp_path / "asked_app.py").write_text(ASKED)
    line = (
        f"gunicorn -b 127.0.0.1:{{port}} --no-control-socket --graceful-timeout 120 -k {worker} asked_app:app"
    )
    server = start(
        Way(line, "gunicorn"), "latency,delay=1h,when=after,path=photos/", PYTHONPATH=str(tmp_path)
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=60) as client:
        client.sendall(b"GET /photos/cat HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        server.until((tmp_path / "asked").exists)
        server.process.terminate()
        answer = b""
        while piece := client.recv(65536):
            answer += piece
    assert answer.endswith(b"\r\n\r\nok")
    assert server.process.wait(300) == 0
