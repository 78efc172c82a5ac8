"""An answer 404, and what a client does before it reads again."""

import urllib3
from botocore.exceptions import ClientError

from .program import STORE, program
from .sdks import s3_client
from .sending import insist

ABSENT = "http:404,method=GET,path=/objects/*,times=1,per=call"
NO_KEY = "s3:NoSuchKey,method=GET,times=1,per=call"
NAMES = [f"cat-{number}.jpg" for number in range(6)]


@program("404, put, get", ABSENT, passes={"permanent"})
def creates(endpoint):
    """urllib3: what is not there is put there, and read."""
    with urllib3.PoolManager(retries=False, headers={"User-Agent": "cache/1.0"}) as pool:
        for name in NAMES:
            url = f"{endpoint}/objects/{name}"
            if pool.request("GET", url).status == 404:
                pool.request("PUT", url, body=b"meow")
                pool.request("GET", url)


@program("404, get, get", ABSENT, caught={"permanent"})
def insists(endpoint):
    """urllib3: what is not there is asked for twice more, at once."""
    with urllib3.PoolManager(retries=False, headers={"User-Agent": "cache/1.0"}) as pool:
        for name in NAMES:
            insist(3, 404, pool.request, "GET", f"{endpoint}/objects/{name}")


@program("404, put, get, boto3", NO_KEY, app=STORE, passes={"permanent"})
def creates_by_boto3(endpoint):
    """boto3: what is not there is put there, and read."""
    with s3_client(endpoint) as s3:
        for name in NAMES:
            where = {"Bucket": "photos", "Key": name}
            try:
                s3.get_object(**where)
            except ClientError:
                s3.put_object(**where, Body=b"meow")
                s3.get_object(**where)
