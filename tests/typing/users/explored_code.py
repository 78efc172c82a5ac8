"""Code that is run once for each of its requests and each fault, outside of pytest."""

from __future__ import annotations

import urllib.request
from functools import partial

import faultinject
from faultinject import Storage
from faultinject.exceptions import ExplorationFailedError, RetryAssertionError


def upload(storage: Storage) -> None:
    asked = urllib.request.Request(f"{storage.url}/photos/cat.jpg", b"meow", method="PUT")
    urllib.request.urlopen(asked, timeout=10).close()


def main() -> int:
    with Storage("s3") as storage:
        print([outcome.operation for outcome in faultinject.record(partial(upload, storage))])
        exploration = faultinject.explore("s3", "reset,when=after", depth=2, allow=OSError, ignore=["jitter"])
        try:
            for run in exploration:
                storage.reset()
                with run:
                    upload(storage)
        except ExplorationFailedError as error:
            print(error, exploration.to_json())
            return 1
    return 0


def check(storage: Storage) -> str:
    with faultinject.inject("s3:SlowDown", times=2) as faults:
        upload(storage)
    try:
        faults.assert_retries(strict=True)
    except RetryAssertionError as error:
        return str(error)
    return ""
