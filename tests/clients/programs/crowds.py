"""Many callers of one thing."""

from __future__ import annotations

import asyncio
import random

import aiohttp

from .program import program

DOWN = "http:503,path=/documents/config"


def crowd(endpoint, attempts, wait):
    """Twenty-five callers ask for the same thing at about the same time."""

    async def ask(session, number):
        await asyncio.sleep(0.02 * number)
        for attempt in range(attempts):
            async with session.get(f"{endpoint}/documents/config") as answer:
                await answer.read()
                if answer.status != 503:
                    break
            await asyncio.sleep(wait(attempt))

    async def everyone():
        async with aiohttp.ClientSession(headers={"User-Agent": "app/1.0"}) as session:
            await asyncio.gather(*(ask(session, number) for number in range(25)))

    asyncio.run(everyone())


def jitter(attempt):
    """Full jitter."""
    return random.uniform(0, 0.2 * 2**attempt)


@program("a crowd", DOWN, timed=True)
def polite_crowd(endpoint):
    """aiohttp: 25 tasks ask for the same, three times each, with full jitter."""
    crowd(endpoint, 3, jitter)


@program("a crowd, sometimes refused", "http:403,path=/documents/config,probability=0.5")
def refused_crowd(endpoint):
    """aiohttp: 25 tasks ask for the same, once each; half are refused."""
    crowd(endpoint, 1, jitter)


@program("an endless crowd", DOWN, true={"gives up", "backoff", "thundering herd"})
def endless_crowd(endpoint):
    """aiohttp: the same, forty times each and at once."""
    crowd(endpoint, 40, lambda attempt: 0)
