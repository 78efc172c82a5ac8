"""A client that passes a specification's cases, or breaks them in the way of `FLAW`.

It is small on purpose: the SDKs that the specification is for are tried in a slow test.
"""

from __future__ import annotations

import http.client
import os
import random
import subprocess
import time
from threading import Lock
from urllib.parse import urlsplit

FLAW = os.environ.get("FLAW", "")
MILLISECONDS = 0.001
MACHINE_RUNS = Lock()


def stop_the_machine(after: float) -> None:
    """Stop this process and its parent for a second, as if the machine had stopped."""
    both = f"{os.getpid()} {os.getppid()}"
    subprocess.Popen(["sh", "-c", f"sleep {after}; kill -STOP {both}; sleep 1; kill -CONT {both}"])


class Client:
    """Retries with tokens and full jitter.

    Args:
        base: the longest first backoff after a server error, seconds.
        cost: tokens of a retry after one.
    """

    base, cost, capacity = 0.05, 14, 500

    def __init__(self, endpoint: str, bucket: str) -> None:
        self.address = urlsplit(endpoint).netloc
        self.bucket = bucket
        self.most = 3 if FLAW == "deaf" else int(os.environ["AWS_MAX_ATTEMPTS"])
        self.tokens = self.capacity
        self.lock = Lock()

    def get(self, key: str) -> None:
        paid = 0
        for attempt in range(1, self.most + 1):
            status, text, asked = self.send(key, attempt)
            if status == 200:
                with self.lock:
                    back = 0 if FLAW == "miser" else paid or 1
                    self.tokens = min(self.capacity, self.tokens + back)
                return
            throttled = "Throttling" in text
            paid = 5 if throttled else self.cost
            with self.lock:
                if attempt == self.most or (paid > self.tokens and FLAW != "spendthrift"):
                    break
                self.tokens -= paid
            longest = (1.0 if throttled else self.base) * 2 ** (attempt - 1)
            if FLAW == "impatient":
                longest = 0.0
            wait = random.random() * min(20.0, longest)
            if asked.isdecimal() and FLAW != "hasty":
                wait = max(wait, min(int(asked) * MILLISECONDS, wait + 5))
            if FLAW == "late":
                wait += 1
            if FLAW == "stopped" and MACHINE_RUNS.acquire(blocking=False):
                stop_the_machine(after=0.8 * wait)
            time.sleep(wait)
        if FLAW != "liar":
            raise ValueError(f"{status} for {key}")

    def send(self, key: str, attempt: int) -> tuple[int, str, str]:
        if FLAW == "busy" and not key.startswith("cal"):
            time.sleep(0.3)  # what it does itself takes so long on a machine that became busy
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            told = f"attempt={attempt}; max={os.environ.get('SAYS', self.most)}"
            connection.request("GET", f"/{self.bucket}/{key}", headers={"amz-sdk-request": told})
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers.get("x-amz-retry-after", "")
        finally:
            connection.close()


class Old(Client):
    """As it was before 2026."""

    base, cost = 1.0, 5


class Google(Client):
    """A client for Google's cases: reads retry 503 and resets, plain uploads never.

    An upload without a precondition is never retried.
    """

    def get(self, key: str) -> None:
        self.try_again(
            "GET", f"/download/storage/v1/b/{self.bucket}/o/{key}?alt=media", 1 if FLAW == "shy" else 3
        )

    def put(self, key: str) -> None:
        self.try_again(
            "POST", f"/upload/storage/v1/b/{key}/o?uploadType=media&name=x", 3 if FLAW == "bold" else 1
        )

    def try_again(self, method: str, path: str, most: int) -> None:
        for _ in range(most):
            status, asked = self.ask(method, path)
            if status == 200:
                return
            if status not in (0, 408, 429, 500, 502, 503, 504):
                break
            time.sleep(0 if FLAW == "hasty" else float(asked))
        raise ValueError(f"{status} for {path}")

    def ask(self, method: str, path: str) -> tuple[int, str]:
        connection = http.client.HTTPConnection(self.address, timeout=30)
        try:
            connection.request(method, path, b"" if method == "POST" else None)
            answer = connection.getresponse()
            answer.read()
            return answer.status, answer.headers.get("retry-after", "0")
        except OSError:
            return 0, "0"
        finally:
            connection.close()


class Azure(Google):
    """A client like azure-core: three retries, no sooner than the answer asks."""

    def get(self, key: str) -> None:
        self.try_again("GET", f"/account/{self.bucket}/{key}", 1 if FLAW == "shy" else 4)
