"""Real clients store their objects after a first error, on connections of their choice."""

from hashlib import sha256

import pytest

from tests.pairs import pairs

from .launch import SENT_AWAY, SERVERS
from .table import BUFFERS
from .test_matrix import started
from .uploading import CLIENTS, missing

SIZES = (1, 5_000, 200_000)
MAINSTREAM = ("uvicorn h11", "uvicorn httptools")


def says_expect(name):
    """Whether a client may say `Expect: 100-continue` with an upload."""
    return name.endswith(", Expect") or name in ("boto3", "curl")


def go_on(server, name, rule, size, folder):
    """After a first 503 the client makes one more attempt, and the right bytes are stored."""
    if program := missing(name):
        pytest.skip(f"there is no {program} here")
    host, port = server.address
    path = f"/{rule}/t{next(server.numbers)}-{size}"
    body = b"x" * size
    digest = sha256(body).hexdigest()
    assert CLIENTS[name](f"http://{host}:{port}{path}", body, folder) == [503, 200]
    assert server.ask(f"/stored?{path}").body.decode() == digest
    found = server.outcomes_of(path, 2)
    assert [(each["did"], each["status"]) for each in found] == [("answered", 503), ("passed", 200)]
    first, stored = (each["request_bytes"] for each in found)
    assert stored == size
    # Of a client that says `Expect: 100-continue` nobody knows what it has sent of a body that nobody has read.
    assert first == size or (first is None and says_expect(name))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "rule", "size"),
    pairs(
        name=SERVERS,
        rule=["once", "once-late"],
        size=[*SIZES, 5_000_000],
        allowed=lambda name, rule, size: size in ((200_000, 5_000_000) if rule == "once-late" else SIZES),
        alike={"name": lambda name: (SERVERS[name].interface, name in BUFFERS)},
    ),
)
def test_boto3(pool, name, rule, size, tmp_path):
    """A stock `put_object` of whatever size is stored at the second attempt, on every server.

    Where the error comes late, boto3 has sent its body by then, although nobody has asked for it.
    """
    go_on(started(pool, name), "boto3", rule, size, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "client", "rule", "size"),
    pairs(
        name=MAINSTREAM,
        client=[each for each in CLIENTS if each != "boto3"],
        rule=["once", "once-undrained"],
        size=SIZES,
        alike={"name": lambda name: None, "size": lambda size: None},
    ),
)
def test_clients(pool, name, client, rule, size, tmp_path):
    """And so it is with everybody else, whether they wait for 100 Continue or only say so."""
    go_on(started(pool, name), client, rule, size, tmp_path)


def can_be(name, client, rule):
    """Clients that wait without end for `100 Continue` are not tried on servers without it.

    Another client sends after a second. uWSGI closes every connection after its answer without announcing it: a client
    that uses the connection before it sees the end fails by itself. After an unread upload the answer announces it.
    """
    waits = client == "aiohttp, Expect" and name in ("uWSGI", "wsgiref")
    closed = (name, rule) == ("uWSGI", "once")
    return not waits and not closed and (rule == "once" or name not in SENT_AWAY)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "client", "rule"),
    pairs(
        name=SERVERS,
        client=CLIENTS,
        rule=["once", "once-undrained"],
        allowed=can_be,
        alike={
            "name": lambda name: SERVERS[name].interface,
            "client": says_expect,
            "rule": lambda rule: rule,
        },
    ),
)
def test_clients_on_every_server(pool, name, client, rule, tmp_path):
    """The error may come within an upload too large for any buffer, read to its end or not."""
    go_on(started(pool, name), client, rule, 5_000_000, tmp_path)
