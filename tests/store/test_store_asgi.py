"""The store as an app of ASGI: on our server, and in process."""

import http.client
import socket
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from faultinject import ASGIFaultMiddleware, Injector, Scenario
from faultinject.server.connections import Server
from faultinject.store import ObjectStore
from faultinject.store.asgi import asgi, beneath

PATIENCE = 60
"""Seconds that only end a hang."""
LARGE = bytes(range(256)) * 1024
"""More than is awaited without a thread."""


@contextmanager
def serving(vendor="s3", rules=""):
    """A store on our server, with faults: the store, and what asks it."""
    store = ObjectStore(vendor)
    store.buckets.create("photos", 0)
    injector = Injector(Scenario(rules or []), environ={})
    app = beneath(ASGIFaultMiddleware(asgi(store), injector=injector), store)
    with Server(app) as server:

        def ask(method, path, body=None, **headers):
            connection = http.client.HTTPConnection(*server.server_address, timeout=PATIENCE)
            connection.request(
                method, path, body, {name.replace("_", "-"): text for name, text in headers.items()}
            )
            answer = connection.getresponse()
            content = answer.read()
            connection.close()
            return answer, content

        yield store, server, ask


def test_many_large_bodies_that_do_not_end():
    """They keep no thread from others; each is stored when its end comes."""
    with serving() as (_, server, ask), ExitStack() as stack:
        stalled = [stack.enter_context(begin(server, f"k{number}")) for number in range(45)]
        assert ask("PUT", "/photos/other", LARGE)[0].status == 200
        assert {end(sock) for sock in stalled} == {b"HTTP/1.1 200 OK"}


def begin(server, path):
    """A connection on which a large body has begun."""
    sock = socket.create_connection(server.server_address, timeout=PATIENCE)
    head = (
        f"PUT /photos/{path} HTTP/1.1\r\nHost: h\r\nContent-Length: {len(LARGE)}\r\nConnection: close\r\n\r\n"
    )
    sock.sendall(head.encode() + LARGE[:-1])
    return sock


def end(sock):
    with sock:
        sock.sendall(LARGE[-1:])
        return sock.recv(15)


@pytest.mark.parametrize("content", [b"meow", LARGE, b""], ids=["small", "large", "empty"])
def test_an_object_comes_back(content):
    """It comes whole, in part and in chunks; its head has Date and Server."""
    with serving("cos") as (_, _, ask):
        for given in (content, iter([content[:2], content[2:]])):
            assert ask("PUT", "/photos/a", given)[0].status == 200
            answer, got = ask("GET", "/photos/a")
            assert (answer.status, got, answer.headers["Server"]) == (200, content, "faultinject")
        assert answer.headers.get_all("Date") is not None
        answer, got = ask("HEAD", "/photos/a")
        assert (answer.status, answer.headers["Content-Length"], got) == (200, str(len(content)), b"")
        if content:
            answer, got = ask("GET", "/photos/a", Range="bytes=1-2")
            assert (answer.status, got) == (206, content[1:3])


def test_a_large_body_is_awaited_on_a_thread():
    """Others are answered meanwhile; one whose client leaves is not stored."""
    with serving() as (store, server, ask):
        first, leaves = begin(server, "first"), begin(server, "leaves")
        leaves.close()
        assert ask("PUT", "/photos/small", b"meow")[0].status == 200
        assert end(first) == b"HTTP/1.1 200 OK"
        assert sorted(store.buckets.find("photos").objects) == ["first", "small"]


def test_a_fault_has_the_store_move():
    """Another writer comes first; keys that an answer reports as deleted are gone."""
    with serving(rules="overwrite,method=GET") as (_, _, ask):
        ask("PUT", "/photos/a", b"meow")
        assert ask("GET", "/photos/a")[1] == bytes(each ^ 1 for each in b"meow")


def test_keys_that_a_fault_reports_as_deleted_are_deleted():
    """Of two, those that do not fail."""
    names = [f"k{number}" for number in range(40)]
    with serving(rules="s3:InternalError,operation=DeleteObjects,status=200,share=0.5") as (store, _, ask):
        for name in names:
            ask("PUT", f"/photos/{name}", b"x")
        document = "".join(f"<Object><Key>{name}</Key></Object>" for name in names)
        answer, got = ask("POST", "/photos?delete", f"<Delete>{document}</Delete>".encode())
        left = store.buckets.find("photos").objects
        assert (answer.status, 0 < len(left) < 40) == (200, True)
        assert all(
            (f"<Deleted><Key>{name}</Key>" in got.decode().replace("\n", "")) is (name not in left)
            for name in names
        )


@pytest.mark.anyio
async def test_in_process():
    """Without a server of ours all of a body is awaited."""
    store = ObjectStore("s3")
    store.buckets.create("photos", 0)
    transport = httpx.ASGITransport(asgi(store))
    async with httpx.AsyncClient(transport=transport, base_url="http://store.test") as client:
        assert (await client.put("/photos/a b", content=LARGE)).status_code == 200
        assert (await client.get("/photos/a%20b")).content == LARGE


def test_an_injected_error_is_spelled_as_its_vendor_spells_it():
    """It has its reason phrase and capitals, also in pieces; the next answer has its own."""
    rules = "cos:SlowDown,path=photos/a; drip,of=cos:SlowDown,rate=1MiB,path=photos/b"
    with serving("cos", rules) as (_, server, ask):
        for key in "ab":
            with socket.create_connection(server.server_address, timeout=PATIENCE) as sock:
                sock.sendall(f"GET /photos/{key} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".encode())
                said = b"".join(iter(lambda: sock.recv(4096), b""))
            assert said.startswith(
                b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nContent-Length: "
            )
        assert ask("GET", "/photos/c")[0].reason == "Not Found"
