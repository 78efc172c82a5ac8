"""`faultinject proxy`: faults in front of a server that is a process of its own, and everything that keeps it from starting."""

from __future__ import annotations

import json
import os
import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest
import requests

from tests.ports import ReservedPort

pytestmark = pytest.mark.live


@pytest.fixture
def store(start):
    """The URL of the embedded store, in a process of its own."""

    def begin(*more):
        process = start("serve", "--vendor", "cos", "--port", "0", *more)
        head = process.until("Ctrl-C")
        return head[0].rpartition(" on ")[2], head

    return begin


def url_of(process):
    return process.until("Ctrl-C")[0].rpartition(" on ")[2]


def test_what_it_says_and_does(start, store, tmp_path):
    """Faults for what matches, the server's own answers for the rest, a journal with its end, and the sum."""
    behind, _ = store()
    journal = tmp_path / "journal"
    process = start(
        *("proxy", "--to", behind, "--port", "0", "-r", "cos:SlowDown,times=1,operation=PutObject"),
        *("--seed", "4", "--journal", str(journal)),
    )
    head = process.until("Ctrl-C")
    url = head[0].rpartition(" on ")[2]
    assert head == [
        f"in front of {behind} on {url}",
        "  rule-1: cos:SlowDown,operation=PutObject,times=1",
        "    Requests whose operation is PutObject get cos:SlowDown (503), at most once in all.",
        "  seed: 4",
        f"  journal: {journal}",
        "Ctrl-C ends it.",
    ]
    assert requests.put(f"{url}/photos-1", timeout=60).status_code == 200
    assert [requests.put(f"{url}/photos-1/a", b"meow", timeout=60).status_code for _ in range(2)] == [
        503,
        200,
    ]
    assert requests.get(f"{behind}/photos-1/a", timeout=60).content == b"meow"
    assert process.line() == "PUT /photos-1/a -> cos:SlowDown (503) by rule-1"
    assert process.interrupt() == (
        0,
        ["", "ended; injected:", "  rule-1: 1 of 2 requests that met its conditions"],
    )
    lines = [json.loads(each) for each in journal.read_text().splitlines()]
    assert [*{each["seq"]: each["status"] for each in lines if each.get("method")}.values()] == [
        200,
        503,
        200,
    ]


def test_without_rules(start, store):
    """It is only a proxy, and says how to give rules."""
    behind, _ = store()
    process = start("proxy", "--to", behind, "--port", "0")
    head = process.until("Ctrl-C")
    assert head[1] == "  no rules, so no faults; give some with -r, such as -r s3:SlowDown,probability=0.3"
    url = head[0].rpartition(" on ")[2]
    assert requests.get(f"{url}/none-1/a", timeout=60).text.count("NoSuchBucket") == 1
    assert process.interrupt() == (0, ["", "ended"])


def test_it_is_changed_while_it_runs(start, store):
    """By the control API, at a path that never reaches the server."""
    pytest.importorskip("starlette")
    behind, _ = store()
    environ = {**os.environ, "FAULTINJECT_TOKEN": "t" * 32}
    process = start("proxy", "--to", behind, "--port", "0", "--control", "/_faultinject", env=environ)
    head = process.until("Ctrl-C")
    [url] = [each.rpartition(" on ")[2] for each in head if each.startswith("in front of ")]
    token = {"Authorization": f"Bearer {'t' * 32}"}
    answer = requests.post(f"{url}/_faultinject/rules", json={"fault": "http:418"}, headers=token, timeout=60)
    assert answer.status_code == 201, answer.text
    assert requests.get(f"{url}/photos-1/a", timeout=60).status_code == 418
    assert process.interrupt()[0] == 0


@pytest.mark.slow
def test_tls_on_both_sides(start, store):
    """The server's certificate is verified; a client that trusts ours is served."""
    pytest.importorskip("trustme")
    behind, head = store("--tls")
    [path] = [each.rpartition(" ")[2] for each in head if "certificate to trust: " in each]
    refused = start("proxy", "--to", behind, "--port", "0")
    answer = requests.get(f"{url_of(refused)}/photos-1/a", timeout=60)
    assert answer.status_code == 502
    assert answer.text == (
        f"faultinject: the certificate of {behind} is not trusted: unable to get local issuer certificate;"
        " SSL_CERT_FILE names the file of those that are\n"
    )
    environ = {**os.environ, "SSL_CERT_FILE": path}
    process = start("proxy", "--to", behind, "--port", "0", "--tls", "-r", "reset,method=DELETE", env=environ)
    head = process.until("Ctrl-C")
    url = head[0].rpartition(" on ")[2]
    assert url.startswith("https://")
    [own] = [each.rpartition(" ")[2] for each in head if "certificate to trust: " in each]
    assert requests.put(f"{url}/photos-1", timeout=60, verify=own).status_code == 200
    with pytest.raises(requests.ConnectionError):
        requests.delete(f"{url}/photos-1", timeout=60, verify=own)
    for each in (refused, process):
        assert each.interrupt()[0] == 0
    assert not Path(own).parent.exists()


@pytest.mark.parametrize("way", ["down", pytest.param("up", marks=pytest.mark.slow)])
def test_it_ends_in_the_middle_of_a_transfer(start, way):
    """In one sentence; the client sees that it has not got all, and the server that there is nobody any more."""
    asked = {
        "down": b"GET /k HTTP/1.1\r\nHost: h\r\n\r\n",
        "up": b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
    }
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = start("proxy", "--to", f"http://127.0.0.1:{listening.getsockname()[1]}", "--port", "0")
        port = int(url_of(process).rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=300) as client:
            client.sendall(asked[way])
            behind, _ = listening.accept()
            with behind:
                behind.settimeout(60)
                got = b""
                while len(got) < len(asked[way]):
                    got += behind.recv(1000)
                if way == "down":
                    # Without a length only the end of the connection could tell.
                    behind.sendall(b"HTTP/1.1 200 OK\r\n\r\nabc")
                    assert client.recv(1000)
                code, said = process.interrupt()
                with pytest.raises(ConnectionResetError):
                    while client.recv(1000):
                        pass
                assert behind.recv(1) == b""
    assert (code, said) == (
        0,
        ["ERROR:    Cancel 1 running task(s), timeout graceful shutdown exceeded", "", "ended"],
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("rule", "asked"),
    [
        ("http:503", b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc"),
        ("hang,duration=1h", b"GET /k HTTP/1.1\r\nHost: h\r\n\r\n" * 2),
        ("latency,delay=1h", b"GET /k HTTP/1.1\r\nHost: h\r\n\r\n"),
    ],
    ids=["a body that does not come", "one of several requests", "a server that says nothing"],
)
def test_it_ends_while_a_fault_keeps_a_request(start, rule, asked):
    """No status is made up, and nothing has gone wrong."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        to = f"http://127.0.0.1:{listening.getsockname()[1]}"
        process = start("proxy", "--to", to, "--port", "0", "-r", rule)
        port = int(url_of(process).rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=300) as client:
            client.sendall(asked)
            process.until(f"{asked[:6].decode()} -> ")
            code, said = process.interrupt()
            # A hang is over when the proxy ends, and closes the connection where there is time.
            hangs = rule.startswith("hang")
            with suppress(ConnectionResetError) if hangs else pytest.raises(ConnectionResetError):
                assert client.recv(1000) == b""
    assert code == 0
    assert not [each for each in said if "Traceback" in each or "Exception" in each]


@pytest.mark.slow
def test_how_requests_are_read(start, store):
    """As the vendor that is named, or the one to whose endpoints the server belongs, has them."""
    behind, _ = store()
    named = start(
        "proxy",
        "--to",
        behind,
        "--port",
        "0",
        "--vendor",
        "gcs",
        "-r",
        "http:503,operation=storage.objects.get",
    )
    assert named.until("Ctrl-C")[1] == "  rule-1: http:503,operation=storage.objects.get,vendor=gcs"
    assert named.interrupt()[0] == 0
    found = start(
        "proxy",
        "--to",
        "https://b-1.cos.ap-x.myqcloud.com",
        "--port",
        "0",
        "-r",
        "reset",
        "-r",
        "oss:@server",
    )
    assert [each for each in found.until("Ctrl-C") if "rule-" in each] == [
        "  rule-1: reset,vendor=cos",
        "  rule-2: oss:@server",
    ]
    assert found.interrupt()[0] == 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "Missing option '--to'"),
        (("--to", "h:9"), "faultinject: --to h:9 is not the URL of a server, such as http://127.0.0.1:9000; did you mean http://h:9?"),
        (("--to", "http://h/p"), "faultinject: --to http://h/p: leave out the part after the host"),
        (("--to", "http://h", "-r", "cos:Slowdown"), "did you mean cos:SlowDown?"),
        (("--to", "http://h", "--vendor", "coss"), "coss"),
        (("--to", "http://h", "--vendor", "cos", "-r", "drip,of=cos:Slowdown"), "did you mean cos:SlowDown?"),
        (("--to", "http://h", "-r", "stale"), "faultinject: stale: only the embedded store can do this, and http://h answers here"),
        (("--to", "http://h", "--vendor", "gateway"), "faultinject: gateway is not a storage vendor"),
        (("--to", "http://h", "--port", "0", "--host", "nowhere.invalid"), "the host 'nowhere.invalid' cannot be resolved"),
    ],
)  # fmt: skip
def test_wrong_use(run, arguments, says):
    """Exit code 2, and the reason."""
    code, out, errors = run("proxy", *arguments)
    assert (code, out) == (2, "")
    assert says in errors


@pytest.fixture
def port():
    """A free one, for both sides."""
    with ReservedPort() as found:
        yield str(found)


@pytest.mark.parametrize(
    ("host", "to"),
    [
        ("127.0.0.1", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("localhost", "127.1"),
        ("0.0.0.0", "localhost"),
        ("0", "127.1"),
        ("0.0.0.0", "127.0.0.2"),
    ],
)
def test_it_is_its_own_server(run, port, host, to):
    """It would only ask itself, whichever name of the address stands on either side."""
    told = f"faultinject: --to http://{to}:{port} is this proxy itself; choose another port for it with --port, or 0 for any free one\n"
    assert run("proxy", "--to", f"http://{to}:{port}", "--host", host, "--port", port) == (2, "", told)


@pytest.mark.parametrize("to", ["127.0.0.2", "nowhere.invalid"])
def test_a_server_with_the_same_port(start, port, to):
    """On another address, or one that is not known yet: the answers say so until it is."""
    process = start("proxy", "--to", f"http://{to}:{port}", "--port", port)
    answer = requests.get(f"{url_of(process)}/k", timeout=60)
    assert answer.status_code == 502
    assert answer.text.startswith(f"faultinject: http://{to}:{port} cannot be reached: ")
    assert process.interrupt()[0] == 0


def test_an_exploration_in_front_of_a_server(run, store, tmp_path):
    """What breaks the command there, and how to see it again."""
    behind, _ = store()
    script = tmp_path / "job.py"
    script.write_text(
        "import os, urllib.request as u\n"
        "e = os.environ['ENDPOINT']\n"
        "u.urlopen(u.Request(e + '/photos-1/a', b'meow', method='PUT'), timeout=60).read()\n"
    )
    reset = f"{sys.executable} -c \"import os, urllib.request as u; u.urlopen(u.Request(os.environ['ENDPOINT'] + '/photos-1', method='PUT'))\" 2>&1 || true"
    code, out, errors = run(
        "explore", "--to", behind, "-r", "cos:SlowDown", "--reset", reset, "--", sys.executable, str(script)
    )
    assert (code, errors) == (1, "")
    assert "when request 1 (PutObject /photos-1/a) gets: cos:SlowDown" in out
    assert f"replay: faultinject explore -r cos:SlowDown --to {behind} --reset" in out
    assert f" --replay cos:SlowDown,method=PUT,path=/photos-1/a,times=1 -- {sys.executable} {script}\n" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--to", "http://h", "--recover", "true"), "--recover is for --crash"),
        (("--rewrite-host",), "--rewrite-host is for --to"),
        (("--to", "h"), "--to h is not the URL of a server"),
        (("--to", "http://h", "-r", "overwrite"), "overwrite: only the embedded store can do this, and"),
    ],
)
def test_wrong_use_of_an_exploration(run, arguments, says):
    """Exit code 2, and the reason."""
    code, out, errors = run("explore", *arguments, "-r", "cos", "--", "true")
    assert (code, out) == (2, "")
    assert says in errors
