"""Clients that do everything right: four with another jitter each, and one that hedges."""

import threading
import uuid
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait

from .client import DRAW, Client


class FullJitter(Client):
    """Anything up to the bound."""

    expected = {}


class EqualJitter(Client):
    """Waits half the bound plus a random part of the other half, and POSTs with a key.

    The server recognises a repetition by the key.
    """

    expected = {}

    def backoff(self, number):
        """See above."""
        return self.bound(number) * DRAW.uniform(0.5, 1)

    def post(self, key):
        """Begin an upload, under one key for all attempts."""
        self.call("POST", key, "?uploads", harmless=True, headers={"Idempotency-Key": str(uuid.uuid4())})


class DecorrelatedJitter(Client):
    """Between the shortest wait and three times the last one."""

    expected = {}

    shortest = 0.15

    def __init__(self, endpoint, bucket):
        super().__init__(endpoint, bucket)
        self.last = threading.local()

    def backoff(self, number):
        """Grows from wait to wait of one call, which stays in its thread."""
        before = self.shortest if number == 1 else self.last.seconds
        self.last.seconds = min(self.longest, DRAW.uniform(self.shortest, 3 * before))
        return self.last.seconds


class TenPercentJitter(Client):
    """The bound, give or take a tenth: enough not to be rigid, too little to spread a herd."""

    expected = {"thundering herd": ("WARN", "PASS")}

    def backoff(self, number):
        """See above."""
        return self.bound(number) * DRAW.uniform(0.9, 1.1)


class HedgedRead(Client):
    """Sends one more copy of a read that takes long, and takes the answer that comes first."""

    expected = {}
    copies = 1

    def __init__(self, endpoint, bucket):
        super().__init__(endpoint, bucket)
        self.pool = ThreadPoolExecutor(400)

    def attempt(self, request, number):
        """Waits 150 ms for the first answer."""
        if request.method != "GET":
            return super().attempt(request, number)
        attempt = super().attempt
        sent = [self.pool.submit(attempt, request, number)]
        done, _ = wait(sent, 0.15)
        if not done:
            sent += [self.pool.submit(attempt, request, number) for _ in range(self.copies)]
            done, _ = wait(sent, return_when=FIRST_COMPLETED)
        return done.pop().result()

    def close(self):
        """Late copies come to their end."""
        self.pool.shutdown()
        super().close()
