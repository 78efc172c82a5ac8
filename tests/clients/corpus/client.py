"""A client that does everything right; each broken one changes one thing of it.

Four attempts, waits that grow with full jitter and are never shorter than what the server asks for, only for what may
pass, only where a repetition does no harm, and never more than 80 repetitions in all.
"""

import threading
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http.client import HTTPException
from itertools import count
from random import Random
from urllib.parse import urlsplit

from faultinject.conformance.plan import ETAG

from .connections import Connections

DRAW = Random()
"""Random numbers of its own: a client that outlives its test would disturb Hypothesis's."""
THROTTLE, SERVER, TRANSPORT, HIDDEN, REFUSED = "throttle", "server", "transport", "hidden", "refused"


@dataclass(frozen=True)
class Request:
    """The request that each attempt of a call sends."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes


class Failed(Exception):
    """An attempt that came to nothing, and after the last one the call."""

    def __init__(self, kind, answer=None):
        super().__init__(kind if answer is None else f"{kind}: {answer.status} {answer.body[:200]!r}")
        self.kind = kind
        self.answer = answer


class Client:
    """The well-behaved client.

    A broken one says in `expected` what the audit must say of it: from a check, or `check: subject`, to its verdict;
    everything that is not named must pass. A tuple of verdicts: each of them is right.
    """

    attempts = 4
    first, longest = 0.4, 1.2
    """The bound of the first wait and of all, seconds."""
    repetitions = 80

    def __init__(self, endpoint, bucket):
        parts = urlsplit(endpoint)
        self.http = Connections(endpoint)
        self.prefix = f"{parts.path.rstrip('/')}/{bucket}/"
        self.headers = {"User-Agent": f"{type(self).__name__}/1.0"}
        self.lock = threading.Lock()
        self.left = self.repetitions

    def get(self, key):
        """Read an object."""
        return self.call("GET", key).body

    def put(self, key):
        """Store an object."""
        self.call("PUT", key, body=key.encode() * 50)

    def post(self, key):
        """Begin an upload in parts."""
        self.call("POST", key, "?uploads")

    def complete(self, key):
        """Complete an upload; it may be repeated, as there is one upload of that id."""
        part = f"<Part><PartNumber>1</PartNumber><ETag>{ETAG}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>".encode()
        self.call("POST", key, f"?uploadId={key}", document, harmless=True)

    def close(self):
        """No connection is left open."""
        self.http.close()

    def call(self, method, key, query="", body=b"", *, harmless=None, headers=()):
        """As many attempts as it takes, and as are allowed."""
        harmless = method != "POST" if harmless is None else harmless
        request = Request(method, f"{self.prefix}{key}{query}", {**self.headers, **dict(headers)}, body)
        for number in count(1):
            try:
                return self.attempt(request, number)
            except Failed as failed:
                if number == self.most(failed) or not self.may_repeat(failed, harmless):
                    raise
                if not self.take(failed):
                    raise
                time.sleep(self.wait(number, failed))
        raise AssertionError

    def most(self, failed):
        """The number of attempts allowed after this failure."""
        return self.attempts

    def attempt(self, request, number):
        """One request and its answer.

        Raises:
            Failed: it was in vain.
        """
        try:
            answer = self.http.send(request.method, request.target, request.headers, request.body)
        except (OSError, HTTPException):
            raise Failed(TRANSPORT) from None
        if answer.status in {429, 503}:
            raise Failed(THROTTLE, answer)
        if answer.status >= 500 or answer.status == 408:
            raise Failed(SERVER, answer)
        if answer.status >= 400:
            raise Failed(REFUSED, answer)
        if request.method != "GET" and self.is_error(answer.body):
            raise Failed(HIDDEN, answer)
        return answer

    def is_error(self, body):
        """Whether the document of a successful answer says that it is none."""
        return b"<Error>" in body

    def may_repeat(self, failed, harmless):
        """Whether a retry may help and does no harm; a throttle answer has changed nothing."""
        return failed.kind == THROTTLE or (failed.kind != REFUSED and harmless)

    def take(self, failed):
        """Whether one of the repetitions is left; then there is one less."""
        with self.lock:
            self.left -= 1
            return self.left >= 0

    def wait(self, number, failed):
        """Seconds before the repetition of this number, from 1."""
        return max(self.backoff(number), self.asked(failed.answer) or 0)

    def backoff(self, number):
        """Seconds that the client waits of its own accord: anything up to a bound that doubles."""
        return DRAW.uniform(0, self.bound(number))

    def bound(self, number):
        """The longest wait before this repetition, seconds."""
        return min(self.longest, self.first * 2 ** (number - 1))

    def asked(self, answer):
        """Seconds that the server asks for; None if it does not, or not in a way that can be read."""
        if answer is None:
            return None
        milliseconds = answer.headers.get("x-amz-retry-after", "")
        if milliseconds.isdigit():
            return int(milliseconds) / 1000
        text = answer.headers.get("retry-after", "")
        if text.isdigit():
            return self.seconds(int(text))
        return self.date(text) if text else None

    def seconds(self, number):
        """Retry-After as a number."""
        return number

    def date(self, text):
        """Retry-After as a date, or as something that is none."""
        try:
            return parsedate_to_datetime(text).timestamp() - time.time()
        except ValueError:
            return None
