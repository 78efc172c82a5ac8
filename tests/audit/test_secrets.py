"""Secrets that are planted in requests appear in no output of any format."""

import asyncio
import json
import logging
import random
import string
from itertools import count
from urllib.parse import quote

import pytest

from faultinject import ASGIFaultMiddleware, Injector, WSGIFaultMiddleware
from faultinject.audit.judging import judge
from faultinject.audit.reports import FORMATS, render
from faultinject.journal.reading import read
from faultinject.vendors import get, names
from tests.rows import each_row

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
    for number in count():
        secret = "".join(drawn.choices(string.ascii_letters + string.digits, k=24))
        if number < 6 * len(PLACES):
            yield secret, PLACES[number % len(PLACES)].replace("{}", secret), []
        elif number < 6 * (len(PLACES) + len(HEADERS)):
            name, value = HEADERS[number % len(HEADERS)]
            yield secret, "/b/k", [(name, value.replace("{}", secret))]
        else:
            return


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
    said = []
    body = b"".join(
        WSGIFaultMiddleware(app, injector=injector)(environ, lambda *given: said.append(repr(given)))
    )
    return body.decode() + "".join(said)


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
    given = [(b"host", b"storage.example")] if not any(name == "host" for name, _ in headers) else []
    scope = {
        "type": "http", "method": "GET", "path": path, "raw_path": target.partition("?")[0].encode(),
        "query_string": query.encode(), "http_version": "1.1", "client": ("127.0.0.1", 50123),
        "headers": given + [(name.encode(), value.encode()) for name, value in headers],
    }  # fmt: skip
    asyncio.run(ASGIFaultMiddleware(app, injector=injector)(scope, receive, send))
    return "".join(said)


@pytest.mark.parametrize("ask", [ask_wsgi, pytest.param(ask_asgi, marks=pytest.mark.slow)])
def test_three_hundred_planted_secrets(ask, tmp_path, caplog):
    """None of them is in any output."""
    caplog.set_level(logging.DEBUG)
    journal = tmp_path / "journal.jsonl"
    outputs = {"bodies": ""}
    secrets = []
    for number, (secret, target, headers) in enumerate(planted()):
        if number % 60 == 0:
            rule = RULES[number // 60 % len(RULES)]
            injector = Injector(rule, seed=1, record_all=True, environ={"FAULTINJECT_JOURNAL": str(journal)})
        secrets.append(secret)
        said = ask(injector, target, headers)
        if (
            "%3F" not in target
        ):  # such a path is a key, which the client is told that it asked for, as the vendors do
            outputs["bodies"] += said
        outputs["memory"] = outputs.get("memory", "") + repr(
            [each.to_dict() for each in injector.journal.outcomes[-1:]]
        )
    assert len(secrets) >= 300
    outputs["journal"] = journal.read_text()
    outputs["log"] = caplog.text
    found = judge(read([str(journal)]))
    outputs |= {f"report {name}": render(found, name) for name in FORMATS}
    for path in FORMATS.values():
        result = console.command("report", str(journal), "-o", str(tmp_path / f"r{path}"), "--finished")
        outputs[f"report command {path}"] = result.output
    assert outputs["journal"].count("\n") >= 300
    assert {name: [each for each in secrets if each in text][:3] for name, text in outputs.items()} == {
        key: [] for key in outputs
    }


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
