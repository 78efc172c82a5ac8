"""Each vendor's own SDK meets an error in a 200: some see it, some do not."""

import io
import json
import time
from types import SimpleNamespace

import pytest

from faultinject import vendors
from faultinject.store import ObjectStore

from .conftest import running
from .path_style import ClientError, client_of
from .processes import in_node, pinned
from .sdk_clients import BceHttpClientError, CopySource, CosServiceError, bos, cos, minio, obs, oss2
from .told import XML_VENDORS, raised

PARTS = [{"ETag": '"e"', "PartNumber": 1}]
CALLS = {
    "CopyObject": lambda client: client.copy_object(
        Bucket="photos", Key="k", CopySource={"Bucket": "photos", "Key": "plain"}
    ),
    "UploadPartCopy": lambda client: client.upload_part_copy(
        Bucket="photos", Key="k", CopySource="photos/plain", UploadId="u", PartNumber=1
    ),
    "CompleteMultipartUpload": lambda client: client.complete_multipart_upload(
        Bucket="photos", Key="k", UploadId="u", MultipartUpload={"Parts": PARTS}
    ),
}
REQUESTS = {
    "CopyObject": ("PUT", "/photos/k"),
    "UploadPartCopy": ("PUT", "/photos/k?partNumber=1&uploadId=u"),
    "CompleteMultipartUpload": ("POST", "/photos/k?uploadId=u"),
    "FetchObject": ("POST", "/photos/k?fetch"),
}
HIDDEN = [(vendor, name) for vendor in vendors.names() for name in vendors.get(vendor).errors_in_200]
"""Vendors and operations with documented errors in a 200, each played to the vendor's SDK."""
BOTO3 = {("s3", name) for name in CALLS} | {("jdcloud", "CopyObject"), ("jdcloud", "CompleteMultipartUpload")}
"""JD's own documentation of this service hands out AWS's SDKs."""


def error_of(vendor):
    """The vendor's error that is the server's own, whose envelope is the usual one."""
    return next(each for each in vendors.get(vendor).errors if each.status == 500 and not each.form)


@pytest.fixture
def boto(server, monkeypatch):
    """boto3 with two attempts in each call and no wait between them."""
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=lambda _: None, time=time.time))
    with client_of(server.url, retries={"total_max_attempts": 2, "mode": "standard"}) as client:
        yield client


LATE = {"delay": "20ms"}


@pytest.mark.parametrize(
    ("vendor", "delay"),
    [
        *((vendor, {}) for vendor in XML_VENDORS),
        # Two XML declarations that differ; those of the others differ less.
        *(
            pytest.param(each, LATE, marks=() if each in ("s3", "cos") else pytest.mark.slow)
            for each in XML_VENDORS
        ),
    ],
)
def test_boto3_takes_it_for_an_error_and_tries_again(server, boto, vendor, delay):
    """boto3 makes a 500 of any vendor's envelope, and retries the first such answer."""
    row = error_of(vendor)
    for operation, call in CALLS.items():
        server.use(row.address, status=200, operation=operation, **delay)
        said = raised(ClientError, call, boto).response["Error"]
        assert (said["Code"], said.get("Message") or "") == (row.code, row.message)
        assert [(each.operation, each.status, each.did) for each in server.outcomes] == [
            (operation, 200, "answered")
        ] * 2


@pytest.mark.parametrize(("vendor", "operation"), HIDDEN)
def test_the_length_is_said_as_the_service_says_it(server, vendor, operation):
    """By a Content-Length, or not at all; the bytes are the same, whatever other requests get."""
    found = vendors.get(vendor)
    method, path = REQUESTS[operation]
    headers = {f"{found.prefix}copy-source": "/photos/plain"} if "Copy" in operation else {}
    server.use(error_of(vendor).address, status=200)
    told = server.raw(method, path, headers)
    assert server.last.operation == operation
    length = str(len(told.body)) if found.errors_in_200[operation].framing == "whole" else None
    chunks = "chunked" if length is None else None
    assert (told.headers.get("content-length"), told.headers.get("transfer-encoding")) == (length, chunks)
    assert error_of(vendor).code in told.body.decode()
    other = server.raw("PUT", "/photos/k")
    assert other.headers["content-length"] == str(len(other.body)) == str(len(told.body))


@pytest.mark.slow
@pytest.mark.parametrize("vendor", ["s3", "oss", "minio"])
def test_what_goes_over_the_wire(server, vendor):
    """At once the envelope goes out alone; late its declaration, blanks, and the rest.

    A line's end follows the declaration. There is no length.
    """
    row = error_of(vendor)
    server.use(row.address, status=200)
    at_once = server.raw("POST", "/photos/k?uploadId=u")
    # One each fifth of a second, and fewer on a busy machine, or on one that stands still for a while.
    server.use(row.address, status=200, delay="3s")
    late = server.raw("POST", "/photos/k?uploadId=u")
    assert "content-length" not in late.headers
    declaration, end, rest = late.body.partition(b"?>\n")
    assert rest[:2] == b"  "
    told = rest.lstrip(b" ")
    assert told.lstrip()[:6] == b"<Error"
    assert at_once.body.startswith(declaration + end)
    assert len(declaration + end + told) == len(at_once.body)


# --- the vendors' own SDKs ---------------------------------------------------------------------------------


def by_cos(server):
    """Tencent's looks for an ETag, but not in the copy of a part."""
    client = cos(server.port)
    source = {"Bucket": "photos-1250000000", "Key": "plain", "Region": "ap-guangzhou"}
    there = ("photos-1250000000", "k")
    yield "CopyObject", raises(CosServiceError, client.copy_object, *there, source)
    yield "UploadPartCopy", raises(CosServiceError, client.upload_part_copy, *there, 1, "u", source)
    ended = (*there, "u", {"Part": PARTS})
    yield "CompleteMultipartUpload", raises(CosServiceError, client.complete_multipart_upload, *ended)


def by_bos(server):
    """Baidu's looks for it in a chunked answer alone."""
    copy = bos(server.url).copy_object
    yield "CopyObject", raises(BceHttpClientError, copy, "photos", "plain", "photos", "k")


def by_obs(server):
    """Huawei's SDK reports success without an ETag: the caller believes in a missing object."""
    with obs(server.url) as client:
        copied = client.copyObject("photos", "plain", "photos", "k")
        part = client.copyPart("photos", "k", 1, "u", "photos/plain")
    for operation, said in (("CopyObject", copied), ("UploadPartCopy", part)):
        yield operation, "success" if (said.status, said.errorCode) == (200, None) else "error"


def raises(error, ask, *arguments):
    try:
        ask(*arguments)
    except error:
        return "error"
    return "success"


REACTIONS = {"cos": by_cos, "bos": by_bos, "obs": by_obs}
TAKEN = {("cos", "UploadPartCopy"), ("obs", "CopyObject"), ("obs", "UploadPartCopy")}
"""Operations for which the vendor's own SDK reports success; others raise.

None of these SDKs sends the request again.
"""


@pytest.mark.parametrize("vendor", REACTIONS)
def test_the_vendors_own_sdk(server, vendor):
    """The SDK reports an error or success, and asks once."""
    server.use(error_of(vendor).address, status=200, operation=list(vendors.get(vendor).errors_in_200))
    seen = dict(REACTIONS[vendor](server))
    assert seen == {
        name: "success" if (vendor, name) in TAKEN else "error" for name in vendors.get(vendor).errors_in_200
    }
    assert [each.operation for each in server.outcomes] == list(seen)


TOS = """
import json, sys
import tos

there = {"proxy_host": "127.0.0.1", "proxy_port": int(sys.argv[1])}
client = tos.TosClientV2("id", "key", "http://tos-cn-beijing.volces.com", "cn-beijing", **there)
said = {}
for name, ask in {
    "CopyObject": lambda: client.copy_object("photos", "k", "photos", "plain"),
    "UploadPartCopy": lambda: client.upload_part_copy("photos", "k", "u", 1, "photos", "plain"),
    "FetchObject": lambda: client.fetch_object("photos", "k", "http://a.example/b"),
}.items():
    try:
        ask()
    except tos.exceptions.TosServerError as error:
        said[name] = [error.status_code, error.code]
json.dump(said, sys.stdout)
"""


def test_volcengines_own_sdk(server):
    """Volcengine's SDK makes an error of an answer without ETag, with its code, and no retry."""
    hidden = list(vendors.get("tos").errors_in_200)
    server.use(error_of("tos").address, status=200, operation=hidden)
    assert json.loads(pinned(TOS, server.port)) == {name: [200, "InternalError"] for name in hidden}
    assert [each.operation for each in server.outcomes] == hidden


JAVASCRIPT = """
const { createRequire } = require("node:module");
const path = require("node:path");
const sdk = createRequire(path.resolve("package.json"));
const [sent, origin] = process.argv.slice(1);
const url = new URL(origin);
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = process.stderr.write.bind(process.stderr); // what an SDK prints is no answer
const there = { Bucket: "photos-1250000000", Region: "ap-guangzhou", Key: "k" };
const source = { CopySource: "photos-1250000000.cos.ap-guangzhou.myqcloud.com/plain" };
const at = { bucket: "photos", key: "k" };
const calls = {
  cos() {
    const COS = sdk("cos-nodejs-sdk-v5");
    const keys = { SecretId: "id", SecretKey: "key" };
    const client = new COS({ ...keys, Protocol: "http:", Proxy: origin, AutoSwitchHost: false });
    return {
      CopyObject: () => client.putObjectCopy({ ...there, ...source }),
      UploadPartCopy: () => client.uploadPartCopy({ ...there, ...source, UploadId: "u", PartNumber: 1 }),
      CompleteMultipartUpload: () =>
        client.multipartComplete({ ...there, UploadId: "u", Parts: [{ PartNumber: 1, ETag: '"e"' }] }),
    };
  },
  obs() {
    const ObsClient = sdk("esdk-obs-nodejs");
    const client = new ObsClient({ access_key_id: "id", secret_access_key: "key", server: origin });
    const [to, from] = [{ Bucket: "photos", Key: "k" }, { CopySource: "photos/plain" }];
    const told = async (asked) => {
      const { CommonMsg: said } = await asked;
      if (said.Status >= 300) throw said;
    };
    return {
      CopyObject: () => told(client.copyObject({ ...to, ...from })),
      UploadPartCopy: () => told(client.copyPart({ ...to, ...from, UploadId: "u", PartNumber: 1 })),
    };
  },
  tos() {
    const { TosClient } = sdk("@volcengine/tos-sdk");
    const client = new TosClient({
      accessKeyId: "id", accessKeySecret: "key", region: "cn-beijing", endpoint: url.host, secure: false,
    });
    const from = { srcBucket: "photos", srcKey: "plain" };
    return {
      CopyObject: () => client.copyObject({ ...at, ...from }),
      UploadPartCopy: () => client.uploadPartCopy({ ...at, ...from, uploadId: "u", partNumber: 1 }),
      FetchObject: () => client.fetchObject({ ...at, url: "http://a.example/b" }),
    };
  },
};
async function answers() {
  const said = {};
  const asked = Object.entries(calls[sent]());
  await new Promise(setImmediate); // Huawei's is ready a moment after it is made
  for (const [name, ask] of asked) {
    said[name] = await ask().then(() => "success", () => "error");
  }
  write(JSON.stringify(said));
}
answers();
"""
IN_JAVASCRIPT = {
    "cos": {
        "CopyObject": ("error", 4),
        "UploadPartCopy": ("error", 4),
        "CompleteMultipartUpload": ("error", 1),
    },
    "obs": {"CopyObject": ("success", 1), "UploadPartCopy": ("success", 1)},
    "tos": {"CopyObject": ("error", 1), "UploadPartCopy": ("error", 1), "FetchObject": ("success", 1)},
}
"""The result in the vendor's own SDK for JavaScript, and its attempts.

AWS's SDK has its own module.
"""


PACKAGES = {"cos": "cos-nodejs-sdk-v5", "obs": "esdk-obs-nodejs", "tos": "@volcengine/tos-sdk"}


@pytest.mark.slow
@pytest.mark.parametrize("vendor", IN_JAVASCRIPT)
def test_the_vendors_own_sdk_for_javascript(server, vendor):
    """The vendor's SDK for JavaScript reports the expected result, after so many attempts."""
    server.use(error_of(vendor).address, status=200, operation=list(vendors.get(vendor).errors_in_200))
    told = json.loads(in_node(PACKAGES[vendor], JAVASCRIPT, vendor, server.url))
    asked = [each.operation for each in server.outcomes]
    assert {name: (result, asked.count(name)) for name, result in told.items()} == IN_JAVASCRIPT[vendor]


def test_each_is_played_to_an_sdk_of_the_vendors():
    """Nothing stands in the catalogue that no SDK was asked about."""
    played = {(vendor, name) for vendor in (*REACTIONS, "tos") for name in vendors.get(vendor).errors_in_200}
    assert BOTO3 | played == {*HIDDEN}


# --- those that send none ----------------------------------------------------------------------------------


def test_oss2_takes_it_for_success(server):
    """oss2 looks into the body neither after an upload's end nor after a copy.

    No source says that OSS ever puts an error there.
    """
    bucket = oss2.Bucket(oss2.Auth("id", "key"), server.url, "photos", is_path_style=True)
    server.use("oss:InternalError", status=200)
    assert bucket.complete_multipart_upload("k", "u", [oss2.models.PartInfo(1, "e")]).status == 200
    assert bucket.copy_object("photos", "plain", "k").status == 200
    assert [each.operation for each in server.outcomes] == ["CompleteMultipartUpload", "CopyObject"]
    assert vendors.get("oss").errors_in_200 == {}


def test_minio_takes_the_end_of_an_upload_for_success():
    """It looks into the body and finds nothing amiss; its server has sent none since July 2023."""
    part = 5 * 1024 * 1024
    with running(ObjectStore("minio")) as server:
        client = minio(server.port)
        client.make_bucket("photos")
        server.use("minio:InternalError", status=200, operation="CompleteMultipartUpload")
        done = client.put_object("photos", "k", io.BytesIO(bytes(part + 1)), part + 1, part_size=part)
        assert (done.object_name, done.etag, server.last.fault) == ("k", None, "minio:InternalError")
        assert list(client.list_objects("photos")) == []
    assert vendors.get("minio").errors_in_200 == {}
    assert {each.framing for each in vendors.get("minio").known_of_200} == {"none"}


def test_minio_misses_the_etag_of_a_copy(server):
    """And says so, where it could have said what failed."""
    client = minio(server.port)
    server.use("minio:InternalError", status=200, operation="CopyObject")
    with pytest.raises(ValueError, match="ETag"):
        client.copy_object("photos", "k", CopySource("photos", "plain"))
    assert server.last.operation == "CopyObject"
