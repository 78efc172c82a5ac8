"""`faultinject proxy`: faults in front of another process, and refusals to start."""

import json
import os
import socket
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from tests.ports import ReservedPort

pytestmark = pytest.mark.live


@pytest.fixture
def store(serve):
    """The URL of the embedded store, in a process of its own."""
    return serve("--vendor", "cos").url


@pytest.fixture
def proxy(start):
    """Start `proxy` in front of a server, as a process of its own, on any free port."""

    def call(to, *words, **options):
        return start("proxy", "--to", to, "--port", "0", *words, **options)

    return call


def test_what_it_says_and_does(proxy, store, tmp_path):
    """Matching requests get faults, others the server's answers; journal and sum are complete."""
    journal = tmp_path / "journal"
    rule = "cos:SlowDown,times=1,operation=PutObject"
    process = proxy(store, "-r", rule, "--seed", "4", "--journal", str(journal), anew=True)
    url = process.url
    assert process.head == [
        f"in front of {store} on {url}",
        "  rule-1: cos:SlowDown,operation=PutObject,times=1",
        "    Requests whose operation matches PutObject get cos:SlowDown (503), at most once in all.",
        "  seed: 4",
        f"  journal: {journal}",
        "Ctrl-C ends it.",
    ]
    asked = ("photos-1", "photos-1/a", "photos-1/a")
    statuses = [requests.put(f"{url}/{path}", b"meow", timeout=60).status_code for path in asked]
    assert requests.get(f"{store}/photos-1/a", timeout=60).content == b"meow"
    assert process.interrupt() == (
        0,
        [
            "PUT /photos-1/a -> cos:SlowDown (503) by rule-1",
            "",
            "ended; injected:",
            "  rule-1: 1 of 2 requests that met its conditions",
        ],
    )
    lines = [json.loads(each) for each in journal.read_text().splitlines()]
    noted = {each["seq"]: each["status"] for each in lines if each.get("method")}
    assert (statuses, [*noted.values()]) == ([200, 503, 200], [200, 503, 200])


def test_it_is_changed_while_it_runs(proxy, store):
    """By the control API, at a path that never reaches the server."""
    pytest.importorskip("starlette")
    environ = {**os.environ, "FAULTINJECT_TOKEN": "t" * 32}
    process = proxy(store, "--control", "/_faultinject", env=environ)
    token = {"Authorization": f"Bearer {'t' * 32}"}
    rules = f"{process.url}/_faultinject/rules"
    answer = requests.post(rules, json={"fault": "http:418"}, headers=token, timeout=60)
    assert answer.status_code == 201, answer.text
    assert requests.get(f"{process.url}/photos-1/a", timeout=60).status_code == 418
    assert process.interrupt()[0] == 0


@pytest.mark.parametrize(("command", "vendor"), [("proxy", "s3"), ("serve", "cos")])
def test_max_connections_without_rules(request, store, command, vendor):
    """One more ends the one whose client has said nothing, and is answered, by the store alone.

    It is said how to give rules.
    """
    start = request.getfixturevalue(command)
    process = start(*[store] * (command == "proxy"), "--max-connections", "1")
    assert process.head[1] == (
        f"  no rules, so no faults; give some with -r, such as -r {vendor}:SlowDown,probability=0.3"
    )
    url = urlsplit(process.url)
    with socket.create_connection((url.hostname, url.port), timeout=60) as silent:
        answer = requests.get(f"{process.url}/none-1/a", timeout=60)
        assert (answer.status_code, answer.text.count("NoSuchBucket"), silent.recv(1)) == (404, 1, b"")
    assert process.interrupt() == (0, ["", "ended"])


@pytest.mark.slow
def test_tls_on_both_sides(serve, proxy):
    """The server's certificate is verified; a client that trusts ours is served."""
    pytest.importorskip("trustme")
    store = serve("--vendor", "cos", "--tls")
    behind = store.url
    [path] = [each.rpartition(" ")[2] for each in store.head if "certificate to trust: " in each]
    refused = proxy(behind)
    answer = requests.get(f"{refused.url}/photos-1/a", timeout=60)
    assert (answer.status_code, answer.text) == (
        502,
        f"faultinject: the certificate of {behind} is not trusted: unable to get local issuer certificate;"
        " name a file of trusted certificates in SSL_CERT_FILE\n",
    )
    environ = {**os.environ, "SSL_CERT_FILE": path}
    process = proxy(behind, "--tls", "-r", "reset,method=DELETE", env=environ)
    url = process.url
    [own] = [each.rpartition(" ")[2] for each in process.head if "certificate to trust: " in each]
    made = requests.put(f"{url}/photos-1", timeout=60, verify=own)
    assert (url.startswith("https://"), made.status_code) == (True, 200)
    with pytest.raises(requests.ConnectionError):
        requests.delete(f"{url}/photos-1", timeout=60, verify=own)
    for each in (refused, process, store):
        assert each.interrupt()[0] == 0
    assert not any(Path(each).parent.exists() for each in (own, path))


@pytest.mark.slow
@pytest.mark.parametrize("way", ["down", "up"])
def test_it_ends_in_the_middle_of_a_transfer(proxy, way):
    """A stop in a transfer is one sentence; client and server see the broken connection."""
    asked = {
        "down": b"GET /k HTTP/1.1\r\nHost: h\r\n\r\n",
        "up": b"PUT /k HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nabc",
    }
    with socket.create_server(("127.0.0.1", 0)) as listening:
        process = proxy(f"http://127.0.0.1:{listening.getsockname()[1]}")
        port = int(process.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
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
def test_it_ends_while_a_fault_keeps_a_request(proxy, rule, asked):
    """No status is made up, and nothing has gone wrong."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        to = f"http://127.0.0.1:{listening.getsockname()[1]}"
        process = proxy(to, "-r", rule)
        port = int(process.url.rpartition(":")[2])
        with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
            client.sendall(asked)
            process.until(f"{asked[:6].decode()} -> ")
            code, said = process.interrupt()
            # A hang is over when the proxy ends, and closes the connection where there is time.
            hangs = rule.startswith("hang")
            with suppress(ConnectionResetError) if hangs else pytest.raises(ConnectionResetError):
                assert client.recv(1000) == b""
    assert (code, [each for each in said if "Traceback" in each or "Exception" in each]) == (0, [])


@pytest.mark.slow
def test_how_requests_are_read(proxy, store):
    """As the vendor that is named, or the one to whose endpoints the server belongs, has them."""
    named = proxy(store, "--vendor", "gcs", "-r", "http:503,operation=storage.objects.get")
    assert named.head[1] == "  rule-1: http:503,operation=storage.objects.get,vendor=gcs"
    assert named.interrupt()[0] == 0
    for bucket in ("b-1.", ""):
        found = proxy(f"https://{bucket}cos.ap-x.myqcloud.com", "-r", "reset", "-r", "oss:@server")
        assert [each for each in found.head if "rule-" in each] == [
            "  rule-1: reset,vendor=cos",
            "  rule-2: oss:@server",
        ]
        assert found.interrupt()[0] == 0


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
    told = (
        f"faultinject: --to http://{to}:{port} is this proxy itself; choose another port for it with "
        "--port, or 0 for any free one\n"
    )
    assert run("proxy", "--to", f"http://{to}:{port}", "--host", host, "--port", port) == (2, "", told)


@pytest.mark.parametrize("to", ["127.0.0.2", pytest.param("nowhere.invalid", marks=pytest.mark.slow)])
def test_a_server_with_the_same_port(start, port, to):
    """On another address, or one that is not known yet: the answers say so until it is."""
    process = start("proxy", "--to", f"http://{to}:{port}", "--port", port)
    answer = requests.get(f"{process.url}/k", timeout=60)
    told = f"faultinject: http://{to}:{port} cannot be reached: "
    assert (answer.status_code, answer.text[: len(told)]) == (502, told)
    assert process.interrupt()[0] == 0
