"""Secrets that are planted in requests appear in no report, failure, exploration or preview."""

import asyncio
import json
import logging
import random
import string
from itertools import cycle
from urllib.parse import quote

import pytest
from werkzeug.test import Client, run_wsgi_app

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware, explore, inject
from faultinject.audit.judging import judge
from faultinject.audit.reports import FORMATS, render
from faultinject.exceptions import ExplorationFailedError
from faultinject.journal.reading import read
from faultinject.store import ObjectStore
from faultinject.store.stores import STORES
from faultinject.vendors import get, names
from tests.rows import each_row
from tests.slowly import slowly

console = pytest.importorskip("tests.console")

PLACES = [
    # Flags whose values nobody documents, and parameters that nobody knows.
    *(f"/b/k?{name}={{}}" for name in "session mirror fetch location prevsnapshot acl policy website modify x-token sig".split()),
    "/b/k?X-Amz-Signature={}&X-Amz-Security-Token={}", "/b/k?sig={}&sv=2026", "/b/k?OSSAccessKeyId=id&Signature={}",
    "/b/k?sign=q-signature%3D{}", "/b/k?q-signature={}", "/b/k?x-cos-security-token={}", "/b/k?upload_id={}",
    # Glued to a value that is shown.
    "/b/k?partNumber=1;X-Amz-Signature={}", "/b/k?uploadId=a;sig={}", "/b/k?prefix=a?X-Amz-Signature={}",
    "/b/k?uploadId=a%26X-Amz-Signature%3D{}", "/b/k?uploadId=a%3Fsig%3d{}", "/b/k?marker=a%2526sig%253D{}",
    "/b/k?versionId=a=b={}", "/b/k?response-content-disposition=a%3Bb%3D{}", "/b/k?prefix=https%3A%2F%2Fu:{}@h",
    # A name without a value.
    "/b/k?{}", "/b/k?acl&{}", "/b/k?{}=", "/b/k?{}==", "/b/k??{}",
    # In the path: a presigned URL that was encoded once too often.
    "/b/k%3FX-Amz-Signature={}", "/b/k%3Facl%26sig%3D{}",
    # Absolute form.
    "http://user:{}@storage.example/b/k", "https://{}@storage.example/b/k", "http://user:p@{}@storage.example/b/k",
]  # fmt: skip
HEADERS = [
    ("authorization", "Bearer {}"), ("authorization", "{}"), ("cookie", "session={}"), ("x-amz-security-token", "{}"),
    ("authorization", "AWS4-HMAC-SHA256 Credential=AK/1/2/s3/aws4_request, SignedHeaders=host, Signature={}"),
    ("authorization", "Basic {}"), ("x-auth-token", "{}"), ("proxy-authorization", "Basic {}"), ("host", "u:{}@storage.example"),
    ("x-ms-copy-source", "https://a.blob.core.windows.net/c/b?sig={}"), ("x-amz-copy-source", "/b/k?X-Amz-Signature={}"),
    ("x-amz-server-side-encryption-customer-key", "{}"), ("if-match", '"{}"'), ("idempotency-key", "{}"),
]  # fmt: skip
RULES = ["cos:SlowDown", "s3:SlowDown", "http:503", "latency,delay=0s", "oss:InternalError,probability=0"]


def planted():
    """More than three hundred requests, each with a secret of its own: a target and headers."""
    drawn = random.Random(11)
    for place in [*PLACES * 6, *HEADERS * 6]:
        secret = "".join(drawn.choices(string.ascii_letters + string.digits, k=24))
        if isinstance(place, str):
            yield secret, place.replace("{}", secret), []
        else:
            yield secret, "/b/k", [(place[0], place[1].replace("{}", secret))]


def split(target):
    """The path as a server decodes it, and the query."""
    path, _, query = target.partition("?")
    return path.replace("%3F", "?").replace("%26", "&").replace("%3D", "="), query


def ask_wsgi(injector, target, headers):
    def app(_environ, start_response):
        start_response("200 OK", [("Content-Length", "0")])
        return []

    path, query = split(target)
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": query, "RAW_URI": target}
    environ |= {"HTTP_HOST": "storage.example", "REMOTE_ADDR": "127.0.0.1", "REMOTE_PORT": "50123"}
    environ |= {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers}
    body, *head = run_wsgi_app(WSGIFaultMiddleware(app, injector=injector), environ)
    return b"".join(body).decode() + repr(head)


def ask_asgi(injector, target, headers):
    async def app(_scope, _receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body"})

    async def receive():
        return {"type": "http.request"}

    said = []

    async def send(message):
        said.append(message.get("body", b"").decode() + repr(message.get("headers")))

    path, query = split(target)
    headers = [*{"host": "storage.example", **dict(headers)}.items()]
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": target.partition("?")[0].encode(),
        "query_string": query.encode(), "http_version": "1.1", "client": ("127.0.0.1", 50123),
        "headers": [(name.encode(), value.encode()) for name, value in headers],
    }  # fmt: skip
    asyncio.run(ASGIFaultMiddleware(app, injector=injector)(scope, receive, send))
    return "".join(said)


@pytest.mark.parametrize("ask", [ask_wsgi, slowly(ask_asgi)])
def test_three_hundred_planted_secrets(ask, tmp_path, caplog):
    """None of them is in any output."""
    caplog.set_level(logging.DEBUG)
    journal = tmp_path / "journal.jsonl"
    outputs = {"bodies": "", "memory": ""}
    for rule, batch in zip(cycle(RULES), batches(60), strict=False):
        injector = Injector(rule, seed=1, record_all=True, environ={"FAULTINJECT_JOURNAL": str(journal)})
        for _, target, headers in batch:
            said = ask(injector, target, headers)
            # Such a path is a key, which the client is told that it asked for, as the vendors do.
            outputs["bodies"] += "" if "%3F" in target else said
        outputs["memory"] += repr([each.to_dict() for each in injector.journal.outcomes])
    found = judge(read([str(journal)]))
    outputs |= {"journal": journal.read_text(), "log": caplog.text}
    outputs |= {f"report {name}": render(found, name) for name in FORMATS}
    for path in FORMATS.values():
        result = console.command("report", str(journal), "-o", str(tmp_path / f"r{path}"), "--finished")
        outputs[f"report command {path}"] = result.output
    assert outputs["journal"].count("\n") >= 300
    assert leaks([secret for secret, *_ in planted()], outputs) == {}


@each_row("vendor", names())
def test_no_userinfo_in_the_resource(vendor):
    """The body names what was asked for without the name and the password of an absolute target."""
    code = next(row.label for row in get(vendor).errors if row.status)
    injector = Injector(f"{vendor}:{code}", seed=1, environ={})
    assert "S3CR3T" not in ask_wsgi(injector, "http://user:S3CR3T@storage.example/b/k", [])


def test_quoted_whole():
    """A presigned URL in a parameter that is shown."""
    url = quote("https://h/b/k?X-Amz-Signature=S3CR3T", safe="")
    injector = Injector("http:503", seed=1, environ={})
    ask_wsgi(injector, f"/b/k?prefix={url}", [])
    assert "S3CR3T" not in json.dumps([each.to_dict() for each in injector.journal.outcomes])


def batches(size=48):
    """The planted requests, some at a time."""
    found = list(planted())
    assert len(found) >= 300
    return [found[start : start + size] for start in range(0, len(found), size)]


def leaks(secrets, outputs):
    """The outputs that hold one of the secrets, with the first."""
    return {
        name: next(each for each in secrets if each in text)
        for name, text in outputs.items()
        if any(each in text for each in secrets)
    }


@pytest.mark.parametrize("ask", [ask_wsgi, slowly(ask_asgi)])
def test_failures_and_explorations(ask, caplog):
    """The messages of failed tests, the report of an exploration, its code, and `repr()`."""
    caplog.set_level(logging.DEBUG)
    off = Injector([], environ={})
    for batch in batches():
        outputs = {}
        with inject("http:503", "cos:SlowDown,path=nowhere,query.uploadId=7", seed=1) as faults:
            for _, target, headers in batch:
                ask(off, target, headers)
        for name, call in (
            ("fired", faults.assert_all_fired),
            ("retries", lambda faults=faults: faults.assert_retries(strict=True, require=["all"])),
        ):
            with pytest.raises(AssertionError) as caught:
                call()
            outputs[name] = str(caught.value)
        outputs["repr"] = repr([*faults.outcomes, *faults.calls, *faults.findings()])
        run = explore("http:503", "reset", max_runs=3)
        try:
            for each in run:
                with each:
                    for _, target, headers in batch[:3]:
                        said = ask(off, target, headers)
                        assert "x-faultinject" not in said, "unhappy"
        except ExplorationFailedError as error:
            outputs["failed"] = str(error)
        outputs |= {"explored": run.report(), "JSON": run.to_json(), "log": caplog.text}
        assert leaks([secret for secret, *_ in batch], outputs) == {}


@each_row("command", ["check", "check --json", "preview"])
def test_commands(command):
    """A presigned URL is pasted from somewhere, and what is printed goes to the log of a CI job."""
    for batch in batches(6)[::4]:
        for secret, target, _ in batch:
            if command != "preview":
                arguments = ["http:503", "--request", f"PUT {target}", "--seed", "1"]
                said = console.command(*command.split(), *arguments).output
                assert "identity" in said or "is not a method and a path" in said
            elif target.startswith("/"):  # else it is a path, whatever it looks like
                said = console.command("preview", "cos:SlowDown,path=nowhere", "--path", target).stderr
                assert said
            assert secret not in said, target


@each_row("vendor", STORES)
def test_the_last_error_of_a_store(vendor):
    """It quotes what the store has not, and `explore` prints it."""
    store = ObjectStore(vendor)
    store.fill("photos", objects=(), uploads=(), content=b"")
    there = {"azure-blob": "/account/photos/cat", "gcs": "/storage/v1/b/photos/o/cat"}.get(
        vendor, "/photos/cat"
    )
    for place in (*PLACES, "/b/k?comp={}"):
        store.refused = ""
        Client(store).get(place.replace("/b/k", there).replace("{}", "S3CR3Tof24lettersanddigit"))
        assert ("S3CR3T" in store.refused, store.refused != "") == (False, True), place
