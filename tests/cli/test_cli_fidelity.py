"""`faultinject fidelity`: the table, the data and the exit codes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys

import pytest
from jsonschema import Draft202012Validator

from faultinject.cli.schemas import SCHEMAS
from faultinject.fidelity import results, s3
from faultinject.server.connections import Server
from faultinject.store import ObjectStore

pytestmark = pytest.mark.live


@pytest.fixture
def url():
    """Our own store of S3 on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = Server(ObjectStore("s3"), sock=sock)
        server.start()
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        server.shutdown()
        server.server_close()


@pytest.fixture
def only(monkeypatch):
    """Ask for some of S3's errors alone."""

    def call(*names):
        chosen = [each for each in s3.PROBES if each.name in names]
        assert len(chosen) == len(names)
        monkeypatch.setattr(results, "FAMILIES", {**results.FAMILIES, "s3": (s3.S3Session, chosen)})

    return call


def test_all_agree(run, url, only):
    """Exit code 0 and no table; with -v a row for each."""
    only("NoSuchKey: GET", "NoSuchKey: HEAD")
    code, out, err = run("fidelity", "--endpoint", url, "--vendor", "s3", "--service", "our own")
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "our own: 2 of 2 answers are as s3 documents them, 0 differ, 0 not judged",
        "as documented: status 2 of 2, code 2 of 2, envelope 2 of 2, content type 2 of 2, header 2 of 2",
    ]
    out = run("fidelity", "--endpoint", url, "--vendor", "s3", "-v")[1].splitlines()
    assert out[0].startswith(f"{url}: 2 of 2 ")
    assert out[-1].split() == ["NoSuchKey:", "HEAD", "agrees", "s3:NoSuchKey", "404"]


def test_something_differs(run, url, only, tmp_path):
    """Exit code 1, a row for each respect; the data is as its schema says, on standard output and in a file."""
    only("NoSuchKey: GET", "SignatureDoesNotMatch", "InvalidURI")
    code, out, err = run("fidelity", "--endpoint", url, "--vendor", "s3")
    assert (code, err) == (1, "")
    rows = [line.split() for line in out.splitlines()[3:]]
    assert rows == [
        ["error", "aspect", "documented", "seen"],
        ["InvalidURI", "status", "400", "404"],
        ["code", "InvalidURI", "NoSuchKey"],
        ["SignatureDoesNotMatch", "status", "403", "200"],
    ]
    path = tmp_path / "found.json"
    code, out, err = run("fidelity", "--endpoint", url, "--vendor", "s3", "--json", "-o", str(path))
    found = json.loads(out)
    assert (code, err, json.loads(path.read_text())) == (1, "", found)
    valid = Draft202012Validator(SCHEMAS["fidelity"][1]())
    assert [*valid.iter_errors(found)] == []
    assert (found["agree"], found["differ"], found["not_judged"]) == (1, 2, 0)
    for broken in (
        {**found, "v": 2},
        {key: found[key] for key in found if key != "findings"},
        {**found, "findings": [{**found["findings"][0], "verdict": "fine"}]},
        {**found, "findings": [{**found["findings"][0], "status": "404"}]},
        {**found, "aspects": {}},
    ):
        assert not valid.is_valid(broken)


def test_headers_that_are_always_missing_are_said_once(run, only):
    """Above the table and not in each of its rows; what is not judged has its reason."""
    only("NoSuchKey: GET", "NoSuchKey: HEAD", "NoSuchBucket: list", "NoSuchBucket: DELETE", "EntityTooSmall")
    store = ObjectStore("s3")

    def app(environ, start_response):
        def without(status, headers, exc_info=None):
            return start_response(status, [each for each in headers if not each[0].startswith("x-amz-")])

        if environ["REQUEST_METHOD"] == "POST":
            start_response("501 No", [("Content-Length", "0")])
            return []
        return store(environ, without)

    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = Server(app, sock=sock)
        server.start()
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        code, out, err = run("fidelity", "--endpoint", url, "--vendor", "s3")
        server.shutdown()
        server.server_close()
    assert (code, err) == (1, "")
    lines = out.splitlines()
    assert lines[2] == "missing in every refusal, and not in the table: x-amz-id-2, x-amz-request-id"
    assert [line.split() for line in lines[5:]] == [
        "EntityTooSmall not judged beginning an upload was answered with 501".split()
    ]


def test_nothing_could_be_judged(run):
    """Exit code 3, and why."""
    code, out, err = run("fidelity", "--endpoint", "http://127.0.0.1:9", "--vendor", "s3", "--timeout", "2s")
    assert code == 3
    assert out == "http://127.0.0.1:9: nothing could be judged\n"
    assert err == "faultinject: nothing could be asked: no answer: Connection refused\n"


@pytest.mark.parametrize("command", ["fidelity", "conformance"])
def test_a_folder_that_is_not_there(run, command, tmp_path):
    """It is said before anything is asked, and not when all is done and lost."""
    path = tmp_path / "none" / "found.json"
    asked = {
        "fidelity": ("--endpoint", "http://127.0.0.1:9", "--vendor", "s3"),
        "conformance": ("--client", "tests:Nothing"),
    }
    told = f"faultinject: {path.parent}: No such file or directory\n"
    assert run(command, *asked[command], "-o", str(path)) == (2, "", told)


@pytest.mark.parametrize("command", ["fidelity", "conformance"])
def test_the_file_is_written_when_nobody_reads_the_text(command, url, tmp_path):
    """Behind `| head -1` the results are kept all the same."""
    (tmp_path / "client.py").write_text(
        "from urllib.request import urlopen\n"
        "class Client:\n"
        "    def __init__(self, endpoint, bucket):\n"
        "        self.place = f'{endpoint}/{bucket}'\n"
        "    def get(self, key):\n"
        "        urlopen(f'{self.place}/{key}').close()\n"
    )
    asked = {
        "fidelity": ("--endpoint", url, "--vendor", "s3"),
        "conformance": ("--client", "client:Client", "--phase", "den"),
    }
    reads, writes = os.pipe()
    os.close(reads)
    words = [sys.executable, "-m", "faultinject", command, *asked[command], "-o", "found.json"]
    with os.fdopen(writes, "wb") as closed:
        subprocess.run(words, cwd=tmp_path, stdout=closed, stderr=subprocess.DEVNULL, timeout=60, check=False)
    assert json.loads((tmp_path / "found.json").read_text())["v"] == 1


def test_what_is_left_behind_is_said(run, only):
    """On standard error, by name."""
    only("NoSuchKey: GET")
    store = ObjectStore("s3")

    def app(environ, start_response):
        if environ["REQUEST_METHOD"] == "DELETE":
            start_response("500 No", [("Content-Length", "0")])
            return []
        return store(environ, start_response)

    with socket.create_server(("127.0.0.1", 0)) as sock:
        server = Server(app, sock=sock)
        server.start()
        url = f"http://127.0.0.1:{sock.getsockname()[1]}"
        err = run("fidelity", "--endpoint", url, "--vendor", "s3")[2]
        server.shutdown()
        server.server_close()
    assert err.startswith("faultinject: bucket faultinject-")
    assert err.endswith(" could not be removed\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--vendor", "s3"], "Missing option '--endpoint'"),
        (["--endpoint", "http://127.0.0.1:9"], "Missing option '--vendor'"),
        (["--endpoint", "nowhere", "--vendor", "s3"], "is not a URL such as http://127.0.0.1:9000"),
        (["--endpoint", "http://127.0.0.1:9", "--vendor", "kodo"], "there are no probes for kodo"),
        (["--endpoint", "http://127.0.0.1:9", "--vendor", "s4"], "is not a vendor"),
        (["--endpoint", "http://127.0.0.1:9", "--vendor", "s3", "--timeout", "fast"], "--timeout: "),
        (["--endpoint", "http://127.0.0.1:9", "--vendor", "s3", "--deadline", "0s"], "--deadline: no time"),
    ],
)
def test_wrong_use(run, arguments, said):
    """Exit code 2 and one reason."""
    code, out, err = run("fidelity", *arguments)
    assert (code, out) == (2, "")
    assert said in err


def test_progress_on_a_terminal(url, only, monkeypatch, run):
    """How far it is, and afterwards a clean line; none of it with --json."""
    only("NoSuchKey: GET")
    import sys

    from click.testing import _NamedTextIOWrapper

    monkeypatch.setattr(_NamedTextIOWrapper, "isatty", lambda self: self.name == "<stderr>", raising=False)
    assert sys.stderr is not None
    assert "0 of 1 probes" in run("fidelity", "--endpoint", url, "--vendor", "s3")[2]
    assert run("fidelity", "--endpoint", url, "--vendor", "s3", "--json")[2] == ""
