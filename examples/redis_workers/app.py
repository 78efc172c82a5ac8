"""A service that stores photos, for WSGI and ASGI servers, each with a line for faultinject."""

import os
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

import faultinject

Messages = Callable[..., Awaitable[Any]]


def store_photo(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Answer 201, with the number of the process that did it."""
    start_response("201 Created", [("Content-Type", "text/plain")])
    return [f"stored by process {os.getpid()}\n".encode()]


async def store_photo_async(scope: dict[str, Any], receive: Messages, send: Messages) -> None:
    """The same."""
    if scope["type"] == "lifespan":
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        await send({"type": "lifespan.shutdown.complete"})
        return
    headers = [(b"content-type", b"text/plain")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": f"stored by process {os.getpid()}\n".encode()})


wsgi = faultinject.install(store_photo)
asgi = faultinject.install(store_photo_async)
