"""Clients written in Rust, C++, C and Go read every row that they can reach, and what each of them hides is stated.

They are libraries for Python here; the programs have `test_rows_of_programs.py`.
"""

from __future__ import annotations

import html
import io
import json
import os
import re
import subprocess
import sys

import pytest

from .told import (
    BUCKET,
    DIALECT,
    ID_IN_HEADERS_ALONE,
    S3_LIKE,
    Told,
    id_header,
    in_xml,
    page_hides,
    raised,
    rows_of,
    s3_rows,
    sent,
    use_all,
    with_azures_id,
    wrong,
)

pytestmark = pytest.mark.slow

KEYS = {"access_key_id": "id", "secret_access_key": "key", "region": "us-east-1"}


# object_store


def by_object_store(error):
    """Its text has the status and the body as it came; the headers are nowhere."""
    found = re.search(r"non-2xx status code: (\d+) [^:]*: (.*?)\n\nDebug source", str(error), re.DOTALL)
    return in_xml(int(found[1]), found[2]) if found else Told()


def object_store(vendor, url):
    store = pytest.importorskip("obstore.store", reason="of the extra conformance-native")
    options = {"client_options": {"allow_http": True}, "retry_config": {"max_retries": 0}}
    if vendor == "azure-blob":
        account = {"account_name": "account", "account_key": "a2V5", "endpoint": f"{url}/account"}
        return store.AzureStore(BUCKET, **account, **options)
    if vendor == "gcs-xml":
        return store.GCSStore(BUCKET, base_url=url, bearer_token="token", **options)
    return store.S3Store(BUCKET, endpoint=url, virtual_hosted_style_request=False, **KEYS, **options)


@pytest.mark.parametrize("vendor", [*S3_LIKE, "azure-blob"])
def test_object_store(vendor, server):
    """Status, code, message and id of every row; the id that is among the headers alone is hidden."""
    obstore = pytest.importorskip("obstore", reason="of the extra conformance-native")
    store, rows = object_store(vendor, server.url), s3_rows(vendor)

    def hides(row):
        return (*page_hides(row), *(("request_id",) if vendor in ID_IN_HEADERS_ALONE else ()))

    for call in (lambda key: obstore.get(store, key), lambda key: obstore.put(store, key, b"x")):
        use_all(server, rows)
        told = {key: by_object_store(raised(call, key)) for key in rows}
        assert wrong(told, sent(server, rows), rows, hides) == []


# OpenDAL

RUST_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}
OPENDAL = {
    "azure-blob": ("azblob", "/account", {"account_name": "account", "account_key": "a2V5"}),
    "gcs": (
        "gcs",
        "",
        {"skip_signature": "true", "disable_vm_metadata": "true", "disable_config_load": "true"},
    ),
    "oss": ("oss", "", {"access_key_id": "id", "access_key_secret": "key", "addressing_style": "path"}),
    "swift-itself": ("swift", "/v1/AUTH_account", {"token": "token"}),
}
"""The services that can be told where to ask, beside S3's. That for TOS asks over TLS alone."""
OPENDAL_BY_HOST = {
    "cos": ({"secret_id": "id", "secret_key": "key"}, "http://cos.ap-guangzhou.myqcloud.com"),
    "obs": ({"access_key_id": "id", "secret_access_key": "key"}, "http://obs.cn-north-4.myhuaweicloud.com"),
}
"""Those that have the bucket in the host's name, which no resolver knows here: the server is their proxy."""
OPENDAL_BY_PROXY = """
import json, sys
import opendal

service, options, endpoint, *keys = sys.argv[1:]
operator = opendal.Operator(service, bucket="photos", endpoint=endpoint, **json.loads(options))
told = {}
for key in keys:
    try:
        operator.read(key) if key.startswith("get") else operator.write(key, b"x")
    except Exception as error:
        told[key] = str(error)
json.dump(told, sys.stdout)
"""


def from_rust(text):
    """What stands in a text between quotes, as Rust shows it to a programmer."""

    def plain(found):
        return chr(int(found[2], 16)) if found[2] else RUST_ESCAPES.get(found[1], found[1])

    return re.sub(r"\\(u\{([0-9a-f]+)\}|.)", plain, text)


def by_opendal(error, header):
    """Its text has the status, all headers, and the error's fields; a body that it does not know, as it came."""
    found = re.search(r"Parts \{ status: (\d+)", str(error))
    request_id = re.search(rf'"(?:{header}|x-amz-request-id)": "([^"]*)"', str(error))
    if not found or not request_id:
        return Told()
    body = re.search(r" => (.*?)\n\nContext:", str(error), re.DOTALL)
    told = Told(int(found[1]), None, body and body[1], request_id[1])
    if body is None or not re.match(r"\w+ \{ ", body[1]):
        return told
    said = {name: from_rust(text) for name, text in re.findall(r'\b(\w+): "((?:[^"\\]|\\.)*)"', body[1])}
    assert said.get("request_id", "") in ("", told.request_id)
    code = said.get("reason", said.get("code"))
    return with_azures_id(told._replace(code=code, message=said["message"]))


def opendal_operator(vendor, url):
    opendal = pytest.importorskip("opendal", reason="of the extra conformance-native")
    if vendor in OPENDAL:
        service, path, options = OPENDAL[vendor]
        container = "bucket" if path == "" else "container"
        return opendal.Operator(service, endpoint=f"{url}{path}", **{container: BUCKET}, **options)
    off = {"disable_config_load": "true", "disable_ec2_metadata": "true"}
    return opendal.Operator("s3", bucket=BUCKET, endpoint=url, **KEYS, **off)


@pytest.mark.parametrize("vendor", [*S3_LIKE, "azure-blob"])
def test_opendal(vendor, server):
    """Status, code, message and id of every row, OSS by its service for OSS; a page of Google's has no code."""
    operator, rows = opendal_operator(vendor, server.url), s3_rows(vendor)
    for call in (operator.read, lambda key: operator.write(key, b"x")):
        use_all(server, rows)
        told = {
            key: by_opendal(raised(call, key), id_header(vendor)).without(*page_hides(row))
            for key, row in rows.items()
        }
        assert wrong(told, sent(server, rows), rows, page_hides) == []


GCS_NAMES_THE_OBJECT = ("notFound", "rateLimitExceeded")
"""Whose message has the object in it in a download, or in an upload, and is the table's in all else."""


@pytest.mark.parametrize("call", ["read", "write"])
def test_opendal_gcs(call, server):
    """JSON at uploads, with every word; downloads are answered with a text, which has no code."""
    operator, rows = opendal_operator("gcs", server.url), rows_of("gcs")
    use_all(server, rows, lambda key: {"query.name": key} if call == "write" else {"path": f"**/{key}"})
    told = {}
    for key, row in rows.items():
        error = raised(operator.read, key) if call == "read" else raised(operator.write, key, b"x")
        found = by_opendal(error, id_header("gcs")).without(*page_hides(row))
        text = found.message and (html.unescape(found.message) if call == "read" else found.message)
        if row.code in GCS_NAMES_THE_OBJECT and f"{BUCKET}/{key}" in text:
            text = row.message
        told[key] = found._replace(message=text)

    def hides(row):
        return (*(("code",) if call == "read" else ()), *page_hides(row))

    assert wrong(told, sent(server, rows), rows, hides) == []


def test_opendal_swift(server):
    """Swift's own rows, whose code is the status; it takes the text out of the page."""
    operator = opendal_operator("swift-itself", server.url)
    rows = {key: row for key, row in rows_of("swift").items() if row.form != DIALECT["swift"]}
    for call in (operator.read, lambda key: operator.write(key, b"x")):
        use_all(server, rows)
        told = {key: by_opendal(raised(call, key), id_header("swift")) for key in rows}
        assert wrong(told, sent(server, rows), rows, lambda row: ("code",)) == []


@pytest.mark.parametrize("vendor", OPENDAL_BY_HOST)
def test_opendal_by_host(vendor, server):
    """Its services for COS and OBS, in a process of their own, as it looks for a proxy once."""
    pytest.importorskip("opendal", reason="of the extra conformance-native")
    options, endpoint = OPENDAL_BY_HOST[vendor]
    rows = {f"{call}-{key}": row for key, row in rows_of(vendor).items() for call in ("get", "put")}
    use_all(server, rows)
    done = subprocess.run(
        [sys.executable, "-c", OPENDAL_BY_PROXY, vendor, json.dumps(options), endpoint, *rows],
        env={**os.environ, "http_proxy": server.url},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    errors = json.loads(done.stdout)
    told = {key: by_opendal(errors[key], id_header(vendor)) for key in rows}
    assert wrong(told, sent(server, rows), rows) == []


# pyarrow, which is AWS's SDK for C++


def by_aws_cpp(error):
    """What it does not know is told with status and code, what it knows by a name or a number of its own.

    The message comes as XML writes it, without the blanks at its ends.
    """
    found = re.search(
        r"AWS Error (?:UNKNOWN \(HTTP status (\d+)\)|([A-Z_]+)|\[code \d+\]) during PutObject operation: "
        r"(?:Unable to parse ExceptionName: (.*?) Message: )?(.*?)(?: \(Request ID: (\S+)\))?$",
        str(error),
        re.DOTALL,
    )
    if not found:
        return Told()
    status, own, code, message, request_id = found.groups()
    return Told(status and int(status), code or own, html.unescape(message).strip(), request_id)


def named_by_aws_cpp(code):
    """How it spells a code that it knows."""
    if code == "InternalError":
        return "INTERNAL_FAILURE"
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", code.removesuffix("Error")).upper()


def pyarrow_files(url):
    fs = pytest.importorskip("pyarrow.fs", reason="of the extra conformance-native")
    return fs.S3FileSystem(
        access_key="id",
        secret_key="key",
        region="us-east-1",
        scheme="http",
        endpoint_override=url.removeprefix("http://"),
        allow_delayed_open=True,
        retry_strategy=fs.AwsStandardS3RetryStrategy(max_attempts=1),
    )


@pytest.mark.parametrize("vendor", S3_LIKE)
def test_pyarrow_writes(vendor, server):
    """Message and id of every row, and either status and code or a name of its own. No id from headers alone."""
    files, rows = pyarrow_files(server.url), s3_rows(vendor)

    def put(key):
        with files.open_output_stream(f"{BUCKET}/{key}") as file:
            file.write(b"x")

    use_all(server, rows)
    told = {key: by_aws_cpp(raised(put, key)).without(*page_hides(row)) for key, row in rows.items()}
    was = sent(server, rows)
    for key, row in rows.items():
        was[key] = was[key]._replace(message=row.message.strip())
        if told[key].status is None:
            own = told[key].code
            was[key] = was[key]._replace(status=None, code=own and named_by_aws_cpp(row.code))
        if vendor in ID_IN_HEADERS_ALONE:
            was[key] = was[key].without("request_id")
    assert wrong(told, was, rows, page_hides) == []
    known = {row.code for key, row in rows.items() if told[key].status is None}
    assert {"AccessDenied", "NoSuchKey"} & {row.code for row in rows.values()} <= known


@pytest.mark.parametrize("vendor", S3_LIKE)
def test_pyarrow_reads(vendor, server):
    """It asks for the head, of which it tells the status alone: 404 is a file that is not there, 401 and 403 a name."""
    files, rows = pyarrow_files(server.url), s3_rows(vendor)
    use_all(server, rows)
    errors = {key: raised(files.open_input_stream, f"{BUCKET}/{key}") for key in rows}
    told = {}
    for key, error in errors.items():
        found = re.search(
            r"AWS Error (?:UNKNOWN \(HTTP status (\d+)\)|ACCESS_DENIED) during HeadObject", str(error)
        )
        status = int(found[1] or 403) if found else 404 if isinstance(error, FileNotFoundError) else None
        told[key] = Told(status)
    was = {
        key: each._replace(status=403) if each.status == 401 else each
        for key, each in sent(server, rows).items()
    }
    assert wrong(told, was, rows, lambda row: ("code", "message", "request_id")) == []


def test_pyarrow_hides_errors_that_are_longer_than_the_object(server):
    """It reads into as many bytes as the head has told it of, here 4, and an error does not fit into them."""
    files, rows = pyarrow_files(server.url), rows_of("s3")
    use_all(server, rows, method="GET")

    def get(key):
        with files.open_input_stream(f"{BUCKET}/{key}") as file:
            file.read()

    said = {str(raised(get, key)) for key in rows}
    sent(server, rows)
    assert len(said) == 1
    assert "Failed to flush response stream" in said.pop()


# AWS's Common Runtime, in C

CRT_TRIES_AGAIN = {
    "AWS_ERROR_S3_INTERNAL_ERROR",
    "AWS_ERROR_S3_REQUEST_TIMEOUT",
    "AWS_ERROR_S3_REQUEST_TIME_TOO_SKEWED",
    "AWS_ERROR_S3_SLOW_DOWN",
}
"""What it tells, and nothing else, of the rows that it would send again after."""
CRT_CODES = ("internalerror", "requesttimetooskewed", "requesttimeout", "slowdown")
"""In small letters, as it does not look at them."""
CRT_STATUSES = (500, 502, 503, 504)


@pytest.fixture(scope="module")
def runtime():
    """Its S3 client without retries: a method, a port and a key are asked for."""
    s3 = pytest.importorskip("awscrt.s3", reason="of the extra conformance-native")
    auth, http, runtime_io = (pytest.importorskip(f"awscrt.{name}") for name in ("auth", "http", "io"))
    client = s3.S3Client(
        bootstrap=runtime_io.ClientBootstrap.get_or_create_static_default(),
        region="us-east-1",
        tls_mode=s3.S3RequestTlsMode.DISABLED,
        credential_provider=auth.AwsCredentialsProvider.new_static("id", "key"),
        retry_config=s3.S3RetryConfig(retry_mode=s3.S3RetryMode.NONE),
    )
    kinds = {"GET": s3.S3RequestType.GET_OBJECT, "PUT": s3.S3RequestType.PUT_OBJECT}

    def ask(method, port, key):
        body = b"x" if method == "PUT" else b""
        headers = http.HttpHeaders([("Host", f"127.0.0.1:{port}"), ("Content-Length", str(len(body)))])
        request = http.HttpRequest(method, f"/{BUCKET}/{key}", headers, io.BytesIO(body))
        client.make_request(type=kinds[method], request=request).finished_future.result(30)

    return ask


@pytest.mark.parametrize("method", ["GET", "PUT"])
@pytest.mark.parametrize("vendor", S3_LIKE)
def test_awscrt(vendor, method, server, runtime):
    """Its exception has status, headers and body, but of what it would send again a name of its own alone."""
    rows = s3_rows(vendor)
    use_all(server, rows)
    told, names = {}, {}
    for key in rows:
        error = raised(runtime, method, server.port, key)
        if not hasattr(error, "headers"):
            names[key], told[key] = error.name, Told()
            continue
        headers = {name.lower(): value for name, value in error.headers}
        request_id = headers.get(id_header(vendor), headers.get("x-amz-request-id"))
        found = in_xml(error.status_code, error.body.decode())
        assert found.request_id in (None, request_id)
        told[key] = found._replace(request_id=request_id)

    def again(row):
        return row.status in CRT_STATUSES or row.code.lower() in CRT_CODES

    assert set(names.values()) <= CRT_TRIES_AGAIN
    assert {row.label for key, row in rows.items() if key in names} == {
        row.label for row in rows.values() if again(row)
    }

    def hides(row):
        return Told._fields if again(row) else page_hides(row)

    assert wrong(told, sent(server, rows), rows, hides) == []
