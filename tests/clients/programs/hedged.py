"""A second copy of what takes long."""

import asyncio
from contextlib import nullcontext

import httpx

from .program import Program, programs
from .sending import WARM, call

SLOW = "latency,delay=500ms,times=1,per=call,unless.path=/documents/warm"
READ = [f"/documents/{number}" for number in range(5)]
WRITTEN = [f"/objects/{number}" for number in range(5)]


@programs(
    Program(
        "hedged GET",
        "httpx: one more GET where there is no answer after 150 ms.",
        (SLOW,),
        named=True,
        passes={"overlap"},
    ),
    Program(
        "hedged GET, nobody says so",
        "The same, where nobody tells which requests belong together.",
        (SLOW,),
        {"named": False},
    ),
    Program(
        "hedged at once",
        "httpx: every GET is sent twice at once.",
        (SLOW,),
        {"after": 0.0},
        named=True,
        caught={"overlap"},
    ),
    Program(
        "hedged three times",
        "httpx: two more GETs where there is no answer after 150 ms.",
        (SLOW,),
        {"copies": 2},
        named=True,
        caught={"overlap"},
    ),
    Program(
        "hedged PUT",
        "httpx: one more PUT where there is no answer after 150 ms.",
        (SLOW,),
        {"method": "PUT"},
        named=True,
        caught={"overlap"},
    ),
)
def read(endpoint, method="GET", copies=1, after=0.15, named=True):
    """Read or write each path, with copies after a while; the first answer counts."""
    paths = READ if method == "GET" else WRITTEN

    async def send(client, path):
        def once():
            content = b"meow" if method == "PUT" else None
            return asyncio.ensure_future(client.request(method, path, content=content))

        sent = [once()]
        done, _ = await asyncio.wait(sent, timeout=after)
        if not done:
            sent += [once() for _ in range(copies)]
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
