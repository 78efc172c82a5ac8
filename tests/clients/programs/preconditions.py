"""An answer 412, and what a client does before it writes again."""

from __future__ import annotations

from botocore.exceptions import ClientError

from .program import STORE, program
from .sdks import s3_client
from .sending import Sender

STALE = "http:412,method=PUT,times=1,per=call"
COUNTERS = [f"visits-{number}" for number in range(6)]


def increment(endpoint, place, *, reads):
    """Read, and write under the condition that nobody else has; up to three times."""
    client = Sender(endpoint, "counter")
    for name in COUNTERS:
        path = f"/{place}/{name}"
        read = client.get(path)
        for number in range(3):
            if client.put(path, b"one more: " + read.body, If_Match=read.headers["etag"]).status != 412:
                break
            if reads and number < 2:
                read = client.get(path)


@program("412, read again", STALE, passes={"permanent"})
def read_again(endpoint):
    """A 412 is answered by reading again and writing with the new If-Match."""
    increment(endpoint, "counters", reads=True)


@program("412, nothing new", STALE)
def read_again_in_vain(endpoint):
    """The same, but nobody has written: the new If-Match is the old one, and so is the body."""
    increment(endpoint, "settings", reads=True)


@program("412, same If-Match", STALE, caught={"permanent"})
def same_match(endpoint):
    """A 412 is answered by the same write with the same If-Match."""
    increment(endpoint, "counters", reads=False)


def swap(endpoint, *, reads):
    """The same against a store, by boto3, where somebody else writes meanwhile."""
    with s3_client(endpoint) as s3:
        for number in range(6):
            where = {"Bucket": "photos", "Key": f"cat-{number}.jpg"}
            etag = s3.get_object(**where)["ETag"]
            for _ in range(3):
                try:
                    s3.put_object(**where, Body=b"purr" * 10, IfMatch=etag)
                    break
                except ClientError:
                    if reads:
                        etag = s3.get_object(**where)["ETag"]


MATCHED = "s3:PreconditionFailed,method=PUT,header.if-match=,times=1,per=call"


@program("412, read again, boto3", MATCHED, app=STORE)
def swap_again(endpoint):
    """boto3 answers a 412 by reading again, and writing with the new If-Match."""
    swap(endpoint, reads=True)


@program("412, same If-Match, boto3", MATCHED, app=STORE, caught={"permanent"})
def swap_blindly(endpoint):
    """boto3: a 412 is answered by the same write with the same If-Match, at once."""
    swap(endpoint, reads=False)
