"""Presigned URLs of the SDKs leave nothing in our records that grants access."""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from urllib.parse import parse_qsl, unquote, urlsplit

import boto3
import pytest
from azure.storage.blob import BlobSasPermissions, generate_blob_sas
from botocore.config import Config as BotoConfig
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from google.cloud import storage
from google.oauth2 import service_account

from faultinject import Injector, WSGIFaultMiddleware
from tests.pairs import pairs

from .sdk_clients import CosConfig, CosS3Client, Minio, StaticProvider, oss2

KEY_ID, KEY, TOKEN = "AKIDexample0123456789", "kEySeCrEtExample", "sEsSiOnToKeNexample"
PART = {"uploadId": "upload-7", "partNumber": "3"}


def of_boto3(version):
    client = boto3.client(
        "s3",
        region_name="us-east-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=KEY,
        aws_session_token=TOKEN,
        config=BotoConfig(signature_version=version, s3={"addressing_style": "path"}),
    )
    given = {"Bucket": "photos", "Key": "cat.jpg", "UploadId": "upload-7", "PartNumber": 3}
    return client.generate_presigned_url("upload_part", Params=given)


def of_azure():
    end = datetime.now(UTC) + timedelta(hours=1)
    allowed = BlobSasPermissions(read=True, write=True)
    given = {"account_key": "a2V5a2V5", "permission": allowed, "expiry": end, "content_disposition": "inline"}
    sas = generate_blob_sas("account", "photos", "cat.jpg", **given)
    return f"https://account.blob.core.windows.net/photos/cat.jpg?comp=block&blockid=QUFBQQ%3D%3D&{sas}"


@cache
def signer():
    """A key of Google's kind, which takes a while to make."""
    pem = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    )
    info = {
        "client_email": f"{KEY_ID}@project.example",
        "private_key": pem.decode(),
        "token_uri": "https://x.example",
    }
    return service_account.Credentials.from_service_account_info(info)


def of_gcs(version):
    blob = storage.Client("project", credentials=signer()).bucket("photos").blob("cat.jpg")
    return blob.generate_signed_url(timedelta(hours=1), method="PUT", version=version, query_parameters=PART)


def of_oss2(version):
    auth = oss2.StsAuth(KEY_ID, KEY, TOKEN, auth_version=version)
    bucket = oss2.Bucket(auth, "https://oss-cn-x.aliyuncs.com", "photos", region="cn-x")
    return bucket.sign_url("PUT", "cat.jpg", 3600, params=dict(PART), slash_safe=True)


def of_cos():
    config = CosConfig(Region="ap-x", SecretId=KEY_ID, SecretKey=KEY, Token=TOKEN)
    return CosS3Client(config).get_presigned_url("photos-1250000000", "cat.jpg", "PUT", Params=dict(PART))


def of_minio():
    client = Minio("play.example", region="us-east-1", credentials=StaticProvider(KEY_ID, KEY, TOKEN))
    return client.get_presigned_url("PUT", "photos", "cat.jpg", extra_query_params=dict(PART))


URLS = {
    "boto3 v4": lambda: of_boto3("s3v4"),
    "boto3 v2": lambda: of_boto3("s3"),
    "azure": of_azure,
    "gcs v4": lambda: of_gcs("v4"),
    "gcs v2": lambda: of_gcs("v2"),
    "oss2 v1": lambda: of_oss2("v1"),
    "oss2 v4": lambda: of_oss2("v4"),
    "cos": of_cos,
    "minio": of_minio,
}
HARMLESS = {"uploadId", "partNumber", "comp", "blockid"}


def secrets_of(url):
    """The secret values of a presigned URL, as sent and decoded.

    Not short words that anybody may know.
    """
    found = set()
    for pair in urlsplit(url).query.split("&"):
        name, _, value = pair.partition("=")
        if unquote(name) not in HARMLESS:
            found |= {value, unquote(value)}
    return {each for each in found if len(each) > 7}


SPOILED = {
    "as it is": lambda url: url,
    "semicolons": lambda url: url.replace("&", ";"),
    "two question marks": lambda url: url.replace("?", "?acl?", 1),
    "encoded in a value": lambda url: url.replace("?", "?prefix=", 1).replace("&", "%26"),
    "with userinfo": lambda url: url.replace("://", "://user:sEsSiOnToKeNexample@", 1),
}


@pytest.mark.parametrize(
    ("name", "way"),
    pairs(
        name=URLS,
        way=SPOILED,
        alike={"name": lambda name: name.startswith("azure"), "way": lambda way: way == "as it is"},
    ),
)
def test_no_secret_of_a_presigned_url(name, way, tmp_path):
    """Only the operation's names of the query are shown, even of a malformed URL.

    As a program may have put it together wrongly.
    """
    url = URLS[name]()
    secrets = {*secrets_of(url), TOKEN, KEY}
    assert len(dict(parse_qsl(urlsplit(url).query))) >= 4
    journal = tmp_path / "journal.jsonl"
    environ = {"FAULTINJECT_JOURNAL": str(journal), "FAULTINJECT_ENDPOINT": "oss-cn-x.aliyuncs.com"}
    injector = Injector("cos:SlowDown", seed=1, environ=environ)
    asked = SPOILED[way](url)
    parts = urlsplit(asked)
    absolute = "@" in parts.netloc
    environ = {
        "REQUEST_METHOD": "PUT",
        "PATH_INFO": unquote(asked.partition("?")[0]) if absolute else unquote(parts.path),
        "QUERY_STRING": parts.query,
        "RAW_URI": asked if absolute else f"{parts.path}?{parts.query}",
        "HTTP_HOST": parts.netloc.rpartition("@")[2],
        "REMOTE_ADDR": "127.0.0.1",
    }
    body = b"".join(WSGIFaultMiddleware(None, injector=injector)(environ, lambda *_: None)).decode()
    told = (
        journal.read_text()
        + repr(injector.journal.outcomes)
        + json.dumps(injector.journal.outcomes[0].to_dict())
    )
    assert [each for each in secrets if each in told + body] == []
    if asked == url:
        assert injector.journal.outcomes[0].operation == ("UploadPart" if "uploadId" in url else "PutObject")
