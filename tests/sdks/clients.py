"""The clients of the table: each real one behind the same few calls, with its own way to say what went wrong.

A call raises what the client raises. A client that returns errors instead of raising them raises `Returned` here.
"""

from __future__ import annotations

import asyncio
import io
import shutil
import tempfile
import urllib.error
import urllib.request
import warnings
from contextlib import suppress
from pathlib import Path

import aiohttp
import httpx
import requests
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import boto3
    from botocore.config import Config as BotoConfig
    from botocore.exceptions import ClientError
    from jss_upload.jss import Jss
    from qcloud_cos import CosConfig, CosS3Client
    from qingstor.sdk.config import Config as QingStorConfig
    from qingstor.sdk.service.qingstor import QingStor

SENT = b"x" * 100


class Returned(Exception):
    """The client returned an answer with the status of an error, and raised nothing."""

    def __init__(self, status, code):
        super().__init__(status)
        self.status = status
        self.code = code


class Client:
    """One client, told where the server is and how long it may wait (seconds).

    Attributes:
        package: the distribution whose version the table names; None for the standard library.
        error: the documented error 500 of the vendor that it is for.
        throttled: that vendor's word for too many requests.
    """

    package = None
    error = "cos:InternalError"
    throttled = "cos:SlowDown"

    def code(self, error):
        """What the client says that the error is, where it says more than its class."""
        return getattr(error, "code", None)


class Boto3(Client):
    package = "boto3"
    session = boto3.Session("id", "key", region_name="us-east-1")

    def __init__(self, url, seconds):
        config = BotoConfig(
            s3={"addressing_style": "path"},
            retries={"mode": "standard"},
            read_timeout=seconds,
            connect_timeout=10,
        )
        self.client = self.session.client("s3", endpoint_url=url, config=config)

    def get(self, key):
        return self.client.get_object(Bucket="photos", Key=key)["Body"].read()

    def put(self, key):
        self.client.put_object(Bucket="photos", Key=key, Body=SENT)

    def post(self, key):
        self.client.create_multipart_upload(Bucket="photos", Key=key)

    def copy(self, key):
        self.client.copy_object(Bucket="photos", Key=key, CopySource={"Bucket": "photos", "Key": "plain"})

    def complete(self, key):
        parts = {"Parts": [{"ETag": '"1"', "PartNumber": 1}]}
        self.client.complete_multipart_upload(Bucket="photos", Key=key, UploadId="1", MultipartUpload=parts)

    def download(self, key):
        into = io.BytesIO()
        self.client.download_fileobj("photos", key, into)
        return into.getvalue()

    def code(self, error):
        return error.response["Error"]["Code"] if isinstance(error, ClientError) else None

    def close(self):
        self.client.close()


class Cos(Client):
    package = "cos-python-sdk-v5"
    bucket = "photos-1250000000"

    def __init__(self, url, seconds):
        self.session = requests.Session()
        config = CosConfig(
            Region="ap-guangzhou", SecretId="id", SecretKey="key", Scheme="http", IP="127.0.0.1",
            Port=int(url.rpartition(":")[2]), Timeout=seconds,
        )  # fmt: skip
        self.client = CosS3Client(config, session=self.session)

    def get(self, key):
        return self.client.get_object(self.bucket, key)["Body"].get_raw_stream().read()

    def put(self, key):
        self.client.put_object(self.bucket, SENT, key)

    def post(self, key):
        self.client.create_multipart_upload(self.bucket, key)

    def copy(self, key):
        source = {"Bucket": self.bucket, "Key": "plain", "Region": "ap-guangzhou"}
        self.client.copy_object(self.bucket, key, source)

    def complete(self, key):
        parts = {"Part": [{"ETag": '"1"', "PartNumber": 1}]}
        self.client.complete_multipart_upload(self.bucket, key, "1", parts)

    def download(self, key):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "object")
            self.client.download_file(self.bucket, key, str(path), EnableCRC=True, DumpRecordDir=folder)
            return path.read_bytes()

    def code(self, error):
        return error.get_error_code() if hasattr(error, "get_error_code") else None

    def close(self):
        self.session.close()


class QingStorSdk(Client):
    package = "qingstor-sdk"
    error = "qingstor:internal_error"
    throttled = "qingstor:max_requests_exceeded"

    def __init__(self, url, seconds):
        config = QingStorConfig("id", "key")
        config.host, config.port, config.protocol = "127.0.0.1", int(url.rpartition(":")[2]), "http"
        config.timeout = seconds
        self.service = QingStor(config)
        self.bucket = self.service.Bucket("photos", "")

    def get(self, key):
        return unpacked(self.bucket.get_object(key)).content

    def put(self, key):
        unpacked(self.bucket.put_object(key, body=SENT))

    def post(self, key):
        unpacked(self.bucket.initiate_multipart_upload(key))

    def close(self):
        self.service.client.close()


def unpacked(answer):
    """The answer of a QingStor call, whose status it is left to its user to look at."""
    if answer.status_code >= 400:
        raise Returned(answer.status_code, answer.get("code"))
    return answer


class JssUpload(Client):
    """It takes no time-out."""

    package = "jss-upload"
    error = "jss:InternalError"
    throttled = "jss:SlowDown"

    def __init__(self, url, _seconds):
        self.bucket = Jss(url, "id", "key").bucket("photos")

    def get(self, key):
        return shown(self.bucket.object(key).get()).content

    def put(self, key):
        shown(self.bucket.object(key).put_data("x" * 100, key))

    def post(self, key):
        self.bucket.object(key).init_multipart_upload()

    def close(self):
        """Every call has a connection of its own."""


def shown(answer):
    """The answer of a JSS call, whose status it is left to its user to look at."""
    if answer.status_code >= 400:
        code = None
        with suppress(requests.JSONDecodeError):
            code = answer.json()["code"]
        raise Returned(answer.status_code, code)
    return answer


class Requests(Client):
    package = "requests"
    retries = 0

    def __init__(self, url, seconds):
        self.url, self.seconds = url, seconds
        self.session = requests.Session()
        self.session.mount("http://", HTTPAdapter(max_retries=self.retries))

    def ask(self, method, key, **more):
        answer = self.session.request(method, f"{self.url}/photos/{key}", timeout=self.seconds, **more)
        answer.raise_for_status()
        return answer.content

    def get(self, key):
        return self.ask("GET", key)

    def put(self, key):
        self.ask("PUT", key, data=SENT)

    def post(self, key):
        self.ask("POST", key, params="uploads")

    def code(self, error):
        return getattr(getattr(error, "response", None), "status_code", None)

    def close(self):
        self.session.close()


class RequestsRetry(Requests):
    package = "urllib3"
    retries = Retry(total=3, backoff_factor=0.1, status_forcelist=[500, 502, 503, 504])


class Httpx(Requests):
    package = "httpx"

    def __init__(self, url, seconds):
        self.url, self.seconds = url, seconds
        self.session = httpx.Client(transport=httpx.HTTPTransport(retries=3))

    def put(self, key):
        self.ask("PUT", key, content=SENT)


class Aiohttp(Client):
    """The one with a time-out for the whole exchange; its session lives as long as its loop."""

    package = "aiohttp"

    def __init__(self, url, seconds):
        self.url, self.seconds = url, seconds
        self.runner = asyncio.Runner()
        self.session = self.runner.run(self.open())

    async def open(self):
        total = aiohttp.ClientTimeout(total=self.seconds)
        return aiohttp.ClientSession(timeout=total, raise_for_status=True)

    def ask(self, method, key, **more):
        return self.runner.run(self.exchange(method, f"{self.url}/photos/{key}", **more))

    async def exchange(self, method, url, **more):
        async with self.session.request(method, url, **more) as answer:
            return await answer.read()

    def get(self, key):
        return self.ask("GET", key)

    def put(self, key):
        self.ask("PUT", key, data=SENT)

    def post(self, key):
        self.ask("POST", f"{key}?uploads")

    def code(self, error):
        return getattr(error, "status", None)

    def close(self):
        self.runner.run(self.session.close())
        self.runner.close()


class Urllib(Client):
    """The standard library, which copies an answer into a file."""

    def __init__(self, url, seconds):
        self.url, self.seconds = url, seconds

    def ask(self, method, key, data=None):
        request = urllib.request.Request(f"{self.url}/photos/{key}", data, method=method)
        into = io.BytesIO()
        with urllib.request.urlopen(request, timeout=self.seconds) as answer:
            shutil.copyfileobj(answer, into)
        return into.getvalue()

    def get(self, key):
        return self.ask("GET", key)

    def put(self, key):
        self.ask("PUT", key, SENT)

    def post(self, key):
        self.ask("POST", f"{key}?uploads", b"")

    def code(self, error):
        if isinstance(error, urllib.error.HTTPError):
            error.close()
        return getattr(error, "code", None)

    def close(self):
        """Every call has a connection of its own."""


CLIENTS = {
    "boto3": Boto3,
    "cos-python-sdk-v5": Cos,
    "qingstor-sdk": QingStorSdk,
    "jss-upload": JssUpload,
    "requests": Requests,
    "requests-retry": RequestsRetry,
    "httpx": Httpx,
    "aiohttp": Aiohttp,
    "urllib": Urllib,
}
"""By a name that a rule may have."""
