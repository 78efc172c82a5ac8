"""A second copy of what takes long."""

from __future__ import annotations

import asyncio
from contextlib import nullcontext

import httpx

from .program import program
from .sending import WARM, call

SLOW = "latency,delay=500ms,times=1,per=call,unless.path=/documents/warm"
NAMES = [f"/documents/{number}" for number in range(5)]


def read(endpoint, paths, *, method="GET", copies=1, after=0.15, named=True):
    """Read or write each path, with copies after a while; the first answer counts."""

    async def send(client, path):
        sent = [
            asyncio.ensure_future(client.request(method, path, content=b"meow" if method == "PUT" else None))
        ]
        done, _ = await asyncio.wait(sent, timeout=after)
        if not done:
            sent += [
                asyncio.ensure_future(
                    client.request(method, path, content=b"meow" if method == "PUT" else None)
                )
                for _ in range(copies)
            ]
            await asyncio.wait(sent, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.gather(*sent)

    async def record_all():
        limits = httpx.Limits(max_connections=50)
        headers = {"User-Agent": "hedger/1.0"}
        async with httpx.AsyncClient(
            base_url=endpoint, headers=headers, limits=limits, trust_env=False
        ) as client:

            async def one(path):
                with call("slow", path.rpartition("/")[2]) if named else nullcontext():
                    await send(client, path)

            for _ in range(WARM):
                await client.get("/documents/warm")
            await asyncio.gather(*(client.get("/documents/warm") for _ in range(2 * len(paths))))
            await asyncio.gather(*map(one, paths))

    asyncio.run(record_all())


@program("hedged GET", SLOW, named=True, passes={"overlap"})
def hedged(endpoint):
    """httpx: one more GET where there is no answer after 150 ms."""
    read(endpoint, NAMES)


@program("hedged GET, nobody says so", SLOW)
def hedged_unnamed(endpoint):
    """The same, where nobody tells which requests belong together."""
    read(endpoint, NAMES, named=False)


@program("hedged at once", SLOW, named=True, caught={"overlap"})
def hedged_at_once(endpoint):
    """httpx: every GET is sent twice at once."""
    read(endpoint, NAMES, after=0.0)


@program("hedged three times", SLOW, named=True, caught={"overlap"})
def hedged_three_times(endpoint):
    """httpx: two more GETs where there is no answer after 150 ms."""
    read(endpoint, NAMES, copies=2)


@program("hedged PUT", SLOW, named=True, caught={"overlap"})
def hedged_put(endpoint):
    """httpx: one more PUT where there is no answer after 150 ms."""
    read(endpoint, [f"/objects/{number}" for number in range(5)], method="PUT")
