"""An error in the middle of an upload of 24 MB: the client sees it, whoever it is, and no broken pipe."""

from __future__ import annotations

import asyncio
import http.client
import io
from itertools import count

import pytest

from tests.pairs import pairs

from .launch import SENT_AWAY, SERVERS
from .table import BUFFERS
from .test_matrix import FEW
from .uploading import no_more_than, sockets

pytestmark = pytest.mark.slow

SIZE = 24_000_000
"""Several times what the buffers of both ends hold."""
STEP = 1 << 20
PATIENCE = 60
BODY = memoryview(bytes(SIZE))
"""Shared by all; nobody copies it as a whole."""
_numbers = count()


def pieces():
    """The body as a client reads it from a file."""
    return (bytes(BODY[at : at + STEP]) for at in range(0, SIZE, STEP))


def with_requests(url, body):
    import requests

    with requests.Session() as session:
        session.trust_env = False
        found = session.put(url, data=body, timeout=PATIENCE)
    return found.status_code, found.content


def with_httpx(url, body):
    import httpx

    with httpx.Client(trust_env=False, timeout=PATIENCE) as client:
        found = client.put(url, content=body, headers={"content-length": str(SIZE)})
    return found.status_code, found.content


def with_aiohttp(url, body):
    aiohttp = pytest.importorskip("aiohttp")

    async def put():
        timeout, before = aiohttp.ClientTimeout(total=PATIENCE), sockets()
        async with aiohttp.ClientSession(timeout=timeout) as session, session.put(url, data=body) as found:
            seen = found.status, await found.read()
        await no_more_than(before)
        return seen

    return asyncio.run(put())


def with_http_client(url, body):
    """To which a pipe that breaks is the end."""
    place, _, path = url.removeprefix("http://").partition("/")
    connection = http.client.HTTPConnection(place, timeout=PATIENCE)
    try:
        connection.request("PUT", f"/{path}", body, {"Content-Length": str(SIZE)})
        found = connection.getresponse()
        return found.status, found.read()
    finally:
        connection.close()


def with_boto3(url, body):
    """It waits for 100 Continue, for a second."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import ClientError

    place, bucket, key = url.removeprefix("http://").split("/", 2)
    config = Config(
        retries={"total_max_attempts": 1},
        s3={"addressing_style": "path", "payload_signing_enabled": False},
        request_checksum_calculation="when_required",
        proxies={},
    )
    client = boto3.client(
        "s3",
        endpoint_url=f"http://{place}",
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=config,
    )
    with pytest.raises(ClientError) as caught:
        client.put_object(Bucket=bucket, Key=key, Body=body)
    client.close()
    said = caught.value.response
    return said["ResponseMetadata"]["HTTPStatusCode"], f"<Code>{said['Error']['Code']}</Code>".encode()


CLIENTS = {
    "requests": lambda url: with_requests(url, io.BytesIO(BODY.obj)),
    "requests, chunked": lambda url: with_requests(url, pieces()),
    "httpx": lambda url: with_httpx(url, pieces()),
    "aiohttp": lambda url: with_aiohttp(url, io.BytesIO(BODY.obj)),
    "http.client": lambda url: with_http_client(url, BODY),
    "boto3": lambda url: with_boto3(url, io.BytesIO(BODY.obj)),
}
# Servers that tell an app no end of a chunked body, so that it cannot be read.
ENDLESS = ("uWSGI", "wsgiref")


@pytest.fixture
def server(pool, name):
    """With the rules of the matrix."""
    if why := SERVERS[name].missing:
        pytest.skip(why)
    return pool.get(name)


def put(server, rule, client):
    """Upload below that rule's path: what the client saw, and what the journal says."""
    host, port = server.address
    path = f"/{rule}/upload-{next(_numbers)}"
    seen = CLIENTS[client](f"http://{host}:{port}{path}")
    return seen, server.outcome(path, until=lambda outcome: outcome["did"] == "answered")


def can_be(name, client, rule):
    """Who is reset while it sends sees the answer only if it looks for one all the same."""
    if rule == "error-undrained" and name in SENT_AWAY:
        return client.startswith("requests")
    return client != "requests, chunked" or name not in ENDLESS


CASES = pairs(
    name=SERVERS,
    client=CLIENTS,
    rule=["error", "error-undrained"],
    allowed=can_be,
    alike={
        "name": lambda name: (SERVERS[name].interface, name in BUFFERS),
        "client": lambda client: "chunked" in client,
        "rule": lambda rule: rule,
    },
)


@pytest.mark.parametrize(("name", "client", "rule"), CASES)
def test_the_error_is_seen(server, client, rule):
    """The body is read to its end first, and nobody has sent into the void.

    With `drain=no` the answer comes while the client is sending; what it sends is read away, and nothing reset.
    """
    (status, body), outcome = put(server, rule, client)
    assert status == 503
    assert b"<Code>SlowDown</Code>" in body
    assert (outcome["did"], outcome["fault"], outcome["status"]) == ("answered", "cos:SlowDown", 503)
    if rule == "error-undrained":
        assert outcome["body_complete"] is None
        return
    assert outcome["request_bytes"] == SIZE
    # Who waits for 100 Continue has the error before it; boto3 sends its body all the same after a second.
    waits = client == "boto3" and server.interface == "asgi"
    assert outcome["body_complete"] in ((None, True) if waits else (True,))


@pytest.mark.parametrize("name", FEW)
def test_the_same_bytes_are_known_again(server):
    """Whoever sent them: attempts are compared by that."""
    digests = {
        put(server, "error", client)[1]["request_digest"] for client in ("requests", "aiohttp", "http.client")
    }
    assert len(digests) == 1
    assert None not in digests


@pytest.mark.parametrize("name", ["uvicorn h11", "uvicorn httptools", "granian ASGI", "gunicorn asgi"])
def test_the_error_instead_of_100(pool, name):
    """A client that waits for it never sends its 24 MB."""
    if why := SERVERS[name].missing:
        pytest.skip(why)
    path = f"/error/upload-{next(_numbers)}"
    with pool.get(name).connect() as client:
        client.send(
            f"PUT {path} HTTP/1.1\r\nHost: a.example\r\nContent-Length: {SIZE}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        answer = client.answer("PUT")
    assert (answer.interim, answer.status, answer.whole) == ([], 503, True)
    assert b"<Code>SlowDown</Code>" in answer.body
