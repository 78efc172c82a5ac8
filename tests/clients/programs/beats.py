"""Equal requests that come again anyhow."""

from __future__ import annotations

import time

import httpx

from .program import program

LOST = "reset,when=after,path=/beat,every=6"
EVERY = 0.1


def beat(endpoint, *, again):
    """Send equal heartbeats by POST; `again` repeats one at once after a lost answer."""
    with httpx.Client(base_url=endpoint, headers={"User-Agent": "worker/1.0"}, trust_env=False) as client:
        for _ in range(40):
            for _ in range(1 + again):
                try:
                    client.post("/beat", json={"worker": 7})
                    break
                except httpx.TransportError:
                    continue
            time.sleep(EVERY)


@program("heartbeat", LOST)
def heartbeat(endpoint):
    """httpx: a POST every tenth of a second; one that is lost is lost."""
    beat(endpoint, again=False)


@program("heartbeat twice", LOST, caught={"non-idempotent retry", "lost answer*"})
def heartbeat_twice(endpoint):
    """httpx: the same, and a POST whose answer was lost is retried at once."""
    beat(endpoint, again=True)


def poll(endpoint, *, tries):
    """Ask for the status again and again; after a failure so many times at once."""
    with httpx.Client(base_url=endpoint, headers={"User-Agent": "console/1.0"}, trust_env=False) as client:
        for _ in range(30):
            for _ in range(tries):
                if client.get("/documents/status").status_code == 200:
                    break
            time.sleep(EVERY)


DOWN = "http:503,path=/documents/status,every=3"


@program("poll", DOWN)
def polls(endpoint):
    """httpx: a GET every tenth of a second, whatever came of the last one."""
    poll(endpoint, tries=1)


@program("poll, endless", "http:503,path=/documents/status,skip=5", true={"gives up", "backoff"})
def polls_endlessly(endpoint):
    """httpx: the same, and thirty times at once where it fails."""
    poll(endpoint, tries=30)
