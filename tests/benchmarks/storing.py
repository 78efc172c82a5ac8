"""`faultinject serve` beside a Starlette app with a dictionary, and beside moto's server.

The app and `serve` are on uvicorn's h11. Eight connections write and read 1 KiB. moto's server ends the connection
after each answer, so boto3 asks there.

`python storing.py PORT` serves that app until it is ended.
"""

import socket
import sys
from contextlib import ExitStack, closing
from functools import partial
from statistics import median

import boto3
from loopback import Server, measured, start
from measure import AGAIN, Goal, Row, Sample, retried

from faultinject.store import sdk_clients

REQUESTS = 1200
CONNECTIONS = 8
CONTENT = bytes(1024)
STORES = ("cos", "s3")


BY_BOTO3 = 240
"""Requests of boto3 a round."""


def run() -> list[Row]:
    rows = [row for method in ("GET", "PUT") for row in retried(partial(_compared, method))]
    return [*rows, *retried(_beside_moto)]


def _beside_moto() -> list[Row]:
    ours = [sys.executable, "-m", "faultinject", "serve", "--vendor", "s3", "--port"]
    moto = [sys.executable, "-m", "moto.server", "-p"]
    clients = {}

    def by_boto3(name: str, port: int) -> tuple[int, float]:
        for _ in range(BY_BOTO3 // 2):
            clients[name].put_object(Bucket="photos", Key="cat", Body=CONTENT)
            clients[name].get_object(Bucket="photos", Key="cat")["Body"].read()
        return BY_BOTO3, 0.0

    with ExitStack() as stack:
        servers = _started(stack, {"ours": ours, AGAIN: ours, "moto": moto})
        for name, server in servers.items():
            clients[name] = boto3.client("s3", **sdk_clients.boto3("127.0.0.1", server.port))
            clients[name].create_bucket(Bucket="photos")
        cpu, _ = measured(servers, by_boto3)
    sample = Sample("ours", cpu)
    note = f"{median(cpu['moto']) / 1000:.0f} µs to {median(cpu['ours']) / 1000:.0f} µs CPU a request"
    return [
        sample.row(
            "moto's server, PUT and GET of 1 KiB by boto3",
            "`serve --vendor s3`",
            Goal("", 0),
            sample.ratios("moto"),
            note,
        )
    ]


def _started(stack: ExitStack, commands: dict[str, list[str]]) -> dict[str, Server]:
    """A server for each command, whose last word is the port."""
    return {
        name: stack.enter_context(start(lambda port, command=command: [*command, str(port)]))  # type: ignore[misc]
        for name, command in commands.items()
    }


def _compared(method: str) -> list[Row]:
    plain = [sys.executable, __file__]
    ours = [sys.executable, "-m", "faultinject", "serve", "--vendor"]
    stores = {name: [*ours, name, "--port"] for name in STORES}
    with ExitStack() as stack:
        servers = _started(stack, {"bare": plain, AGAIN: plain, **stores})
        for server in servers.values():
            for asked in ("PUT /photos", "PUT", "GET"):
                ask(server.port, asked, CONNECTIONS * 8)
        cpu, _ = measured(servers, lambda _, port: ask(port, method, REQUESTS))
    sample = Sample("bare", cpu)
    return [
        sample.row(
            f"`serve --vendor {name}`, {method} of 1 KiB",
            "Starlette with a dictionary, h11",
            Goal("≤", 2),
            sample.ratios(name),
            f"{median(cpu[name]) / 1000:.0f} µs CPU a request",
        )
        for name in STORES
    ]


def ask(port: int, asked: str, times: int) -> tuple[int, float]:
    """Send a request so many times, over all connections at once; gives the number, and no time."""
    method, _, path = asked.partition(" ")
    content = CONTENT if method == "PUT" and not path else b""
    head = f"{method} {path or '/photos/cat'} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(content)}\r\n\r\n"
    with ExitStack() as stack:
        socks = [
            stack.enter_context(closing(socket.create_connection(("127.0.0.1", port))))
            for _ in range(CONNECTIONS)
        ]
        files = [stack.enter_context(sock.makefile("rb")) for sock in socks]
        for _ in range(times // CONNECTIONS):
            for sock in socks:
                sock.sendall(head.encode() + content)
            for file in files:
                lines = iter(file.readline, b"\r\n")
                named = dict(line.lower().split(b":", 1) for line in lines if b":" in line)
                file.read(int(named[b"content-length"]))
    return times, 0.0


def main() -> None:
    import uvicorn
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.routing import Route

    kept: dict[str, bytes] = {}

    async def answer(request: Request) -> Response:
        if request.method == "PUT":
            kept[request.url.path] = await request.body()
        return Response(kept[request.url.path] if request.method == "GET" else b"")

    app = Starlette(routes=[Route("/{path:path}", answer, methods=["GET", "PUT"])])
    uvicorn.run(app, port=int(sys.argv[1]), http="h11", loop="asyncio", log_level="warning", access_log=False)


if __name__ == "__main__":
    main()
