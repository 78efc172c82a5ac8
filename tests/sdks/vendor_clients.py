"""The vendors' SDKs as clients of the table."""

import io
import tempfile
import warnings
from contextlib import suppress
from pathlib import Path

import requests

from .client import SENT, Client, Returned
from .sdk_clients import Jss, cos, qingstor

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import boto3
    from botocore.config import Config as BotoConfig
    from botocore.exceptions import ClientError


class Boto3(Client):
    package = "boto3"
    session = boto3.Session("id", "key", region_name="us-east-1")

    def __init__(self, url, seconds):
        config = BotoConfig(
            s3={"addressing_style": "path"},
            retries={"mode": "standard"},
            read_timeout=seconds,
            connect_timeout=60,
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
        self.client = cos(int(url.rpartition(":")[2]), timeout=seconds, session=self.session)

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
        self.service = qingstor(int(url.rpartition(":")[2]), timeout=seconds)
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


def shown(answer):
    """The answer of a JSS call, whose status it is left to its user to look at."""
    if answer.status_code >= 400:
        code = None
        with suppress(requests.JSONDecodeError):
            code = answer.json()["code"]
        raise Returned(answer.status_code, code)
    return answer
