"""The waits and attempts that boto3 promises, on a machine with too much to do."""

from __future__ import annotations

import time
from contextlib import suppress

from botocore.exceptions import ClientError

from .loops import too_much_to_do
from .program import STORE, program
from .sdks import s3_client
from .sending import WARM, in_threads

DOWN = "s3:SlowDown,method=GET"


def read(endpoint, mode, *, busy=False, later=0.0):
    """Write by boto3, then read with failures to the end; `later` lengthens each wait."""
    with s3_client(endpoint, retries={"mode": mode, "total_max_attempts": 3}, max_pool_connections=20) as s3:
        if later:
            s3.meta.events.register_first(
                "needs-retry.s3.GetObject", lambda response, **_: pause(response, later)
            )

        def get(number):
            with suppress(ClientError):
                s3.get_object(Bucket="photos", Key=f"cat-{number}.jpg")

        for number in range(WARM):
            s3.put_object(Bucket="photos", Key=f"cat-{number}.jpg", Body=b"meow")
        if busy:
            with too_much_to_do():
                in_threads(get, range(12), 12)
        else:
            in_threads(get, range(12), 12)


def pause(response, seconds):
    """Wait after an answer that is an error."""
    if response is not None and response[0].status_code >= 500:
        time.sleep(seconds)


@program("boto3", DOWN, app=STORE, either={"attempts"}, passes={"nested retries"}, timed=True)
def boto3(endpoint):
    """boto3 in standard mode."""
    read(endpoint, "standard")


@program("boto3, busy", DOWN, app=STORE, either={"attempts"}, timed=True)
def busy_boto3(endpoint):
    """The same on a machine that has too much to do."""
    read(endpoint, "standard", busy=True)


@program(
    "boto3, later",
    DOWN,
    app=STORE,
    either={"attempts", "full jitter", "backoff grows"},
    caught={"backoff bound"},
    profile="aws-2026",
    timed=True,
)
def late_boto3(endpoint):
    """The same, where a hook adds a second to each wait."""
    read(endpoint, "standard", later=1.0)


@program(
    "boto3, later, busy",
    DOWN,
    app=STORE,
    either={"attempts", "full jitter", "backoff grows"},
    true={"backoff bound"},
    profile="aws-2026",
    timed=True,
)
def busy_late_boto3(endpoint):
    """The same on a machine that has too much to do."""
    read(endpoint, "standard", busy=True, later=1.0)
