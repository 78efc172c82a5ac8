"""Waiting for something to be there."""

import time

import urllib3
from botocore.exceptions import ClientError

from .program import STORE, program
from .sdks import s3_client
from .sending import in_threads

ABSENT = "http:404,method=HEAD,times=2,per=call"
NAMES = [f"cat-{number}.jpg" for number in range(4)]


@program("object_exists", ABSENT, app=STORE)
def waits_for_objects(endpoint):
    """boto3's waiter `object_exists`, once a second."""
    with s3_client(endpoint) as s3:
        waiter = s3.get_waiter("object_exists")
        every_second = {"Delay": 1, "MaxAttempts": 5}
        in_threads(lambda name: waiter.wait(Bucket="photos", Key=name, WaiterConfig=every_second), NAMES)


@program("object_exists without a wait", ABSENT, app=STORE, caught={"permanent"})
def hammers_for_objects(endpoint):
    """boto3: `head_object` in a loop until it is there."""
    with s3_client(endpoint) as s3:
        for name in NAMES:
            for _ in range(5):
                try:
                    s3.head_object(Bucket="photos", Key=name)
                    break
                except ClientError:
                    continue


def ask(endpoint, name, wait):
    """Ask for it until it is there."""
    with urllib3.PoolManager(retries=False, headers={"User-Agent": "waiter/1.0"}) as pool:
        for _ in range(5):
            if pool.request("HEAD", f"{endpoint}/photos/{name}").status == 200:
                break
            time.sleep(wait)


@program("exists, urllib3", ABSENT, app=STORE)
def polls(endpoint):
    """urllib3: HEAD once a second, until it is there."""
    in_threads(lambda name: ask(endpoint, name, 1.05), NAMES)


@program("exists without a wait, urllib3", ABSENT, app=STORE, caught={"permanent"})
def polls_at_once(endpoint):
    """urllib3: HEAD in a loop until it is there."""
    for name in NAMES:
        ask(endpoint, name, 0)
