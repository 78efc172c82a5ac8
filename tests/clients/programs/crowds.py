"""Many callers of one thing."""

import asyncio
import random

import aiohttp

from .program import Program, programs

DOWN = "http:503,path=/documents/config"


@programs(
    Program(
        "a crowd",
        "aiohttp: 25 tasks ask for the same, three times each, with full jitter.",
        (DOWN,),
        {"attempts": 3},
        timed=True,
    ),
    Program(
        "a crowd, sometimes refused",
        "aiohttp: 25 tasks ask for the same, once each; half are refused.",
        ("http:403,path=/documents/config,probability=0.5",),
        {"attempts": 1},
    ),
    Program(
        "an endless crowd",
        "aiohttp: the same, forty times each and at once.",
        (DOWN,),
        {"attempts": 40, "first": 0},
        true={"gives up", "backoff", "thundering herd"},
    ),
)
def crowd(endpoint, attempts, first=0.2):
    """Twenty-five callers ask for the same at about the same time, with full jitter."""

    async def ask(session, number):
        await asyncio.sleep(0.02 * number)
        for attempt in range(attempts):
            async with session.get(f"{endpoint}/documents/config") as answer:
                await answer.read()
                if answer.status != 503:
                    break
            await asyncio.sleep(random.uniform(0, first * 2**attempt))

    async def everyone():
        async with aiohttp.ClientSession(headers={"User-Agent": "app/1.0"}) as session:
            await asyncio.gather(*(ask(session, number) for number in range(25)))

    asyncio.run(everyone())
