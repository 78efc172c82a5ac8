"""The waits and attempts that boto3 promises, on a machine with too much to do."""

import time
from contextlib import nullcontext, suppress

from botocore.exceptions import ClientError

from .loops import too_much_to_do
from .program import STORE, Program, programs
from .sdks import s3_client
from .sending import WARM, in_threads

DOWN = "s3:SlowDown,method=GET"


def pause(response, seconds):
    """Wait after an answer that is an error."""
    if response is not None and response[0].status_code >= 500:
        time.sleep(seconds)


LATER = {"either": {"attempts", "full jitter", "backoff grows"}, "profile": "aws-2026", "timed": True}


@programs(
    Program(
        "boto3",
        "boto3 in standard mode.",
        (DOWN,),
        app=STORE,
        either={"attempts"},
        passes={"nested retries"},
        timed=True,
    ),
    Program(
        "boto3, busy",
        "The same on a machine that has too much to do.",
        (DOWN,),
        {"busy": True},
        app=STORE,
        either={"attempts"},
        timed=True,
    ),
    Program(
        "boto3, later",
        "The same, where a hook adds a second to each wait.",
        (DOWN,),
        {"later": 1.0},
        app=STORE,
        caught={"backoff bound"},
        **LATER,
    ),
    Program(
        "boto3, later, busy",
        "The same on a machine that has too much to do.",
        (DOWN,),
        {"busy": True, "later": 1.0},
        app=STORE,
        true={"backoff bound"},
        **LATER,
    ),
)
def read(endpoint, busy=False, later=0.0):
    """Write by boto3, then read with failures to the end; `later` lengthens each wait."""
    with s3_client(
        endpoint, retries={"mode": "standard", "total_max_attempts": 3}, max_pool_connections=20
    ) as s3:
        if later:
            s3.meta.events.register_first(
                "needs-retry.s3.GetObject", lambda response, **_: pause(response, later)
            )

        def get(number):
            with suppress(ClientError):
                s3.get_object(Bucket="photos", Key=f"cat-{number}.jpg")

        for number in range(WARM):
            s3.put_object(Bucket="photos", Key=f"cat-{number}.jpg", Body=b"meow")
        with too_much_to_do() if busy else nullcontext():
            in_threads(get, range(12), 12)
