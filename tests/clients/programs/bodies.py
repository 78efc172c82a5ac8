"""The bytes of an upload that is retried."""

from __future__ import annotations

import itertools
import uuid

import requests
import urllib3

from .program import program
from .sending import Sender, call, full_jitter, in_threads, retried

DOWN = "http:503,method=PUT,times=1,per=call"
TWICE = "http:503,method=POST,times=1,per=call"
NAMES = [f"cat-{number}.jpg" for number in range(6)]
SALT = itertools.count(10_000)


def upload(endpoint, body, *, named=False):
    """Upload each, and try it again once; the body is made anew for each attempt."""
    with requests.Session() as session:
        session.trust_env = False

        def once(name):
            for _ in range(2):
                if session.put(f"{endpoint}/objects/{name}", data=body(name)).status_code == 201:
                    break

        for name in NAMES:
            if named:
                with call("upload", name):
                    once(name)
            else:
                once(name)


def encrypted(name):
    """Other bytes of the same length each time, as encryption with a fresh nonce makes them."""
    return f"{next(SALT)} {name}".encode() * 40


@program("the same bytes", DOWN, passes={"same bytes"})
def same_bytes(endpoint):
    """requests: an upload is retried with the same bytes."""
    upload(endpoint, lambda name: name.encode() * 40)


@program("other bytes", DOWN, true={"same bytes"})
def other_bytes(endpoint):
    """requests: it is retried with other bytes of the same length."""
    upload(endpoint, encrypted)


@program("other bytes, named", DOWN, named=True, caught={"same bytes"})
def other_bytes_named(endpoint):
    """The same, where a test says what belongs together."""
    upload(endpoint, encrypted, named=True)


def order(endpoint, body):
    """POST with an Idempotency-Key, and try it again once."""
    with urllib3.PoolManager(retries=False, headers={"User-Agent": "shop/1.0"}) as pool:
        for name in NAMES:
            headers = {"User-Agent": "shop/1.0", "Idempotency-Key": str(uuid.uuid4())}
            for _ in range(2):
                if (
                    pool.request("POST", f"{endpoint}/orders/{name}", body=body(name), headers=headers).status
                    == 201
                ):
                    break


@program("one key, the same bytes", TWICE, passes={"same bytes"})
def keyed_same_bytes(endpoint):
    """urllib3: an order with an Idempotency-Key is retried with the same bytes."""
    order(endpoint, lambda name: name.encode() * 40)


@program("one key, other bytes", TWICE, caught={"same bytes"})
def keyed_other_bytes(endpoint):
    """urllib3: it is retried under the same key with other bytes of the same length."""
    order(endpoint, encrypted)


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
