"""What clients sign holds behind the proxy: for stores that work each signature out again, and refuse what differs."""

from __future__ import annotations

import datetime
import json
import os
import re
import shutil
import subprocess
import sys
import warnings
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import boto3
import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.storage.blob import BlobServiceClient
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.credentials import Credentials
from botocore.exceptions import ClientError
from google.api_core.exceptions import GoogleAPICallError
from google.auth import crypt
from google.cloud import storage
from google.oauth2 import credentials as oauth2
from google.oauth2 import service_account

from faultinject.proxy import Proxy, Target
from faultinject.server import Server

from . import signed
from .conftest import served

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import oss2
    from qcloud_cos import CosConfig, CosS3Client, CosServiceError

pytestmark = pytest.mark.live

BUCKET = "photos"
ODD = "a b/ü+&=%2F//~.'()*!$@:,;?#.txt"
KEYS = ("cat.jpg", ODD)
CONTENT = bytes(range(256)) * 40


@pytest.fixture
def ways():
    """`ways(vendor, check)`: a store that checks, and the URLs to it: its own, and the proxy's."""
    from contextlib import ExitStack

    with ExitStack() as stack:

        def make(vendor, check, **more):
            store = signed.SignedStore(vendor, check)
            server = stack.enter_context(Server(store))
            target = Target(server.url)
            port = stack.enter_context(served(Proxy(target, **more), target))
            return store, server.url, f"http://127.0.0.1:{port}"

        yield make


def compared(call, store, direct, proxied):
    """Both say the same, all signatures held, and with another secret none of them."""
    told = []
    for url in (direct, proxied):
        store.checked.clear()
        told.append(call(url, signed.SECRET))
        assert store.checked
        assert all(store.checked), (url, store.checked)
        store.checked.clear()
        refused = call(url, "d3Jvbmc=")
        assert store.checked
        assert not any(store.checked)
        told[-1].append(refused)
    assert told[0] == told[1]


def tried(told, error, status, *calls):
    """What each of them gives, or the status of its refusal."""
    for each in calls:
        try:
            told.append(each())
        except error as caught:
            told.append(status(caught))
    return told


def s3(url, secret, **more):
    config = Config(
        signature_version="s3v4", s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, **more
    )
    return boto3.client(
        "s3",
        endpoint_url=url,
        aws_access_key_id=signed.KEY,
        aws_secret_access_key=secret,
        region_name="us-east-1",
        config=config,
    )


def of_s3(answer):
    return getattr(answer, "response", answer)["ResponseMetadata"]["HTTPStatusCode"]


def with_boto3(url, secret):
    told = []
    with closing(s3(url, secret)) as client:

        def multipart(key):
            upload = client.create_multipart_upload(Bucket=BUCKET, Key=key)["UploadId"]
            parts = [
                {
                    "PartNumber": each,
                    "ETag": client.upload_part(
                        Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=each, Body=CONTENT
                    )["ETag"],
                }
                for each in (1, 2)
            ]
            done = client.complete_multipart_upload(
                Bucket=BUCKET, Key=key, UploadId=upload, MultipartUpload={"Parts": parts}
            )
            return done["ETag"]

        calls = [lambda: of_s3(client.create_bucket(Bucket=BUCKET))]
        for key in KEYS:
            asked = {"Bucket": BUCKET, "Key": key}
            calls += [
                lambda asked=asked: client.put_object(
                    **asked, Body=CONTENT, Metadata={"a": "b  c"}, ContentType="image/jpeg"
                )["ETag"],
                lambda asked=asked: client.get_object(**asked, Range="bytes=3-9")["Body"].read(),
                lambda asked=asked: client.head_object(**asked)["Metadata"],
                lambda key=key: multipart(key),
                lambda asked=asked, key=key: client.copy_object(
                    Bucket=BUCKET, Key="copy", CopySource={"Bucket": BUCKET, "Key": key}
                )["CopyObjectResult"]["ETag"],
                lambda asked=asked: client.delete_objects(
                    Bucket=BUCKET, Delete={"Objects": [{"Key": asked["Key"]}]}
                )["Deleted"],
                lambda asked=asked: client.get_object(**asked),
                lambda asked=asked: (
                    requests.put(
                        client.generate_presigned_url("put_object", asked), CONTENT, timeout=40
                    ).status_code
                ),
                lambda asked=asked: requests.get(
                    client.generate_presigned_url("get_object", asked), timeout=40
                ).content[:40],
            ]
        calls.append(
            lambda: [
                each["Key"]
                for each in client.list_objects_v2(Bucket=BUCKET, Prefix="", Delimiter="|")["Contents"]
            ]
        )
        calls += [
            lambda key=key: of_s3(client.delete_object(Bucket=BUCKET, Key=key)) for key in (*KEYS, "copy")
        ]
        calls.append(lambda: of_s3(client.delete_bucket(Bucket=BUCKET)))
        return tried(told, ClientError, of_s3, *calls)


def test_boto3(ways):
    """Signature Version 4 in headers and in URLs."""
    compared(with_boto3, *ways("s3", signed.sigv4))


def test_signed_chunks(ways):
    """`STREAMING-AWS4-HMAC-SHA256-PAYLOAD`: each chunk's signature follows from that before."""
    _store, direct, proxied = ways("s3", signed.sigv4)
    with closing(s3(direct, signed.SECRET)) as client:
        client.create_bucket(Bucket=BUCKET)
    for url in (direct, proxied):
        assert put_in_chunks(url, signed.SECRET).status_code == 200
        assert put_in_chunks(url, "wrong").status_code == 403
        assert put_in_chunks(url, signed.SECRET, spoil=True).status_code == 403
    with closing(s3(proxied, signed.SECRET)) as client:
        assert client.get_object(Bucket=BUCKET, Key="k")["Body"].read() == CONTENT


def put_in_chunks(url, secret, *, spoil=False):
    auth = signed.Again(Credentials(signed.KEY, secret), "s3", "us-east-1")
    auth.payload_was = signed.STREAMED
    time = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    request = AWSRequest("PUT", f"{url}/{BUCKET}/k")
    for name, value in {
        "host": signed.host_of(url),
        "x-amz-date": time,
        "x-amz-content-sha256": signed.STREAMED,
        "x-amz-decoded-content-length": str(len(CONTENT)),
        "content-encoding": "aws-chunked",
    }.items():
        request.headers[name] = value
    request.context["timestamp"] = time
    before = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    names = ";".join(sorted(name.lower() for name in request.headers))
    request.headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, SignedHeaders={names}, Signature={before}"
    )
    body = b""
    for piece in (CONTENT[:8192], CONTENT[8192:], b""):
        before = signed.chunk_signature(auth, request, before, piece)
        body += b"%x;chunk-signature=%b\r\n%b\r\n" % (len(piece), before.encode(), piece)
    if spoil:
        body = body.replace(piece := CONTENT[:9], bytes(reversed(piece)), 1)
    return requests.put(request.url, body, headers=dict(request.headers.items()), timeout=60)


def test_the_host_of_the_server(ways):
    """With `--rewrite-host` a signature of the proxy's address does not hold: the store is told another one."""
    store, _, proxied = ways("s3", signed.sigv4, rewrite_host=True)
    with closing(s3(proxied, signed.SECRET)) as client, pytest.raises(ClientError) as caught:
        client.list_buckets()
    assert (of_s3(caught.value), store.checked) == (403, [False])


@pytest.mark.parametrize("rewrite_host", [True, False])
def test_the_host_that_the_client_has_signed(ways, rewrite_host):
    """A client that has the server's own address, and this one as its HTTP_PROXY, signs what the server is told either way."""
    store, direct, proxied = ways("s3", signed.sigv4, rewrite_host=rewrite_host)
    with closing(s3(direct, signed.SECRET, proxies={"http": proxied})) as client:
        client.create_bucket(Bucket=BUCKET)
        assert client.put_object(Bucket=BUCKET, Key=ODD, Body=CONTENT)["ETag"]
        assert client.get_object(Bucket=BUCKET, Key=ODD)["Body"].read() == CONTENT
    assert store.checked == [True] * 3


def with_cos(url, secret):
    port = int(url.rpartition(":")[2])
    told = []
    with requests.Session() as session:
        client = CosS3Client(
            CosConfig(
                Region="ap-guangzhou", SecretId=signed.KEY, SecretKey=secret, Scheme="http", IP="127.0.0.1", Port=port, Timeout=10
            ),
            session=session,
            retry=0,
        )  # fmt: skip
        bucket = "photos-1250000000"

        def multipart(key):
            upload = client.create_multipart_upload(bucket, key)["UploadId"]
            part = client.upload_part(bucket, key, CONTENT, 1, upload)["ETag"]
            parts = {"Part": [{"PartNumber": 1, "ETag": part}]}
            return client.complete_multipart_upload(bucket, key, upload, parts)["ETag"]

        calls = [lambda: client.create_bucket(bucket)]
        for key in ("cat.jpg", "a b/ü+&=%2F~.txt"):
            calls += [
                lambda key=key: client.put_object(bucket, CONTENT, key, ContentType="image/jpeg")["ETag"],
                lambda key=key: (
                    client.get_object(bucket, key, Range="bytes=3-9")["Body"].get_raw_stream().read()
                ),
                lambda key=key: client.head_object(bucket, key)["ETag"],
                lambda key=key: multipart(key),
                lambda key=key: client.delete_object(bucket, key) and None,
                lambda key=key: client.get_object(bucket, key),
            ]
        calls.append(lambda: client.list_objects(bucket)["Name"])
        calls.append(lambda: client.delete_bucket(bucket))
        return tried(told, CosServiceError, lambda error: error.get_status_code(), *calls)


def test_cos(ways):
    """Tencent's own signature."""
    compared(with_cos, *ways("cos", signed.cos))


def with_oss2(url, secret):
    told = []
    session = oss2.Session()
    bucket = oss2.Bucket(oss2.Auth(signed.KEY, secret), url, BUCKET, session=session, connect_timeout=60)
    calls = [lambda: bucket.create_bucket().status]
    for key in ("cat.jpg", "a b/ü+&=%2F~.txt"):
        calls += [
            lambda key=key: bucket.put_object(key, CONTENT, headers={"x-oss-meta-a": "b"}).etag,
            lambda key=key: bucket.get_object(key, byte_range=(3, 9)).read(),
            lambda key=key: bucket.head_object(key).content_length,
            lambda key=key: requests.get(bucket.sign_url("GET", key, 60), timeout=60).content[:40],
            lambda key=key: (
                bucket.abort_multipart_upload(key, bucket.init_multipart_upload(key).upload_id).status
            ),
            lambda key=key: bucket.copy_object(BUCKET, key, "copy").etag,
            lambda key=key: bucket.batch_delete_objects([key]).deleted_keys,
            lambda key=key: bucket.get_object(key).read(),
        ]
    calls += [
        lambda: [each.key for each in bucket.list_objects_v2().object_list],
        lambda: bucket.delete_object("copy").status,
        lambda: bucket.delete_bucket().status,
    ]
    try:
        return tried(told, oss2.exceptions.ServerError, lambda error: error.status, *calls)
    finally:
        session.session.close()


def test_oss2(ways):
    """Alibaba's first signature, in headers and in URLs."""
    compared(with_oss2, *ways("oss", signed.oss))


def with_azure(url, secret):
    told = []
    credential = {"account_name": "account", "account_key": secret}
    with BlobServiceClient(f"{url}/account", credential=credential, retry_total=0) as account:
        container = account.get_container_client(BUCKET)
        calls = [lambda: container.create_container() and None]
        for key in (*KEYS[:1], "a b/ü+&=~.txt"):
            blob = container.get_blob_client(key)
            calls += [
                lambda blob=blob: blob.upload_blob(CONTENT, metadata={"a": "b"}, overwrite=True) and None,
                lambda blob=blob: blob.download_blob(3, 7).readall(),
                lambda blob=blob: blob.get_blob_properties().metadata,
                lambda blob=blob: blob.stage_block("MDAx", CONTENT) and None,
                lambda blob=blob: blob.commit_block_list(["MDAx"]) and None,
                lambda blob=blob: blob.delete_blob(),
                lambda blob=blob: blob.download_blob().readall(),
            ]
        calls += [
            lambda: [each.name for each in container.list_blobs(name_starts_with="a b/")],
            container.delete_container,
        ]
        return tried(told, HttpResponseError, lambda error: error.status_code, *calls)


def test_azure(ways):
    """Azure's shared key."""
    compared(with_azure, *ways("azure-blob", signed.shared_key))


@pytest.fixture
def azurite():
    """The URL of Microsoft's emulator, with the account `account`."""
    folder = Path(os.environ.get("JAVASCRIPT_SDKS", ".")) / "node_modules" / ".bin"
    program = shutil.which("azurite-blob", path=f"{folder}{os.pathsep}{os.environ['PATH']}")
    if not program:
        pytest.skip("Azurite is neither on the path nor in the folder that JAVASCRIPT_SDKS names")
    process = subprocess.Popen(
        [program, "--blobPort", "0", "--inMemoryPersistence", "--skipApiVersionCheck"],
        env={**os.environ, "AZURITE_ACCOUNTS": f"account:{signed.SECRET}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    with process:
        said = ""
        while "successfully listen" not in said:
            said = process.stdout.readline()
            assert said, "Azurite did not start"
        yield re.search(r"http://[\d.:]+", said)[0]
        process.terminate()


@pytest.mark.slow
def test_azurite(azurite):
    """An emulator that checks the shared key says the same of the same requests, and refuses another key."""
    target = Target(azurite)
    with served(Proxy(target), target) as port:
        direct, proxied = (with_azure(url, signed.SECRET) for url in (azurite, f"http://127.0.0.1:{port}"))
        refused = with_azure(f"http://127.0.0.1:{port}", "d3Jvbmc=")
    assert direct == proxied
    assert CONTENT[3:10] in proxied
    assert set(refused) == {403}


@pytest.fixture(scope="module")
def account():
    """A service account of Google's, with a key of its own making."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )
    signer = crypt.RSASigner.from_string(key.decode())
    return service_account.Credentials(
        signer, "me@project.iam.gserviceaccount.com", "https://nowhere.invalid"
    )


def test_google(ways, account):
    """A token goes on as it was given, and a signed URL holds."""

    def call(url, secret):
        told = []
        client = storage.Client(
            project="project", credentials=oauth2.Credentials(secret), client_options={"api_endpoint": url}
        )
        bucket = client.bucket(BUCKET)
        calls = [lambda: client.create_bucket(BUCKET).name]
        for key in KEYS:
            blob = bucket.blob(key)
            calls += [
                lambda blob=blob: blob.upload_from_string(CONTENT, "image/jpeg", retry=None),
                lambda blob=blob: blob.download_as_bytes(start=3, end=9, retry=None),
                lambda blob=blob: blob.delete(retry=None),
            ]
        calls.append(lambda: [each.name for each in client.list_blobs(BUCKET, retry=None)])
        calls.append(lambda: bucket.delete(retry=None))
        with closing(client):
            return tried(told, GoogleAPICallError, lambda error: error.code, *calls)

    store, direct, proxied = ways("gcs", signed.bearer_or_signed_url(account))
    compared(call, store, direct, proxied)
    for url in (direct, proxied):
        link = (
            storage.Client(project="p", credentials=account)
            .bucket(BUCKET)
            .blob(ODD)
            .generate_signed_url(version="v4", expiration=60, api_access_endpoint=url)
        )
        store.checked.clear()
        requests.get(link, timeout=60)
        requests.get(link.replace("Expires=60", "Expires=90"), timeout=60)
        assert store.checked == [True, False]


NOT_RCLONES = {"AWS_CA_BUNDLE"}
"""What rclone cannot begin with."""


def process(command, cwd=None, **environ):
    """What a program says, or that it failed."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env={name: value for name, value in os.environ.items() if name not in NOT_RCLONES} | environ,
        capture_output=True,
        check=False,
        timeout=120,
    )
    return done.returncode, done.stdout.decode()


NODE = """
const { S3Client, ...s3 } = require('@aws-sdk/client-s3');
const [endpoint, accessKeyId, secretAccessKey] = process.argv.slice(1);
(async () => {
  const credentials = { accessKeyId, secretAccessKey };
  const client = new S3Client({ endpoint, region: 'us-east-1', forcePathStyle: true, maxAttempts: 1, credentials });
  const told = [];
  const call = async (name, input, read = () => null) => {
    try {
      const answer = await client.send(new s3[`${name}Command`](input));
      told.push(answer.$metadata.httpStatusCode, await read(answer));
    } catch (error) { told.push(error.name, error.$metadata?.httpStatusCode ?? String(error)); }
  };
  const Bucket = 'photos', Body = 'meow'.repeat(5000);
  await call('CreateBucket', { Bucket });
  for (const Key of ['cat.jpg', "a b/\\u00fc+&=%2F//~.'()*!$@:,;?#.txt"]) {
    await call('PutObject', { Bucket, Key, Body, Metadata: { a: 'b' } }, a => a.ETag);
    await call('GetObject', { Bucket, Key, Range: 'bytes=1-9' }, a => a.Body.transformToString());
    await call('HeadObject', { Bucket, Key }, a => a.Metadata);
    await call('ListObjectsV2', { Bucket, Prefix: Key }, a => a.Contents.map(each => each.Key));
    await call('DeleteObject', { Bucket, Key });
    await call('GetObject', { Bucket, Key });
  }
  await call('DeleteBucket', { Bucket });
  process.stdout.write(JSON.stringify(told));
})();
"""


@pytest.mark.slow
def test_node(ways):
    """AWS's SDK for JavaScript."""
    folder, node = os.environ.get("JAVASCRIPT_SDKS"), shutil.which("node")
    if not folder or not node:
        pytest.skip("@aws-sdk/client-s3 has a folder of its own, which JAVASCRIPT_SDKS names, and needs Node")

    def call(url, secret):
        code, told = process([node, "-e", NODE, url, signed.KEY, secret], folder)
        assert code == 0
        return json.loads(told)

    compared(call, *ways("s3", signed.sigv4))


@pytest.mark.slow
def test_rclone(ways, tmp_path):
    """AWS's SDK for Go, in rclone."""
    rclone = shutil.which("rclone", path=Path(sys.executable).parent)
    if not rclone:
        pytest.skip("rclone is not installed: it is of the extra conformance-native")
    content = tmp_path / "b c&+=.jpg"
    content.write_bytes(CONTENT)

    def call(url, secret):
        environ = {
            "RCLONE_CONFIG": "",
            "RCLONE_S3_PROVIDER": "Other",
            "RCLONE_S3_ENDPOINT": url,
            "RCLONE_S3_ACCESS_KEY_ID": signed.KEY,
            "RCLONE_S3_SECRET_ACCESS_KEY": secret,
            "RCLONE_S3_REGION": "us-east-1",
            "RCLONE_RETRIES": "1",
            "RCLONE_LOW_LEVEL_RETRIES": "1",
        }
        return [
            process([rclone, *each], **environ)
            for each in (
                ("mkdir", ":s3:photos"),
                ("copy", str(content), ":s3:photos/a b"),
                ("rcat", ":s3:photos/streamed", "--size", "1"),
                ("cat", ":s3:photos/a b/b c&+=.jpg", "--offset", "64", "--count", "9"),
                ("lsf", "-R", ":s3:photos"),
                ("purge", ":s3:photos"),
            )
        ]

    compared(call, *ways("s3", signed.sigv4))


def test_what_is_checked(ways):
    """A request that is changed on its way is refused: another target, another body, another header that was signed."""
    _store, direct, _ = ways("s3", signed.sigv4)
    with closing(s3(direct, signed.SECRET)) as client:
        client.create_bucket(Bucket=BUCKET)
        url = client.generate_presigned_url("get_object", {"Bucket": BUCKET, "Key": "k"})
    auth = signed.Again(Credentials(signed.KEY, signed.SECRET), "s3", "us-east-1")
    time = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
    request = AWSRequest("PUT", f"{direct}/{BUCKET}/k%2Fl")
    auth.payload_was = sha256(CONTENT).hexdigest()
    for name, value in {
        "host": signed.host_of(direct),
        "x-amz-date": time,
        "x-amz-content-sha256": auth.payload_was,
        "x-amz-meta-a": "b",
    }.items():
        request.headers[name] = value
    request.context["timestamp"] = time
    signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
    names = ";".join(sorted(name.lower() for name in request.headers))
    headers = {
        **dict(request.headers.items()),
        "Authorization": f"AWS4-HMAC-SHA256 Credential={auth.scope(request)}, SignedHeaders={names}, Signature={signature}",
    }
    with requests.Session() as session:

        def put(target, body=CONTENT, **more):
            return session.put(f"{direct}{target}", body, headers={**headers, **more}, timeout=60).status_code

        assert put(f"/{BUCKET}/k%2Fl") == 200
        assert put(f"/{BUCKET}/k/l") == 403
        assert put(f"/{BUCKET}/k%2Fl?x") == 403
        assert put(f"/{BUCKET}/k%2Fl", CONTENT[1:]) == 403
        assert put(f"/{BUCKET}/k%2Fl", **{"x-amz-meta-a": "c"}) == 403
        assert put(f"/{BUCKET}/k%2Fl", host="another") == 403
        assert session.get(url, timeout=60).status_code == 404
        assert session.get(url.replace("/k?", "/l?"), timeout=60).status_code == 403
