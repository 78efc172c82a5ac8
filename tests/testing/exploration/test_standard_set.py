"""Right and wrong clients of what a standard set does, beside those of the planted bugs."""

from __future__ import annotations

import base64
import contextlib
import hashlib
from functools import partial

import httpx

import faultinject
from faultinject import WSGIFaultMiddleware
from faultinject.exceptions import ExplorationFailed
from faultinject.store import ObjectStore

ATTEMPTS = 3


class Storage:
    """An S3 store with one bucket, as `client` reaches it with faults and `quietly` without."""

    def __init__(self):
        self.reset()
        app = WSGIFaultMiddleware(self.answer, [])
        self.client = httpx.Client(transport=httpx.WSGITransport(app), base_url="http://s3")

    def reset(self):
        """Begin with an empty bucket."""
        self.app = ObjectStore("s3")
        self.quietly = httpx.Client(transport=httpx.WSGITransport(self.app), base_url="http://s3")
        self.quietly.put("/bkt")

    def answer(self, environ, start_response):
        """What the store of the run answers."""
        return self.app(environ, start_response)

    def send(self, method, target, seen=lambda _: True, **keys):
        """The answer of the first of three attempts that is good and that the client takes."""
        for _ in range(ATTEMPTS):
            with contextlib.suppress(httpx.TransportError):
                answer = self.client.request(method, target, **keys)
                if answer.status_code < 400 and seen(answer):
                    return answer
                if answer.status_code in (400, 403, 404) and b"RequestTimeout" not in answer.content:
                    break
        raise OSError(f"{method} {target}")


def explored(code, *faults, **keys):
    """An exploration of code that gets a storage; and its error or None."""
    storage = Storage()
    exploration = faultinject.explore(*(faults or ("s3",)), **keys)
    try:
        for run in exploration:
            storage.reset()
            with run:
                code(storage)
    except ExplorationFailed as error:
        return exploration, error
    return exploration, None


def failing(exploration):
    """The scenarios of the runs that fail."""
    return [each.text for each in exploration.runs if each.failed]


def deleting(storage, *, right):
    """Deletes three objects; the wrong client does not read the answer, whose errors are of single keys."""
    for key in "abc":
        storage.quietly.put(f"/bkt/{key}", content=b"x")
    body = f"<Delete>{''.join(f'<Object><Key>{key}</Key></Object>' for key in 'abc')}</Delete>".encode()
    headers = {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
    seen = (lambda answer: "<Error>" not in answer.text) if right else (lambda _: True)
    storage.send("POST", "/bkt?delete", seen, content=body, headers=headers)
    assert "<Key>" not in storage.quietly.get("/bkt").text


def test_errors_of_single_keys():
    """They are in an answer with status 200: a client that does not look leaves the objects where they are."""
    _, error = explored(partial(deleting, right=True))
    assert error is None, error
    exploration, _ = explored(partial(deleting, right=False))
    assert failing(exploration) == ["s3:InternalError,method=POST,path=/bkt,query.delete=,times=1,status=200"]
