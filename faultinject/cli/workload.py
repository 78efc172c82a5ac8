"""The demo's own client: the real COS SDK in several threads against a server on loopback."""

from __future__ import annotations

import logging
import queue
import threading
import time
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from faultinject.exceptions import MissingExtra
from faultinject.installation import install_extra
from faultinject.journal.call_window import CallWindow
from faultinject.store.stores import find

if TYPE_CHECKING:
    from requests import Session

BUCKET = "demo-1250000000"
REGION = "ap-guangzhou"
PERFORM: dict[str, Callable[[Any, str], object]] = {
    "PutObject": lambda client, key: client.put_object(BUCKET, b"a new photo", key),
    "GetObject": lambda client, key: client.get_object(BUCKET, key)["Body"].get_raw_stream().read(),
    "HeadObject": lambda client, key: client.head_object(BUCKET, key),
    "CopyObject": lambda client, key: client.copy_object(
        BUCKET, key, {"Bucket": BUCKET, "Key": "source.jpg", "Region": REGION}
    ),
    "DeleteObject": lambda client, key: client.delete_object(BUCKET, key),
}
"""By operation, one call of the SDK."""
OPERATIONS = tuple(PERFORM)
WORKERS = 12
BEGIN_FOR = 10.0
"""Seconds in which calls are begun: the SDK may wait 1 + 2 + 3 s in each."""
END_AFTER = 17.0
"""Seconds after which nobody waits for a call any more."""


def load_sdk() -> Any:
    """The module of the SDK, without its log and without the warnings of its source.

    Raises:
        MissingExtra: it is not installed.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import qcloud_cos
            import requests  # noqa: F401 - the SDK's own
        except ImportError:
            raise MissingExtra(f"demo needs the SDK of Tencent COS: {install_extra('demo')}") from None
    for name in ("qcloud_cos", "urllib3"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return qcloud_cos


def key_of(number: int) -> str:
    """The key of a call: each has its own, which tells its attempts from those of others."""
    return f"{number:03}.jpg"


class Workload:
    """A number of calls, done by several threads.

    Args:
        sdk: the SDK's module.
        port: the server's port on loopback.
        calls: how many calls.

    Attributes:
        windows: of the calls that have begun.
    """

    def __init__(self, sdk: Any, port: int, calls: int) -> None:
        self.windows: list[CallWindow] = []
        self._sdk = sdk
        self._port = port
        self._calls = calls
        self._waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
        for number in range(calls):
            self._waiting.put(number)
        self._workers = [threading.Thread(target=self._work, daemon=True) for _ in range(WORKERS)]
        self._began = 0.0

    def prepare(self) -> None:
        """Make the bucket and the objects that calls read and delete; no faults may be in force."""
        with self._session() as session:
            client = self._client(session)
            client.create_bucket(BUCKET)
            client.put_object(BUCKET, b"a photo", "source.jpg")
            for number in range(self._calls):
                if OPERATIONS[number % len(OPERATIONS)] not in ("PutObject", "CopyObject"):
                    client.put_object(BUCKET, b"a photo", key_of(number))

    def start(self) -> None:
        """Begin."""
        self._began = time.monotonic()
        for each in self._workers:
            each.start()

    @property
    def over(self) -> bool:
        """Whether every call has ended, or the time is over."""
        if time.monotonic() - self._began > END_AFTER:
            return True
        return not any(each.is_alive() for each in self._workers)

    @property
    def done(self) -> int:
        """How many calls have ended."""
        return sum(each.ended is not None for each in self.windows)

    def _session(self) -> Session:
        from requests import Session

        session = Session()
        session.trust_env = False  # no proxy stands before loopback
        return session

    def _client(self, session: Session) -> Any:

        config = self._sdk.CosConfig(**find("cos").arguments("127.0.0.1", self._port), Timeout=5)
        return self._sdk.CosS3Client(config, session=session)

    def _work(self) -> None:
        with self._session() as session:
            self._call(self._client(session))

    def _call(self, client: Any) -> None:
        from urllib3.exceptions import HTTPError  # the SDK leaves the body of an answer to the caller

        failures = (self._sdk.CosServiceError, self._sdk.CosClientError, HTTPError)
        while time.monotonic() - self._began < BEGIN_FOR:
            try:
                number = self._waiting.get_nowait()
            except queue.Empty:
                return
            operation, key = OPERATIONS[number % len(OPERATIONS)], key_of(number)
            window = CallWindow(operation, time.monotonic(), None, key=key)
            self.windows.append(window)
            try:
                PERFORM[operation](client, key)
            except failures:
                window.returned = False
            else:
                window.returned = True
            window.ended = time.monotonic()
