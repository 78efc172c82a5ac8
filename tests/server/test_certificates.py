"""TLS with a self-made certificate: real clients trust it, and others do no harm."""

import asyncio
import os
import re
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from contextlib import suppress
from pathlib import Path

import pytest
from starlette.responses import PlainTextResponse

from faultinject import install
from faultinject.cli.listening import uvicorn_server
from faultinject.exceptions import MissingExtraError
from faultinject.server.bounds import Limits
from faultinject.server.certificates import certificate
from faultinject.server.connections import Server
from tests.slowly import slowly
from tests.until import until

pytestmark = pytest.mark.live
VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "CURL_CA_BUNDLE")


async def app(scope, receive, send):
    """Says what it was asked by, and for what."""
    await PlainTextResponse(f"{scope['scheme']} {scope['path']}")(scope, receive, send)


@pytest.fixture(scope="module")
def made():
    """A certificate."""
    pytest.importorskip("trustme")
    with certificate() as found:
        yield found


@pytest.fixture
def served(made, caplog):
    """A server that speaks TLS, and the context of a client that trusts it."""
    with Server(app, context=made.context) as server:
        yield server, ssl.create_default_context(cafile=made.authority)
    assert [each for each in caplog.records if each.levelname == "ERROR"] == []


def get(server, context, path="/cat"):
    """Return the answer to a client."""
    with urllib.request.urlopen(server.url + path, context=context, timeout=60) as answer:
        return answer.read().decode()


def test_a_client_that_trusts_it(served):
    """A client that trusts it is served by address and loopback names, and the app sees https."""
    server, context = served
    assert re.fullmatch(r"https://127\.0\.0\.1:\d+", server.url)
    assert [get(server, context, each) for each in ("/cat", "/dog")] == ["https /cat", "https /dog"]
    for name in ("localhost", "::1"):
        with (
            socket.create_connection(("127.0.0.1", server.port), 40) as plain,
            context.wrap_socket(plain, server_hostname=name) as connection,
        ):
            assert connection.getpeercert()["subject"]


def test_clients_that_do_not(served):
    """Clients without trust, without TLS, or that send nothing do not disturb the others."""
    server, context = served
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        get(server, ssl.create_default_context())
    with socket.create_connection(("127.0.0.1", server.port), 40) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        with suppress(ConnectionResetError):
            assert b"HTTP/1.1" not in plain.recv(100)
    with socket.create_connection(("127.0.0.1", server.port), 40):
        assert get(server, context) == "https /cat"


@pytest.mark.parametrize(
    ("more", "begins", "ends"),
    [("Host: y", b"HTTP/1.1 400 ", b""), ("Connection: close", b"HTTP/1.1 200 ", b"https /")],
    ids=["no request", "a request"],
)
def test_the_end_of_a_connection_is_said(served, more, begins, ends):
    """A connection ends with TLS's own end, not torn, even if the request is refused."""
    server, context = served
    with (
        socket.create_connection(("127.0.0.1", server.port), 40) as plain,
        context.wrap_socket(plain, server_hostname="localhost", suppress_ragged_eofs=False) as connection,
    ):
        connection.sendall(f"GET / HTTP/1.1\r\nHost: x\r\n{more}\r\n\r\n".encode())
        received = b""
        while piece := connection.recv(1000):
            received += piece
    assert received.startswith(begins) and received.endswith(ends)


def is_refused(port):
    """Whether the server takes no connections any more."""
    with socket.socket() as new:
        return new.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("more", ["", "Connection: close\r\n"], ids=["kept", "last"])
@pytest.mark.parametrize("path", ["/idle", "/slow"])
def test_the_end_of_a_server_is_not_confirmed(made, capsys, path, more):
    """It comes at once all the same, behind the answer that is under way."""
    asked, goes_on = threading.Event(), threading.Event()

    async def slow(scope, receive, send):
        if scope.get("path") == "/slow":
            asked.set()
            await asyncio.to_thread(goes_on.wait, 60)
        await app(scope, receive, send)

    context = ssl.create_default_context(cafile=made.authority)
    server = uvicorn_server(slow, made, Limits(grace=15))
    with socket.create_server(("127.0.0.1", 0)) as sock:
        port = sock.getsockname()[1]
        running = threading.Thread(target=server.run, kwargs={"sockets": [sock]}, daemon=True)
        running.start()
        with (
            socket.create_connection(("127.0.0.1", port), 40) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as client,
            client.makefile("rb") as answer,
        ):
            client.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n{more}\r\n".encode())
            if path == "/slow":
                assert asked.wait(60)
                server.should_exit = True
                until(lambda: is_refused(port))
                goes_on.set()
            while answer.readline() != b"\r\n":
                """The head."""
            assert answer.read(11) == f"https {path}".encode()
            server.should_exit = True
            running.join(60)
    assert capsys.readouterr().err == ""


def test_faults_of_the_connection(made):
    """A reset is one, and the next request is answered."""
    faulty = install(app, "reset,times=1", enabled=True)
    context = ssl.create_default_context(cafile=made.authority)
    with Server(faulty, context=made.context) as server:
        with pytest.raises(ConnectionResetError):
            get(server, context)
        assert get(server, context) == "https /cat"


def test_the_files():
    """No private key is in a file, and the files go with the block, after an error too."""
    pytest.importorskip("trustme")
    with pytest.raises(ValueError, match="mine"), certificate("192.0.2.7") as made:
        file = Path(made.authority)
        assert ([*file.parent.iterdir()], file.name, made.trust) == (
            [file],
            "authority.pem",
            dict.fromkeys(VARIABLES, made.authority),
        )
        assert b"PRIVATE" not in file.read_bytes()
        raise ValueError("mine")
    assert not file.parent.exists()


def test_without_trustme(monkeypatch):
    """A sentence says what is missing."""
    monkeypatch.setitem(sys.modules, "trustme", None)
    with pytest.raises(MissingExtraError, match=r"made by trustme: .*install.*\[tls\]"), certificate():
        pass


BOTO3 = """
import boto3
from botocore.config import Config
settings = {"region_name": "x", "aws_access_key_id": "a", "aws_secret_access_key": "b"}
client = boto3.client("s3", endpoint_url="URL", config=Config(retries={"total_max_attempts": 1}), **settings)
print(client.get_object(Bucket="b", Key="cat")["Body"].read().decode())
"""


@pytest.mark.parametrize(
    ("variable", "command"),
    [
        (
            "REQUESTS_CA_BUNDLE",
            [sys.executable, "-c", "import requests; print(requests.get('URL/cat').text)"],
        ),
        slowly("AWS_CA_BUNDLE", [sys.executable, "-c", BOTO3]),
        slowly("CURL_CA_BUNDLE", ["curl", "-sS", "URL/cat"]),
        slowly(
            "NODE_EXTRA_CA_CERTS", ["node", "-e", "fetch('URL/cat').then(a => a.text()).then(console.log)"]
        ),
    ],
    ids=["requests", "boto3", "curl", "node"],
)
def test_the_variables_that_clients_read(served, made, variable, command):
    """Real clients trust the certificate by their own variable alone."""
    server, _ = served
    environ = {
        each: value
        for each, value in os.environ.items()
        if each not in VARIABLES and "proxy" not in each.lower()
    }
    try:
        done = subprocess.run(
            [each.replace("URL", server.url) for each in command],
            env=environ | {variable: made.trust[variable]},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip(f"{command[0]} is not installed")
    assert done.stdout.startswith("https /"), done.stderr
