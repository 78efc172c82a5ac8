"""Clients without an SDK, and phases that take no time."""

from __future__ import annotations

import http.client
import sys
import threading
from dataclasses import replace
from urllib.parse import urlsplit

import pytest

from faultinject.conformance.plan import PHASES


class Direct:
    """Asks once, and raises for whatever is no success."""

    attempts = 1
    made: list[Direct]

    def __init__(self, endpoint, bucket):
        self.bucket = bucket
        self.address = urlsplit(endpoint).netloc
        self.closed = False

    def ask(self, method, key, body=None):
        for number in range(1, self.attempts + 1):
            connection = http.client.HTTPConnection(self.address, timeout=20)
            try:
                connection.request(method, f"/{self.bucket}/{key}", body)
                answer = connection.getresponse()
                content = answer.read()
            except OSError:
                if number == self.attempts:
                    raise
                continue
            finally:
                connection.close()
            if answer.status < 400:
                return content
        raise ValueError(f"{answer.status}\nfor {key}")

    def get(self, key):
        return self.ask("GET", key)

    def put(self, key):
        self.ask("PUT", key, b"meow")

    def post(self, key):
        self.ask("POST", f"{key}?uploads")

    def complete(self, key, etag):
        part = f"<Part><PartNumber>1</PartNumber><ETag>{etag}</ETag></Part>"
        document = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>"
        self.ask("POST", f"{key}?uploadId={key}", document)

    def close(self):
        self.closed = True


class Stubborn(Direct):
    """Asks up to three times, at once, whatever was answered."""

    attempts = 3


def at_once(phases):
    """These phases without a wait before a call."""
    return [replace(each, every=0.0, begin=0.0) for each in phases]


def short(*names, calls=None):
    """Phases, all or those named, that begin at once, with one call of each kind."""
    return [
        replace(each, calls=tuple((kind, 1) for kind, _ in each.calls) if calls is None else calls)
        for each in at_once(PHASES)
        if not names or each.name in names
    ]


@pytest.fixture
def program(tmp_path):
    """Make a command of Python's of a text."""

    def make(text):
        path = tmp_path / "client.py"
        path.write_text(text, encoding="utf-8")
        return [sys.executable, str(path)]

    return make


@pytest.fixture
def for_ever():
    """Wait until the test is over."""
    over = threading.Event()
    yield lambda: over.wait(60)
    over.set()
