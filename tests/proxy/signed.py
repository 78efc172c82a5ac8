"""Our own stores, taught to check signatures: each is worked out again by the vendor's own SDK, from what has arrived."""

from __future__ import annotations

import datetime
import hmac
import re
import warnings
from hashlib import sha256
from io import BytesIO
from operator import methodcaller
from types import SimpleNamespace
from unittest import mock
from urllib.parse import parse_qsl, unquote, urlsplit

from azure.storage.blob._shared.authentication import SharedKeyCredentialPolicy
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.compat import HTTPHeaders
from botocore.credentials import Credentials
from google.cloud.storage import _signing

from faultinject.store import ObjectStore

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import oss2
    from qcloud_cos import CosConfig, cos_auth

KEY = "AKIDEXAMPLE"
SECRET = "c2VjcmV0IG9mIHRoZSB0ZXN0cw=="
STREAMED = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
UNSIGNED = ("UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")


class Arrived:
    """A request as the store was sent it."""

    def __init__(self, environ, body):
        self.method = environ["REQUEST_METHOD"]
        self.target = environ["RAW_URI"]
        self.path, _, self.query = self.target.partition("?")
        self.host = environ["HTTP_HOST"]
        self.url = f"http://{self.host}{self.target}"
        self.body = body
        self.headers = {
            name.removeprefix("HTTP_").replace("_", "-").lower(): value
            for name, value in environ.items()
            if name.startswith("HTTP_") or (name in ("CONTENT_TYPE", "CONTENT_LENGTH") and value)
        }
        self.parameters = dict(parse_qsl(self.query, keep_blank_values=True))


class SignedStore:
    """A store that refuses what was signed for another target, with other headers, another body or another secret.

    Attributes:
        url: where it is.
        checked: of each request, whether its signature held.
    """

    def __init__(self, vendor, check):
        self._store = ObjectStore(vendor)
        self._check = check
        self.checked = []

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read()
        good = False
        try:
            good = self._check(Arrived(environ, body))
        finally:
            self.checked.append(good)
        if not good:
            text = b"<?xml version='1.0'?><Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message></Error>"
            start_response(
                "403 Forbidden",
                [
                    ("Content-Type", "application/xml"),
                    ("Content-Length", str(len(text))),
                    ("x-ms-error-code", "AuthenticationFailed"),
                ],
            )
            return [b"" if environ["REQUEST_METHOD"] == "HEAD" else text]
        environ["wsgi.input"] = BytesIO(body)
        return self._store(environ, start_response)


def sigv4(arrived):
    """AWS Signature Version 4: of headers, of a query, and of a body in signed chunks."""
    authorization = arrived.headers.get("authorization")
    if authorization is not None:
        algorithm, _, rest = authorization.partition(" ")
        given = dict(each.strip().split("=", 1) for each in rest.split(","))
        names, signature, scope = given["SignedHeaders"], given["Signature"], given["Credential"]
        time, payload = arrived.headers["x-amz-date"], arrived.headers["x-amz-content-sha256"]
        query = arrived.query
    else:
        given = arrived.parameters
        if "X-Amz-Signature" not in given:
            return False
        algorithm = given["X-Amz-Algorithm"]
        names, signature, scope = (
            given[f"X-Amz-{each}"] for each in ("SignedHeaders", "Signature", "Credential")
        )
        time, payload = given["X-Amz-Date"], "UNSIGNED-PAYLOAD"
        query = "&".join(each for each in arrived.query.split("&") if not each.startswith("X-Amz-Signature="))
    key, _, region, service, _ = scope.split("/")
    auth = Again(Credentials(key, SECRET), service, region)
    request = AWSRequest(arrived.method, f"http://{arrived.host}{arrived.path}?{query}".rstrip("?"))
    request.context["timestamp"] = time
    for name in names.split(";"):
        request.headers[name] = arrived.headers.get(name, "")
    auth.payload_was = payload
    expected = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    if (algorithm, key, signature) != ("AWS4-HMAC-SHA256", KEY, expected) or "host" not in names:
        return False
    if payload == STREAMED:
        return _chunks_hold(auth, request, arrived.body, signature)
    return payload in UNSIGNED or payload == sha256(arrived.body).hexdigest()


class Again(S3SigV4Auth):
    """Of the headers that the client names, and the payload that it says."""

    payload_was = None

    def headers_to_sign(self, request):
        found = HTTPHeaders()
        for name, value in request.headers.items():
            found[name.lower()] = value
        return found

    def canonical_request(self, request):
        lines = super().canonical_request(request).split("\n")
        return "\n".join((*lines[:-1], self.payload_was))


def chunk_signature(auth, request, before, content):
    """https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html"""
    text = "\n".join(
        (
            "AWS4-HMAC-SHA256-PAYLOAD",
            request.context["timestamp"],
            auth.credential_scope(request),
            before,
            sha256(b"").hexdigest(),
            sha256(content).hexdigest(),
        )
    )
    return auth.signature(text, request)


def _chunks_hold(auth, request, body, before):
    while True:
        head = re.match(rb"([0-9a-f]+);chunk-signature=([0-9a-f]{64})\r\n", body)
        if head is None:
            return False
        size = int(head[1], 16)
        content, body = body[head.end() : head.end() + size], body[head.end() + size + 2 :]
        before = chunk_signature(auth, request, before, content)
        if before != head[2].decode():
            return False
        if not size:
            return body == b""


def cos(arrived):
    """Tencent's, of all headers that its SDK signs."""
    text = arrived.headers.get("authorization", "")
    if not text:
        return False
    given = dict(each.split("=", 1) for each in text.split("&"))
    begin, end = map(int, given["q-sign-time"].split(";"))
    headers = {name: arrived.headers.get(name, "") for name in given["q-header-list"].split(";")}
    asked = {name.lower(): value for name, value in arrived.parameters.items()}
    names = filter(None, given["q-url-param-list"].split(";"))
    auth = cos_auth.CosS3Auth(
        CosConfig(Region="ap-guangzhou", SecretId=KEY, SecretKey=SECRET),
        unquote(arrived.path),
        {name: asked[name] for name in map(unquote, names)},
        expire=end - begin - 60,
    )
    request = SimpleNamespace(method=arrived.method, headers=headers, url=arrived.url)
    with mock.patch.object(cos_auth, "time", SimpleNamespace(time=lambda: begin + 60)):
        auth(request)
    return hmac.compare_digest(request.headers["Authorization"], text)


def oss(arrived):
    """Alibaba's first, for which a bucket is a part of what is signed."""
    asked = dict(arrived.parameters)
    if "Signature" in asked:
        text = f"OSS {asked.pop('OSSAccessKeyId')}:{asked.pop('Signature')}"
        headers = {**arrived.headers, "date": asked.pop("Expires")}
    else:
        text, headers = arrived.headers.get("authorization", ""), arrived.headers
    bucket, _, key = unquote(arrived.path)[1:].partition("/")
    auth = oss2.Auth(KEY, SECRET)
    request = SimpleNamespace(method=arrived.method, headers=headers, params=asked)
    sign = methodcaller(  # it shows no other way to sign what was sent
        "_ProviderAuth__make_signature", request, bucket, key, auth.credentials_provider.get_credentials()
    )
    signature = sign(auth)
    return hmac.compare_digest(f"OSS {KEY}:{signature}", text)


def shared_key(arrived):
    """Azure's, of the account `account`."""
    headers = dict(arrived.headers)
    text = headers.pop("authorization", "")
    request = SimpleNamespace(
        http_request=SimpleNamespace(
            method=arrived.method, url=arrived.url, headers=headers, query=arrived.parameters
        ),
        context=SimpleNamespace(transport=None),
    )
    policy = SharedKeyCredentialPolicy("account", SECRET)
    # Its client gives parameters as they stand in the URL.
    request.http_request.query = dict(parse_qsl(arrived.query.replace("%", "%25").replace("+", "%2B")))
    policy.on_request(request)
    return hmac.compare_digest(headers["Authorization"], text)


def bearer_or_signed_url(credentials):
    """Google's: a token as it was given, or a URL that the account has signed."""

    def check(arrived):
        if "X-Goog-Signature" not in arrived.parameters:
            return arrived.headers.get("authorization") == f"Bearer {SECRET}"
        asked = arrived.parameters
        again = _signing.generate_signed_url_v4(
            credentials,
            arrived.path,
            datetime.timedelta(seconds=int(asked["X-Goog-Expires"])),
            api_access_endpoint=f"http://{arrived.host}",
            method=arrived.method,
            headers={
                name: arrived.headers.get(name, "")
                for name in asked["X-Goog-SignedHeaders"].split(";")
                if name != "host"
            },
            _request_timestamp=asked["X-Goog-Date"],
        )
        return again.rpartition("=")[2] == asked["X-Goog-Signature"]

    return check


def host_of(url):
    """As a client sends it."""
    return urlsplit(url).netloc
