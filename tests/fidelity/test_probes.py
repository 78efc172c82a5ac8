"""Whole runs: what is found, what is left behind, and services that are wrong in every way."""

from __future__ import annotations

import json
import re
import threading
import time
from types import SimpleNamespace

import pytest
from werkzeug.test import Client

from faultinject import install, vendors
from faultinject.exceptions import ConfigurationError, UnknownVendor
from faultinject.fidelity import gcs, probes, results, s3
from faultinject.fidelity.exchange import endpoint_of
from faultinject.store import ObjectStore

pytestmark = pytest.mark.live

NAME = "faultinject-0123456789abcdef"


def asked(url, vendor="s3", *, environ=None, timeout=10.0, deadline=120.0):
    return results.run(
        endpoint_of(url), vendor, environ=environ or {}, name=NAME, timeout=timeout, deadline=deadline
    )


def by_name(found):
    return {each.probe.name: each for each in found.findings}


@pytest.mark.parametrize("vendor", ["s3", "azure-blob", "gcs"])
def test_nothing_is_left_and_nothing_else_is_touched(serve, vendor):
    """Each request names the bucket of the run, and after it the store has none."""
    store = ObjectStore(vendor)
    touched = []

    def watched(environ, start_response):
        touched.append(environ["RAW_URI"] if "RAW_URI" in environ else environ["PATH_INFO"])
        return store(environ, start_response)

    path = "/devstoreaccount1" if vendor == "azure-blob" else ""
    found = asked(f"{serve(watched)}{path}", vendor)
    assert (found.stopped, [*found.left_behind]) == (None, [])
    assert all(NAME in each or each.startswith("/storage/v1/b?") for each in touched)
    client = Client(store)
    headers = {"x-ms-version": "2023-11-03"}
    gone = {
        "s3": f"/{NAME}?list-type=2",
        "azure-blob": f"/devstoreaccount1/{NAME}?restype=container",
        "gcs": f"/storage/v1/b/{NAME}",
    }
    assert client.get(gone[vendor], headers=headers).status_code == 404


@pytest.mark.parametrize("vendor", results.FAMILIES)
def test_every_probe_is_for_documented_errors(vendor):
    """Of the labels of a probe at least one family member has each; no name is there twice."""
    _, probes = results.family(vendor)
    assert len({each.name for each in probes}) == len(probes)
    family = [each for each in results.FAMILIES if results.FAMILIES[each][1] is probes]
    known = {row.label for each in family for row in vendors.get(each).errors}
    assert [
        label for each in probes for label in each.labels if label not in known and len(family) == 1
    ] == []
    assert [each.name for each in probes if each.labels and not known & {*each.labels}] == []


def test_a_right_answer_and_a_wrong_one(own, serve):
    """The rows agree that the store answers as documented; a service with other bytes differs in each respect."""
    right = by_name(asked(own("s3")))
    assert right["NoSuchKey: GET"].verdict == "agrees"
    assert right["NoSuchKey: GET"].to_dict() == {
        "probe": "NoSuchKey: GET",
        "request": "GET of a key that is not there",
        "verdict": "agrees",
        "documented": "s3:NoSuchKey",
        "status": 404,
        "code": "NoSuchKey",
        "message": "The specified key does not exist.",
        "differences": [],
        "reason": None,
    }
    assert right["NotModified: If-None-Match"].verdict == "agrees"
    assert right["NoSuchBucketPolicy"].verdict == "agrees"
    store = ObjectStore("s3")

    def wrong(environ, start_response):
        if environ["PATH_INFO"].endswith("/none"):
            body = {"GET": b'{"code": "Gone"}', "HEAD": b"", "PUT": b"<!DOCTYPE a><a/>"}[
                environ["REQUEST_METHOD"]
            ]
            start_response(
                "410 Gone", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
            )
            return [body]
        return store(environ, start_response)

    found = by_name(asked(serve(wrong)))
    assert [(each.aspect, each.documented, each.seen) for each in found["NoSuchKey: GET"].differences] == [
        ("status", "404", "410"),
        ("content type", "application/xml", "application/json"),
        ("code", "NoSuchKey", "missing"),
        ("envelope", "Error", "missing"),
        ("header", "x-amz-request-id", "missing"),
        ("header", "x-amz-id-2", "missing"),
    ]
    assert found["NoSuchKey: GET"].code == "Gone"
    assert [each.aspect for each in found["NoSuchKey: HEAD"].differences] == ["status", "header", "header"]


@pytest.mark.slow
def test_bodies_of_every_kind(serve):
    """A document type, half a document, nothing, a list, a body where none belongs."""
    store = ObjectStore("s3")
    bodies = {}

    def app(environ, start_response):
        for end, (status, body) in bodies.items():
            if end in environ["RAW_URI"] and environ["REQUEST_METHOD"] in ("GET", "POST"):
                start_response(f"{status} X", [("Content-Length", str(len(body)))])
                return [body]
        return store(environ, start_response)

    bodies.update(
        {
            "/none": ("404", b"<!DOCTYPE a><Error><Code>NoSuchKey</Code></Error>"),
            "policy=": ("404", b"<Error><Code>NoSuch"),
            "cors=": ("404", b""),
            "website=": ("404", b"[1]"),
            "partNumber=99": ("416", b"<Error>" + b"<a>" * 60 + b"</a>" * 60 + b"</Error>"),
            "versionId": ("400", b"<Error><Code>" + b"x" * 500 + b"\x1b</Code></Error>"),
            "tagging=": ("404", b"<Error><Code>\xff</Code></Error>"),
            "lifecycle=": ("404", b'{"error": {"errors": [], "message": 7}}'),
        }
    )
    found = by_name(asked(serve(app)))
    seen = {name: {(each.aspect, each.seen) for each in found[name].differences} for name in found}
    assert ("envelope", "not readable") in seen["NoSuchKey: GET"]
    assert ("envelope", "not readable") in seen["NoSuchBucketPolicy"]
    assert ("envelope", "no body") in seen["NoSuchCORSConfiguration"]
    assert ("envelope", "not readable") in seen["NoSuchWebsiteConfiguration"]
    assert ("content type", "missing") in seen["NoSuchWebsiteConfiguration"]
    assert ("code", "missing") in seen["InvalidPartNumber"]
    assert all(len(text) <= 120 for _, text in seen["InvalidArgument: version"])
    assert found["NoSuchLifecycleConfiguration"].code is None


def test_a_body_where_none_belongs(raw):
    """An answer of 304 has none; what the documents leave out, a service may not add."""
    from faultinject.fidelity.comparison import compare
    from faultinject.fidelity.exchange import Answer, Exchange

    [probe] = [each for each in s3.PROBES if each.status == 304]
    sent = Exchange("GET", "/a/b", [("Host", "a")], 0, Answer(304, [], b"body"))
    assert compare(probe, [], sent)[1][0].seen == "4 bytes"


def test_a_row_is_compared_with_the_request_that_provoked_it():
    """What a document fills in from the request is expected of the service: here Azure's echo of a request id."""
    from faultinject.fidelity.comparison import documented
    from faultinject.fidelity.exchange import Answer, Exchange

    headers = [("Host", "a"), ("x-ms-client-request-id", "17"), ("Content-Length", "0")]
    sent = Exchange("PUT", "/box/a", headers, 0, Answer(200, [], b""))
    answer = documented(vendors.find("azure-blob:ConditionNotMet/2"), sent)
    assert (answer.status, answer.code) == (412, "ConditionNotMet")
    assert ("x-ms-client-request-id", "17") in answer.headers


def test_a_service_that_refuses_the_bucket(serve):
    """Nothing is asked and nothing is removed; the reason has the status."""

    def app(environ, start_response):
        start_response("403 Forbidden", [("Content-Length", "0")])
        return []

    for vendor, what in (("s3", "bucket"), ("azure-blob", "container"), ("gcs", "bucket")):
        found = asked(serve(app), vendor)
        assert (found.stopped, found.exit_code) == (f"making a {what} was answered with 403", 3)
        assert (found.findings, found.left_behind) == ([], [])


@pytest.mark.slow
@pytest.mark.parametrize("vendor", ["s3", "azure-blob", "gcs"])
def test_a_service_that_accepts_everything(serve, vendor):
    """Every judged answer differs, but for those that the documents allow; the rest says what its preparation lacked."""

    def app(environ, start_response):
        start_response("200 OK", [("Content-Length", "2")])
        return [b"{}"]

    found = asked(serve(app), vendor)
    agreed = [each.probe.name for each in found.findings if each.verdict == "agrees"]
    assert agreed == (["BucketAlreadyOwnedByYou"] if vendor == "s3" else [])
    reasons = {each.reason for each in found.findings if each.verdict == "not judged"}
    assert reasons <= {"beginning an upload was answered without an UploadId"}
    assert found.aspects()["code"] == {"agree": 0, "of": 0}
    assert found.left_behind == []


@pytest.mark.slow
@pytest.mark.parametrize("vendor", ["s3", "azure-blob", "gcs"])
def test_what_cannot_be_removed_is_said(serve, vendor):
    """By name, so that somebody can."""
    store = ObjectStore(vendor)

    def app(environ, start_response):
        if environ["REQUEST_METHOD"] == "DELETE":
            start_response("500 Broken", [("Content-Length", "0")])
            return []
        return store(environ, start_response)

    path = "/devstoreaccount1" if vendor == "azure-blob" else ""
    found = asked(f"{serve(app)}{path}", vendor)
    what = "container" if vendor == "azure-blob" else "bucket"
    assert f"{what} {NAME}" in found.left_behind


@pytest.mark.parametrize("vendor", ["s3", "azure-blob", "gcs"])
def test_a_service_that_falls_silent(raw, vendor, monkeypatch):
    """After three silences nothing more is asked, and what was made is said to be there."""
    answered = []

    def talk(connection):
        connection.recv(1 << 20)
        answered.append(1)
        if len(answered) <= 2:
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    found = asked(raw(talk), vendor)
    reasons = [each.reason for each in found.findings]
    assert reasons[:3] == ["no answer: RemoteDisconnected"] * 3
    assert set(reasons[3:]) == {results.SILENT}
    assert (found.exit_code, len(found.left_behind)) == (3, 1)


@pytest.mark.parametrize("vendor", ["s3", "azure-blob", "gcs"])
def test_a_bucket_whose_answer_is_lost_may_be_there(raw, vendor):
    """The service got the request and said nothing: the bucket is named; where nobody listens there is none."""
    found = asked(raw(lambda connection: connection.recv(1 << 20)), vendor)
    assert (found.stopped, len(found.left_behind)) == ("no answer: RemoteDisconnected", 1)
    assert asked("http://127.0.0.1:9", vendor).left_behind == []


def test_an_upload_whose_beginning_nobody_waited_for_is_aborted(serve, monkeypatch):
    """Its id was never told, and a bucket with an open upload cannot be removed."""
    store = ObjectStore("s3")
    over = threading.Event()

    def slow(environ, start_response):
        answer = [*store(environ, start_response)]
        if (environ["REQUEST_METHOD"], environ["QUERY_STRING"]) == ("POST", "uploads="):
            over.wait(30)
        return answer

    real = s3.send

    def send(endpoint, method, target, *more, timeout):
        short = method == "POST" and target.endswith("?uploads=")
        return real(endpoint, method, target, *more, timeout=0.5 if short else timeout)

    monkeypatch.setattr(s3, "send", send)
    found = asked(serve(slow))
    over.set()
    assert by_name(found)["InvalidPart"].reason == "no answer within 0.5 s"
    assert found.left_behind == []
    assert Client(store).get(f"/{NAME}?list-type=2").status_code == 404


def test_the_time_of_all_is_bounded(serve, monkeypatch):
    """What there was no time for is not judged, and the bucket is removed all the same."""
    store, asked_for = ObjectStore("s3"), []

    def app(environ, start_response):
        asked_for.append(environ["RAW_URI"])
        return store(environ, start_response)

    clock = SimpleNamespace(monotonic=lambda: 1000.0 * (len(asked_for) >= 9), sleep=lambda _: None)
    for each in (probes, results):
        monkeypatch.setattr(each, "time", clock)
    found = asked(serve(app))
    late = [each.reason == "the time of the whole run is over" for each in found.findings]
    assert late == sorted(late)
    assert {*late} == {False, True}
    assert found.left_behind == []


def test_an_object_without_a_generation(serve):
    """A service of Google's kind that tells none is asked for the first."""
    store = ObjectStore("gcs")
    asked_for = []

    def app(environ, start_response):
        asked_for.append(environ["RAW_URI"])
        if environ["REQUEST_METHOD"] == "GET" and environ["RAW_URI"].endswith("/o/cat"):
            start_response("200 OK", [("Content-Length", "4")])
            return [b"meow"]
        return store(environ, start_response)

    assert asked(serve(app), "gcs").stopped is None
    assert [each for each in asked_for if each.endswith("ifGenerationNotMatch=1")]


@pytest.mark.slow
@pytest.mark.parametrize(("vendor", "times", "left"), [("s3", 2, 0), ("gcs", 3, 0), ("s3", 9, 1)])
def test_a_bucket_that_fills_while_it_is_emptied(serve, monkeypatch, vendor, times, left):
    """A request that was cut off may be carried out late: the bucket is emptied and deleted again, a few times."""
    monkeypatch.setattr("faultinject.fidelity.probes.PAUSES", (0.0, 0.01, 0.02))
    store = ObjectStore(vendor)
    asked_for = []

    def app(environ, start_response):
        bucket = environ["PATH_INFO"].endswith(NAME)
        if environ["REQUEST_METHOD"] == "DELETE" and bucket and len(asked_for) < times:
            asked_for.append(environ["PATH_INFO"])
            start_response("409 Conflict", [("Content-Length", "0")])
            return []
        return store(environ, start_response)

    assert len(asked(serve(app), vendor).left_behind) == left
    assert len(asked_for) == min(times, 4)  # one of them is a probe's


def test_no_secret_is_repeated(serve):
    """A service that says the key in its errors does not get it into the results."""
    store = ObjectStore("s3")

    def app(environ, start_response):
        if environ["PATH_INFO"].endswith("/none"):
            body = b"<Error><Code>hunter2-key</Code><Message>hunter2-key</Message></Error>"
            start_response("404 X", [("Content-Length", str(len(body)))])
            return [body]
        return store(environ, start_response)

    environ = {
        "AWS_ACCESS_KEY_ID": "me",
        "AWS_SECRET_ACCESS_KEY": "hunter2-key",
        "AWS_SESSION_TOKEN": "token-17",
    }
    found = asked(serve(app), environ=environ)
    assert by_name(found)["NoSuchKey: GET"].verdict == "differs"
    assert "hunter2" not in json.dumps(results.document(found, service="x", day="2026-11-22", version="1"))


@pytest.mark.slow
def test_regions_and_tokens(serve):
    """In another region a bucket is made with its name, and a second one is an error; gcs sends a token."""
    store, seen = ObjectStore("gcs"), []

    def app(environ, start_response):
        seen.append(environ.get("HTTP_AUTHORIZATION"))
        return store(environ, start_response)

    asked(serve(app), "gcs", environ={gcs.TOKEN: "hunter2"})
    assert set(seen) == {"Bearer hunter2"}
    found = by_name(asked(serve(ObjectStore("s3")), environ={"AWS_REGION": "eu-west-1"}))
    assert found["BucketAlreadyOwnedByYou"].status == 409


def test_a_token_is_not_sent_in_clear():
    """Nor is a malformed key used."""
    with pytest.raises(ConfigurationError, match="unencrypted"):
        asked("http://storage.example", "gcs", environ={gcs.TOKEN: "hunter2"})
    with pytest.raises(ConfigurationError, match="AZURE_STORAGE_KEY is not in Base64"):
        asked("http://127.0.0.1:9", "azure-blob", environ={"AZURE_STORAGE_KEY": "é"})


def test_vendors():
    """One that there is none of, and one that no probes are for."""
    with pytest.raises(UnknownVendor):
        results.family("nobody")
    with pytest.raises(ConfigurationError, match="there are no probes for jss, only for s3, "):
        results.family("jss")


def test_a_service_of_documented_answers_agrees(own, serve):
    """Rules in front of the store give the documented bytes: what the store itself does not check agrees then."""
    store = ObjectStore("s3")
    app = install(
        store, ["s3:SignatureDoesNotMatch,method=GET,path=*/cat,header.authorization=*"], enabled=True
    )
    found = by_name(asked(serve(app)))
    assert found["SignatureDoesNotMatch"].verdict == "agrees"
    assert time.strftime("%Y") not in (found["SignatureDoesNotMatch"].code or "")
    assert re.match("s3:", found["SignatureDoesNotMatch"].documented)
