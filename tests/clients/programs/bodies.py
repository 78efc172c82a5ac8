"""The bytes of an upload that is retried."""

import itertools
import uuid
from contextlib import nullcontext

import requests
import urllib3

from .program import Program, program, programs
from .sending import Sender, call, full_jitter, in_threads, retried

DOWN = "http:503,method=PUT,times=1,per=call"
TWICE = "http:503,method=POST,times=1,per=call"
NAMES = [f"cat-{number}.jpg" for number in range(6)]
SALT = itertools.count(10_000)


def plain(name):
    """The same bytes each time."""
    return name.encode() * 40


def encrypted(name):
    """Other bytes of the same length each time, as encryption with a fresh nonce makes them."""
    return f"{next(SALT)} {name}".encode() * 40


@programs(
    Program(
        "the same bytes",
        "requests: an upload is retried with the same bytes.",
        (DOWN,),
        {"body": plain},
        passes={"same bytes"},
    ),
    Program(
        "other bytes",
        "requests: it is retried with other bytes of the same length.",
        (DOWN,),
        {"body": encrypted},
        true={"same bytes"},
    ),
    Program(
        "other bytes, named",
        "The same, where a test says what belongs together.",
        (DOWN,),
        {"body": encrypted, "named": True},
        named=True,
        caught={"same bytes"},
    ),
)
def upload(endpoint, body, named=False):
    """Upload each, and try it again once; the body is made anew for each attempt."""
    with requests.Session() as session:
        for name in NAMES:
            with call("upload", name) if named else nullcontext():
                for _ in range(2):
                    if session.put(f"{endpoint}/objects/{name}", data=body(name)).status_code == 201:
                        break


@programs(
    Program(
        "one key, the same bytes",
        "urllib3: an order with an Idempotency-Key is retried with the same bytes.",
        (TWICE,),
        {"body": plain},
        passes={"same bytes"},
    ),
    Program(
        "one key, other bytes",
        "urllib3: it is retried under the same key with other bytes of the same length.",
        (TWICE,),
        {"body": encrypted},
        caught={"same bytes"},
    ),
)
def order(endpoint, body):
    """POST with an Idempotency-Key, and try it again once."""
    with urllib3.PoolManager(retries=False, headers={"User-Agent": "shop/1.0"}) as pool:
        for name in NAMES:
            headers = {"User-Agent": "shop/1.0", "Idempotency-Key": str(uuid.uuid4())}
            for _ in range(2):
                answer = pool.request("POST", f"{endpoint}/orders/{name}", body=body(name), headers=headers)
                if answer.status == 201:
                    break


@program("different uploads", "http:503,method=PUT,times=1,per=call")
def different_uploads(endpoint):
    """Twelve threads write versions of six objects, each retried with its own bytes."""
    client = Sender(endpoint, "writer")

    def write(item):
        number, name = item
        retried(
            lambda: client.put(f"/objects/{name}", f"{number:04} {name}".encode()), full_jitter(3, 0.1, 0.3)
        )

    in_threads(write, list(enumerate(NAMES * 4)), threads=12)
