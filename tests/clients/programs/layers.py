"""One layer of retries, and two."""

from __future__ import annotations

from contextlib import suppress

import tenacity
import urllib3
from urllib3.util import Retry

from .program import STORE, program
from .sdks import s3_client
from .sending import in_threads

DOWN = "http:503,path=/documents/*"
PATHS = [f"/documents/{number}" for number in range(8)]


def look_around(http, endpoint):
    """Read what is there, once: what a client asks for again is what failed."""
    for number in range(6):
        http.request("GET", f"{endpoint}/settings/{number}")


def pool(total, jitter=0.0):
    """urllib3 with its own retries."""
    retry = Retry(total=total, backoff_factor=0.1, backoff_jitter=jitter, status_forcelist=[503])
    return urllib3.PoolManager(maxsize=20, retries=retry, headers={"User-Agent": "reader/1.0"})


def outer(function, wait):
    """tenacity around it: three times."""
    return tenacity.retry(stop=tenacity.stop_after_attempt(3), wait=wait)(function)


def read(endpoint, wait):
    """Read each; errors are for the caller."""
    with pool(3) as http:
        look_around(http, endpoint)

        def get(path):
            with suppress(tenacity.RetryError):
                outer(lambda: http.request("GET", endpoint + path), wait)()

        in_threads(get, PATHS)


@program(
    "Retry in tenacity",
    DOWN,
    caught={"nested retries"},
    true={"jitter", "thundering herd", "backoff grows", "gives up"},
)
def retry_in_tenacity(endpoint):
    """urllib3's Retry, and tenacity around it, which begins anew at once."""
    read(endpoint, tenacity.wait_none())


@program(
    "Retry in tenacity that waits",
    DOWN,
    true={"nested retries", "jitter", "thundering herd", "backoff grows", "gives up"},
)
def retry_in_waiting_tenacity(endpoint):
    """urllib3's Retry, and tenacity around it, which waits half a second first."""
    read(endpoint, tenacity.wait_fixed(0.5))


@program(
    "Retry alone", DOWN, passes={"nested retries", "gives up"}, true={"jitter"}, either={"thundering herd"}
)
def retry_alone(endpoint):
    """urllib3's Retry, five times, its waits without jitter."""
    with pool(5) as http:
        look_around(http, endpoint)

        def get(path):
            with suppress(urllib3.exceptions.MaxRetryError):
                http.request("GET", endpoint + path)

        in_threads(get, PATHS)


@program("tenacity alone", DOWN, passes={"nested retries", "gives up"})
def tenacity_alone(endpoint):
    """tenacity around urllib3 without its own retries, five attempts with full jitter."""
    with urllib3.PoolManager(maxsize=20, retries=False, headers={"User-Agent": "reader/1.0"}) as http:
        look_around(http, endpoint)

        def get(path):
            wait = tenacity.wait_random_exponential(multiplier=0.1, max=0.6)
            failed = tenacity.retry_if_result(lambda answer: answer.status == 503)
            with suppress(tenacity.RetryError):
                tenacity.retry(stop=tenacity.stop_after_attempt(5), wait=wait, retry=failed)(
                    lambda: http.request("GET", endpoint + path)
                )()

        in_threads(get, PATHS)


SLOW = "s3:SlowDown,method=GET"


def sdk(endpoint, function):
    """Read each by boto3."""
    with s3_client(endpoint, retries={"mode": "standard", "max_attempts": 2}, max_pool_connections=20) as s3:

        def get(number):
            with suppress(Exception):  # whatever it is, it is for the caller
                function(lambda: s3.get_object(Bucket="photos", Key=f"cat-{number}.jpg"))

        in_threads(get, range(6))


@program("boto3 in tenacity", SLOW, app=STORE, caught={"nested retries"}, either={"attempts", "retry quota"})
def boto3_in_tenacity(endpoint):
    """boto3 in standard mode, and tenacity around it, three times at once."""
    sdk(endpoint, lambda get: outer(get, tenacity.wait_none())())


@program("boto3 alone", SLOW, app=STORE, passes={"nested retries", "gives up"}, either={"attempts"})
def boto3_alone(endpoint):
    """boto3 in standard mode."""
    sdk(endpoint, lambda get: get())


@program(
    "boto3 in tenacity, in time",
    "s3:SlowDown,method=GET,times=3,per=key",
    app=STORE,
    caught={"nested retries"},
)
def boto3_in_tenacity_in_time(endpoint):
    """The same, where the second call of boto3 succeeds."""
    sdk(endpoint, lambda get: outer(get, tenacity.wait_none())())
