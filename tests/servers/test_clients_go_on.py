"""Real clients store what they have to after a first error, on connections of their own choice."""

from __future__ import annotations

from hashlib import sha256
from itertools import count

import pytest

from .launch import SERVERS
from .test_matrix import FEW, started
from .uploading import CLIENTS, missing

SIZES = (1, 5_000, 200_000)
MAINSTREAM = ("uvicorn h11", "uvicorn httptools")
_numbers = count()


def slow(*values):
    return pytest.param(*values, marks=pytest.mark.slow)


def go_on(server, name, rule, sizes, folder):
    """Upload to URLs that answer 503 at first: nothing but the two attempts arrives, and the right bytes are stored."""
    host, port = server.address
    for size in sizes:
        path = f"/{rule}/t{next(_numbers)}-{size}"
        body = b"x" * size
        digest = sha256(body).hexdigest()
        assert CLIENTS[name](f"http://{host}:{port}{path}", body, folder) == [503, 200]
        with server.connect() as client:
            assert client.ask("GET", f"/stored?{path}", more="Connection: close\r\n").body.decode() == digest
        found = [(each["did"], each["status"]) for each in server.outcomes_of(path, 2)]
        assert found == [("answered", 503), ("passed", 200)]


@pytest.mark.slow
@pytest.mark.parametrize("name", [each if each in (*FEW, *MAINSTREAM) else slow(each) for each in SERVERS])
def test_boto3(pool, name, tmp_path):
    """A stock `put_object` of 1, 5,000 and 200,000 bytes is stored at the second attempt, on every server."""
    go_on(started(pool, name), "boto3", "once", SIZES, tmp_path)


@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.slow
def test_boto3_that_gets_impatient(pool, name, tmp_path):
    """The error comes late, and boto3 has sent its body by then, although nobody has asked for it."""
    go_on(started(pool, name), "boto3", "once-late", (200_000, 5_000_000), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("rule", ["once", slow("once-undrained")])
@pytest.mark.parametrize(
    "client", [slow(each) if each == "AWS CLI" else each for each in CLIENTS if each != "boto3"]
)
@pytest.mark.parametrize("name", MAINSTREAM)
def test_clients(pool, name, client, rule, tmp_path):
    """And so it is with everybody else, whether they wait for 100 Continue or only say so."""
    if program := missing(client):
        pytest.skip(f"there is no {program} here")
    go_on(started(pool, name), client, rule, SIZES, tmp_path)


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("name", SERVERS)
@pytest.mark.slow
def test_clients_on_every_server(pool, name, client, tmp_path):
    """Also in the middle of an upload that does not fit into any buffer."""
    if program := missing(client):
        pytest.skip(f"there is no {program} here")
    if client == "aiohttp, Expect" and name in ("uWSGI", "wsgiref"):
        pytest.skip("the server never says 100 Continue, and the client waits for it without end")
    go_on(started(pool, name), client, "once-undrained", (5_000_000,), tmp_path)
