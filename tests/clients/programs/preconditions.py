"""An answer 412, and what a client does before it writes again."""

from botocore.exceptions import ClientError

from .program import STORE, Program, programs
from .sdks import s3_client
from .sending import Sender

STALE = "http:412,method=PUT,times=1,per=call"
COUNTERS = [f"visits-{number}" for number in range(6)]


@programs(
    Program(
        "412, read again",
        "A 412 is answered by reading again and writing with the new If-Match.",
        (STALE,),
        {"place": "counters", "reads": True},
        passes={"permanent"},
    ),
    Program(
        "412, nothing new",
        "The same, but nobody has written: the new If-Match is the old one, and so is the body.",
        (STALE,),
        {"place": "settings", "reads": True},
    ),
    Program(
        "412, same If-Match",
        "A 412 is answered by the same write with the same If-Match.",
        (STALE,),
        {"place": "counters", "reads": False},
        caught={"permanent"},
    ),
)
def increment(endpoint, place, reads):
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


MATCHED = "s3:PreconditionFailed,method=PUT,header.if-match=,times=1,per=call"


@programs(
    Program(
        "412, read again, boto3",
        "boto3 answers a 412 by reading again, and writing with the new If-Match.",
        (MATCHED,),
        {"reads": True},
        app=STORE,
    ),
    Program(
        "412, same If-Match, boto3",
        "boto3: a 412 is answered by the same write with the same If-Match, at once.",
        (MATCHED,),
        {"reads": False},
        app=STORE,
        caught={"permanent"},
    ),
)
def swap(endpoint, reads):
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
