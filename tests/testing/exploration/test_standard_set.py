"""Right and wrong clients of what a standard set does, beside those of the planted bugs."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import os
from functools import partial

import httpx
import pytest

import faultinject
from faultinject import WSGIFaultMiddleware
from faultinject.exceptions import ExplorationFailed
from faultinject.store import ObjectStore
from faultinject.testing.exploration import Program, choices_of

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


def downloading(storage, *, right, checks=True, again=True):
    """Reads an object that comes with a checksum, if it is asked for; the wrong client does not compare it."""
    data = b"a film of a cat"
    sha = base64.b64encode(hashlib.sha256(data).digest()).decode()
    storage.quietly.put("/bkt/film", content=data, headers={"x-amz-checksum-sha256": sha})

    def seen(answer):
        digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
        if not again and answer.is_success and digest != sha:
            raise ValueError("the checksum is another one")
        return not right or digest == answer.headers["x-amz-checksum-sha256"]

    headers = {"x-amz-checksum-mode": "ENABLED"} if checks else {}
    assert storage.send("GET", "/bkt/film", seen, headers=headers).content == data


CORRUPT = "corrupt,method=GET,path=/bkt/film,times=1"


def test_bytes_that_a_client_can_check():
    """They are changed where the answer has a checksum of all of them: who does not compare it takes the wrong ones."""
    for keys in ({}, {"again": False}):
        exploration, error = explored(partial(downloading, right=True, **keys))
        assert error is None, error
        assert CORRUPT in [each.text for each in exploration.runs]
    # A client that says that the bytes are wrong, and does not ask for them again, has noticed.
    assert [each.text for each in exploration.runs if each.gave_up] == [CORRUPT]
    exploration, _ = explored(partial(downloading, right=False))
    assert failing(exploration) == [CORRUPT]
    exploration, error = explored(partial(downloading, right=False, checks=False))
    assert error is None
    assert CORRUPT not in [each.text for each in exploration.runs]


def test_who_says_how_the_code_may_end():
    """Then nothing else is an excuse: a client that raises another error fails."""
    exploration, _ = explored(partial(downloading, right=True, again=False), allow=OSError)
    assert failing(exploration) == [CORRUPT]


@pytest.mark.parametrize(
    ("command", "seconds", "noticed"),
    [("exit 3", 30, True), ("kill -9 $$", 30, False), ("sleep 60", 0.01, False)],
)
def test_a_program_that_notices(command, seconds, noticed):
    """It says so by its exit code; one that crashes, or has to be ended, does not."""
    [corrupt] = [each for each in choices_of(["s3"]) if each.rule.fault == "corrupt"]
    with pytest.raises(Exception, match=r"exit code|end") as caught:
        Program(command, os.environ).check(seconds)
    assert corrupt.ends(caught.value) is noticed
    [named] = choices_of(["corrupt"])
    assert not named.ends(caught.value)
