"""A thumbnail service on Starlette that has never heard of faultinject, and its client."""

from collections.abc import Callable

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

Send = Callable[[str, str, bytes], tuple[int, bytes]]


async def thumbnail(request: Request) -> Response:
    """The first bytes of what was sent."""
    return PlainTextResponse((await request.body())[:8])


app = Starlette(routes=[Route("/thumbnails/{name}", thumbnail, methods=["POST"])])


def make_thumbnail(send: Send, name: str, data: bytes, *, attempts: int = 3) -> bytes:
    """A thumbnail, from at most `attempts` attempts.

    Raises:
        RuntimeError: none of them worked.
    """
    for _ in range(attempts):
        status, body = send("POST", f"/thumbnails/{name}", data)
        if status == 200:
            return body
    raise RuntimeError(f"no thumbnail of {name} after {attempts} attempts, last {status}")
