"""Right and wrong clients of what a standard set does, beside those of the planted bugs."""

import base64
import contextlib
import hashlib
import os
from functools import partial
from uuid import uuid4

import httpx
import pytest
from werkzeug.test import Client

import faultinject
from faultinject import WSGIFaultMiddleware
from faultinject.exceptions import ConfigurationError
from faultinject.store import ObjectStore
from faultinject.testing.exploration.choices import choices_of
from faultinject.testing.exploration.programs import Program

from .service import exploring, left_out, passing, texts

ATTEMPTS = 3


def client_of(app):
    return httpx.Client(transport=httpx.WSGITransport(app), base_url="http://s3")


class Storage:
    """An S3 store with one bucket, as `client` reaches it with faults and `quietly` without."""

    def __init__(self):
        self.reset()
        # Each run has a store of its own.
        self.client = client_of(WSGIFaultMiddleware(lambda *given: self.store(*given), []))  # noqa: PLW0108

    def reset(self):
        """Begin with an empty bucket."""
        self.store = ObjectStore("s3")
        self.quietly = client_of(self.store)
        self.quietly.put("/bkt")

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

    def run():
        storage.reset()
        code(storage)

    return exploring(run, *(faults or ("s3",)), **keys)


def quiet(code, *faults, **keys):
    """One that passes."""
    exploration, error = explored(code, *faults, **keys)
    assert error is None, error
    return exploration


def failing(exploration):
    """The scenarios of the runs that fail."""
    return [each.text for each in exploration.runs if each.failed]


def deleting(storage, *, right):
    """Delete three objects; the wrong client ignores errors of single keys in the answer."""
    for key in "abc":
        storage.quietly.put(f"/bkt/{key}", content=b"x")
    body = f"<Delete>{''.join(f'<Object><Key>{key}</Key></Object>' for key in 'abc')}</Delete>".encode()
    headers = {"Content-MD5": base64.b64encode(hashlib.md5(body).digest()).decode()}
    seen = (lambda answer: "<Error>" not in answer.text) if right else (lambda _: True)
    storage.send("POST", "/bkt?delete", seen, content=body, headers=headers)
    assert "<Key>" not in storage.quietly.get("/bkt").text


def test_errors_of_single_keys():
    """A client that ignores errors of single keys, in a 200, leaves the objects there."""
    quiet(partial(deleting, right=True))
    exploration, _ = explored(partial(deleting, right=False))
    assert failing(exploration) == ["s3:InternalError,method=POST,path=/bkt,query.delete=,times=1,status=200"]


def downloading(storage, *, right, checks=True, again=True, compares=True):
    """Read an object with its checksum; the wrong client does not compare it."""
    data = b"a film of a cat"
    sha = base64.b64encode(hashlib.sha256(data).digest()).decode()
    storage.quietly.put("/bkt/film", content=data, headers={"x-amz-checksum-sha256": sha})

    def seen(answer):
        digest = base64.b64encode(hashlib.sha256(answer.content).digest()).decode()
        if not again and answer.is_success and digest != sha:
            raise ValueError("the checksum is another one")
        return not right or digest == answer.headers["x-amz-checksum-sha256"]

    headers = {"x-amz-checksum-mode": "ENABLED"} if checks else {}
    found = storage.send("GET", "/bkt/film", seen, headers=headers).content
    assert found == data or not compares


CORRUPT = "corrupt,method=GET,path=/bkt/film,times=1"


def test_bytes_that_a_client_can_check():
    """Bytes with a checksum of the whole are changed: a client that does not compare takes them."""
    assert CORRUPT in texts(quiet(partial(downloading, right=True)))
    exploration = quiet(partial(downloading, right=True, again=False))
    # A client that says that the bytes are wrong, and does not ask for them again, has noticed.
    assert [each.text for each in exploration.runs if each.gave_up] == ["s3:ExpiredToken,from=1", CORRUPT]
    for compares in (True, False):
        exploration, error = explored(partial(downloading, right=False, compares=compares))
        assert failing(exploration) == [CORRUPT]
        assert "request 1 got bytes of /bkt/film that do not have the answer's checksum, and no error" in str(
            error
        )
    assert CORRUPT not in texts(quiet(partial(downloading, right=False, checks=False)))


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


FILM = b"a film of a cat in two parts"
HALF = len(FILM) // 2
PLACE = "method=GET,path=/bkt/film"
IN_PARTS = f"overwrite,{PLACE},skip=1,times=1"
RESUMED = f"truncate,{PLACE},times=1; overwrite,{PLACE},skip=1,times=1"


def reading(storage, path, *, asks, parts=1, compares=True):
    """Read an object in parts, and go on where an answer breaks off.

    A client that asks for the version of its first bytes (`asks`) is refused the bytes of another version, and raises
    an error or begins again.
    """
    found, version = b"", {}
    for _ in range(2 * ATTEMPTS):
        end = (len(found) // HALF + 1) * HALF - 1 if parts > 1 else ""
        asked = {"Range": f"bytes={len(found)}-{end}", **version} if found or parts > 1 else {}
        with (
            contextlib.suppress(httpx.TransportError),
            storage.client.stream("GET", path, headers=asked) as answer,
        ):
            if answer.status_code == 412:
                if asks == "or raises":
                    raise OSError("the object is another one now")
                found, version = b"", {}
            if answer.is_success:
                version = {"If-Match": answer.headers["ETag"]} if asks else {}
                for piece in answer.iter_bytes():
                    found += piece
        if len(found) == len(FILM):
            break
    else:
        raise OSError(f"GET {path}")
    assert found == FILM or not compares


def stored(storage, path="/bkt/film", **headers):
    """Has the object there before the run, or the run writes it itself."""
    storage.quietly.put(path, content=FILM, headers=headers)
    return path


@pytest.mark.parametrize(("parts", "scenario"), [(2, IN_PARTS), (1, RESUMED)])
@pytest.mark.parametrize("compares", [True, False])
def test_another_writer_between_two_reads(parts, scenario, compares):
    """An error or the new bytes are fine; a mix of two versions is not, though nothing compares."""
    exploration, error = explored(
        lambda storage: reading(storage, stored(storage), asks="", parts=parts, compares=compares)
    )
    assert min(failing(exploration), key=len) == scenario
    assert "mixed versions: requests 1 and 2 read two versions of /bkt/film" in str(error)
    for asks in ("or raises", "or begins anew"):
        exploration = quiet(
            lambda storage, asks=asks: reading(
                storage, stored(storage), asks=asks, parts=parts, compares=compares
            ),
            allow=ValueError if asks == "or begins anew" else OSError,
            without="s3:ExpiredToken",
        )
        [moved] = [each for each in exploration.runs if each.text == scenario]
        assert moved.gave_up is (compares or asks == "or raises")


def test_a_second_fault_of_a_standard_set():
    """With depth 2 a download that was cut gets it too, once, and others behind it."""
    exploration = quiet(
        lambda storage: reading(storage, stored(storage), asks="or begins anew"), depth=2, max_runs=1000
    )
    assert texts(exploration).count(RESUMED) == 1


def created(storage):
    storage.send("PUT", "/bkt/film", content=FILM, headers={"If-None-Match": "*"})
    return "/bkt/film"


@pytest.mark.parametrize(
    "path",
    [
        lambda storage: stored(storage, f"/bkt/{uuid4()}"),
        lambda storage: stored(storage, "/bkt/6f1ed002-ab11-4d5d-8e5b-0d1c2b3a4f5e"),
        created,
    ],
    ids=["new in each run", "named by an id", "created if it is not there"],
)
def test_objects_of_which_nobody_else_is_a_writer(path):
    """Nobody else knows them."""
    exploration = quiet(lambda storage: reading(storage, path(storage), asks="", parts=2), "s3,method=GET")
    assert not [each for each in texts(exploration) if "overwrite" in each]


def test_an_app_that_is_no_store():
    """It cannot be asked for another writer: a set has none, and who names it is told why."""

    def app(environ, start_response):
        start_response("206 Partial Content", [("ETag", '"1"'), ("Content-Length", "2")])
        return [b"ok"]

    client = Client(WSGIFaultMiddleware(app, []))

    def code():
        for start in range(4):
            asked = {"Range": f"bytes={start}-{start}"}
            any(client.get("/bkt/film", headers=asked).status_code < 400 for _ in range(ATTEMPTS))

    exploration = passing(code, "s3,method=GET", without=("hang", "corrupt"), allow=OSError)
    assert "overwrite" not in exploration.report()
    exploration, error = exploring(lambda: client.get("/bkt/film"), "overwrite")
    assert "incomplete: overwrite was injected in no run" in str(error)
    why = "only the embedded store can do it"
    assert left_out(exploration) == [f"left out: overwrite at GetObject /bkt/film ({why})"]


def uploading(storage, *, right, loop=False, seen=None):
    """Upload in one part, and abort after a refusal; the wrong client ignores the end's refusal.

    A client that is refused reports it.
    """
    seen = [] if seen is None else seen
    begun = storage.send("POST", "/bkt/film?uploads").text
    upload = f"/bkt/film?uploadId={begun.partition('<UploadId>')[2].partition('<')[0]}"
    try:
        tag = storage.send("PUT", f"{upload}&partNumber=1", content=b"a film").headers["etag"]
        part = f"<Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part>"
        ending = f"<CompleteMultipartUpload>{part}</CompleteMultipartUpload>"
        try:
            storage.send("POST", upload, lambda answer: "<Error>" not in answer.text, content=ending)
        except OSError:
            if right and storage.quietly.get("/bkt/film").is_error:
                raise
    except OSError:
        while True:
            with contextlib.suppress(httpx.TransportError):
                seen.append(storage.client.delete(upload).status_code)
                if seen[-1] < 300 or not loop:
                    raise
    assert storage.quietly.get("/bkt/film").is_success


def test_a_token_that_expires_and_stays_expired():
    """A token that stays expired hits each request in turn, and the abort: nobody must cope."""
    seen = []
    exploration = quiet(partial(uploading, right=True, seen=seen))
    stays = [(each.text, each.gave_up, each.findings) for each in exploration.runs if ",from=" in each.text]
    assert sorted(stays) == [(f"s3:ExpiredToken,from={number}", True, []) for number in (1, 2, 3)]
    assert seen == [400] * 2  # refused from a part, or from the end on


def test_clients_that_do_not_see_that_it_stays():
    """One client reports success where errors are allowed; another begins again for ever."""
    quiet(partial(uploading, right=False), "s3:ExpiredToken,from=1")
    exploration, error = explored(partial(uploading, right=False), "s3:ExpiredToken,from=1", allow=OSError)
    assert failing(exploration) == ["s3:ExpiredToken,from=3"]
    assert "when at request 3 (CompleteMultipartUpload /bkt/film) s3:ExpiredToken begins, for good" in str(
        error
    )
    exploration, _ = explored(partial(uploading, right=True, loop=True), "s3:ExpiredToken,from=1", depth=2)
    assert sorted(failing(exploration)) == ["s3:ExpiredToken,from=2", "s3:ExpiredToken,from=3"]


def test_rules_of_ones_own_that_stay():
    """The user's lasting rules begin at each matching request from the given one.

    They come to no other; one set has them where it is wanted.
    """

    def code(storage):
        for key in "abc":
            for method in ("PUT", "GET"):
                storage.client.request(method, f"/bkt/{key}")

    assert texts(quiet(code, "http:503,method=PUT,from=2")) == [
        "http:503,method=PUT,from=3",
        "http:503,method=PUT,from=2",
    ]
    exploration, _ = explored(code, "s3,method=GET")
    assert sorted(each for each in texts(exploration) if "from=" in each) == [
        f"s3:ExpiredToken,method=GET,from={number}" for number in (1, 2, 3)
    ]
    with pytest.raises(ConfigurationError, match="http:503,from=1: a program that was killed cannot succeed"):
        faultinject.explore("http:503,from=1", crash=True)
