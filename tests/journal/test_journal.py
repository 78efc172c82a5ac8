"""The journal: every field, its bounds, and what must never be in it."""

import errno
import gc
import io
import json
import os
import re
import stat
import sys
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from types import BuiltinFunctionType, CodeType, FunctionType, ModuleType
from unittest.mock import Mock

import pytest

from faultinject import Injector, Outcome, WSGIFaultMiddleware, inject
from faultinject.exceptions import ConfigurationError
from faultinject.injector.injector import JoinedInjector, Joining
from faultinject.journal import writing
from faultinject.journal.changes import ControlChange
from faultinject.journal.outcome import outcome_in
from tests.adapters.conftest import SENDS, Asgi, Wsgi, wsgi_app
from tests.adapters.transport import App
from tests.descriptors import opened
from tests.full_disk import room_for
from tests.rows import each_row
from tests.virtual_time import Time

NOW = 1_763_625_600.25
AWS = (
    "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20251120/x/s3/aws4_request, SignedHeaders=host, Signature=5EC2E7"
)


def injector_for(rules, record_all=False, seed="journal", test=None, **environ):
    return JoinedInjector(
        rules, Joining(test), seed=seed, clock=lambda: NOW, environ=environ, record_all=record_all
    )


def ask(injector, method="GET", target="/photos/a.jpg", headers=(), body=b"", **more):
    path, _, query = target.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": "",
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "REMOTE_ADDR": "10.0.0.7",
        "REMOTE_PORT": "50123",
        "HTTP_HOST": "Storage.example:8080",
        "CONTENT_LENGTH": str(len(body)),
        "wsgi.input": io.BytesIO(body),
        **{f"HTTP_{name.upper().replace('-', '_')}": value for name, value in dict(headers).items()},
        **more,
    }
    return b"".join(WSGIFaultMiddleware(wsgi_app, injector=injector)(environ, lambda *_: None))


@pytest.fixture
def path(tmp_path):
    """Of the journal's file."""
    return tmp_path / "journal"


def only(injector):
    [outcome] = injector.journal.outcomes
    return outcome


def test_every_field_of_an_injected_answer():
    """One line whole, in the order of the reference."""
    injector = injector_for("cos:SlowDown,retry_after=1500ms,name=slow,method=PUT", test=lambda: "test_x")
    headers = {
        "authorization": AWS,
        "user-agent": "sdk/1",
        "amz-sdk-invocation-id": "1-2-3",
        "amz-sdk-request": "ttl=20251120T000000Z; attempt=2; max=5",
        "x-cos-sdk-retry": "True",
        "if-none-match": "*",
    }
    body = ask(injector, "PUT", "/photos/a/b.jpg?partNumber=3&uploadId=u&x=secret", headers, b"data").decode()
    outcome = only(injector)
    assert 0 <= outcome.elapsed == outcome.answered - outcome.arrived < 5
    digests = {
        each: getattr(outcome, each) for each in ("principal", "request_digest", "precondition", "region")
    }
    assert re.fullmatch(r"[0-9a-f]{16} [0-9a-f]{32} [0-9a-f]{4} [0-9a-f]{4}", " ".join(digests.values()))
    assert type(outcome.seq) is int
    assert f"<RequestId>{outcome.request_id}</RequestId>" in body
    times = {each: getattr(outcome, each) for each in ("arrived", "answered", "elapsed")}
    assert outcome.to_dict() == {
        **digests,
        **times,
        "v": 1,
        "time": NOW,
        "seq": outcome.seq,
        "request_id": outcome.request_id,
        "pid": os.getpid(),
        "generation": 0,
        "connection": 50123,
        "test": "test_x",
        "method": "PUT",
        "path": "/photos/a/b.jpg",
        "query": "partNumber=3&uploadId=u&x=…",
        "host": "storage.example",
        "client": "10.0.0.7",
        "operation": "UploadPart",
        "bucket": "photos",
        "key": "a/b.jpg",
        "request_bytes": 4,
        "body_complete": True,
        "user_agent": "sdk/1",
        "attempt_hint": {"invocation": "1-2-3", "attempt": 2, "max": 5, "retry": True},
        "rule": "slow",
        "matched": None,
        "fault": "cos:SlowDown",
        "when": "before",
        "applied": False,
        "credential": None,
        "guarded": True,
        "hint": 2.0,
        "hint_form": "seconds",
        "did": "answered",
        "left": False,
        "status": 503,
        "app_status": None,
        "range": None,
        "if_range": None,
        "if_match": None,
        "etag": None,
        "clock_offset": None,
        "response_bytes": len(body),
        "checksum": None,
        "seed": "journal",
        "n": 0,
        "final": True,
    }
    assert outcome.injected


def test_every_field_of_a_request_that_passes():
    """A rule matched and did not fire: status and answer are not known, for nothing was wrapped."""
    injector = injector_for("cos:SlowDown,probability=0")
    ask(injector, "GET", "/photos")
    outcome = only(injector)
    got = {name: value for name, value in outcome.to_dict().items() if name not in ("arrived", "seq", "pid")}
    assert got == {
        "v": 1, "time": NOW, "answered": None, "generation": 0, "connection": 50123, "principal": None, "credential": None,
        "precondition": None, "region": None, "clock_offset": None, "app_status": None,
        "range": None, "if_range": None, "if_match": None, "etag": None, "checksum": None,
        "test": None, "method": "GET", "path": "/photos", "query": "", "host": "storage.example",
        "client": "10.0.0.7", "operation": "ListObjects", "bucket": "photos", "key": None, "request_bytes": 0,
        "request_digest": None, "body_complete": None, "user_agent": None, "attempt_hint": None, "rule": "rule-1", "matched": None,
        "fault": None, "when": None, "applied": True, "guarded": False, "hint": None, "hint_form": None,
        "did": "passed", "left": False, "status": None, "response_bytes": None, "request_id": None, "elapsed": None,
        "seed": "journal", "n": 0,
    }  # fmt: skip
    assert not outcome.injected


def test_unmatched_requests_are_recorded_only_where_all_are(tmp_path):
    """An unmatched request leaves no trace, unless FAULTINJECT_JOURNAL records every request.

    Within a block, attempts that no rule is for count as well.
    """
    quiet = injector_for("cos:SlowDown,path=elsewhere/")
    ask(quiet)
    with inject("cos:SlowDown,path=elsewhere/") as faults:
        ask(quiet)
    assert (faults.attempts, quiet.journal.outcomes) == (1, [])
    loud = injector_for("cos:SlowDown,path=elsewhere/", FAULTINJECT_JOURNAL=str(tmp_path / "journal"))
    ask(loud)
    outcome = only(loud)
    assert (outcome.did, outcome.status, outcome.response_bytes) == ("passed", 200, 3)
    assert (outcome.rule, outcome.n, outcome.elapsed is None) == (None, None, False)
    assert json.loads((tmp_path / "journal").read_text())["status"] == 200


def test_what_happened_since_a_moment_and_the_bound_of_the_ring():
    """A cursor of another journal is the beginning; one of lines that are gone says how many.

    10,000 lines stay, the newest; of many threads at once not one drop is lost.
    """
    injector = injector_for("cos:SlowDown,probability=0", record_all=True)
    journal = injector.journal

    def numbers(after="", limit=500):
        found, cursor, dropped = journal.events(after, limit)
        return [each.n for each in found], cursor, dropped

    def ask_often(times):
        for _ in range(times):
            ask(injector)

    assert numbers() == ([], "", 0)
    ask_often(3)
    first, cursor, _ = numbers(limit=1)
    rest, end, _ = numbers(cursor)
    assert (first, rest) == ([0], [1, 2])
    assert numbers("another's:1") == numbers(limit=3) == ([0, 1, 2], end, 0)
    assert [numbers(end), numbers(cursor, 0)] == [([], end, 0), ([], cursor, 0)]
    ask_often(10_002)
    found, _, dropped = numbers(end, 10_000)
    assert (found, dropped) == ([*range(5, 10_005)], 2)
    assert numbers("another's:1", 1)[::2] == ([5], 5)
    assert [each.n for each in journal.outcomes] == numbers(limit=20_000)[0] == found
    assert journal.dropped == 5
    with ThreadPoolExecutor(8) as pool:
        pool.map(lambda _: ask(injector), range(2_000))
    assert journal.dropped == 2_005
    journal.clear()
    assert (journal.outcomes, journal.dropped) == ([], 0)


def test_texts_are_cut():
    """2,048 characters of a text are enough for anybody, and a bound for a hostile one."""
    injector = injector_for("cos:SlowDown", test=lambda: "t" * 5000)
    ask(
        injector,
        "M" * 5000,
        "/" + "p" * 100_000 + "?prefix=" + "q" * 100_000,
        {"user-agent": "u" * 5000, "amz-sdk-invocation-id": "i" * 5000},
        HTTP_HOST="h" * 5000,
    )
    outcome = only(injector)
    assert {
        name: len(value)
        for name, value in outcome.to_dict().items()
        if isinstance(value, str) and len(value) > 100
    } == {"test": 2048, "path": 2048, "query": 2048, "host": 2048, "user_agent": 2048, "bucket": 2047}
    assert len(outcome.attempt_hint["invocation"]) == 2048
    assert len(outcome.method) == 64


STAMPED = {"authorization": AWS}
GENERATION = "?uploadType=media&ifGenerationMatch=0"
IN_AZURE = {"target": "/account/photos?restype=container&comp=list", "headers": {"host": "127.0.0.1"}}


def field(name, *cases, rules="cos:SlowDown"):
    """Cases of one field: what is asked, and what it is."""
    return [(rules, asked, {name: value}) for asked, value in cases]


def given(*cases):
    """Headers, and the value."""
    return [({"headers": headers}, value) for headers, value in cases]


SAID = [
    # An id of QingStor's tells two uploads of one key apart; Google's alone gives leave to write.
    *field(
        "query",
        ({"target": "/b/k?upload_id=cf0b4f0a3a1e4f1b9b2f0d7c9e6c4b1d"}, "upload_id=cf0b4f0a3a1e4f1b9b2f0d7c9e6c4b1d"),
        ({"target": "/b/k?upload_id=ABPtcPo_-x&part_number=1"}, "upload_id=…&part_number=1"),
        rules="qingstor:internal_error",
    ),
    # Tokens identify nobody.
    *field(
        "principal",
        *given(*(({"authorization": each}, None) for each in ("Bearer x", "Basic eA==", "QS ", ""))),
        ({}, None),
    ),
    # A time that is none says nothing, and harms nothing; nor does one of a request that is not signed: an app's own
    # parameters may be called like those of a presigned URL.
    *field(
        "clock_offset",
        *given(*((STAMPED | {"x-amz-date": each}, None) for each in ("noon", "99999999T999999Z", "Thu, 20"))),
        *given(({"x-amz-date": "20251120T070000Z"}, None)),
        *(
            ({"target": f"/b/k?{each}"}, None)
            for each in (
                "e=1763622000",
                "se=2025&q=sig",
                "Expires=1763622000",
                "authorization=bce-auth-v1",
                "authorization=bce-auth-v1%2FAKIDEXAMPLE",
            )
        ),
    ),
    ("cos:SlowDown", {"headers": STAMPED | {"x-amz-date": "9" * 39}}, {}),
    # An Idempotency-Key, a precondition, or the vendor's own.
    *field(
        "guarded",
        *given(
            *(
                ({name: "x"}, True)
                for name in (
                    "idempotency-key", "if-match", "if-none-match", "if-modified-since", "if-unmodified-since",
                    "x-cos-forbid-overwrite",
                )
            )
        ),
        ({"target": f"/b/k{GENERATION}"}, True),
        ({"target": "/b/k?ifMetagenerationMatch=1"}, True),
        ({}, False),
    ),
    # To cut texts makes nothing up.
    *field("user_agent", ({"target": "/" + "y" * 3000}, None)),
    # The bytes that the client has announced, unless it leaves before their end.
    *field(
        "request_bytes", ({"body": b"abc"}, 3), *(({"body": each, "CONTENT_LENGTH": "9"}, None) for each in (b"abc", b""))
    ),
    # The part that it asks for, in either header.
    *field("range", *given(*(({each: "bytes=0-3"}, "bytes=0-3") for each in ("range", "x-ms-range")))),
    # What the client itself says of its attempt, and nothing that it did not say.
    *field(
        "attempt_hint",
        *given(
            ({}, None),
            ({"amz-sdk-invocation-id": "x"}, {"invocation": "x"}),
            ({"amz-sdk-request": "attempt=1; max=3"}, {"attempt": 1, "max": 3}),
            ({"amz-sdk-request": "attempt=x;;max=;ttl=3"}, None),
            ({"amz-sdk-request": f"attempt={'9' * 5000}"}, None),
            ({"amz-sdk-request": "attempt=²"}, None),
            ({"x-cos-sdk-retry": "true"}, {"retry": True}),
            ({"x-cos-sdk-retry": "no"}, None),
            ({"x-goog-api-client": "gl-python/3.11 gccl/3 gccl-invocation-id/4-5"}, {"invocation": "4-5"}),
            ({"x-goog-api-client": "gl-python/3.11 gccl/3"}, None),
            ({"x-goog-gcs-idempotency-token": "t-1"}, {"invocation": "t-1"}),
            (
                {"x-goog-api-client": "gccl-invocation-id/4-5", "x-goog-gcs-idempotency-token": "t-1"},
                {"invocation": "4-5"},
            ),
            ({"x-sdk-retry-count": "0"}, {"attempt": 1}),
            ({"x-sdk-retry-count": "2"}, {"attempt": 3}),
            ({"x-sdk-retry-count": "-1"}, None),
            ({"idempotency-key": ""}, None),
        ),
    ),
    # The wait that the answer asked for: seconds, or a date.
    ("http:503", {}, {"hint": None, "hint_form": None}),
    ("http:503,retry_after=1500ms", {}, {"hint": 2.0, "hint_form": "seconds"}),
    ("http:503,retry_after=3s,hint=date", {}, {"hint": 3.0, "hint_form": "date"}),
    ("http:503,retry_after=2500ms,hint=date", {}, {"hint": 2.5, "hint_form": "date"}),
    # A request that no rule matches is read as their vendor does where they have one in common, else as an S3 request.
    (
        "azure-blob:ServerBusy,path=/elsewhere",
        IN_AZURE,
        {"operation": "container.list_blob_flat_segment", "bucket": "photos"},
    ),
    (
        "azure-blob:ServerBusy,path=/elsewhere gcs:forbidden,path=/elsewhere",
        IN_AZURE,
        {"operation": "GetObject", "bucket": "account"},
    ),
    # A signature in a path that was encoded with its query is one all the same.
    *(
        (rules, {"PATH_INFO": "/a.jpg?X-Amz-Signature=SECRET", "CONTENT_LENGTH": ""}, {"path": "/a.jpg?…"})
        for rules in ("http:503,path=x", "http:503,probability=0", "http:503")
    ),
]  # fmt: skip


@each_row(("rules", "asked", "fields"), SAID)
def test_what_a_field_says(rules, asked, fields):
    """Of requests of all kinds."""
    injector = injector_for(rules, record_all="path=" in rules)
    ask(injector, **asked)
    outcome = only(injector).to_dict()
    assert json.dumps(outcome)
    assert {
        name: re.sub(r"…[\w~]*$", "…", value) if name == "path" else value
        for name, value in outcome.items()
        if name in fields
    } == fields


def test_an_idempotency_key_stands_as_its_digest():
    """It is the caller's own text: the same for all attempts of a call, and not to be read."""
    injector = injector_for("jss:@server")
    for key in ("order-4711", "order-4711", "order-4712"):
        body = json.loads(ask(injector, headers={"idempotency-key": key}))
        # `fault` is the code on the wire, not the group in the rule.
        assert injector.journal.outcomes[-1].fault == f"jss:{body['code']}"
    first, second, third = (each.attempt_hint["invocation"] for each in injector.journal.outcomes)
    assert first == second != third
    assert re.fullmatch("[0-9a-f]{16}", first)
    assert injector.journal.outcomes[0].attempt_hint == {"invocation": first}
    # Beside an SDK's own id it has a field of its own.
    ask(injector, headers={"amz-sdk-invocation-id": "x", "idempotency-key": "order-4711"})
    assert injector.journal.outcomes[-1].attempt_hint == {"invocation": "x", "key": first}


def test_versions_stand_as_digests():
    """Those of If-Match and If-Range are alike, each in its own field."""
    injector = injector_for("http:503")
    for name in ("if-match", "if-range"):
        ask(injector, headers={name: '"e"'})
    match, part = injector.journal.outcomes
    assert (match.if_match, match.if_range) == (part.if_range, part.if_match)
    assert (match.if_match is None, part.if_match) == (False, None)


SECRETS = {
    "authorization": "q-sign-algorithm=sha1&q-ak=AKID&q-sign-time=1;2&q-signature=SECRET",
    "cookie": "session=SECRET",
    "x-amz-security-token": "SECRET",
    "x-cos-security-token": "SECRET",
    "x-api-key": "SECRET",
    "x-auth-key": "SECRET",
    "x-auth-token": "SECRET",
    "x-auth-user": "SECRET",
    "x-ms-copy-source": "https://account.blob.core.windows.net/c/b?sig=SECRET",
    "x-ms-copy-source-authorization": "SECRET",
    "proxy-authorization": "Basic SECRET",
}
SECRET_QUERIES = [
    "X-Amz-Signature=SECRET&X-Amz-Credential=AKID%2F2025&X-Amz-Security-Token=SECRET&acl",
    "AWSAccessKeyId=AKID&Signature=SECRET&Expires=1",
    "sign=q-sign-algorithm%3Dsha1%26q-signature%3DSECRET",
    "q-ak=AKID&q-signature=SECRET&x-cos-security-token=SECRET",
    "access_key_id=AKID&signature=SECRET&expires=1",
    "e=1&token=AKID:SECRET",
    "sv=2026&sig=SECRET&X-Goog-Signature=SECRET&X-Goog-Credential=AKID%2F2026&OSSAccessKeyId=AKID&temp_url_sig=SECRET",
    # https://docs.cloud.google.com/storage/docs/resumable-uploads: whoever has the address of one may upload.
    "password=SECRET&code=SECRET&=SECRET&a=b=SECRET&upload_id=SECRET",
]
SECRET_HEADS = [
    AWS.replace("5EC2E7", "SECRET"),
    "AWS4-HMAC-SHA256 Credential=AKID, SignedHeaders=host, Signature=SECRET",
    "AWS AKID:SECRET",
    "QS AKID:SECRET",
    "jingdong AKID:SECRET",
    "Qiniu AKID:SECRET",
    "SharedKey AKID:SECRET",
    "bce-auth-v1/AKID/2026-11-20T12:00:00Z/1800/host/SECRET",
    "Bearer SECRET",
    "Basic SECRET",
    "SECRET",
    "Digest username=x, response=SECRET",
]


def held_by(thing):
    """The texts that an object holds, however deep."""
    seen, found, todo = set(), [], [thing]
    while todo:
        each = todo.pop()
        if id(each) in seen or isinstance(
            each, type | ModuleType | FunctionType | BuiltinFunctionType | CodeType
        ):
            continue
        seen.add(id(each))
        if isinstance(each, str):
            found.append(each)
        todo += gc.get_referents(each)
    return found


def test_no_secret_anywhere(path):
    """No Authorization, cookie, signature or token reaches the file, an outcome or the journal.

    Each head is tried with each query.
    """
    rules = ("cos:SlowDown", "cos:SlowDown,probability=0", "cos:SlowDown,path=elsewhere/")
    for number, (query, head) in enumerate(product(SECRET_QUERIES, SECRET_HEADS)):
        injector = injector_for(rules[number % 3], FAULTINJECT_JOURNAL=str(path))
        headers = {**SECRETS, "authorization": head}
        send = (Asgi(), Wsgi())[number // 3 % 2]
        send(injector, "GET", f"/b/k?{query}", headers.items())
        kept = held_by(injector.journal)
        assert "/b/k" in kept
        assert [text for text in kept if "SECRET" in text] == []
        assert "SECRET" not in repr([each.to_dict() for each in injector.journal.outcomes])
    assert not re.search("SECRET|AKID", path.read_text())


PRINCIPALS = [
    {"authorization": AWS},
    {"authorization": "AWS AKIDEXAMPLE:c2lnbmF0dXJl"},
    {"authorization": "q-sign-algorithm=sha1&q-ak=AKIDEXAMPLE&q-sign-time=1;2&q-signature=00"},
    {"authorization": "QS AKIDEXAMPLE:c2lnbmF0dXJl"},
    {"authorization": "jingdong AKIDEXAMPLE:c2lnbmF0dXJl"},
    {"authorization": "Qiniu AKIDEXAMPLE:c2lnbmF0dXJl"},
    {"authorization": "QBox AKIDEXAMPLE:c2lnbmF0dXJl"},
    "X-Amz-Algorithm=A&X-Amz-Credential=AKIDEXAMPLE%2F20251120%2Fx&X-Amz-Signature=00",
    "X-Amz-Credential=AKIDEXAMPLE/20251120/x&X-Amz-Signature=00",
    "X-Amz-Credential=AKIDEXAMPLE%2f20251120%2fx&X-Amz-Signature=00",
    "AWSAccessKeyId=AKIDEXAMPLE&Signature=00&Expires=1",
    "q-sign-algorithm=sha1&q-ak=AKIDEXAMPLE&q-signature=00",
    "access_key_id=AKIDEXAMPLE&signature=00",
    "AccessKey=AKIDEXAMPLE&Signature=00",
    {"authorization": "SharedKey AKIDEXAMPLE:c2lnbmF0dXJl"},
    {"authorization": "OSS AKIDEXAMPLE:c2lnbmF0dXJl"},
    {"authorization": "OSS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20261120/x/oss/aliyun_v4_request,Signature=00"},
    {"authorization": "GOOG4-RSA-SHA256 Credential=AKIDEXAMPLE/20261120/x, Signature=00"},
    {"authorization": "bce-auth-v1/AKIDEXAMPLE/2026-11-20T12:00:00Z/1800//00"},
    "X-Goog-Credential=AKIDEXAMPLE%2F20261120%2Fx&X-Goog-Signature=00",
    "x-oss-credential=AKIDEXAMPLE%2F20261120%2Fx&x-oss-signature=00",
    "X-Tos-Credential=AKIDEXAMPLE%2F20261120%2Fx&X-Tos-Signature=00",
    "OSSAccessKeyId=AKIDEXAMPLE&Signature=00&Expires=1",
    "GoogleAccessId=AKIDEXAMPLE&Signature=00&Expires=1",
]  # fmt: skip


def principal(where, seed):
    """Sign one request, in its headers or in its query: the principal in its line."""
    injector = injector_for("cos:SlowDown", seed=seed)
    ask(injector, **({"headers": where} if isinstance(where, dict) else {"target": f"/b/k?{where}"}))
    return only(injector).principal


@each_row("where", PRINCIPALS, ids=str)
def test_the_principal_is_the_same_however_it_signs(where):
    """A keyed digest of the access-key id, whatever the scheme and the signature beside it."""
    expected = principal({"authorization": AWS}, "one")
    assert [principal(where, "one") for _ in range(2)] == [expected] * 2
    assert principal(where, "two") not in (None, expected)


@each_row("rule", ["http:503", "http:503,delay=1ms"])
def test_of_long_keys_the_journal_keeps_what_it_shows(rule):
    """Each line keeps 2,048 characters of a key, however many requests are counted by key."""
    injector = Injector(f"{rule},per=key,times=1", environ={}, waits=Time())
    tracemalloc.start()
    try:
        for number in range(200):
            ask(injector, target=f"/b/{number}/{'x' * 60_000}")
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert injector.injected == len(injector.journal.outcomes) == 200
    assert kept < 200 * 20_000


def test_the_token_of_openstack_is_a_credential():
    """A digest of it tells a renewed one; beside an access key it tells nothing."""
    injector = injector_for("http:401")
    beside = {"authorization": AWS, "x-auth-token": "one"}
    for headers in ({"x-auth-token": "one"}, {"x-auth-token": "one"}, {"x-auth-token": "two"}, {}, beside):
        ask(injector, headers=headers)
    found = [each.credential for each in injector.journal.outcomes]
    assert found[0] == found[1] != found[2]
    assert [each is None for each in found] == [False, False, False, True, True]


SIGNED_AN_HOUR_LATE = [
    ({"authorization": AWS, "x-amz-date": "20251120T070000Z"}, "", True),
    ({"authorization": AWS, "x-amz-date": "20251120T070000Z", "date": "Thu, 20 Nov 2025 09:00:00 GMT"}, "", True),
    ({"authorization": "OSS AKIDEXAMPLE:00", "date": "Thu, 20 Nov 2025 07:00:00 GMT"}, "", False),
    ({"authorization": "bce-auth-v1/AKIDEXAMPLE/2025", "x-bce-date": "2025-11-20T07:00:00Z"}, "", False),
    ({"authorization": "q-ak=AKIDEXAMPLE&q-sign-time=1763622000;1763625600&q-signature=00"}, "", False),
    ({}, "X-Amz-Credential=AKIDEXAMPLE%2F20251120%2Fx%2Fs3%2Faws4_request&X-Amz-Date=20251120T070000Z", True),
    ({}, "OSSAccessKeyId=AKIDEXAMPLE&Expires=1763622000&Signature=00", False),
    ({}, "sv=2024-11-04&se=2025-11-20T07%3A00%3A00Z&sr=b&sp=r&sig=00", False),
    ({}, "temp_url_sig=00&temp_url_expires=1763622000", False),
    ({}, "access_key_id=AKIDEXAMPLE&expires=1763622000&signature=00", False),
    ({}, "e=1763622000&token=AKIDEXAMPLE:00", False),
    ({}, "authorization=bce-auth-v1%2FAKIDEXAMPLE%2F2025-11-20T07%3A00%3A00Z%2F1800%2Fhost%2F00", False),
]  # fmt: skip


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
@pytest.mark.parametrize(("headers", "query", "says_region"), SIGNED_AN_HOUR_LATE, ids=str)
def test_when_and_for_which_region_it_was_signed(headers, query, says_region, kind):
    """The line has clock offset and region of the signature, and nothing secret.

    A client corrects these when it is told that its clock or its region is wrong.
    """
    injector = injector_for("cos:SlowDown")
    SENDS[kind]()(injector, "GET", f"/b/k?{query}", headers.items())
    outcome = only(injector)
    assert (outcome.clock_offset, outcome.region is not None) == (-3600, says_region)


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
@pytest.mark.parametrize(("fault", "status"), [("cos:SlowDown,when=after", 200), ("cos:SlowDown", None)])
def test_what_the_app_itself_answered(kind, fault, status):
    """If a fault replaces the app's answer, the journal says its status, and if it was applied."""
    injector = injector_for(fault)
    SENDS[kind]()(injector, "PUT", "/photos/cat.jpg")
    outcome = injector.journal.outcomes[-1]
    assert (outcome.app_status, outcome.status, outcome.applied) == (status, 503, status is not None)


CHECKSUMS = [
    # A header of the app's own answer, its status, whether it is a checksum of the whole body.
    ("Content-MD5", "X==", 200, True),
    ("x-amz-checksum-sha256", "X==", 200, True),
    ("x-amz-checksum-sha256", "X==", 206, False),
    ("x-amz-checksum-crc32", "X==-3", 200, False),
    ("x-amz-checksum-type", "FULL_OBJECT", 200, False),
    ("X-Goog-Hash", "crc32c=X==,md5=X==", 200, True),
    ("x-cos-hash-crc64ecma", "7", 200, True),
    ("x-oss-hash-crc64ecma", "7", 206, False),
    ("x-ms-content-crc64", "X==", 206, True),
    ("x-bz-content-sha1", "none", 200, False),
    ("ETag", '"5d41402abc4b2a76b9719d911017c592"', 200, False),
]


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
@pytest.mark.parametrize(("name", "value", "status", "whole"), CHECKSUMS)
def test_a_checksum_of_the_whole_answer(kind, name, value, status, whole):
    """A checksum is noted if all requests are, and only if the client can check its bytes by it."""
    app = App(b"app", status=status)
    app.headers.append((name, value))
    for record_all in (True, False):
        injector = injector_for("reset,method=PUT", record_all=record_all)
        SENDS[kind]()(injector, app=app)
        found = [(each.checksum, each.response_bytes) for each in injector.journal.outcomes]
        assert found == [(whole, 3)] * record_all


def test_the_file(path):
    """Mode 0600, appended to, one line a write, readable as JSON at any moment."""
    injector = injector_for("cos:SlowDown,path=slow/", FAULTINJECT_JOURNAL=str(path))
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    writes = []
    real = os.write
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: writes.append(data) or real(file, data))
        ask(injector, "PUT", "/slow/ü", body=b"x")
        ask(injector, "GET", "/quick")
    assert path.read_bytes().splitlines(keepends=True) == writes
    first, last, passed = map(json.loads, writes)
    assert [
        (each["did"], each.get("final"), each["request_digest"] is not None, each["seq"] - first["seq"])
        for each in (first, last, passed)
    ] == [("answered", None, False, 0), ("answered", True, True, 0), ("passed", None, False, 1)]
    # A final line stands for its first, in the place of the first.
    assert [each.to_dict() for each in injector.journal.outcomes] == [last, passed]
    assert (len(injector.journal.events()[0]), injector.journal.requests) == (3, 2)
    injector.journal.clear()
    assert injector.journal.requests == 0


@pytest.mark.parametrize(
    ("why", "mode"), [(None, 0o600), (PermissionError(1, "Operation not permitted"), 0o644)]
)
def test_a_file_that_was_there_is_closed_to_others(path, monkeypatch, why, mode):
    """Mode 0600 whatever it was, unless the file system has no modes; its lines stay."""
    path.write_text('{"v": 1}\n')
    path.chmod(0o644)
    with monkeypatch.context() as patch:
        if why is not None:
            patch.setattr(os, "fchmod", Mock(side_effect=why))
        ask(injector_for("cos:SlowDown", FAULTINJECT_JOURNAL=str(path)))
    lines = path.read_text().splitlines()
    assert (stat.S_IMODE(path.stat().st_mode), lines[0], len(lines)) == (mode, '{"v": 1}', 2)


def test_a_file_that_another_user_made_is_refused(path, monkeypatch):
    """They could read it, and write lines of their own; a device or a pipe is nobody's journal."""
    path.write_text("theirs\n")
    path.chmod(0o666)
    monkeypatch.setattr(os, "geteuid", lambda: path.stat().st_uid + 1)
    with pytest.raises(ConfigurationError, match=r"journal': it belongs to another user$"):
        injector_for("cos:SlowDown", FAULTINJECT_JOURNAL=str(path))
    assert (stat.S_IMODE(path.stat().st_mode), path.read_text()) == (0o666, "theirs\n")
    assert opened(path) == {}
    ask(injector_for("cos:SlowDown", FAULTINJECT_JOURNAL=os.devnull))


@pytest.mark.parametrize("how", ["removed", "renamed", "replaced"])
@pytest.mark.parametrize("told", [True, False])
def test_a_file_that_is_not_there_any_more_is_opened_anew(tmp_path, monkeypatch, caplog, how, told):
    """The log reports it once, and the new file has the later lines and the first one's mode.

    It is found wherever the program's directory is by now, and whether or not the system tells where an open file is.
    """
    if not told:
        monkeypatch.setattr(os, "readlink", lambda _: (tmp_path / "no proc").stat())
    path, old, other = (tmp_path / name for name in ("journal", "journal.1", "other"))
    monkeypatch.chdir(tmp_path)
    injector = injector_for("cos:SlowDown", FAULTINJECT_JOURNAL="journal")
    ask(injector)
    other.mkdir()
    monkeypatch.chdir(other)
    path.unlink() if how == "removed" else path.rename(old)
    if how == "replaced":
        path.write_text('{"v": 1}\n')
    caplog.clear()
    for _ in range(3):
        ask(injector)
    lines = path.read_text().splitlines()
    assert (len(lines), stat.S_IMODE(path.stat().st_mode)) == (3 + (how == "replaced"), 0o600)
    assert list(other.iterdir()) == []
    assert how == "removed" or len(old.read_text().splitlines()) == 1
    assert [each for each in caplog.messages if "journal" in each] == [
        "faultinject: the journal journal was removed or renamed; a new file is opened"
    ]


@pytest.mark.parametrize("gone", [True, False])
def test_a_file_that_cannot_be_opened_anew_ends(tmp_path, caplog, gone):
    """If the file's folder is gone, or a link is there, the log says why, and memory goes on."""
    path = tmp_path / "folder" / "journal"
    path.parent.mkdir()
    injector = injector_for("cos:SlowDown", FAULTINJECT_JOURNAL=str(path))
    path.unlink()
    path.parent.rmdir() if gone else path.symlink_to(tmp_path / "elsewhere")
    for _ in range(2):
        ask(injector)
    assert (len(injector.journal.outcomes), (tmp_path / "elsewhere").exists()) == (2, False)
    stops = [each.partition(" has stopped: ")[2] for each in caplog.messages if "has stopped" in each]
    assert stops == [os.strerror(errno.ENOENT if gone else errno.ELOOP)]


def test_a_journal_that_nobody_may_look_for_goes_on(path, monkeypatch, caplog):
    """A server that has given up its rights writes into what it has open."""
    injector = injector_for("cos:SlowDown", FAULTINJECT_JOURNAL=str(path))
    real = os.stat

    def stat(name, *words, **more):
        if name == str(path):
            raise PermissionError(errno.EACCES, "Permission denied")
        return real(name, *words, **more)

    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", stat)
        ask(injector)
    assert len(path.read_text().splitlines()) == 1
    assert "a new file is opened" not in caplog.text


def test_a_thread_that_comes_second_finds_it_open(path, monkeypatch, caplog):
    """Both have seen that the file is gone; the one that is later opens none."""
    injector = JoinedInjector("http:503", Joining(ends=False), environ={}, journal=str(path))
    real = os.stat
    others = [lambda: ask(injector)]

    def look(name, *words, **more):
        try:
            return real(name, *words, **more)
        except FileNotFoundError:
            if name == str(path) and others:
                others.pop()()
            raise

    path.unlink()
    with monkeypatch.context() as patch:
        patch.setattr(os, "stat", look)
        ask(injector)
    assert len(path.read_text().splitlines()) == 2
    assert sum("a new file is opened" in each for each in caplog.messages) == 1


@pytest.mark.parametrize("ends", [True, False])
def test_the_file_stops_at_its_bound(path, caplog, ends):
    """At 1 GiB it takes no more lines and says so once; the ring goes on."""
    injector = JoinedInjector("cos:SlowDown", Joining(ends=ends), environ={}, journal=str(path))
    ask(injector)
    full = (1 << 30) - path.stat().st_size // 2
    os.truncate(path, full)  # blocks that are not there take no room
    caplog.clear()
    for _ in range(4):
        ask(injector)
    assert path.stat().st_size == full
    assert [each.getMessage() for each in caplog.records if "has stopped" in each.getMessage()] == [
        f"faultinject: writing to the journal {path} has stopped: it has reached 1 GiB"
    ]
    assert len(injector.journal.outcomes) == 5


@pytest.mark.parametrize(("room", "why"), [(0, "File too large"), (10, "no space left")])
def test_a_full_disk_ends_the_file_and_nothing_else(path, caplog, room, why):
    """The answer goes out; the log says why the file ends, also where a part of the line fits."""
    injector = injector_for("cos:SlowDown", FAULTINJECT_JOURNAL=str(path))
    ask(injector)
    with room_for(path.stat().st_size + room):
        assert b"SlowDown" in ask(injector)
    assert f"has stopped: {why}" in caplog.text
    assert injector.errors == []
    assert b"SlowDown" in ask(injector)
    assert path.read_bytes().count(b"\n") == 1


@each_row(
    ("name", "reason"),
    [
        ("nowhere/journal", "No such file or directory"),
        (".", "Is a directory"),
        ("link", "Too many levels of symbolic links"),
        # A pipe that nobody reads: opening it waits for nobody.
        ("pipe", "No such device or address"),
    ],
)
def test_a_file_that_cannot_be_opened_stops_the_start(tmp_path_factory, name, reason):
    """The message names the variable, the path and the reason."""
    folder = tmp_path_factory.mktemp("journals")
    (folder / "link").symlink_to(folder / "elsewhere")
    os.mkfifo(folder / "pipe")
    with pytest.raises(ConfigurationError) as caught:
        injector_for("cos:SlowDown", FAULTINJECT_JOURNAL=str(folder / name))
    assert str(caught.value) == f"FAULTINJECT_JOURNAL: cannot write to {str(folder / name)!r}: {reason}"
    assert [each.where for each in caught.value.problems] == ["FAULTINJECT_JOURNAL"]


def test_the_file_is_closed_with_its_injector(tmp_path):
    """A session of many blocks does not run out of descriptors."""
    kept = injector_for("cos:SlowDown", FAULTINJECT_JOURNAL=str(tmp_path / "kept"))
    for _ in range(20):
        injector_for("cos:SlowDown", FAULTINJECT_JOURNAL=str(tmp_path / "journal"))
    gc.collect()
    assert opened(tmp_path / "journal") == {}
    assert sys.platform != "linux" or opened(tmp_path / "kept"), kept


def test_what_a_shared_line_says():
    """A whole line may follow a part of one; what is no line says nothing."""
    injector = injector_for("http:503")
    ask(injector)
    line = only(injector).to_line()
    assert outcome_in(line) == outcome_in(line[:50] + line) == only(injector)
    assert [outcome_in(each) for each in (b"[]", b"7", line[:50])] == [None] * 3


def test_outcomes_are_values():
    """Equal fields, equal outcomes; unknown ones are no error."""
    injector = injector_for("cos:SlowDown")
    ask(injector)
    outcome = only(injector)
    others = [Outcome.of(outcome.to_dict() | more) for more in ({}, {"later": "field"}, {"n": 9})]
    assert [each == outcome for each in others] == [True, True, False]
    hostile = Outcome.of({**outcome.to_dict(), "path": "/a\x1b[31m\u202e", "did": "passed"})
    assert [repr(outcome), repr(hostile)] == [
        "<Outcome GET /photos/a.jpg answered: cos:SlowDown by rule-1>",
        "<Outcome GET /a\\x1b[31m\\u202e passed: app's answer>",
    ]
    hostile.path = "/half a pair \udc80"
    assert json.loads(hostile.to_line())["path"] == hostile.path


def test_a_test_whose_name_has_blanks(tmp_path, monkeypatch):
    """It is the whole name that pytest tells, without the phase behind it."""
    monkeypatch.setenv("PYTEST_CURRENT_TEST", "tests/a.py::test_it[in the night] (call)")
    injector = Injector("cos:SlowDown", environ={"FAULTINJECT_JOURNAL": str(tmp_path / "journal")})
    ask(injector)
    assert only(injector).test == "tests/a.py::test_it[in the night]"


def test_changes_are_in_the_file_of_a_report_too(tmp_path, monkeypatch):
    """As all that a test run notes."""
    paths = [str(tmp_path / name) for name in ("journal", "report")]
    monkeypatch.setattr(writing, "report_files", paths[1:])
    writing.Journal(path=paths[0]).note_change(ControlChange(NOW, "bob", "switched faults off"), 3)
    lines = [json.loads(Path(each).read_text()) for each in paths]
    assert [(each["change"], each["by"]) for each in lines] == [("switched faults off", "bob")] * 2


def test_digests_and_operations_that_were_forgotten_come_out_the_same():
    """A server with very many clients remembers some."""
    injector = injector_for("cos:SlowDown,probability=0")
    for _ in range(2):
        for number in range(1_010):
            head = AWS.replace("EXAMPLE", str(number))
            ask(injector, headers={"authorization": head, "host": f"{number}.example"})
    found = [(each.principal, each.operation) for each in injector.journal.outcomes]
    assert found[:1_010] == found[1_010:]
    assert (len({*found}), {operation for _, operation in found}) == (1_010, {"GetObject"})


def test_followers_hear_each_line(monkeypatch, caplog):
    """A live table follows; one that fails is told of, and disturbs nobody."""
    injector = injector_for("cos:SlowDown")
    heard = []
    injector.journal.follow(heard.append)
    ask(injector, "PUT", body=b"x")
    assert [(each.did, each.final) for each in heard] == [("answered", None), ("answered", True)]
    assert heard[-1] == only(injector)
    injector.journal.follow(Mock(side_effect=LookupError))
    assert b"SlowDown" in ask(injector)
    assert [each.levelname for each in caplog.records if each.levelname == "ERROR"] == ["ERROR"]


def test_multipart_without_a_boundary():
    """A form that names no boundary is digested as it is."""
    injector = injector_for("cos:SlowDown")
    for kind in ("multipart/form-data", "text/plain; boundary=x", ""):
        ask(injector, "POST", body=b"--x--", CONTENT_TYPE=kind)
    assert len({each.request_digest for each in injector.journal.outcomes}) == 1
