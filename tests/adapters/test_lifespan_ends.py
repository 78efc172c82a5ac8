"""ASGI servers that are killed right after their shutdown: the journal has its end before."""

import asyncio
import json
from pathlib import Path

import pytest

from faultinject import ASGIFaultMiddleware, Injector

SHUTDOWN = ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def app(scope, receive, send):
    while scope["type"] == "lifespan":
        what = (await receive())["type"]
        await send({"type": f"{what}.complete"})
        if what == "lifespan.shutdown":
            return
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body"})


def serve(injector, app=app, *, ask=True):
    """Start, one request, shut down: what was said, and what stood in the journal then."""
    path = injector.journal.path
    said = []

    def ends():
        """Of each line, whether it is the end."""
        return [bool(json.loads(each).get("ended")) for each in Path(path).read_text().splitlines()]

    async def send(message):
        said.append((message["type"], ends()))

    async def run():
        wrapped = ASGIFaultMiddleware(app, injector=injector)
        messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive():
            message = next(messages)
            if message["type"].endswith("shutdown") and ask:
                scope = {"type": "http", "method": "GET", "path": "/a", "query_string": b"", "headers": []}

                async def nothing(message=None):
                    return {"type": "http.request"}

                await wrapped(scope, nothing, nothing)
            return message

        await wrapped({"type": "lifespan"}, receive, send)

    asyncio.run(run())
    return said


@pytest.mark.parametrize("rule", ["http:503,path=a", "http:503,path=b"])
def test_the_end_is_there_before_the_server_is_told(tmp_path, rule):
    """After its answers, and once."""
    injector = Injector(rule, environ={}, journal=str(tmp_path / "journal"))
    (before, nothing), (after, lines) = serve(injector)
    assert ([before, after], nothing) == (SHUTDOWN, [])
    assert lines == [False] * (len(lines) - 1) + [True]
    assert len(lines) > 1


def test_who_has_written_nothing_says_nothing(tmp_path):
    """A worker that was never asked."""
    injector = Injector("http:503", environ={}, journal=str(tmp_path / "journal"))
    assert serve(injector, ask=False) == [(each, []) for each in SHUTDOWN]


def test_without_a_file_the_server_s_own_functions_are_passed(tmp_path):
    """Nothing is wrapped where nothing is to be said."""
    seen = []

    async def looks(scope, receive, send):
        seen.append(send)

    async def send(message):
        raise AssertionError

    for path in (None, str(tmp_path / "journal")):
        wrapped = ASGIFaultMiddleware(looks, injector=Injector("http:503", environ={}, journal=path))
        asyncio.run(wrapped({"type": "lifespan"}, None, send))
        asyncio.run(wrapped({"type": "websocket"}, None, send))
    assert [each is send for each in seen] == [True, True, False, True]
