"""Equal requests that come again anyhow."""

import time

import httpx

from .program import Program, programs
from .sending import insist

LOST = "reset,when=after,path=/beat,every=6"
EVERY = 0.1


@programs(
    Program(
        "heartbeat",
        "httpx: a POST every tenth of a second; one that is lost is lost.",
        (LOST,),
        {"again": False},
    ),
    Program(
        "heartbeat twice",
        "httpx: the same, and a POST whose answer was lost is retried at once.",
        (LOST,),
        {"again": True},
        caught={"non-idempotent retry", "lost answer*"},
    ),
)
def beat(endpoint, again):
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


@programs(
    Program(
        "poll",
        "httpx: a GET every tenth of a second, whatever came of the last one.",
        ("http:503,path=/documents/status,every=3",),
        {"tries": 1},
    ),
    Program(
        "poll, endless",
        "httpx: the same, and thirty times at once where it fails.",
        ("http:503,path=/documents/status,skip=5",),
        {"tries": 30},
        true={"gives up", "backoff"},
    ),
)
def poll(endpoint, tries):
    """Ask for the status again and again; after a failure so many times at once."""
    with httpx.Client(base_url=endpoint, headers={"User-Agent": "console/1.0"}, trust_env=False) as client:
        for _ in range(30):
            insist(tries, 503, client.get, "/documents/status")
            time.sleep(EVERY)
