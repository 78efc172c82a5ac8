"""One layer of retries, and two."""

from contextlib import suppress

import tenacity
import urllib3
from urllib3.util import Retry

from .program import STORE, Program, program, programs
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


@programs(
    Program(
        "Retry in tenacity",
        "urllib3's Retry, and tenacity around it, which begins anew at once.",
        (DOWN,),
        {"wait": tenacity.wait_none()},
        caught={"nested retries"},
        true={"jitter", "thundering herd", "backoff grows", "gives up"},
    ),
    Program(
        "Retry in tenacity that waits",
        "urllib3's Retry, and tenacity around it, which waits half a second first.",
        (DOWN,),
        {"wait": tenacity.wait_fixed(0.5)},
        true={"nested retries", "jitter", "thundering herd", "backoff grows", "gives up"},
    ),
)
def read(endpoint, wait):
    """Read each; errors are for the caller."""
    with pool(3) as http:
        look_around(http, endpoint)

        def get(path):
            with suppress(tenacity.RetryError):
                tenacity.retry(stop=tenacity.stop_after_attempt(3), wait=wait)(http.request)(
                    "GET", endpoint + path
                )

        in_threads(get, PATHS)


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


@programs(
    Program(
        "boto3 in tenacity",
        "boto3 in standard mode, and tenacity around it, three times at once.",
        (SLOW,),
        {"again": True},
        app=STORE,
        caught={"nested retries"},
        either={"attempts", "retry quota"},
    ),
    Program(
        "boto3 alone",
        "boto3 in standard mode.",
        (SLOW,),
        {"again": False},
        app=STORE,
        passes={"nested retries", "gives up"},
        either={"attempts"},
    ),
    Program(
        "boto3 in tenacity, in time",
        "The same, where the second call of boto3 succeeds.",
        (f"{SLOW},times=3,per=key",),
        {"again": True},
        app=STORE,
        caught={"nested retries"},
    ),
)
def sdk(endpoint, again):
    """Read each by boto3; around it tenacity, three times at once, or nothing."""
    around = tenacity.retry(stop=tenacity.stop_after_attempt(3)) if again else lambda function: function
    with s3_client(endpoint, retries={"mode": "standard", "max_attempts": 2}, max_pool_connections=20) as s3:

        def get(number):
            with suppress(Exception):  # whatever it is, it is for the caller
                around(s3.get_object)(Bucket="photos", Key=f"cat-{number}.jpg")

        in_threads(get, range(6))
